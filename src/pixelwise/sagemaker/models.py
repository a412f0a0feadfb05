"""Models that a job or an endpoint is given, ours or the old image's, and weights that come with the image."""

import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from pixelwise.bundle import FACTS_FILE, Bundle, load_bundle
from pixelwise.models.backbones import ALIASES
from pixelwise.sagemaker.gluon import import_model

WEIGHTS_VARIABLE = "PIXELWISE_WEIGHTS"
WEIGHTS_FOLDER = "/usr/share/pixelwise/weights"

_ARCHIVE = "model.tar.gz"
_SUFFIXES = (".safetensors", ".pth")


def located_model(folder: Path, scratch: Path) -> Path:
    """The bundle in `folder`: unpacked, as model.tar.gz, or an artefact of the old image, which is imported.

    Args:
        folder: the channel `model`, or the model folder of an endpoint.
        scratch: takes the imported bundle.

    Raises:
        ModelError: there is no model, or it is damaged.
    """
    source = folder / _ARCHIVE if (folder / _ARCHIVE).is_file() else folder
    return source if _is_bundle(source) else import_model(source, scratch / "imported")


def read_model(folder: Path, scratch: Path) -> Bundle:
    """The model in `folder`; see `located_model`."""
    return load_bundle(located_model(folder, scratch))


def packed_weights(backbone: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file of ImageNet weights that the image holds for `backbone`, such as resnet50s.safetensors."""
    folder = weights_folder(environment)
    name = ALIASES.get(backbone, backbone).partition(".")[0]
    return next((folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()), None)


def weights_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the image holds weights."""
    return Path(environment.get(WEIGHTS_VARIABLE) or WEIGHTS_FOLDER)


def _is_bundle(source: Path) -> bool:
    if not source.is_file():
        return (source / FACTS_FILE).exists()
    try:
        with tarfile.open(source, "r|gz") as archive:
            return any(Path(member.name).name == FACTS_FILE for member in archive)
    except (tarfile.TarError, OSError, EOFError):
        return True  # whoever reads it as a bundle says what is wrong with it
