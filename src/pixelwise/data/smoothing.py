"""Tell a mask that was resized with smoothing, or compressed, from a clean one."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.labels import IGNORE

SMOOTHED_SHARE = 0.045
"""Clean masks (streets, clothes, rock, COCO) have at most 0.03; resized with smoothing they have 0.06 to 0.47."""


_ROWS = 96
"""About so many rows are looked along: enough for a share, and quick for a large mask."""


def share_between(mask: Image.Image) -> float:
    """Of the borders in a mode "L" mask, the share that runs through a value between the two sides, 0 to 1.

    Smoothing puts such values wherever two regions meet: 0, 90, 200. In a clean mask a value lies between its left
    and right neighbours only where a strip one pixel wide does.
    """
    values = np.asarray(mask)
    if min(values.shape) < 3:
        return 0.0
    rows = np.ascontiguousarray(values[:: max(1, len(values) // _ROWS)])
    width, flat = rows.shape[1], rows.ravel()
    start = np.flatnonzero(flat[:-2] != flat[2:])
    start = start[start % width < width - 2]  # not from one row into the next
    before, here, after = flat[start], flat[start + 1], flat[start + 2]
    known = (before != IGNORE) & (after != IGNORE)
    borders = int(np.count_nonzero(known))
    return int(np.count_nonzero(known & _lies_between(before, here, after))) / borders if borders else 0.0


def place_between(mask: Image.Image) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) around the values between two sides."""
    found: npt.NDArray[np.bool_] = _between_rows(np.asarray(mask)) | _between_rows(np.asarray(mask).T).T
    return Image.fromarray(found.astype(np.uint8) * 255).getbbox() or (0, 0, *mask.size)


def _between_rows(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    found = np.zeros(values.shape, dtype=np.bool_)
    before, here, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
    found[:, 1:-1] = _lies_between(before, here, after)
    return found


def _lies_between(
    before: npt.NDArray[np.uint8], here: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]
) -> npt.NDArray[np.bool_]:
    return (np.minimum(before, after) < here) & (here < np.maximum(before, after))
