"""Brush strokes of Label Studio: RGBA planes, packed by @thi.ng/rle-pack."""

from typing import Any

import numpy as np

from pixelwise.data.convert.formats.polygons import NoRegion, Region

_EXPECTED = "bytes that @thi.ng/rle-pack wrote"


class _Bits:
    """Numbers of a few bits, one after the other, most significant bit first."""

    def __init__(self, packed: bytes) -> None:
        self._text = format(int.from_bytes(packed, "big"), f"0{8 * len(packed)}b") if packed else ""
        self._place = 0

    def take(self, width: int) -> int:
        end = self._place + width
        if end > len(self._text):
            raise NoRegion("has a brush stroke that ends early", _EXPECTED)
        value = int(self._text[self._place : end], 2)
        self._place = end
        return value


def brush(packed: Any, shape: tuple[int, int]) -> Region:
    """(H, W), True where a stroke is not transparent; `packed` are bytes as a list of numbers.

    The format is that of https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack: 32 bits for the number of
    words, 5 for the bits of a word less 1, four times 4 for the bits of a count less 1; then groups of 1 bit (whether
    one word is repeated), 2 bits (which of the four), the count less 1, and one word or as many as the count. The words
    are red, green, blue and alpha of each pixel, row by row.

    Raises:
        NoRegion: it is none of this, or not of an image of `shape`.
    """
    height, width = shape
    try:
        bits = _Bits(bytes(packed) if isinstance(packed, list) else b"")
    except (TypeError, ValueError, OverflowError):
        raise NoRegion(f"has the brush stroke {str(packed)[:40]}", _EXPECTED) from None
    count = bits.take(32)
    if count != 4 * height * width:
        raise NoRegion(f"has a brush stroke of {count / 4:g} pixels", f"{height * width} ({width} x {height} px)")
    word = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    words = np.zeros(count, dtype=np.bool_)
    place = 0
    while place < count:
        is_repeated = bits.take(1)
        end = place + 1 + bits.take(sizes[bits.take(2)])
        if end > count:
            raise NoRegion("has a brush stroke that is longer than its image", _EXPECTED)
        if is_repeated:
            words[place:end] = bits.take(word) > 0
        else:
            words[place:end] = [bits.take(word) > 0 for _ in range(end - place)]
        place = end
    return words.reshape(height, width, 4)[:, :, 3]
