"""The channels of a job that is to be launched: where its images, masks and models lie in S3."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import SettingsError

MODES = ("File", "FastFile")

_REQUIRED = ("train", "train_annotation", "validation", "validation_annotation")
_OPTIONAL = ("test", "test_annotation", "label_map")
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One channel.

    Attributes:
        name: such as `train` or `train_annotation`.
        uri: an S3 prefix that ends with a slash, an augmented manifest, or the model of an earlier job.
        content_type: what the channel calls its files; None leaves it out, and the files tell.
        mode: "File" (copied before training), "FastFile" (read while training) or "Pipe" (augmented manifests).
        attributes: of an augmented manifest, image first; empty for everything else.
    """

    name: str
    uri: str
    content_type: str | None = None
    mode: str = "File"
    attributes: tuple[str, ...] = ()

    def request(self) -> dict[str, Any]:
        """The channel as `InputDataConfig` has it."""
        kind = "AugmentedManifestFile" if self.attributes else "S3Prefix"
        source: dict[str, Any] = {"S3DataType": kind, "S3Uri": self.uri, "S3DataDistributionType": "FullyReplicated"}
        channel: dict[str, Any] = {"ChannelName": self.name, "DataSource": {"S3DataSource": source}}
        if self.content_type:
            channel["ContentType"] = self.content_type
        if self.attributes:
            source["AttributeNames"] = list(self.attributes)
            channel["RecordWrapperType"] = "RecordIO"
        return {**channel, "InputMode": self.mode}


def folder_inputs(data: str, *, label_map: bool = False, mode: str = "File") -> tuple[Input, ...]:
    """The channels of a dataset folder in S3: train/, train_annotation/, validation/, validation_annotation/.

    Args:
        data: the folder, such as s3://bucket/streets.
        label_map: it holds label_map/ too.
        mode: "File" or "FastFile".

    Raises:
        SettingsError: `data` is no S3 address, or the mode is another.
    """
    names = (*_REQUIRED, "label_map") if label_map else _REQUIRED
    return channel_inputs({name: f"{folder_uri('data', data)}{name}" for name in names}, mode=mode)


def channel_inputs(channels: Mapping[str, str], *, mode: str = "File") -> tuple[Input, ...]:
    """Channels by name with the S3 folder of each.

    Raises:
        SettingsError: a channel is unknown or missing, lies not in S3, or the mode is another.
    """
    unknown = [name for name in channels if name not in (*_REQUIRED, *_OPTIONAL)]
    missing = [name for name in _REQUIRED if name not in channels]
    if unknown or missing:
        raise SettingsError(
            f"channels: found {', '.join(channels) or 'none'}, expected {', '.join(_REQUIRED)} and, if there are, "
            f"{', '.join(_OPTIONAL)}."
        )
    if mode not in MODES:
        raise SettingsError(f"input mode: {mode!r}, expected {' or '.join(MODES)}.")
    types = {name: "image/png" if name.endswith("_annotation") else "application/x-image" for name in channels}
    types["label_map"] = "application/json"
    return tuple(
        Input(name=name, uri=folder_uri(f"channel {name}", uri), content_type=types[name], mode=mode)
        for name, uri in channels.items()
    )


def manifest_inputs(
    train: str, validation: str, label: str, *, validation_label: str | None = None
) -> tuple[Input, Input]:
    """The two channels of augmented manifests, as Ground Truth writes them; the job reads them through pipes.

    Args:
        train: the S3 address of the manifest of training images.
        validation: that of the validation images.
        label: the attribute with the masks, such as `street-ref`.
        validation_label: that of the validation images, if it is another.

    Raises:
        SettingsError: an address is not in S3, or an attribute's name does not end in -ref.
    """
    labels = {"train": label, "validation": validation_label or label}
    for name in labels.values():
        if not name.endswith("-ref") or name == "source-ref":
            raise SettingsError(f"label attribute: {name!r}, expected the name of the masks, ending in -ref.")
    uris = {"train": s3_uri("train manifest", train), "validation": s3_uri("validation manifest", validation)}
    first, second = (
        # The image comes first: the pipe brings the attributes in this order.
        Input(
            name=split,
            uri=uris[split],
            content_type="application/x-recordio",
            mode="Pipe",
            attributes=("source-ref", labels[split]),
        )
        for split in ("train", "validation")
    )
    return first, second


def model_input(uri: str) -> Input:
    """The channel of an earlier model, `s3://.../model.tar.gz`, to train on from it.

    Raises:
        SettingsError: the address is not in S3.
    """
    return Input(name="model", uri=s3_uri("model", uri), content_type="application/x-sagemaker-model")


def s3_uri(what: str, uri: str) -> str:
    """`uri`, which must be an address in S3."""
    if not _S3.fullmatch(uri):
        raise SettingsError(f"{what}: {uri!r} is no address in S3, expected one such as s3://bucket/folder.")
    return uri


def folder_uri(what: str, uri: str) -> str:
    """`uri` with a slash at its end; without one `train` would bring `train_annotation` along, as S3 matches texts."""
    return f"{s3_uri(what, uri).rstrip('/')}/"
