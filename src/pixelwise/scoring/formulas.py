"""The one formula of each score, for a confusion matrix, for each image and for each resample alike."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixelwise.scoring.confusion import by_class

Floats = NDArray[np.float64]

DEFINITION = (
    "One confusion matrix over all pixels of the split at native resolution; pixels whose truth is 255 are "
    "left out. Per class, from true positives TP, false positives FP and false negatives FN: "
    "iou = TP/(TP+FP+FN), dice = 2TP/(2TP+FP+FN), accuracy = TP/(TP+FN), precision = TP/(TP+FP), "
    "pixels = TP+FN; null where the denominator is 0. pixel_accuracy = correct/labelled pixels. "
    "mean_iou, mean_dice: mean over the classes in truth or prediction. mean_accuracy: mean over the classes "
    "in the truth. frequency_weighted_iou: iou weighted by pixels. mean_iou_absent_as_zero: mean of iou over "
    "all classes, absent ones as 0, as Amazon SageMaker's algorithm computes mIOU."
)


class Sums(NamedTuple):
    """Pixels of each class: in all images, (K,), in each image or in each resample, (R, K); float64, exact to 2^53."""

    intersection: Floats
    truth: Floats
    predicted: Floats

    @classmethod
    def of(cls, counts: NDArray[np.int64]) -> Self:
        """(K,) of a confusion matrix (K, K) with rows truth."""
        return cls(*by_class(counts).astype(np.float64))

    @property
    def union(self) -> Floats:
        """Pixels of the class in truth or prediction."""
        return self.truth + self.predicted - self.intersection

    @property
    def iou(self) -> Floats:
        """(..., K): intersection over union; NaN for a class in neither truth nor prediction."""
        return ratio(*PER_CLASS["iou"](self))


SUMMARY = (
    "pixel_accuracy",
    "mean_accuracy",
    "mean_iou",
    "mean_dice",
    "frequency_weighted_iou",
    "mean_iou_absent_as_zero",
)
PER_CLASS: dict[str, Callable[[Sums], tuple[Floats, Floats]]] = {
    "iou": lambda sums: (sums.intersection, sums.union),
    "dice": lambda sums: (2 * sums.intersection, sums.truth + sums.predicted),
    "accuracy": lambda sums: (sums.intersection, sums.truth),
    "precision": lambda sums: (sums.intersection, sums.predicted),
}
"""Score of a class -> its numerator and its denominator."""

MEANS = {"mean_accuracy": "accuracy", "mean_iou": "iou", "mean_dice": "dice", "mean_iou_absent_as_zero": "iou"}
"""Mean over the classes -> the score that it is of."""


def scores_of(sums: Sums) -> dict[str, Floats]:
    """Every score of `SUMMARY` (...,) and `PER_CLASS` (..., K), for sums of shape (..., K).

    By `DEFINITION`; NaN marks what could not be measured.
    """
    scores = {name: ratio(*parts(sums)) for name, parts in PER_CLASS.items()}
    absent_as_zero = np.nan_to_num(scores["iou"])
    pixels = sums.truth.sum(axis=-1)
    scores |= {name: mean(scores[of]) for name, of in MEANS.items()}
    scores["pixel_accuracy"] = ratio(sums.intersection.sum(axis=-1), pixels)
    scores["frequency_weighted_iou"] = ratio((absent_as_zero * sums.truth).sum(axis=-1), pixels)
    scores["mean_iou_absent_as_zero"] = np.where(pixels > 0, absent_as_zero.mean(axis=-1), np.nan)
    return scores


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """`part / whole`, in the shape of `part`, with NaN and no warning where there is nothing to divide by."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.greater(whole, 0)))


def mean(values: Floats) -> Floats:
    """Over the last axis, of what is not NaN; NaN where nothing is left."""
    measured = ~np.isnan(values)
    # Columns that no row measures are left out and not added as 0: where they stand decides how NumPy groups the sum,
    # and its last bit would depend on classes that do not occur.
    held = measured.any(axis=tuple(range(measured.ndim - 1)))
    values, measured = np.compress(held, values, axis=-1), np.compress(held, measured, axis=-1)
    return ratio(np.where(measured, values, 0.0).sum(axis=-1), measured.sum(axis=-1))
