"""Images in NumPy's .npy files; nothing in them is executed."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pixelwise.data.decoders.deep import DeepImage, NotAnImage, PixelArray, deep_image, require_size
from pixelwise.settings import MOST_BANDS

MAGIC = b"\x93NUMPY"

_HEADER_BYTES = 1 << 14  # NumPy takes headers of at most 10,000 characters


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npy(content: bytes, *, max_pixels: int) -> DeepImage:
    """An array (H, W), (H, W, C) or (C, H, W) with at most 16 bands.

    Raises:
        NotAnImage: its shape or type is no image's.
        TooLarge: it has more than `max_pixels`.
        ValueError: the file is damaged, or holds objects.
    """
    header = _header(content)
    if header.dtype.hasobject:
        raise NotAnImage("holds Python objects, which are not loaded")
    if header.dtype.kind not in "buif":
        raise NotAnImage(f"holds values of type {header.dtype}")
    bands_first = _has_bands_first(header.shape)
    height, width, bands = _sizes(header.shape, bands_first=bands_first)
    require_size(width, height, bands, max_pixels=max_pixels)
    values: PixelArray = np.load(io.BytesIO(content), allow_pickle=False)
    if bands_first:
        values = values.transpose(1, 2, 0)
    return deep_image(values, is_color=values.ndim == 3 and values.shape[2] == 3)


def holds_image(path: Path) -> bool:
    """Whether the array in a .npy file may be an image, by its shape and type; not whether it is sound."""
    try:
        with path.open("rb") as file:
            header = _header(file.read(_HEADER_BYTES))
        _sizes(header.shape, bands_first=_has_bands_first(header.shape))
    except Exception:  # NotAnImage; damage, which NumPy meets with ValueError, EOFError, SyntaxError ...
        return False
    return header.dtype.kind in "buif" and 0 not in header.shape


def _header(content: bytes) -> _Header:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return _Header(shape, dtype)


def _sizes(shape: tuple[int, ...], *, bands_first: bool) -> tuple[int, int, int]:
    """(height, width, bands)."""
    if len(shape) == 2:
        return (*shape, 1)
    return (shape[1], shape[2], shape[0]) if bands_first else (shape[0], shape[1], shape[2])


def _has_bands_first(shape: tuple[int, ...]) -> bool:
    """NotAnImage where a shape is no image's, or of two kinds of image."""
    if len(shape) not in (2, 3):
        raise NotAnImage(f"holds an array of shape {shape}")
    if len(shape) == 2:
        return False
    first, last = shape[0] <= MOST_BANDS, shape[2] <= MOST_BANDS
    if first and last:
        raise NotAnImage(f"holds an array of shape {shape}, of which either end may be the bands")
    if not first and not last:
        raise NotAnImage(f"holds an array of shape {shape}, of which no end is at most {MOST_BANDS} bands")
    return first
