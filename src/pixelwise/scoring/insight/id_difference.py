"""Mean absolute difference of class-id images, the error that the Keras course on human parsing looks at."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.labels import IGNORE
from pixelwise.scoring.formulas import Floats, ratio
from pixelwise.scoring.insight.tally import Scored, ScoreTally
from pixelwise.values import strict_json

DEFINITION = (
    "mean_absolute_difference: |true id - predicted id| / (K - 1), averaged over the labelled pixels; 0 none "
    "wrong, 1 all as far off as ids can be. It treats names as amounts: confusing class 1 with 2 counts less than "
    "1 with 19, whatever they are. share_differing, the share of pixels that are wrong, does not."
)


@dataclass(frozen=True)
class IdDifference:
    """How far the class maps are from the truth; from 0 (equal) to 1, NaN without labelled pixels."""

    mean_absolute_difference: float
    share_differing: float

    def to_json(self) -> dict[str, Any]:
        """The fields by name, null for NaN, and what they mean."""
        return {"definition": DEFINITION, **strict_json(vars(self))}


def absolute_difference(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], num_classes: int
) -> NDArray[np.float32]:
    """(H, W) float32 in 0..1: |true id - predicted id| / (K - 1), 0 where the truth is ignored."""
    apart = np.abs(truth.astype(np.float32) - predicted.astype(np.float32)) / max(num_classes - 1, 1)
    return np.where(truth == IGNORE, np.float32(0), apart)


class DifferenceTally(ScoreTally):
    """Exact sums over images: how far the class maps are from the truth."""

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        super().__init__(num_classes, temperature)
        self._pixels = self._differing = self._apart = 0

    def add(self, image: Scored) -> None:
        """Count the two class maps of an image."""
        truth, predicted = image.truth, image.predicted
        wrong = (truth != predicted) & (truth != IGNORE)
        self._pixels += int(np.count_nonzero(truth != IGNORE))
        self._differing += int(np.count_nonzero(wrong))
        self._apart += int(np.abs(truth[wrong].astype(np.int64) - predicted[wrong]).sum())

    def numbers(self) -> Floats:
        """(3,) sums over the images so far: how far ids are apart, pixels that differ, labelled pixels."""
        return np.array([self._apart, self._differing, self._pixels], dtype=np.float64)

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """From 0 (equal) to 1; NaN without labelled pixels."""
        apart, differing, pixels = sums.T
        return {
            "mean_absolute_difference": ratio(apart, pixels * max(self.num_classes - 1, 1)),
            "share_differing": ratio(differing, pixels),
        }

    def held(self, sums: Floats) -> Floats:
        """(R, 1): labelled pixels."""
        return sums[:, 2:]

    def __iadd__(self, other: Self) -> Self:
        """Take in the sums of another part of the data."""
        self._pixels += other._pixels
        self._differing += other._differing
        self._apart += other._apart
        return self

    def result(self) -> IdDifference:
        """The means over all labelled pixels."""
        return IdDifference(**self.summary())
