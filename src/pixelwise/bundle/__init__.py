"""Bundle: a trained model on disk, as a folder or model.tar.gz; loading one executes nothing."""

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from pixelwise.bundle.members import FACTS_FILE, LARGEST, REMEDY, WEIGHTS_FILE, members_of, siblings
from pixelwise.data.bands import PHOTOGRAPH, Bands, bands_of
from pixelwise.errors import DataError, ModelError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.models.padding import Padding
from pixelwise.models.prior import Prior
from pixelwise.models.pyramid import has_pyramid
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.phrases import first_line
from pixelwise.settings import Settings

__all__ = ["FACTS_FILE", "FORMAT_VERSION", "WEIGHTS_FILE", "Bundle", "load_bundle", "provenance", "save_bundle"]

FORMAT_VERSION = 1
_AUXILIARY = "auxiliary."


@dataclass(frozen=True)
class Bundle:
    """A trained model with everything needed to use and to judge it.

    `scores` is what `Scores.to_json` gives. `state` holds the tensors of the network in inference: those of
    the auxiliary head, which only training uses, are dropped. Probabilities are softmax(logits / `temperature`).
    `bands` are what images must have, and what of them the network is given. `padding` is what its trunk asks of the
    sides of images; where it is None, `build_model` finds it by trials, which takes a large trunk seconds. `prior` is
    what the network undoes of the loss's class weights; None: there were none.
    """

    settings: Settings
    labels: LabelTable
    scores: Mapping[str, Any]
    provenance: Mapping[str, Any]
    state: Mapping[str, Tensor]
    temperature: float = 1.0
    bands: Bands = PHOTOGRAPH
    prior: Prior | None = None
    padding: Padding | None = None

    def __post_init__(self) -> None:
        state = {name: tensor for name, tensor in self.state.items() if not name.startswith(_AUXILIARY)}
        object.__setattr__(self, "state", state)

    def build_model(self) -> Segmenter:
        """The network on the CPU with these weights, in eval mode.

        Raises:
            ModelError: the tensors are not those of the settings' network.
        """
        architecture = self.settings.changed(aux_loss_weight=0, pretrained=False, backbone_weights=None)
        model = build_segmenter(
            architecture,
            self.labels.num_classes,
            load_weights=False,
            bands=self.bands,
            pyramid=has_pyramid(self.state),
            padding=self.padding,
        )
        try:
            model.load_state_dict(dict(self.state))
        except RuntimeError as error:
            difference = first_line(str(error).partition("\n")[2] or error)  # behind a line that says there are some
            raise ModelError(
                f"The bundle's weights are not those of its settings ({self.settings.algorithm} on "
                f"{self.settings.backbone}, {self.labels.num_classes} classes): {difference} {REMEDY}"
            ) from None
        model.shift = self.prior.shift() if self.prior and self.prior.strength else None
        return model.eval()


def provenance(*, date: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What made a model: the caller's date and facts about the data, and the versions at work."""
    versions = {name: importlib.metadata.version(name) for name in ("pixelwise", "torch", "timm")}
    return {"date": date, "data": dict(data), "versions": versions}


def save_bundle(folder: Path, bundle: Bundle) -> None:
    """Write `bundle` as `folder`; a crash at any moment leaves the old bundle or the new one.

    The new folder is completed beside the old one and takes its place by renaming. Between the two renames only the
    hidden siblings exist; `load_bundle` and the next `save_bundle` find them. Other files in the folder are kept. One
    process at a time may write a folder.

    Raises:
        ModelError: the folder cannot be written.
    """
    folder = Path(os.path.realpath(folder))
    new, old = siblings(folder)
    weights = safetensors.torch.save({name: each.detach().cpu().contiguous() for name, each in bundle.state.items()})
    facts = json.dumps(_facts(bundle, weights), indent=2, allow_nan=False).encode()
    try:
        if folder.exists() and not folder.is_dir():
            raise FileExistsError("a file of this name is in the way")
        _settle(folder)
        new.mkdir(parents=True)
        _write_through(new / WEIGHTS_FILE, weights)
        _write_through(new / FACTS_FILE, facts)
        _sync_folder(new)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        _sync_folder(folder.parent)
        _settle(folder)
    except OSError as error:
        raise ModelError(
            f"{folder}: the bundle cannot be written ({error.strerror or error}). Expected a folder that "
            f"may be written, with room for {len(weights) >> 20} MB; free space or give another one."
        ) from None


def load_bundle(path: Path) -> Bundle:
    """Read a bundle's folder, the run folder around it (RUN/model) or a model.tar.gz.

    Raises:
        ModelError: there is no bundle, it is damaged, or a newer version wrote it.
    """
    source, members = members_of(path)
    where = f"{source}/{FACTS_FILE}"
    facts = _parsed(members[FACTS_FILE], where)
    weights = _verified(members[WEIGHTS_FILE], facts, source)
    try:
        settings = Settings.of(facts["settings"], source=where)
        labels, bands = LabelTable.from_json(facts["labels"], source=where), bands_of(facts, source=where)
        padding = Padding.from_json(facts.get("padding"), source=where)
        prior = Prior.of_json(facts.get("prior"), labels.num_classes, source=where)
        state, temperature = safetensors.torch.load(weights), float(facts.get("temperature", 1.0))
        return Bundle(settings, labels, facts["scores"], facts["provenance"], state, temperature, bands, prior, padding)
    except (SettingsError, DataError) as error:
        raise ModelError(f"{error} The model may come from another version; use the one that made it.") from None
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise ModelError(f"{source}/{WEIGHTS_FILE}: is not a safetensors file ({error}). {REMEDY}") from None


def _facts(bundle: Bundle, weights: bytes) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "settings": bundle.settings.to_json(),
        "labels": bundle.labels.to_json(),
        "normalisation": {name: bundle.state[name].flatten().tolist() for name in ("mean", "std")},
        "bands": bundle.bands.to_json(),
        "padding": None if bundle.padding is None else bundle.padding.to_json(),
        "temperature": bundle.temperature,
        "prior": None if bundle.prior is None else bundle.prior.to_json(),
        "scores": dict(bundle.scores),
        "provenance": dict(bundle.provenance),
        "weights": {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()},
    }


def _settle(folder: Path) -> None:
    """Finish or undo what an interrupted `save_bundle` left, and remove its leftovers."""
    new, old = siblings(folder)
    if not folder.exists() and old.exists():
        # The old folder steps aside only when the new one is complete.
        (new if new.exists() else old).rename(folder)
    if new.exists():
        shutil.rmtree(new)
    if old.exists():
        for entry in old.iterdir():
            if entry.name not in LARGEST and not (folder / entry.name).exists():
                entry.rename(folder / entry.name)
        shutil.rmtree(old)


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere folders cannot be opened, and renames are kept by the system
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    """model.json with every part of the kind that is expected."""
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where}: is not valid JSON ({error}). {REMEDY}") from None
    version = facts.get("format_version") if isinstance(facts, dict) else None
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        remedy = "Install a newer Pixelwise." if newer else f"This is no bundle of Pixelwise. {REMEDY}"
        raise ModelError(f"{where}: format_version is {version!r}, expected {FORMAT_VERSION}. {remedy}")
    for part in ("settings", "labels", "scores", "provenance", "weights"):
        kind = list if part == "labels" else dict
        if not isinstance(facts.get(part), kind):
            raise ModelError(f"{where}: {part!r} is missing or no {kind.__name__}. {REMEDY}")
    temperature = facts.get("temperature", 1.0)  # bundles of before it was fitted have none
    if not (isinstance(temperature, int | float) and 1e-3 <= temperature <= 1e3):
        raise ModelError(f"{where}: temperature is {temperature!r}, expected a number from 0.001 to 1000. {REMEDY}")
    return dict(facts)


def _verified(weights: bytes, facts: Mapping[str, Any], source: str) -> bytes:
    """`weights`, if they are the ones that were written with `facts`."""
    where = f"{source}/{WEIGHTS_FILE}"
    if len(weights) != facts["weights"].get("bytes"):
        raise ModelError(
            f"{where}: has {len(weights)} bytes, expected {facts['weights'].get('bytes')}: it is incomplete "
            f"or belongs to another {FACTS_FILE}. {REMEDY}"
        )
    if hashlib.sha256(weights).hexdigest() != facts["weights"].get("sha256"):
        raise ModelError(f"{where}: its sha256 is not the one in {FACTS_FILE}: a file was changed. {REMEDY}")
    return weights
