"""What a confusion matrix says, whoever draws it: where the pixels of each class went, and the worst confusions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.scoring.formulas import ratio

PAIRS = 15
"""So many pairs are listed as most confused."""

Counts = NDArray[np.int64]
"""(K, K) pixels: rows are the truth, columns the prediction."""


class Confused(NamedTuple):
    """Pixels of one class that were taken for another; shares are from 0 to 1."""

    truth: int  # class ids
    predicted: int
    pixels: int
    of_errors: float  # share of all wrong pixels
    of_class: float  # share of the pixels of the true class


def occurring(counts: Counts) -> NDArray[np.int64]:
    """Ids, in their order, of the classes that are in truth or prediction."""
    return np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))


def row_shares(counts: Counts) -> NDArray[np.float64]:
    """Each row over its sum: the diagonal is the recall of each class. Classes not in the truth have a row of zeros."""
    return np.nan_to_num(ratio(counts, counts.sum(axis=1, keepdims=True)))


def off_diagonal(counts: Counts) -> Counts:
    """The counts of wrong pixels: the diagonal is zero."""
    return counts * (1 - np.eye(len(counts), dtype=np.int64))


def confused_pairs(counts: Counts, *, most: int = PAIRS) -> list[Confused]:
    """The pairs of classes with the most wrong pixels, the worst first; those without any are left out."""
    wrong = off_diagonal(counts)
    total, of_truth = int(wrong.sum()), counts.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    return [
        Confused(int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / total), float(wrong[i, j] / of_truth[i]))
        for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[i, j]
    ]
