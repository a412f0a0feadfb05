"""Bundle: a trained model on disk, as a folder or model.tar.gz; loading one executes nothing."""

import gzip
import hashlib
import importlib.metadata
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import safetensors.torch
from torch import Tensor

from pixelwise.data.bands import PHOTOGRAPH, Bands, bands_of
from pixelwise.errors import DataError, ModelError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.phrases import first_line
from pixelwise.settings import Settings

FORMAT_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
FACTS_FILE = "model.json"

# What one member may take in memory: an archive from elsewhere must not be able to ask for more.
_LARGEST = {WEIGHTS_FILE: 8 << 30, FACTS_FILE: 64 << 20}
_AUXILIARY = "auxiliary."
_REMEDY = "Copy the bundle again from where it was trained."


@dataclass(frozen=True)
class Bundle:
    """A trained model with everything needed to use and to judge it.

    `scores` is what `Scores.to_json` gives. `state` holds the tensors of the network in inference: those of the
    auxiliary head, which only training uses, are dropped. `bands` are what images must have, and what of them the
    network is given. `prior` is what the network undoes of the loss's class weights; None: there were none.
    Probabilities are softmax(logits / `temperature`).
    """

    settings: Settings
    labels: LabelTable
    scores: Mapping[str, Any]
    provenance: Mapping[str, Any]
    state: Mapping[str, Tensor]
    temperature: float = 1.0
    bands: Bands = PHOTOGRAPH
    prior: Prior | None = None

    def __post_init__(self) -> None:
        state = {name: tensor for name, tensor in self.state.items() if not name.startswith(_AUXILIARY)}
        object.__setattr__(self, "state", state)

    def build_model(self) -> Segmenter:
        """The network on the CPU with these weights, in eval mode.

        Raises:
            ModelError: the tensors are not those of the settings' network.
        """
        architecture = self.settings.changed(aux_loss_weight=0, pretrained=False, backbone_weights=None)
        model = build_segmenter(architecture, self.labels.num_classes, load_weights=False, bands=self.bands)
        try:
            model.load_state_dict(dict(self.state))
        except RuntimeError as error:
            difference = first_line(str(error).partition("\n")[2] or error)  # behind a line that says there are some
            raise ModelError(
                f"The bundle's weights are not those of its settings ({self.settings.algorithm} on "
                f"{self.settings.backbone}, {self.labels.num_classes} classes): {difference} {_REMEDY}"
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
    new, old = _siblings(folder)
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
    source, members = _members(path)
    where = f"{source}/{FACTS_FILE}"
    facts = _parsed(members[FACTS_FILE], where)
    weights = _verified(members[WEIGHTS_FILE], facts, source)
    try:
        settings = Settings.of(facts["settings"], source=where)
        labels, bands = LabelTable.from_json(facts["labels"], source=where), bands_of(facts, source=where)
        state, temperature = safetensors.torch.load(weights), float(facts.get("temperature", 1.0))
        prior = Prior.of_json(facts.get("prior"), labels.num_classes, source=where)
        return Bundle(settings, labels, facts["scores"], facts["provenance"], state, temperature, bands, prior)
    except (SettingsError, DataError) as error:
        raise ModelError(f"{error} The model may come from another version; use the one that made it.") from None
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise ModelError(f"{source}/{WEIGHTS_FILE}: is not a safetensors file ({error}). {_REMEDY}") from None


def _facts(bundle: Bundle, weights: bytes) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "settings": bundle.settings.to_json(),
        "labels": bundle.labels.to_json(),
        "normalisation": {name: bundle.state[name].flatten().tolist() for name in ("mean", "std")},
        "bands": bundle.bands.to_json(),
        "temperature": bundle.temperature,
        "prior": None if bundle.prior is None else bundle.prior.to_json(),
        "scores": dict(bundle.scores),
        "provenance": dict(bundle.provenance),
        "weights": {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()},
    }


def _siblings(folder: Path) -> tuple[Path, Path]:
    """Where the new bundle is completed, and where the old one waits to be removed."""
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")


def _settle(folder: Path) -> None:
    """Finish or undo what an interrupted `save_bundle` left, and remove its leftovers."""
    new, old = _siblings(folder)
    if not folder.exists() and old.exists():
        # The old folder steps aside only when the new one is complete.
        (new if new.exists() else old).rename(folder)
    if new.exists():
        shutil.rmtree(new)
    if old.exists():
        for entry in old.iterdir():
            if entry.name not in _LARGEST and not (folder / entry.name).exists():
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


def _members(path: Path) -> tuple[str, dict[str, bytes]]:
    """The name for messages and the content of both files."""
    try:
        if path.is_file():
            return str(path), _from_archive(path)
        folder = _located(path)
        return str(folder), {name: (folder / name).read_bytes() for name in _LARGEST}
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename}: is missing. A bundle is {FACTS_FILE} and {WEIGHTS_FILE}. {_REMEDY}"
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}). Check that it may be read.") from None


def _located(path: Path) -> Path:
    """The bundle's folder in what the user gave; also one that an interrupted save left half renamed."""
    for folder in (path, path / "model"):
        if (folder / FACTS_FILE).exists() or (folder / WEIGHTS_FILE).exists():
            return folder
        new, old = _siblings(Path(os.path.realpath(folder)))
        if not folder.exists() and old.exists():
            return new if new.exists() else old
    if not path.exists():
        raise ModelError(
            f"{path}: does not exist. Expected a bundle such as RUN/model or model.tar.gz; check the path."
        )
    raise ModelError(
        f"{path}: holds no {FACTS_FILE}. Expected a bundle ({FACTS_FILE} and {WEIGHTS_FILE}), as training "
        "writes it to RUN/model; give that folder."
    )


def _from_archive(path: Path) -> dict[str, bytes]:
    """The two files of a model.tar.gz, read into memory; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        # As a stream: each member is met once, and the end of the archive need not be reached by seeking.
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = _expected_name(member, path)
                if name is None:
                    continue
                if name in found:
                    raise ModelError(f"{path}: holds {name} twice. Pack one bundle into one archive.")
                content = archive.extractfile(member)
                found[name] = content.read() if content else b""
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ModelError(
            f"{path}: is not a complete model.tar.gz ({error}). Expected a bundle's folder or its archive; "
            "weights alone are no bundle."
        ) from None
    for name in _LARGEST:
        if name not in found:
            raise ModelError(
                f"{path}: holds no {name}. Pack {FACTS_FILE} and {WEIGHTS_FILE} at the top of the archive."
            )
    return found


def _expected_name(member: tarfile.TarInfo, path: Path) -> str | None:
    """Which of the two files this member is, None for another one; dangerous members end the reading."""
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or not (member.isfile() or member.isdir()):
        raise ModelError(
            f"{path}: holds {member.name!r}, a link, a device or a path that leads out. Not a safe bundle."
        )
    if not member.isfile() or member.name.removeprefix("./").removeprefix("model/") not in _LARGEST:
        return None
    if member.size > _LARGEST[parts[-1]]:
        limit = _LARGEST[parts[-1]] >> 20
        raise ModelError(f"{path}: {parts[-1]} is {member.size >> 20} MB, expected at most {limit} MB.")
    return parts[-1]


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    """model.json with every part of the kind that is expected."""
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where}: is not valid JSON ({error}). {_REMEDY}") from None
    version = facts.get("format_version") if isinstance(facts, dict) else None
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        remedy = "Install a newer Pixelwise." if newer else f"This is no bundle of Pixelwise. {_REMEDY}"
        raise ModelError(f"{where}: format_version is {version!r}, expected {FORMAT_VERSION}. {remedy}")
    for part in ("settings", "labels", "scores", "provenance", "weights"):
        kind = list if part == "labels" else dict
        if not isinstance(facts.get(part), kind):
            raise ModelError(f"{where}: {part!r} is missing or no {kind.__name__}. {_REMEDY}")
    temperature = facts.get("temperature", 1.0)  # bundles of before it was fitted have none
    if not (isinstance(temperature, int | float) and 1e-3 <= temperature <= 1e3):
        raise ModelError(f"{where}: temperature is {temperature!r}, expected a number from 0.001 to 1000. {_REMEDY}")
    return dict(facts)


def _verified(weights: bytes, facts: Mapping[str, Any], source: str) -> bytes:
    """`weights`, if they are the ones that were written with `facts`."""
    where = f"{source}/{WEIGHTS_FILE}"
    if len(weights) != facts["weights"].get("bytes"):
        raise ModelError(
            f"{where}: has {len(weights)} bytes, expected {facts['weights'].get('bytes')}: it is incomplete "
            f"or belongs to another {FACTS_FILE}. {_REMEDY}"
        )
    if hashlib.sha256(weights).hexdigest() != facts["weights"].get("sha256"):
        raise ModelError(f"{where}: its sha256 is not the one in {FACTS_FILE}: a file was changed. {_REMEDY}")
    return weights
