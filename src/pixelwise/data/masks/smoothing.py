"""Tell a mask that was resized with smoothing, or compressed, from a clean one."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.labels import IGNORE

_BLENDED_SHARE = 0.045
"""Of the borders in a mask of colours, the share above which it was smoothed."""

_BLEND_TOLERANCE = 8  # of 255: blends are rounded, and some tools blend in another colour space
_FEW_VALUES = 5
_LIMITS = (0.045, 0.1)
"""Of masks with few values, and with more. Clean masks of 4 classes (rock) have at most 0.03 of their borders between
two values, of 11 to 59 classes (streets, clothes) 0.02, of small crowded figures in 20 classes 0.046. Resized with
smoothing, 4 neighbouring ids leave 0.06 to 0.15, 11 classes 0.16 and 59 classes 0.26 and more."""


_ROWS = 96
"""About so many rows are looked along: enough for a share, and quick for a large mask."""


_WINDOW = 64


def is_smoothed(mask: Image.Image, num_values: int, *, ignored: int | None = IGNORE) -> bool:
    """Whether a mode "L" mask of so many values was resized with smoothing, or compressed."""
    return num_values > 2 and share_between(mask, ignored=ignored) > _LIMITS[num_values > _FEW_VALUES]


def is_blended(colors: npt.NDArray[np.uint32]) -> bool:
    """Whether (H, W) colours 0xRRGGBB were smoothed: many borders run through a blend of the two sides.

    As `share_between`, for colours: a blend lies on the straight line between two colours. Outlines of a colour of
    their own, which clean masks have, do not.
    """
    blended, steps = 0, 0
    for lines in (colors, colors.T):
        before, here, after = lines[:, :-2], lines[:, 1:-1], lines[:, 2:]
        crossing = before != after
        steps += int(np.count_nonzero(crossing))
        crossing &= (here != before) & (here != after)
        start, middle, end = (_channels(side[crossing]) for side in (before, here, after))
        way = end - start
        part = ((middle - start) * way).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1)
        off = np.abs(start + part[:, None] * way - middle).max(axis=1, initial=0)
        blended += int(np.count_nonzero((part > 0) & (part < 1) & (off <= _BLEND_TOLERANCE)))
    return steps > 0 and blended / steps > _BLENDED_SHARE


def share_between(mask: Image.Image, *, ignored: int | None = IGNORE) -> float:
    """Of the borders in a mode "L" mask, the share that runs through a value between the two sides, 0 to 1.

    Smoothing puts such values wherever two regions meet: 0, 90, 200. In a clean mask a value lies between its left
    and right neighbours only where a strip one pixel wide does. Borders of `ignored` count for nothing.
    """
    values = np.asarray(mask)
    if min(values.shape) < 3:
        return 0.0
    rows = np.ascontiguousarray(values[:: max(1, len(values) // _ROWS)])
    width, flat = rows.shape[1], rows.ravel()
    start = np.flatnonzero(flat[:-2] != flat[2:])
    start = start[start % width < width - 2]  # not from one row into the next
    before, here, after = flat[start], flat[start + 1], flat[start + 2]
    known = np.ones(start.shape, dtype=np.bool_) if ignored is None else (before != ignored) & (after != ignored)
    borders = int(np.count_nonzero(known))
    return int(np.count_nonzero(known & _lies_between(before, here, after))) / borders if borders else 0.0


def place_between(mask: Image.Image) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the square, at most 64 pixels wide, with the most values between two sides."""
    values = np.asarray(mask)
    found = _between_rows(values) | _between_rows(values.T).T
    height, width = found.shape
    half = _WINDOW // 2
    tall, wide = -(-height // half), -(-width // half)
    padded = np.zeros((tall * half, wide * half), dtype=np.int64)
    padded[:height, :width] = found
    cells = padded.reshape(tall, half, wide, half).sum(axis=(1, 3))
    top, left = (int(i) * half for i in np.unravel_index(int(cells.argmax()), cells.shape))
    margin = half // 2
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(width, left + half + margin),
        min(height, top + half + margin),
    )


def _channels(colors: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """(N, 3) channels of N colours 0xRRGGBB."""
    return np.stack([colors >> 16, colors >> 8 & 0xFF, colors & 0xFF], axis=1).astype(np.float32)


def _between_rows(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    found = np.zeros(values.shape, dtype=np.bool_)
    before, here, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
    found[:, 1:-1] = _lies_between(before, here, after)
    return found


def _lies_between(
    before: npt.NDArray[np.uint8], here: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]
) -> npt.NDArray[np.bool_]:
    return (np.minimum(before, after) < here) & (here < np.maximum(before, after))
