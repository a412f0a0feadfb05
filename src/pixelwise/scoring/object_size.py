"""Recall by object size: are small objects missed where large ones are found?"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.labels import IGNORE
from pixelwise.values import strict_json

DEFINITION = (
    "Objects are the 8-connected regions of one class in the truth, by their area as a share of the image: small "
    "below 0.1 %, medium below 1 %, large from 1 % on. found: the share of a region's pixels that are predicted "
    "as its class. mean_recall: the mean of found over the regions, so that each object counts once; "
    "pixel_recall: over their pixels."
)

SIZES = ("small", "medium", "large")
LIMITS = (0.001, 0.01)
"""Shares of the image, so that they mean the same at any resolution; on 480 x 360 px 173 and 1728 pixels, 13 and 42 px
across. COCO's 32 and 96 px across are 0.3 % and 3 % of its images, which show one object more often than a scene."""

_ALL_AROUND = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class SizeRecall:
    """One class of size; shares from 0 to 1, NaN without regions."""

    regions: int
    mean_recall: float
    pixel_recall: float

    def to_json(self) -> dict[str, Any]:
        """The fields by name, null for NaN."""
        return strict_json(vars(self))


@dataclass(frozen=True)
class ObjectScores:
    """Recall by size, over all classes and for each."""

    overall: tuple[SizeRecall, ...]  # by SIZES
    per_class: tuple[tuple[SizeRecall, ...], ...]  # K times by SIZES

    def to_json(self) -> dict[str, Any]:
        """Strict JSON with the definition; sizes by name."""
        return {
            "definition": DEFINITION,
            "limits": list(LIMITS),
            "overall": _by_size(self.overall),
            "per_class": [_by_size(sizes) for sizes in self.per_class],
        }


class ObjectRecall:
    """Counts of regions and of their pixels over images."""

    def __init__(self, num_classes: int) -> None:
        self._regions = np.zeros((num_classes, len(SIZES)), dtype=np.int64)
        self._found = np.zeros((num_classes, len(SIZES)))  # sums of shares
        self._pixels = np.zeros((num_classes, len(SIZES), 2), dtype=np.int64)  # right, all

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        """Count the regions of `truth` (H, W); pixels of 255 belong to none."""
        right = truth == predicted
        for class_id in np.flatnonzero(np.bincount(truth.ravel(), minlength=256)[:IGNORE]).tolist():
            own = truth == class_id
            box = ndimage.find_objects(own.view(np.uint8))[0]
            numbered, count = ndimage.label(own[box], structure=_ALL_AROUND)
            area = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
            hits = np.bincount(numbered[right[box]], minlength=count + 1)[1:]
            size = np.searchsorted(LIMITS, area / truth.size, side="right")
            self._regions[class_id] += np.bincount(size, minlength=len(SIZES))
            self._found[class_id] += np.bincount(size, hits / area, minlength=len(SIZES))
            for part, pixels in enumerate((hits, area)):
                np.add.at(self._pixels[class_id, :, part], size, pixels)

    def numbers(self) -> NDArray[np.float64]:
        """(6,) sums over the images so far: regions, and what was found of them, by size."""
        return np.concatenate([self._regions.sum(axis=0), self._found.sum(axis=0)]).astype(np.float64)

    def __iadd__(self, other: Self) -> Self:
        """Take in the counts of another part of the data."""
        self._regions += other._regions
        self._found += other._found
        self._pixels += other._pixels
        return self

    def result(self) -> ObjectScores:
        """The recall of all images."""
        overall = _recalls(self._regions.sum(axis=0), self._found.sum(axis=0), self._pixels.sum(axis=0))
        rows = zip(self._regions, self._found, self._pixels, strict=True)
        return ObjectScores(overall, tuple(_recalls(*row) for row in rows))


def _recalls(
    regions: NDArray[np.int64], found: NDArray[np.float64], pixels: NDArray[np.int64]
) -> tuple[SizeRecall, ...]:
    rows = zip(regions.tolist(), found.tolist(), pixels.tolist(), strict=True)
    return tuple(
        SizeRecall(count, total / count if count else math.nan, right / every if every else math.nan)
        for count, total, (right, every) in rows
    )


def _by_size(recalls: tuple[SizeRecall, ...]) -> dict[str, Any]:
    return {size: recall.to_json() for size, recall in zip(SIZES, recalls, strict=True)}
