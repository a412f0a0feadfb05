"""PGM and PPM of 16 bits: Pillow stretches gray to 65535 and keeps 8 bits of colours."""

import re

import numpy as np

from pixelwise.data.decoders.deep import DeepImage, PixelArray, deep_image

_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P([56])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")
"""Of the binary forms (https://netpbm.sourceforge.net/doc/ppm.html): kind, width, height, largest value."""


def read_pnm(content: bytes) -> DeepImage | None:
    """The numbers of a binary PGM or PPM whose largest value is above 255; None of others.

    ValueError where the file ends too soon.
    """
    header = _HEADER.match(content)
    if header is None:
        return None
    kind, width, height, largest = (int(number) for number in header.groups())
    if not 255 < largest < 65536:
        return None
    bands = 3 if kind == 6 else 1
    count = width * height * bands
    if len(content) - header.end() < 2 * count:
        raise ValueError("image file is truncated")
    values: PixelArray = np.frombuffer(content, dtype=">u2", count=count, offset=header.end())
    return deep_image(values.reshape(height, width, bands), is_color=kind == 6, stated=(0.0, float(largest)))
