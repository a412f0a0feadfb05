"""The channels of a training job: inputdataconfig.json and what the platform brings -> folders of images and masks."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.dataset.channels import CHANNELS, IMAGE_SUFFIXES, SPLITS
from pixelwise.errors import DataError, SettingsError
from pixelwise.phrases import listed
from pixelwise.sagemaker.channels.pipes import Spool
from pixelwise.sagemaker.log_lines import Line
from pixelwise.values import unknown_name

KNOWN_CHANNELS = (*CHANNELS, "label_map", "model")

CONTENT_TYPES = (
    "image/jpeg",
    "image/png",
    "application/x-image",
    "application/x-recordio",
    "application/json",
    "application/x-sagemaker-model",
)
"""What a channel may call itself; jobs give any of them, or none, so that the files themselves tell their format."""

_MODES = ("File", "FastFile", "Pipe")
_WRAPPERS = ("RecordIO", "None")
_REQUIRED = ("train", "validation")
_MANIFESTS = (".manifest", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One entry of inputdataconfig.json; `mode` is "File", "FastFile" or "Pipe"."""

    name: str
    mode: str
    content_type: str | None
    record_wrapper: str | None  # "RecordIO", or None
    is_sharded: bool = False  # each host has a part of the files


def read_channels(path: Path) -> dict[str, Channel]:
    """The channels in `<root>/input/config/inputdataconfig.json`, by name; keys that are not needed are passed over.

    Without the file, as in a container that somebody starts by hand, the folders in `<root>/input/data` are channels
    in File mode.

    Raises:
        SettingsError: the file is no such JSON, or a mode or a record wrapper is unknown.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        folders = [name for name in _entries(path.parent.parent / "data") if name.endswith("/")]
        return {
            name[:-1]: Channel(name=name[:-1], mode="File", content_type=None, record_wrapper=None) for name in folders
        }
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as JSON ({error}). Expected an object of channels.") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds {type(content).__name__}, expected an object of channels.")
    return {name: _channel(name, entry, path) for name, entry in content.items()}


def collect(
    channels: Mapping[str, Channel], data: Path, *, spool: Path, say: Callable[[Line], None]
) -> dict[str, Path]:
    """The folder or the manifest of every channel of images and masks, ready for `pixelwise.api.datasets.check`.

    Nothing is ever written below `data`. What comes through pipes is written to folders below `spool`, whose former
    content is removed.

    Args:
        channels: of the job; unknown ones are named in a warning and left alone.
        data: `<root>/input/data`.
        spool: a folder with room for all that comes through pipes.
        say: takes the lines for the log.

    Raises:
        SettingsError: a required channel is missing, the channels do not fit together, or the disk is full.
        DataError: a folder is missing, or what comes through a pipe cannot be used.
    """
    for name in channels:
        if name not in KNOWN_CHANNELS:
            say(Line(f"{unknown_name(name, KNOWN_CHANNELS, 'channel')} It is left alone.", logging.WARNING))
        else:
            _require_content_type(channels[name])
    for name in _REQUIRED:
        if name not in channels:
            raise SettingsError(_missing(name, channels, data))
    splits = [split for split in SPLITS if _is_given(split, channels)]
    pipes = Spool(data, spool, say)
    found: dict[str, Path] = {}
    for split in sorted(splits, key=lambda split: channels[split].mode == "Pipe"):  # what fails fast comes first
        has_masks = f"{split}_annotation" in channels
        if channels[split].mode != "Pipe":
            found |= _folders(split, channels, data, say)
        else:
            found |= pipes.separate(split) if has_masks else pipes.alternating(split)
    return found


def _channel(name: str, entry: Any, path: Path) -> Channel:
    if not isinstance(entry, dict):
        raise SettingsError(f"{path}: channel {name!r} is {entry!r}, expected an object with TrainingInputMode.")
    mode = entry.get("TrainingInputMode") or "File"
    wrapper = entry.get("RecordWrapperType") or "None"
    for key, value, known in (("TrainingInputMode", mode, _MODES), ("RecordWrapperType", wrapper, _WRAPPERS)):
        if value not in known:
            raise SettingsError(f"{path}: channel {name!r} has the {key} {value!r}, expected {' or '.join(known)}.")
    kind = entry.get("ContentType") or None
    return Channel(
        name=name,
        mode=mode,
        content_type=None if kind is None else str(kind),
        record_wrapper=None if wrapper == "None" else wrapper,
        is_sharded=entry.get("S3DistributionType") == "ShardedByS3Key",
    )


def _require_content_type(channel: Channel) -> None:
    kind = (channel.content_type or "").partition(";")[0].strip().lower()
    if kind and kind not in CONTENT_TYPES:
        raise SettingsError(
            f"Channel {channel.name!r}: No iterator has been registered for ContentType {channel.content_type!r}. "
            f"{unknown_name(kind, CONTENT_TYPES, 'content type')} It may also be left out."
        )


def _is_given(split: str, channels: Mapping[str, Channel]) -> bool:
    """Whether there is a channel of images; that of its masks must fit."""
    images, masks = channels.get(split), channels.get(f"{split}_annotation")
    if images is None:
        if masks is not None:
            raise SettingsError(
                f"Channel {masks.name!r} has masks but there is no channel {split!r} with their images."
            )
        return False
    given = [channel for channel in (images, masks) if channel is not None]
    if len({channel.mode == "Pipe" for channel in given}) > 1:
        modes = " and ".join(f"{channel.name!r} in {channel.mode}" for channel in given)
        raise SettingsError(f"Channels {modes} mode cannot be matched. Give both in one mode.")
    for channel in given:
        if channel.mode == "Pipe" and channel.record_wrapper != "RecordIO":
            raise SettingsError(
                f"Channel {channel.name!r} is in Pipe mode without RecordWrapperType=RecordIO, so that nothing tells "
                "where a file ends. Set it (record_wrapping='RecordIO' in the SDK), or TrainingInputMode to File."
            )
    return True


def _missing(name: str, channels: Mapping[str, Channel], data: Path) -> str:
    given = ", ".join(sorted(channels)) or "none"
    return (
        "Unable to initialize the algorithm. Failed to validate input data configuration: "
        f"{name!r} is a required property. The channels given are {given}; {data} holds "
        f"{listed(_entries(data), 12) or 'nothing'}. Add the channel {name!r} to the job; in File mode it takes "
        "train, train_annotation, validation and validation_annotation."
    )


def _folders(split: str, channels: Mapping[str, Channel], data: Path, say: Callable[[Line], None]) -> dict[str, Path]:
    """The folders of a split's images and masks, or the manifest that lists both."""
    annotation = f"{split}_annotation"
    folder = _folder(split, data)
    entries = _entries(folder)
    nested = [name[:-1] for name in entries if name.endswith("_annotation/")]
    manifests = [folder / name for name in entries if name.lower().endswith(_MANIFESTS)]
    if annotation in channels:
        for name in nested:
            say(Line(f"{folder / name} is not a readable image file", logging.WARNING))
        if len(manifests) != 1 or any(_images(folder)):
            return {split: folder, annotation: _folder(annotation, data)}
        say(Line(f"Channel {annotation} is not read: {manifests[0]} lists the masks.", logging.WARNING))
        return {split: manifests[0]}
    if annotation in nested:
        # The masks that the prefix brought along are the ones that were meant.
        say(Line(f"Channel {annotation} is not given; its masks are taken from {folder / annotation}", logging.WARNING))
        return {split: folder, annotation: folder / annotation}
    if len(manifests) == 1:
        return {split: manifests[0]}
    if split not in _REQUIRED:
        return {split: folder}
    several = f" {len(manifests)} manifests are there, of which one would be read." if manifests else ""
    raise SettingsError(f"{_missing(annotation, channels, data)}{several}")


def _folder(channel: str, data: Path) -> Path:
    folder = data / channel
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"{folder}: {found}, expected the folder of channel {channel!r}; {data} holds "
            f"{listed(_entries(data), 12) or 'nothing'}. Check the channel's S3Uri and its TrainingInputMode."
        )
    return folder


def _entries(folder: Path) -> list[str]:
    """Names of what is visible in a folder, with `/` after those of folders, sorted."""
    try:
        with os.scandir(folder) as entries:
            names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    except OSError:
        return []
    return sorted(name for name in names if name[0] != ".")


def _images(folder: Path) -> Iterator[str]:
    """Files below a folder that may be images."""
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and not name.endswith("_annotation")]
        yield from (name for name in files if name[0] != "." and Path(name).suffix.lower() in IMAGE_SUFFIXES)
