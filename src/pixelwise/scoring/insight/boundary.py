"""Where the outlines are: Boundary IoU, accuracy near boundaries (trimap), and errors at boundaries or inside."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.labels import IGNORE
from pixelwise.scoring.confusion import joint_counts
from pixelwise.scoring.formulas import Floats, mean, ratio
from pixelwise.scoring.insight.tally import Scored, ScoreTally
from pixelwise.values import strict_json

DEFINITION = (
    "boundary_iou: per class the IoU of the pixels within d of the edge of the true and of the predicted region, d = 2 "
    "% of the image diagonal (Cheng et al., Boundary IoU, arXiv 2103.16562), with intersections and unions summed over "
    "the images; the edge of the image counts as edge. trimap: pixel accuracy and mean IoU of the labelled pixels "
    "within w px of another class of the truth, w px to either side of each boundary (Kohli et al., IJCV 2009). "
    "errors_at_boundary and pixels_at_boundary: the share of the wrong and of all pixels within 4 px; "
    "interior_accuracy: pixel accuracy of the others. Distances count a diagonal step as one. Ignored pixels count for "
    "nothing and make no boundary."
)

DILATION_RATIO = 0.02
WIDTHS = (1, 2, 4, 8, 16, 32)
NEAR_BOUNDARY = 4
"""Pixels; errors that near to a boundary of the truth are errors of drawing more than of seeing."""

_BANDS = len(WIDTHS) + 1  # the pixels that a width reaches and no smaller one does; the last: what none reaches
_NEAR_BANDS = WIDTHS.index(NEAR_BOUNDARY) + 1


@dataclass(frozen=True)
class BoundaryScores:
    """Shares from 0 to 1; NaN where nothing could be measured."""

    mean_boundary_iou: float  # over the classes with an edge in truth or prediction
    boundary_iou: tuple[float, ...]  # K
    trimap_accuracy: tuple[float, ...]  # by WIDTHS
    trimap_mean_iou: tuple[float, ...]  # by WIDTHS
    errors_at_boundary: float  # of the wrong pixels
    pixels_at_boundary: float  # of all labelled pixels, to compare with
    interior_accuracy: float  # of the pixels that are not at a boundary

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, null for NaN, and the definitions."""
        content = {
            "definition": DEFINITION,
            "mean_boundary_iou": self.mean_boundary_iou,
            "boundary_iou": self.boundary_iou,
            "trimap": [
                {"width_px": width, "pixel_accuracy": accuracy, "mean_iou": iou}
                for width, accuracy, iou in zip(WIDTHS, self.trimap_accuracy, self.trimap_mean_iou, strict=True)
            ],
            "errors_at_boundary": self.errors_at_boundary,
            "pixels_at_boundary": self.pixels_at_boundary,
            "interior_accuracy": self.interior_accuracy,
        }
        return strict_json(content)


def near_boundary(class_ids: NDArray[np.uint8], reach: int, *, frame: bool = False) -> NDArray[np.bool_]:
    """(H, W): the labelled pixels of `class_ids` (H, W) with another class at most `reach` px away.

    A diagonal step counts as one. Pixels of 255 are not labelled and no other class: a boundary under a band of them
    is seen from both sides. With `frame`, beyond the edge of the image lies another class.
    """
    low, high = _widened(class_ids, class_ids + np.uint8(1), reach, frame=frame)
    return np.asarray((low + np.uint8(1) != high) & (class_ids != IGNORE))


class BoundaryTally(ScoreTally):
    """Exact counts over images; 192 bytes a class."""

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        super().__init__(num_classes, temperature)
        # Pixels right, of the truth and predicted; in the edge regions of Boundary IoU, and in each band.
        self._edges = np.zeros((3, num_classes), dtype=np.int64)
        self._bands = np.zeros((3, _BANDS, num_classes), dtype=np.int64)

    def add(self, image: Scored) -> None:
        """Count the two class maps of an image.

        A class id of K or more where the truth is labelled is a programming error and raises ValueError.
        """
        truth, num_classes = image.truth, self.num_classes
        seen = np.where(truth == IGNORE, truth, image.predicted)
        right = np.where(truth == seen, truth, IGNORE)
        highest = max(int(ids.max(initial=0, where=ids != IGNORE)) for ids in (truth, seen))
        if highest >= num_classes or not np.array_equal(seen == IGNORE, truth == IGNORE):
            raise ValueError(f"truth or prediction holds a class id of {num_classes} or more")
        reach = max(1, round(DILATION_RATIO * math.hypot(*truth.shape)))
        true_edge, seen_edge = (near_boundary(ids, reach, frame=True) for ids in (truth, seen))
        bands = _bands(truth)
        for part, (edge, ids) in enumerate(
            ((true_edge & seen_edge, right), (true_edge, truth), (seen_edge, seen)),
        ):
            self._edges[part] += joint_counts(edge.view(np.uint8), ids)[1, :num_classes]
            self._bands[part] += joint_counts(bands, ids)[:_BANDS, :num_classes]

    def numbers(self) -> Floats:
        """(3 K + 14,) sums over the images so far: the edge regions of each class; pixels right and all by band."""
        hits, pixels, _ = self._bands.sum(axis=2)
        return np.concatenate([self._edges.ravel(), hits, pixels]).astype(np.float64)

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Shares from 0 to 1: the mean of Boundary IoU, errors at boundaries, and accuracy away from them."""
        edges, hits, pixels = self._split(sums)
        wrong, near = pixels - hits, _NEAR_BANDS
        return {
            "mean_boundary_iou": mean(_edge_iou(edges)),
            "errors_at_boundary": ratio(wrong[:, :near].sum(axis=1), wrong.sum(axis=1)),
            "interior_accuracy": ratio(hits[:, near:].sum(axis=1), pixels[:, near:].sum(axis=1)),
        }

    def held(self, sums: Floats) -> Floats:
        """(R, 1): labelled pixels."""
        return np.asarray(self._split(sums)[2].sum(axis=1, keepdims=True))

    def __iadd__(self, other: Self) -> Self:
        """Take in the counts of another part of the data."""
        self._edges += other._edges
        self._bands += other._bands
        return self

    def result(self) -> BoundaryScores:
        """The scores of all images."""
        right, truth, predicted = np.cumsum(self._bands, axis=1)[:, :-1]  # by WIDTHS: a width holds the smaller ones
        pixels = self._bands[1].sum(axis=1)
        ious = ratio(right, truth + predicted - right)
        return BoundaryScores(
            boundary_iou=tuple(_edge_iou(self._edges).tolist()),
            trimap_accuracy=tuple(ratio(right.sum(axis=1), truth.sum(axis=1)).tolist()),
            trimap_mean_iou=tuple(float(mean(of_classes)) for of_classes in ious),
            pixels_at_boundary=float(ratio(pixels[:_NEAR_BANDS].sum(), pixels.sum())),
            **self.summary(),
        )

    def _split(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """Of (R, 3 K + 14): the edge regions (R, 3, K), the pixels right and all pixels of each band (R, 7)."""
        edges, bands = np.split(sums, [3 * self.num_classes], axis=1)
        hits, pixels = np.split(bands, 2, axis=1)
        return edges.reshape(-1, 3, self.num_classes), hits, pixels


def _edge_iou(edges: NDArray[Any]) -> Floats:
    """(..., K) of the pixels right, of the truth and predicted in the edge regions, (..., 3, K)."""
    both, true, seen = np.moveaxis(edges, -2, 0)
    return ratio(both, true + seen - both)


def _bands(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W): the index of the first of WIDTHS that reaches from a boundary to the pixel; 255 where ignored."""
    bands = np.full(truth.shape, len(WIDTHS), dtype=np.uint8)
    low, high, reached = truth, truth + np.uint8(1), 0
    for width in WIDTHS:
        low, high = _widened(low, high, width - reached)
        bands -= low + np.uint8(1) != high
        reached = width
    bands[truth == IGNORE] = IGNORE
    return bands


def _widened(
    low: NDArray[np.uint8], high: NDArray[np.uint8], reach: int, *, frame: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The least of `low` and the greatest of `high` over the square of 2 `reach` + 1 pixels around each one.

    Given the ids and the ids + 1, both are those of one class where high = low + 1. Ignored pixels are 255 and, as
    uint8 wraps around, 0: neutral in both. So one pass serves all classes, at the cost of two.
    """
    return _extreme(low, reach, np.minimum, IGNORE), _extreme(high, reach, np.maximum, IGNORE if frame else 0)


def _extreme(values: NDArray[np.uint8], reach: int, extreme: np.ufunc, outside: int) -> NDArray[np.uint8]:
    """`extreme` over a square window, side by side: a window of n from two of n / 2, `outside` beyond the edges."""
    size = 2 * reach + 1
    for _ in range(2):
        values = np.pad(values, ((reach, reach), (0, 0)), constant_values=outside)
        span = 1
        while span < size:
            step = min(span, size - span)
            values = extreme(values[:-step], values[step:])
            span += step
        values = values.T
    return values
