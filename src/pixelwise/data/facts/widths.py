"""How wide the objects of each class are: the shortest straight line through a pixel that stays inside its class.

Area and bounding box of a connected region say nothing of a thin network, such as vessels or cracks, whose one region
spans the image; lines through its pixels do. Of the four lines along rows, columns and both diagonals the shortest
is at most 8 % longer than a stripe of any direction is wide (1 / cos 22.5 degrees), beside the rounding of pixels.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.facts.sampling import Bound, sampled
from pixelwise.data.reading import read_mask
from pixelwise.labels import IGNORE, LabelTable

Lengths = NDArray[np.float32]

_BOUND = Bound(most=200, least=16, pixels=12_000_000)
_WINDOW = 2048  # pixels a side; of a larger mask its middle counts


def widths_of(pairs: Sequence[Pair], labels: LabelTable) -> dict[int, float]:
    """{class id: typical width in pixels} of the classes that occur in some of the masks, spread evenly over all.

    Half of a class's pixels lie where it is no wider. Up to 200 masks are read, fewer if they are large.

    Raises:
        DataError: a mask cannot be read.
    """

    def look(pair: Pair) -> tuple[int, dict[int, Counter[float]]]:
        if pair.mask is None:
            return 0, {}
        class_ids = _middle(np.asarray(read_mask(pair.mask, labels, pair.label_map)))
        return class_ids.size, _counted(class_ids)

    totals: dict[int, Counter[float]] = {}
    for found in sampled(pairs, look, _BOUND):
        for class_id, counts in found.items():
            totals.setdefault(class_id, Counter()).update(counts)
    return {class_id: _median(totals[class_id]) for class_id in sorted(totals)}


def pixel_widths(class_ids: NDArray[np.uint8]) -> Lengths:
    """(H, W) of the shortest line in pixels through each pixel of a mask (H, W) that stays inside its class.

    A line that ends at ignored pixels (255) or at the border of the mask says only that the class is at least so wide
    there; it counts where all four lines through a pixel do.
    """
    height, width = class_ids.shape
    shortest = np.full((height, width), np.inf, dtype=np.float32)
    shortest_open = shortest.copy()

    def take(lengths: Lengths, step: float) -> None:
        # Lines with an open end are told by their sign.
        np.minimum(shortest, np.where(lengths > 0, lengths * step, np.inf), out=shortest)
        np.minimum(shortest_open, np.abs(lengths) * step, out=shortest_open)

    take(_lines(class_ids), 1)
    take(_lines(class_ids.T).T, 1)
    for side in (slice(None), slice(None, None, -1)):
        slanted = _lines(_slanted(class_ids[:, side]).T).T
        take(_straightened(slanted, width)[:, side], math.sqrt(2))
    return np.where(np.isfinite(shortest), shortest, shortest_open)


def _lines(values: NDArray[np.uint8]) -> Lengths:
    """The length of the run of equal values in its row for each element (H, W), below 0 if it has an open end."""
    framed = np.pad(values, ((0, 0), (1, 1)), constant_values=IGNORE)
    flat = framed.ravel()
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    runs, lengths = flat[starts], np.diff(starts, append=flat.size)
    around = np.pad(runs, 1, constant_values=IGNORE)
    is_open = (around[:-2] == IGNORE) | (around[2:] == IGNORE)
    signed = np.where(is_open, -lengths, lengths).astype(np.float32)
    return np.repeat(signed, lengths).reshape(framed.shape)[:, 1:-1]


def _slanted(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W + H - 1): row i moved i places to the right, so that diagonals stand upright; ignored beside them."""
    height, width = values.shape
    padded = np.full((height, width + height), IGNORE, dtype=values.dtype)
    padded[:, :width] = values
    # Rows that are one shorter than before begin one place later each.
    return padded.ravel()[:-height].reshape(height, width + height - 1)


def _straightened(values: Lengths, width: int) -> Lengths:
    """(H, W) of what `_slanted` moved."""
    height = len(values)
    flat = np.append(values.ravel(), np.zeros(height, dtype=values.dtype))
    return flat.reshape(height, width + height)[:, :width]


def _middle(class_ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = (max(0, (side - _WINDOW) // 2) for side in class_ids.shape)
    return class_ids[top : top + _WINDOW, left : left + _WINDOW]


def _counted(class_ids: NDArray[np.uint8]) -> dict[int, Counter[float]]:
    """{class id: {width: pixels}} of a mask."""
    widths = pixel_widths(class_ids)
    found = {}
    for class_id in np.flatnonzero(np.bincount(class_ids.ravel(), minlength=256)[:IGNORE]).tolist():
        values, counts = np.unique(widths[class_ids == class_id], return_counts=True)
        found[class_id] = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return found


def _median(counts: Counter[float]) -> float:
    """The smallest width that at least half of the pixels do not exceed."""
    half, seen = counts.total() / 2, 0
    for width, count in sorted(counts.items()):
        seen += count
        if seen >= half:
            return width
    raise AssertionError("a class that was counted has pixels")
