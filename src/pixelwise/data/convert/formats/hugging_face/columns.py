"""Which columns of a dataset of Hugging Face hold images and masks, and what a cell of them holds."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.hugging_face.opening import refuse_columns
from pixelwise.data.convert.source import MAX_FILE_BYTES
from pixelwise.errors import DataError, SettingsError

_IMAGES = {"image", "images", "img", "pixel", "photo", "picture", "rgb", "input"}
_MASKS = {
    *("mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations", "semantic"),
    *("gt", "truth", "groundtruth", "target", "targets", "seg", "segmap"),
}
_OTHERS = {"instance", "instances", "panoptic", "depth", "edge", "edges", "overlay", "conditioning"}


class Columns(NamedTuple):
    """The names of the two columns."""

    image: str
    mask: str


def choose(features: Mapping[str, Any], options: Options, where: Path) -> Columns:
    """The columns of images and masks: those given, else by type and, where several are pictures, by name.

    A mask may also be an array or lists of numbers.

    Raises:
        SettingsError: a column is given that is not there.
        DataError: nothing tells which columns are meant.
    """
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    for flag, given in (("--images", options.images), ("--masks", options.masks)):
        if given is not None and given not in features:
            raise SettingsError(f"{flag} is {given!r}, expected a column of the dataset: {', '.join(features)}.")
    pictures = [name for name, feature in features.items() if is_picture(feature)]
    arrays = [name for name, feature in features.items() if _is_array(feature) and _words(name) & _MASKS]
    images = (
        [options.images] if options.images else [name for name in pictures if not _words(name) & (_MASKS | _OTHERS)]
    )
    masks = [options.masks] if options.masks else _masks([name for name in pictures + arrays if name not in images[:1]])
    images = [name for name in images if name not in masks] or images
    if len(images) > 1:
        images = [name for name in images if _words(name) & _IMAGES] or images
    if not images and masks:
        images = [name for name in pictures if name not in masks]
    if len(images) == 1 and not masks:
        masks = [name for name in pictures if name != images[0]]
    if len(images) != 1 or len(masks) != 1 or images == masks:
        what = "images" if len(images) != 1 else "masks"
        raise refuse_columns(where, kinds, f"nothing tells which column holds the {what}")
    return Columns(images[0], masks[0])


def is_picture(feature: Any) -> bool:
    """Whether cells are encoded pictures: an Image, bytes, or a struct that has bytes as parquet files keep it."""
    if isinstance(feature, Mapping):
        return "bytes" in feature
    return type(feature).__name__ == "Image" or getattr(feature, "dtype", None) in ("binary", "large_binary")


def encoded(cell: Any, root: Path) -> bytes:
    """The bytes of a picture as they were stored; a file that a cell names counts where it lies in the dataset.

    Raises:
        DataError: the cell holds nothing, or the path of a file that is elsewhere.
    """
    content = cell.get("bytes") if isinstance(cell, Mapping) else cell
    if isinstance(content, bytes):
        return content
    path = cell.get("path") if isinstance(cell, Mapping) else None
    if not isinstance(path, str):
        raise DataError("holds no picture")
    file = root / path
    # A dataset from the hub has its files in the cache.
    if root.is_dir() and not file.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"holds the path of a file outside of the dataset ({path[:100]}); save the dataset with its images"
        )
    if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
        raise DataError(f"holds the path of a file that is not there or too large ({path[:100]})")
    return file.read_bytes()


def _masks(candidates: Sequence[str]) -> list[str]:
    named = [name for name in candidates if _words(name) & _MASKS]
    plain = [name for name in named if not _words(name) & _OTHERS] or named
    semantic = [name for name in plain if "semantic" in _words(name)]
    return semantic if len(semantic) == 1 else plain


def _is_array(feature: Any) -> bool:
    """Whether cells are rows of numbers."""
    if type(feature).__name__ == "Array2D":
        return True
    inner = feature
    for _ in range(2):
        inner = inner[0] if isinstance(inner, list) and inner else getattr(inner, "feature", None)
    return inner is not None and not isinstance(inner, (list, Mapping)) and getattr(inner, "feature", None) is None


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
