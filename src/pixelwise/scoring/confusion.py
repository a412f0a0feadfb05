"""ConfusionMatrix: exact counts of every (true class, predicted class) pair."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.labels import IGNORE, MAX_CLASSES

# One slice, its flags and its int64 positions stay within a few megabytes.
_PIXELS_AT_ONCE = 1 << 20


def joint_counts(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(256, 256) int64: how often each value of `truth` (row) meets each value of `predicted` (column).

    Both are uint8 of one shape. No pixel is masked out: ignored ones land in row 255, to be sliced off.
    """
    if truth.dtype != np.uint8 or predicted.dtype != np.uint8 or truth.shape != predicted.shape:
        raise ValueError(
            f"truth is {truth.dtype} {truth.shape} and prediction {predicted.dtype} {predicted.shape}, "
            "expected uint8 arrays of one shape"
        )
    rows, columns = truth.reshape(-1), predicted.reshape(-1)
    counts = np.zeros(256 * 256, dtype=np.int64)
    for start in range(0, rows.size, _PIXELS_AT_ONCE):
        piece = slice(start, start + _PIXELS_AT_ONCE)
        counts += _count(rows[piece], columns[piece])
    return counts.reshape(256, 256)


def _count(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(65536,) int64: how often each pair of values occurs in two equally long rows of pixels."""
    changes = rows[1:] != rows[:-1]
    changes |= columns[1:] != columns[:-1]
    if 4 * np.count_nonzero(changes) > rows.size:
        return np.bincount(_keys(rows, columns), minlength=256 * 256)
    # Masks are patches: counting each run of equal pairs once, by its length, is several times faster.
    ends = np.append(np.flatnonzero(changes), rows.size - 1)
    lengths = np.diff(ends, prepend=-1)  # as float64 weights exact: at most _PIXELS_AT_ONCE together
    return np.bincount(_keys(rows[ends], columns[ends]), lengths, minlength=256 * 256).astype(np.int64)


def _keys(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.asarray((rows.astype(np.uint16) << np.uint16(8)) | columns)


def by_class(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(3, K) of a matrix (K, K) with rows truth: pixels of each class that are right, in the truth, and predicted."""
    return np.stack([np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)])


class ConfusionMatrix:
    """Counts (K, K) int64: rows are the truth, columns the prediction; exact at any number of pixels."""

    def __init__(self, num_classes: int, counts: NDArray[np.int64] | None = None) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise ValueError(f"num_classes is {num_classes}, expected 1 to {MAX_CLASSES}")
        self.counts = np.zeros((num_classes, num_classes), dtype=np.int64) if counts is None else counts
        if self.counts.shape != (num_classes, num_classes) or self.counts.dtype != np.int64:
            raise ValueError(f"counts are {self.counts.dtype} {self.counts.shape} for {num_classes} classes")

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.counts)

    def update(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        """Count the pixels of two uint8 arrays of one shape; those whose truth is 255 count for nothing.

        A value of K or more anywhere else is a programming error and raises ValueError.
        """
        counts = joint_counts(truth, predicted)
        num_classes = self.num_classes
        if counts[num_classes:IGNORE].any():
            raise ValueError(f"truth holds a class id of {num_classes} or more")
        if counts[:, num_classes:].any():
            raise ValueError(f"prediction holds a class id of {num_classes} or more")
        self.counts += counts[:num_classes, :num_classes]

    def merge(self, other: Self) -> None:
        """Add the counts of `other`, from another part of the data or another process."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge {other.num_classes} classes into {self.num_classes}")
        self.counts += other.counts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfusionMatrix) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # counts change

    def __repr__(self) -> str:
        return f"ConfusionMatrix({self.counts.tolist()})"
