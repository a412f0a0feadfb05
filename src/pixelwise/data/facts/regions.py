"""Connected regions of the classes in a mask, and how large they are over a whole split."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.labels import IGNORE
from pixelwise.values import strict_json

Integers = NDArray[np.int64]

RESOLUTION = 0.01
"""Medians come from bins of this relative width: they are off by half of it at most."""

# Bins begin at one pixel of the largest image that is read (500 million pixels) and end at the whole of it.
_LARGEST = 500_000_000
_BINS = math.ceil(math.log(_LARGEST) / math.log1p(RESOLUTION)) + 1


class Regions(NamedTuple):
    """All regions of a mask, by their first pixel in reading order; four arrays of one length, in pixels."""

    class_id: NDArray[np.uint8]
    area: Integers
    height: Integers  # of the bounding box
    width: Integers

    @property
    def extent(self) -> Integers:
        """The longer side of the bounding box."""
        return np.maximum(self.height, self.width)

    @property
    def thickness(self) -> NDArray[np.float64]:
        """Area over extent: the width of a rectangle of that length and area, at least 1; small for a pole."""
        return self.area / self.extent


def regions(class_ids: NDArray[np.uint8]) -> Regions:
    """The 8-connected regions of equal class id in `class_ids` (H, W); ignored pixels (255) belong to none.

    One pass for all classes: horizontal runs of equal pixels are the nodes of a graph, runs of one class that touch
    on neighbouring rows, corners included, its edges, and the graph's connected components the regions. That is
    the run-based labelling of He, Chao and Suzuki (IEEE TIP 17(5), 2008) without its loops.
    """
    # Late: importing these takes longer than numpy itself.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    height, width = class_ids.shape
    begins = np.ones(class_ids.shape, dtype=np.bool_)
    np.not_equal(class_ids[:, 1:], class_ids[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    values = class_ids[begins]
    above, below = _touching(starts, height, width)
    same = (values[above] == values[below]) & (values[above] != IGNORE)
    edges = (np.ones(int(same.sum()), dtype=np.bool_), (above[same], below[same]))
    graph = coo_array(edges, shape=(starts.size, starts.size))
    _, region_of = connected_components(graph, directed=False)
    labelled = values != IGNORE
    lengths = np.diff(starts, append=class_ids.size)
    return _measured(region_of[labelled], starts[labelled], lengths[labelled], values[labelled], width)


def _touching(starts: Integers, height: int, width: int) -> tuple[Integers, Integers]:
    """Every pair of runs that touch, one in a row and one in the row below it, as two arrays of indices."""
    row_starts = starts // max(width, 1) * width
    upper = int(np.searchsorted(starts, (height - 1) * width))  # the runs that have a row below them
    left = np.maximum(starts[:upper] - 1, row_starts[:upper]) + width
    # A run ends where the next begins, and the pixel below that beginning still touches it at the corner.
    right = np.minimum(starts[1 : upper + 1], row_starts[:upper] + width - 1) + width
    first = np.searchsorted(starts, left, side="right") - 1
    counts = np.searchsorted(starts, right, side="right") - first
    above = np.repeat(np.arange(upper), counts)
    below = np.arange(above.size) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return above, below


def _measured(
    region_of: NDArray[np.int32], starts: Integers, lengths: Integers, values: NDArray[np.uint8], width: int
) -> Regions:
    """Areas and bounding boxes of the regions whose runs are given in reading order."""
    if not starts.size:
        none = np.zeros(0, dtype=np.int64)
        return Regions(np.zeros(0, dtype=np.uint8), none, none, none)
    order = np.argsort(region_of, kind="stable")
    ordered = region_of[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    last = np.append(first[1:], ordered.size) - 1
    row, left = np.divmod(starts[order], width)
    spans = lengths[order]
    # The runs of a region are in reading order still: its first one is at its top and its last at its bottom.
    tall = row[last] - row[first] + 1
    wide = np.maximum.reduceat(left + spans, first) - np.minimum.reduceat(left, first)
    return Regions(values[order[first]], np.add.reduceat(spans, first), tall, wide)


@dataclass(frozen=True)
class ClassRegions:
    """The regions of one class in all masks of a split; NaN where there are none.

    Areas are shares (0 to 1) of the region's own mask. Extent is the longer side of the bounding box, thickness
    area over extent, both in pixels. A median is the lower of the two middle values, off by 0.5 % at most; extents
    below 100 px are exact. Drawn masks are full of specks, which outnumber the objects: medians over regions
    show the specks, those over pixels ("typical") the objects.
    """

    count: int
    smallest: float
    median: float
    largest: float
    median_extent_px: float
    largest_extent_px: float
    typical_extent_px: float  # half of the class's pixels lie in regions of at most this extent
    typical_thickness_px: float  # half of the class's pixels lie in regions of at most this thickness

    def to_json(self) -> dict[str, Any]:
        """The fields by name, null for NaN."""
        return strict_json(vars(self))


NO_REGIONS = ClassRegions(0, *[math.nan] * 7)


class RegionSizes:
    """Sizes of regions, counted mask by mask; its memory (63 KB a class) does not grow with the masks."""

    def __init__(self) -> None:
        # By class and bin: regions by share of the mask, regions by extent, pixels by extent and by thickness.
        self._counts = np.zeros((4, 0, _BINS), dtype=np.int64)
        self._limits = np.zeros((3, 0))  # smallest share, largest share, largest extent of each class

    def add(self, class_ids: NDArray[np.uint8]) -> None:
        """Count the regions of a mask (H, W) of class ids, 255 where ignored."""
        self.count(regions(class_ids), class_ids.size)

    def count(self, found: Regions, mask_size: int) -> None:
        """Count the regions found in a mask of `mask_size` pixels."""
        if not found.area.size:
            return
        self._grow(int(found.class_id.max()) + 1)
        of_class = found.class_id.astype(np.intp)
        share, extent = found.area / mask_size, found.extent
        by_extent = _bins(extent)
        by_what = (_bins(share * _LARGEST), by_extent, by_extent, _bins(found.thickness))
        one = np.ones_like(found.area)
        for counts, bins, weight in zip(self._counts, by_what, (one, one, found.area, found.area), strict=True):
            np.add.at(counts, (of_class, bins), weight)
        np.minimum.at(self._limits[0], of_class, share)
        np.maximum.at(self._limits[1], of_class, share)
        np.maximum.at(self._limits[2], of_class, extent)

    def __iadd__(self, other: Self) -> Self:
        """Take in what another one counted."""
        rows = other._counts.shape[1]
        self._grow(rows)
        self._counts[:, :rows] += other._counts
        np.minimum(self._limits[0, :rows], other._limits[0], out=self._limits[0, :rows])
        np.maximum(self._limits[1:, :rows], other._limits[1:], out=self._limits[1:, :rows])
        return self

    def result(self, num_classes: int) -> tuple[ClassRegions, ...]:
        """What was counted for the classes 0 to `num_classes` - 1; other values in the masks are left out."""
        return tuple(self._of_class(i) if i < self._counts.shape[1] else NO_REGIONS for i in range(num_classes))

    def _of_class(self, i: int) -> ClassRegions:
        count = int(self._counts[0, i].sum())
        if not count:
            return NO_REGIONS
        smallest, largest, longest = self._limits[:, i].tolist()
        area, extent, typical, thickness = (_median(counts[i]) for counts in self._counts)
        median = min(max(area / _LARGEST, smallest), largest)
        # Two whole numbers below 100 never share a bin, so that rounding restores the exact extent.
        extent, typical = (min(float(round(size)), longest) for size in (extent, typical))
        return ClassRegions(count, smallest, median, largest, extent, longest, typical, max(thickness, 1.0))

    def _grow(self, rows: int) -> None:
        more = rows - self._counts.shape[1]
        if more > 0:
            blank = np.zeros((4, more, _BINS), dtype=np.int64)
            self._counts = np.concatenate([self._counts, blank], axis=1)
            self._limits = np.concatenate([self._limits, np.tile([[math.inf], [0.0], [0.0]], more)], axis=1)


def _bins(sizes: NDArray[Any]) -> NDArray[np.intp]:
    """The bin of each size from 1 to _LARGEST."""
    index: NDArray[np.float64] = np.log(sizes) / math.log1p(RESOLUTION)
    return index.clip(0, _BINS - 1).astype(np.intp)


def _median(counts: Integers) -> float:
    """The middle of the bin that holds the lower median."""
    summed = np.cumsum(counts)
    index = int(np.searchsorted(summed, (summed[-1] + 1) // 2))
    return float((1 + RESOLUTION) ** (index + 0.5))
