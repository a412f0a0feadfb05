"""What more time would bring: a power law through the validation scores of a finished run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pixelwise.report.numbers import number
from pixelwise.scoring.formulas import Floats
from pixelwise.values import strict_json

FEWEST = 6
"""Validations that a curve needs: three numbers are fitted, and as many must be left to judge them by."""


@dataclass(frozen=True)
class LearningCurve:
    """Validation mean IoU over the time of training, as a - b * t^-c.

    Such a law describes learning curves of many kinds of learners well (Viering and Loog, arXiv 2103.10948, section 4).
    The learning rate of a run falls to nothing at its end, so that its curve flattens there: a longer run, whose rate
    falls later, as a rule ends above what this says.

    Attributes:
        seconds: of the whole run.
        score: the law's mean IoU at its end.
        twice: the same after twice the seconds.
        error: by how much the law of the first half of the validations missed those of the second, in the mean; at
            least the spread of all validations around the law.
    """

    seconds: float
    score: float
    twice: float
    error: float

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]]) -> Self | None:
        """The curve of the lines of metrics.jsonl; None where there are too few validations."""
        measured = [(number(row.get("seconds")), number(row.get("validation_miou"))) for row in history]
        points = np.array([pair for pair in measured if all(map(math.isfinite, pair)) and pair[0] > 0])
        if len(points) < FEWEST:
            return None
        seconds, scores = points.T
        law = _fitted(seconds, scores)
        half = len(points) // 2
        missed = float(np.abs(_at(seconds[half:], _fitted(seconds[:half], scores[:half])) - scores[half:]).mean())
        spread = float(np.sqrt(np.mean((_at(seconds, law) - scores) ** 2)))
        now, twice = _at(np.array([seconds[-1], 2 * seconds[-1]]), law)
        return cls(float(seconds[-1]), float(now), float(twice), max(missed, spread))

    @property
    def gain(self) -> float:
        """Mean IoU that twice the time would add."""
        return self.twice - self.score

    def text(self) -> str:
        """One sentence."""
        sure = "which is less than the law is sure of" if self.gain < self.error else "by a power law through its curve"
        return (
            f"Twice the time would add about {100 * self.gain:.1f} points of mean IoU (give or take "
            f"{100 * self.error:.1f}) to that run's {self.score:.3f}, {sure}."
        )

    def to_json(self) -> dict[str, Any]:
        """The fields and the gain by name."""
        return strict_json({**vars(self), "gain": self.gain})


def _at(seconds: Floats, law: Floats) -> Floats:
    limit, span, exponent = law
    return np.asarray(limit - span * seconds**-exponent)


def _fitted(seconds: Floats, scores: Floats) -> Floats:
    """Limit a, span b and exponent c of least squares."""
    from scipy.optimize import least_squares  # late: slow to import

    # In units of the last time, so that the three numbers are of one size.
    unit = seconds[-1]
    start = np.array([min(scores[-1] + 0.05, 1.0), 0.05, 0.5])
    bounds = ([0.0, 0.0, 0.1], [1.0, 1.0, 2.0])

    def residuals(law: Floats) -> Floats:
        return np.asarray(_at(seconds / unit, law) - scores)

    limit, span, exponent = least_squares(residuals, np.clip(start, *bounds), bounds=bounds).x
    return np.array([limit, span * unit**exponent, exponent])
