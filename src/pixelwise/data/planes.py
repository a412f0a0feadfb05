"""Planes: a deep image as Pillow holds it, a picture a band, to be cut, scaled and turned as photographs are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands, ImageKind
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage, PixelArray
from pixelwise.data.decoders.opening import read_image
from pixelwise.data.findings import FileFault, Finding

_MODES = {"uint8": "L", "uint16": "I;16", "int16": "F", "float32": "F"}
"""What Pillow resamples exactly: 16 bits without a sign as they are, other numbers as floats."""

_BYTES = {"L": 1, "I;16": 2, "F": 4}


@dataclass(frozen=True)
class Planes:
    """The bands that a network is given, each a picture of mode "L", "I;16" or "F", all of one size."""

    pictures: tuple[Image.Image, ...]
    depth: str

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pictures[0].size

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Rows."""
        return self.size[1]

    @classmethod
    def of(cls, values: PixelArray) -> "Planes":
        """Those of an array (C, H, W) of a type in DEPTHS."""
        depth = values.dtype.name
        kind: Any = np.float32 if _MODES[depth] == "F" else values.dtype
        return cls(tuple(Image.fromarray(np.ascontiguousarray(band, dtype=kind)) for band in values), depth)

    def values(self) -> PixelArray:
        """(C, H, W) in the depth of the files; what resampling made of whole numbers is rounded."""
        return as_depth(np.stack([np.asarray(picture) for picture in self.pictures]), self.depth)


Picture = Image.Image | Planes
"""A decoded image: RGB of 8 bits, or planes."""


def of_each(image: Picture, change: Callable[[Image.Image], Image.Image]) -> Picture:
    """The photograph changed, or each of the planes alike."""
    if isinstance(image, Planes):
        return Planes(tuple(change(picture) for picture in image.pictures), image.depth)
    return change(image)


def bytes_of(image: Picture) -> int:
    """What Pillow keeps of it in memory: RGB in four bytes a pixel."""
    if isinstance(image, Planes):
        return image.width * image.height * sum(_BYTES[picture.mode] for picture in image.pictures)
    return image.width * image.height * 4


def as_depth(values: npt.NDArray[Any], depth: str) -> PixelArray:
    """Floats as numbers of the type `depth`, rounded and kept in its range."""
    if depth in ("float32", values.dtype.name):
        return values.astype(depth, copy=False)
    limits = np.iinfo(depth)
    rounded: PixelArray = np.clip(np.rint(values), limits.min, limits.max).astype(depth)
    return rounded


def read_picture(source: Path | bytes | Image.Image | DeepImage, bands: Bands, name: Path | None = None) -> Picture:
    """An image as a network of `bands` is given it, upright; `name` is what errors call it.

    Raises:
        DataError: the file cannot be read, or is not of the depth or the number of bands.
    """
    name = name or (source if isinstance(source, Path) else Path("image"))
    found = source if isinstance(source, Image.Image | DeepImage) else decode(source, name)
    if bands.is_photograph:
        return read_image(found, name) if isinstance(found, Image.Image) else reduced(found, name)
    return Planes.of(chosen_values(deep(found, name), bands, name))


def deep(image: Image.Image | DeepImage, name: Path | None = None) -> DeepImage:
    """A photograph as an array too."""
    if isinstance(image, DeepImage):
        return image
    return DeepImage(np.asarray(read_image(image, name)), is_color=True)


def chosen_values(image: DeepImage, bands: Bands, name: Path) -> PixelArray:
    """(C, H, W) of the chosen bands; what is not a number becomes the lowest value of its band.

    Gray stands for red, green and blue alike where colours are wanted.

    Raises:
        FileFault: the image is not of the depth or the number of bands.
    """
    require_fit(name, image, bands)
    values = np.repeat(image.values, 3, axis=2) if image.bands < bands.in_file else image.values
    picked = values[:, :, [band - 1 for band in bands.chosen]].transpose(2, 0, 1)
    if bands.depth == "float32" and not np.isfinite(picked).all():
        lowest = np.array([low for low, _ in bands.ranges], dtype=np.float32)[:, None, None]
        picked = np.where(np.isfinite(picked), picked, lowest)
    return np.ascontiguousarray(picked)


def reduced(image: DeepImage, name: Path) -> Image.Image:
    """A deep image where photographs are wanted: 16 bits are divided by 257.

    Raises:
        FileFault: it has other bands, or numbers of which nobody knows the range.
    """
    require_fit(name, image, PHOTOGRAPH)
    values = image.values if image.depth == "uint8" else np.rint(image.values / 257).astype(np.uint8)
    return Image.fromarray(values[:, :, 0] if image.bands == 1 else values).convert("RGB")


def require_fit(name: Path, image: DeepImage, bands: Bands) -> None:
    """FileFault where `unfit` finds something."""
    finding = unfit(name, ImageKind.of(image), bands)
    if finding is not None:
        raise FileFault(finding)


def unfit(path: Path, kind: ImageKind, bands: Bands) -> Finding | None:
    """What is wrong with an image of `kind` for a network of `bands`: another depth, or other bands.

    Gray stands for colours, and 16 bits are reduced where photographs of 8 bits are wanted.
    """
    known = ("uint8", "uint16") if bands.is_photograph else (bands.depth,)
    counts = (1, 3) if bands.in_file == 3 and bands.is_color else (bands.in_file,)
    if kind.depth in known and kind.bands in counts:
        return None
    code = "image-bands" if kind.depth in known else "image-depth"
    remedy = "Save all images alike: one rule for their values holds for the whole dataset and for its model."
    return Finding(path, f"has {kind.text()}", bands.kind.text(), remedy, code)
