"""Models that a job or an endpoint is given, ours or the old image's, and weights that come with the image."""

import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from pixelwise.bundle import FACTS_FILE, WEIGHTS_FILE, Bundle, load_bundle
from pixelwise.errors import ModelError
from pixelwise.models.backbones import ALIASES
from pixelwise.phrases import listed
from pixelwise.sagemaker.artefact.archive import PARAMETERS
from pixelwise.sagemaker.artefact.convert import import_model

WEIGHTS_VARIABLE = "PIXELWISE_WEIGHTS"
WEIGHTS_FOLDER = "/usr/share/pixelwise/weights"

_ARCHIVE = "model.tar.gz"
_SUFFIXES = (".safetensors", ".pth")
_SHOWN = 12  # names in a message


def located_model(folder: Path, scratch: Path) -> Path:
    """The bundle in `folder`: unpacked, as model.tar.gz, or an artefact of the old image, which is imported.

    Args:
        folder: the channel `model`, or the model folder of an endpoint.
        scratch: takes the imported bundle.

    Raises:
        ModelError: there is no model, or it is damaged.
    """
    source = _archive(folder) or folder
    if _is_bundle(source):
        return source
    if source == folder and not any((folder / name).is_file() for name in PARAMETERS):
        raise ModelError(
            f"{folder}: {_found(folder)}, expected {_ARCHIVE} or what was packed in it: {FACTS_FILE} and "
            f"{WEIGHTS_FILE}, or {PARAMETERS[0]} of the old image. Give the {_ARCHIVE} of a training job."
        )
    return import_model(source, scratch / "imported")


def read_model(folder: Path, scratch: Path) -> Bundle:
    """The model in `folder`; see `located_model`."""
    return load_bundle(located_model(folder, scratch))


def packed_weights(backbone: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file of ImageNet weights that the image holds for `backbone`, such as resnet50s.safetensors."""
    first = weights_file(backbone, environment)
    return next((file for suffix in _SUFFIXES if (file := first.with_suffix(suffix)).is_file()), None)


def weights_file(backbone: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the image would hold the weights of `backbone`, as safetensors."""
    folder = Path(environment.get(WEIGHTS_VARIABLE) or WEIGHTS_FOLDER)
    return folder / f"{ALIASES.get(backbone, backbone).partition('.')[0]}{_SUFFIXES[0]}"


def _archive(folder: Path) -> Path | None:
    """model.tar.gz, or the only archive there is: in S3 it may have had a name of its own."""
    archives = sorted(path for path in folder.glob("*.tar.gz") if path.name != "output.tar.gz")
    named = [path for path in archives if path.name == _ARCHIVE]
    return next(iter(named or (archives if len(archives) == 1 else [])), None)


def _found(folder: Path) -> str:
    if not folder.is_dir():
        return "does not exist"
    names = sorted(path.name for path in folder.iterdir())
    return f"holds {listed(names, _SHOWN)}" if names else "is empty"


def _is_bundle(source: Path) -> bool:
    if not source.is_file():
        return (source / FACTS_FILE).exists() or (source / WEIGHTS_FILE).exists()
    try:
        with tarfile.open(source, "r|gz") as archive:
            return any(Path(member.name).name == FACTS_FILE for member in archive)
    except (tarfile.TarError, OSError, EOFError):
        return True  # whoever reads it as a bundle says what is wrong with it
