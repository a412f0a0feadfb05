"""Bring a model along that Amazon's image trained: GluonCV's parameters become a bundle of ours.

The networks are GluonCV's (gluoncv/model_zoo) at output stride 8: a ResNet with a deep stem and fcn, psp or deeplab
on top. Ours are the same, layer for layer; all maps are enlarged from corner to corner there (MXNet's
`contrib.BilinearResize2D`), which the setting `align_corners` keeps. The auxiliary head is left behind. One thing
differs in further training: the dropout of 0.1 before deeplab's classifier.
"""

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwise.bundle import Bundle, provenance, save_bundle
from pixelwise.errors import ModelError, SettingsError
from pixelwise.labels import MAX_CLASSES, LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.sagemaker.artefact.archive import open_artefact
from pixelwise.sagemaker.artefact.names import AUXILIARY, CLASSIFIER_BIAS, algorithm_of, backbone_of, our_name
from pixelwise.sagemaker.artefact.ndarray_list import read_ndarray_list
from pixelwise.settings import Settings

Arrays = Mapping[str, npt.NDArray[Any]]

# What the job says of the data, kept where it is valid: further training goes on at the same scale.
_KEPT = ("crop_size", "base_size")

_COUNTER = "num_batches_tracked"  # PyTorch's; MXNet has none, and only training without a momentum reads it


def import_model(source: Path, output: Path, *, labels: LabelTable | None = None) -> Path:
    """Write the bundle `output` of the model in `source`: it gives the probabilities that it gave in MXNet.

    What the network is follows from its parameters; the hyperparameters, where they came along, must agree.

    Args:
        source: the model.tar.gz of a training job, or its unpacked folder.
        output: the bundle's folder.
        labels: names and colours of the classes; numbered ones by default.

    Returns:
        `output`.

    Raises:
        ModelError: the artefact is incomplete, damaged, unsafe or of another network, or `output` cannot be
            written.
        SettingsError: `labels` has another number of classes.
    """
    with open_artefact(source) as artefact:
        arrays = read_ndarray_list(artefact.parameters)
        checksum = _sha256(artefact.parameters)
        settings = _settings(arrays, artefact.hyperparameters, source)
        made = provenance(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            data={
                "imported": f"{source.name}/{artefact.parameters.name}",
                "sha256": checksum,
                "hyperparameters": artefact.hyperparameters,
            },
        )
    assert settings.num_classes is not None
    table = labels or LabelTable.numbered(settings.num_classes)
    if table.num_classes != settings.num_classes:
        raise SettingsError(
            f"{source}: tells {settings.num_classes} classes apart, but {table.num_classes} are named. Name each one."
        )
    save_bundle(output, Bundle(settings, table, {}, made, _state(arrays, settings, source)))
    return output


def _settings(arrays: Arrays, given: Mapping[str, Any], source: Path) -> Settings:
    """The settings of the network that the arrays belong to."""
    bias = arrays.get(CLASSIFIER_BIAS)
    if bias is None or bias.ndim != 1 or not 2 <= len(bias) <= MAX_CLASSES:
        found = "no" if bias is None else f"{bias.shape}"
        raise ModelError(
            f"{source}: has {found} {CLASSIFIER_BIAS}, expected one number for each of 2 to {MAX_CLASSES} classes. "
            "Give a model of the Semantic Segmentation algorithm."
        )
    network = {"algorithm": algorithm_of(arrays), "backbone": backbone_of(arrays), "num_classes": len(bias)}
    for name, value in network.items():
        said = _plain(given.get(name, value))
        if said != str(value):
            raise ModelError(
                f"{source}: the hyperparameters say {name} {said}, the parameters are those of {value}. "
                "Take both files from one job."
            )
    # In float32 by default, as it was computed there: the same masks, not almost the same ones.
    exact = {"output_stride": 8, "pretrained": False, "align_corners": True, "precision": "float32"}
    settings = Settings.of({**network, **exact})
    for name in _KEPT:
        try:
            settings = settings.changed(**({name: _plain(given[name])} if name in given else {}))
        except SettingsError:
            continue  # a matter of training; the artefact's own text stays in the provenance
    return settings


def _plain(value: Any) -> str:
    """A hyperparameter as text; the SDKs write `fcn` and `"fcn"`, `5` and `5.0`."""
    text = str(value).strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    is_whole = isinstance(found, float) and found.is_integer()
    return str(int(found) if is_whole else found).strip().lower()


def _state(arrays: Arrays, settings: Settings, source: Path) -> dict[str, Tensor]:
    """The tensors of our network, each from its array; every one has its place and its shape."""
    assert settings.num_classes is not None
    state = build_segmenter(settings, settings.num_classes, load_weights=False).state_dict()
    wanted = {name for name in state if name not in ("mean", "std") and not name.endswith(_COUNTER)}
    for name, array in arrays.items():
        if name.startswith(AUXILIARY):
            continue
        ours = our_name(name, settings.algorithm)
        if ours not in wanted:
            raise _foreign(source, settings, f"{name} has no place in it")
        if array.shape != tuple(state[ours].shape):
            raise _foreign(source, settings, f"{name} is {array.shape}, expected {tuple(state[ours].shape)}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise _foreign(source, settings, f"{name} is not made of finite numbers: the training diverged")
        state[ours] = torch.from_numpy(array).float()
        wanted.remove(ours)
    if wanted:
        raise _foreign(source, settings, f"{len(wanted)} parameters are missing, {min(wanted)} among them")
    return state


def _foreign(source: Path, settings: Settings, found: str) -> ModelError:
    network = f"{settings.algorithm} on {settings.backbone} with {settings.num_classes} classes"
    return ModelError(
        f"{source}: looks like {network}, but {found}. Expected the parameters of GluonCV's network as Amazon's "
        "Semantic Segmentation algorithm saves them."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
