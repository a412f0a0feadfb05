"""DeepImage: an image of more than 8 bits, or of other bands than red, green and blue, as its file has it."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.phrases import counted
from pixelwise.settings import MOST_BANDS

PixelArray = npt.NDArray[Any]


class DeepImage(NamedTuple):
    """Pixels in the file's own depth, upright, and what the file says of them."""

    values: PixelArray  # (H, W, C) of a type in DEPTHS
    is_color: bool  # the first three bands are red, green and blue
    stated: tuple[float, float] | None = None  # the smallest and the largest value that there may be
    frames: int = 1  # of which this is the first

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as Pillow says it."""
        height, width = self.values.shape[:2]
        return width, height

    @property
    def depth(self) -> str:
        """The name of the type of the values."""
        return str(self.values.dtype)

    @property
    def bands(self) -> int:
        """How many there are."""
        return int(self.values.shape[2])


DEPTHS = ("uint8", "uint16", "int16", "float32")
"""Types of values that a network is given; others become the first of these that holds all that they can be."""

_WIDER = {"bool": "uint8", "int8": "int16", "float16": "float32", "float64": "float32"}


class NotAnImage(Exception):
    """A file that was decoded and holds something else; the message is what was found."""


class TooLarge(Exception):
    """An image of more pixels than are decoded, by what its file says before it is decoded."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"is {width} x {height} px")
        self.size = width, height


def require_size(width: int, height: int, bands: int, *, max_pixels: int) -> None:
    """What a header says of an image that is not decoded yet.

    Raises:
        TooLarge: it has more than `max_pixels`.
        NotAnImage: it has no pixels, or more than MOST_BANDS bands.
    """
    if width < 1 or height < 1 or bands < 1:
        raise NotAnImage(f"says that it has {width} x {height} px and {counted(bands, 'band')}")
    if bands > MOST_BANDS:
        raise NotAnImage(f"has {bands} bands, which are more than {MOST_BANDS}")
    if width * height > max_pixels:
        raise TooLarge(width, height)


def deep_image(
    array: PixelArray, *, is_color: bool = False, stated: tuple[float, float] | None = None, frames: int = 1
) -> DeepImage:
    """An image of an array (H, W) or (H, W, C) of any numbers.

    Whole numbers of 32 and 64 bits become float32, which holds them exactly up to 2^24.

    Raises:
        NotAnImage: it has other axes, no pixels, more than MOST_BANDS bands or no real numbers.
    """
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape:
        raise NotAnImage(f"holds an array of shape {array.shape}")
    if array.shape[2] > MOST_BANDS:
        raise NotAnImage(f"has {array.shape[2]} bands, which are more than {MOST_BANDS}")
    if array.dtype.kind not in "buif":
        raise NotAnImage(f"holds values of type {array.dtype}")
    name = array.dtype.newbyteorder("=").name
    depth = name if name in DEPTHS else _WIDER.get(name, "float32")
    if name == "bool":  # black and white, as Pillow shows one bit
        array = array * np.uint8(255)
    return DeepImage(np.ascontiguousarray(array, dtype=depth), is_color, stated, frames)


def turned(image: DeepImage, exif_orientation: int) -> DeepImage:
    """The image as its orientation (1 to 8 of EXIF and of TIFF) says; others are upright."""
    values = image.values
    if exif_orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if exif_orientation in (3, 4, 7, 8):
        values = values[::-1]
    if exif_orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return image._replace(values=np.ascontiguousarray(values))
