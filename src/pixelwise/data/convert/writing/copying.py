"""One item -> the bytes of its image and of its mask in our layout."""

import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.data.convert.conversion import Item
from pixelwise.data.convert.objects import Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.decoders.arrays import MAGIC
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.file_kinds import FIRST_BYTES, image_format
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.smoothing import is_smoothed, place_between
from pixelwise.data.reading import load, read_image, upright_size
from pixelwise.data.refusals import IMAGE_EXPECTED, count_ids, unknown_ids, unreadable
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

_KEPT = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # what stereo cameras write: a JPEG with more pictures behind it
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}

_DEEP = {
    "TIFF": (".tif", ".tiff"),
    "PNG": (".png",),
    "DICOM": (".dcm", ".dicom"),
    "JPEG 2000": (".jp2", ".j2k"),
    "NumPy": (".npy",),
}
"""Formats in which a dataset has images of other depths and bands than photographs, and how they end."""


class Copied(NamedTuple):
    """An item ready to be written."""

    image: bytes
    suffix: str
    mask: bytes
    pixels: dict[int, int]  # {class id: pixels}, IGNORE included
    objects: Objects | None  # None: the format has masks and no objects


def copied(item: Item, source: Source, labels: LabelTable) -> Copied:
    """Image and mask of `item`; the image's bytes stay as they are unless its type is not one that datasets have.

    Images of more than 8 bits or of other bands than red, green and blue are never encoded anew.

    Raises:
        FileFault: a file is unreadable, the sizes differ, or the mask would be a fault in a dataset.
    """
    try:
        content = source.read(item.image) if item.content is None else item.content()
        image, suffix, size = _image(content, item.image)
        class_ids, objects = item.drawn()
        if class_ids.shape != size[::-1]:
            raise FileFault(_unequal(item, class_ids.shape, size))
        mask = Image.fromarray(np.ascontiguousarray(class_ids, dtype=np.uint8))
        finding = unknown_ids(Path(item.image), mask, count_ids(mask), labels.num_classes) or _smoothed(item, mask)
        if finding is not None:
            raise FileFault(finding._replace(file=Path(item.image), found=f"has a mask that {finding.found}"))
    except DataError as error:
        raise FileFault(_located(error, item, source)) from None
    return Copied(image, suffix, _png(mask), count_ids(mask), objects)


def _image(content: bytes, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """Bytes to write, their suffix and the (width, height) of the upright image; it is decoded to find damage."""
    image = decode(content)
    if isinstance(image, DeepImage):
        return content, _deep_suffix(content, name), image.size
    stored = image.size
    suffixes = _KEPT.get(image.format or "")
    try:
        keep = suffixes is not None and (image.format == "MPO" or getattr(image, "n_frames", 1) == 1)
    except Exception as error:  # counting frames meets broken data as decoding does
        raise FileFault(unreadable(Path(name), error, IMAGE_EXPECTED)) from None
    if not keep or suffixes is None:
        picture = read_image(image)
        return _png(picture), ".png", picture.size
    size = upright_size(load(image, Path(name), small=True), stored)
    given = os.path.splitext(name)[1].lower()
    return content, given if given in suffixes else suffixes[0], size


def _deep_suffix(content: bytes, name: str) -> str:
    """How the file of a deep image ends; FileFault where its format is none of a dataset's."""
    kind = "NumPy" if content.startswith(MAGIC) else image_format(content[:FIRST_BYTES])
    suffixes = _DEEP.get(kind or "")
    given = os.path.splitext(name)[1].lower()
    if suffixes is None:
        raise FileFault(
            Finding(
                Path(name), f"has more than 8 bits or other bands in a format that no dataset has ({given or kind})",
                f"one of {', '.join(_DEEP)}", "Save it as TIFF, which keeps its values.", "image-depth",
            )
        )  # fmt: skip
    return given if given in suffixes else suffixes[0]


def _png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def _smoothed(item: Item, mask: Image.Image) -> Finding | None:
    if not is_smoothed(mask, len(count_ids(mask))):
        return None
    return Finding(
        Path(item.image), "has many values that lie only between two others where regions meet", "class ids alone",
        "Export the mask again without smoothing or JPEG.", "mask-smoothed", place_between(mask),
    )  # fmt: skip


def _unequal(item: Item, shape: tuple[int, ...], size: tuple[int, int]) -> Finding:
    height, width = shape[:2]
    return Finding(
        Path(item.image), f"is {size[0]} x {size[1]} px but its mask is {width} x {height} px", "equal sizes",
        "Export the mask at the size of the upright image.", "size-mismatch",
    )  # fmt: skip


def _located(error: DataError, item: Item, source: Source) -> Finding:
    """The finding of an error, with the file's path inside the source."""
    if not isinstance(error, FileFault):
        text = str(error).replace(f"{source.path}/", "").rstrip(".")
        return Finding(
            source.file(item.image), text, "an image with a mask that can be read", "Correct it and convert again.",
            "unreadable-file",
        )  # fmt: skip
    finding = error.finding
    if finding.file == Path("image"):  # what `reading` calls bytes without a name
        finding = finding._replace(file=Path(item.image))
    return finding if finding.file.is_relative_to(source.path) else finding._replace(file=source.path / finding.file)
