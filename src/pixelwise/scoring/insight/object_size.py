"""Recall by object size: are small objects missed where large ones are found?"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.labels import IGNORE
from pixelwise.scoring.formulas import Floats, ratio
from pixelwise.scoring.insight.tally import Scored, ScoreTally
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


class ObjectRecall(ScoreTally):
    """Counts of regions and of their pixels over images."""

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        super().__init__(num_classes, temperature)
        self._regions = np.zeros((num_classes, len(SIZES)), dtype=np.int64)
        self._found = np.zeros((num_classes, len(SIZES)))  # sums of shares
        self._pixels = np.zeros((num_classes, len(SIZES), 2), dtype=np.int64)  # right, all

    def add(self, image: Scored) -> None:
        """Count the regions of the truth; pixels of 255 belong to none."""
        truth = image.truth
        right = truth == image.predicted
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

    def numbers(self) -> Floats:
        """(6,) sums over the images so far: regions, and what was found of them, by size."""
        return np.concatenate([self._regions.sum(axis=0), self._found.sum(axis=0)]).astype(np.float64)

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The mean recall of the regions of each size; NaN without any."""
        regions, found = np.split(sums, 2, axis=1)
        return {f"{size}_object_recall": recall for size, recall in zip(SIZES, ratio(found, regions).T, strict=True)}

    def held(self, sums: Floats) -> Floats:
        """(R, 3): regions by size."""
        return sums[:, : len(SIZES)]

    def __iadd__(self, other: Self) -> Self:
        """Take in the counts of another part of the data."""
        self._regions += other._regions
        self._found += other._found
        self._pixels += other._pixels
        return self

    def result(self) -> ObjectScores:
        """The recall of all images."""
        counted = (self._regions, self._found, self._pixels)
        (overall,) = self._recalls(*(each.sum(axis=0, keepdims=True) for each in counted))
        return ObjectScores(overall, self._recalls(*counted))

    def _recalls(
        self, regions: NDArray[np.int64], found: Floats, pixels: NDArray[np.int64]
    ) -> tuple[tuple[SizeRecall, ...], ...]:
        """By size for each row of (R, 3), (R, 3) and (R, 3, 2)."""
        means = np.stack(list(self.scores(np.concatenate([regions, found], axis=1)).values()), axis=1)
        shares = ratio(pixels[..., 0], pixels[..., 1])
        rows = zip(regions.tolist(), means.tolist(), shares.tolist(), strict=True)
        return tuple(tuple(map(SizeRecall, *row)) for row in rows)


def _by_size(recalls: tuple[SizeRecall, ...]) -> dict[str, Any]:
    return {size: recall.to_json() for size, recall in zip(SIZES, recalls, strict=True)}
