"""Curve: one column of a run's history, smoothed so that no single epoch decides what it says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.scoring.formulas import Floats

WIDE_FROM = 9
"""From so many values on the median is taken over 5 of them, below over 3."""

# The mean distance of a normal variable from the median of itself and two others is 0.564 of its deviation.
_DEVIATION_PER_RESIDUAL = 1 / 0.564


class Point(NamedTuple):
    """A smoothed value and its epoch."""

    value: float
    epoch: int


@dataclass(frozen=True)
class Curve:
    """The measured values of a column: `epochs`, `raw` and `smooth` are (N,).

    `noise` is the standard deviation of the values around a running median over 3, the largest of them left out,
    so that one odd epoch does not count as noise; 0 for a curve that only rises or only falls.
    """

    epochs: NDArray[np.int64]
    raw: Floats
    smooth: Floats
    noise: float

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]], column: str) -> Self:
        """The finite numbers in `column`; whatever else stands there was not measured."""
        measured = [(epoch_of(history, i), row[column]) for i, row in enumerate(history) if is_number(row.get(column))]
        raw = np.array([value for _, value in measured], dtype=np.float64)
        residuals = np.sort(np.abs(raw - running_median(raw, 3)))[:-1]
        noise = _DEVIATION_PER_RESIDUAL * float(residuals.mean()) if residuals.size else 0.0
        smooth = running_median(raw, 5 if raw.size >= WIDE_FROM else 3)
        return cls(np.array([epoch for epoch, _ in measured], dtype=np.int64), raw, smooth, noise)

    def __len__(self) -> int:
        return self.raw.size

    @property
    def first(self) -> Point:
        """The first smoothed value; NaN, as everywhere here, where nothing was measured."""
        return self._point(0)

    @property
    def last(self) -> Point:
        """The last smoothed value."""
        return self._point(len(self) - 1)

    @property
    def highest(self) -> Point:
        """The largest smoothed value, the first of equal ones."""
        return self._point(int(self.smooth.argmax()) if len(self) else 0)

    @property
    def lowest(self) -> Point:
        """The smallest smoothed value, the first of equal ones."""
        return self._point(int(self.smooth.argmin()) if len(self) else 0)

    def at(self, epoch: float) -> Point:
        """The smoothed value of the last measured epoch that is not after `epoch`, else of the first."""
        return self._point(max(int(np.searchsorted(self.epochs, epoch, side="right")) - 1, 0))

    def _point(self, index: int) -> Point:
        return Point(float(self.smooth[index]), int(self.epochs[index])) if len(self) else Point(math.nan, 0)


def running_median(values: Floats, width: int) -> Floats:
    """The median of each of `values` (N,) and its neighbours, `width` (odd) in all; towards the ends of fewer.

    An end is the median of itself, its smoothed neighbour and the line through the next two: a trend goes on, a
    single odd end does not count (Tukey, Exploratory Data Analysis, 1977, chapter 7; `runmed` and `smoothEnds` of R).
    """
    size = values.size
    if size < 3:
        return values
    result = values.copy()
    for i in range(1, size - 1):
        reach = min(i, size - 1 - i, width // 2)
        result[i] = np.median(values[i - reach : i + reach + 1])
    # With 3 values the line would go through the other end, which says as little about this one.
    for end, near, next_ in ((0, 1, 2), (-1, -2, -3)) if size > 3 else ():
        result[end] = np.median([values[end], result[near], 3 * result[near] - 2 * result[next_]])
    return result


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def epoch_of(history: Sequence[Mapping[str, Any]], index: int) -> int:
    """The number of the epoch that a line stands for; without one, its place counted from 1."""
    epoch = history[index].get("epoch")
    return int(epoch) if is_number(epoch) else index + 1  # type: ignore[arg-type]
