"""Images in NumPy's .npy files; nothing in them is executed."""

import io

import numpy as np

from pixelwise.data.decoders.deep import DeepImage, NotAnImage, PixelArray, deep_image
from pixelwise.settings import MOST_BANDS

MAGIC = b"\x93NUMPY"


def read_npy(content: bytes, *, max_pixels: int) -> DeepImage:
    """An array (H, W), (H, W, C) or (C, H, W) with at most 16 bands.

    Raises:
        NotAnImage: its shape or type is no image's.
        ValueError: the file is damaged, or holds objects.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise NotAnImage("holds Python objects, which are not loaded")
    if int(np.prod(shape, dtype=object)) > max_pixels * MOST_BANDS:
        raise NotAnImage(f"holds an array of shape {shape}, expected at most {max_pixels} pixels")
    values: PixelArray = np.load(io.BytesIO(content), allow_pickle=False)
    values = _bands_last(values)
    return deep_image(values, is_color=values.ndim == 3 and values.shape[2] == 3)


def _bands_last(values: PixelArray) -> PixelArray:
    if values.ndim != 3:
        return values
    first, last = values.shape[0] <= MOST_BANDS, values.shape[2] <= MOST_BANDS
    if first and last:
        raise NotAnImage(f"holds an array of shape {values.shape}, of which either end may be the bands")
    return values.transpose(1, 2, 0) if first else values
