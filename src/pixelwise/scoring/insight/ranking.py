"""Average precision: how well the probability of a class ranks the pixels, whatever threshold is set."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.labels import IGNORE
from pixelwise.scoring.formulas import Floats
from pixelwise.scoring.insight.tally import Scored, ScoreTally
from pixelwise.values import strict_json

DEFINITION = (
    "Each class against the rest, over all labelled pixels of the split: pixels are ranked by the probability of "
    "the class, and average precision is the sum over the thresholds of (recall - recall before) x precision "
    "(scikit-learn's average_precision_score). Probabilities are gathered in 4096 equal steps of their logit, those "
    "of one step counting as in random order, which changes it by less than 0.001. mean_average_precision (mAP): the "
    "mean over the classes in the truth. It judges the ranking alone, so a class can have a high AP and an IoU of 0; "
    "it is not the mAP of object detection."
)

BINS = 4096
"""Steps of the logit, each 1.6 % of the odds wide."""

_LOWEST, _HIGHEST = -50.0, 17.0  # 2e-22; beyond 1 - 6e-8 float32 knows no probability but 1
_PIXELS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision of each class, 0 to 1, NaN for a class that is not in the truth."""

    per_class: tuple[float, ...]

    @property
    def mean(self) -> float:
        """mAP: the mean over the classes in the truth; NaN if there is none."""
        measured = [value for value in self.per_class if not math.isnan(value)]
        return sum(measured) / len(measured) if measured else math.nan

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, null for NaN, and the definition."""
        scores = {"mean_average_precision": self.mean, "per_class": self.per_class}
        return {"definition": DEFINITION, **strict_json(scores)}


class PrecisionRecallTally(ScoreTally):
    """Histograms of the probabilities of each class, of its own pixels and of all; 64 KB a class.

    Without intervals: it ranks the pixels of all images together, so that no sums of single images tell it.
    """

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        super().__init__(num_classes, temperature)
        self._own = np.zeros((num_classes, BINS), dtype=np.int64)
        self._all = np.zeros((num_classes, BINS), dtype=np.int64)

    def add(self, image: Scored) -> None:
        """Count the probabilities of an image, on their device."""
        truth, device, shares = image.truth, image.probabilities.device, image.probabilities.flatten(1)
        places = np.flatnonzero(truth != IGNORE)
        ids = torch.from_numpy(truth.reshape(-1)[places].astype(np.int64)).to(device)
        columns = torch.from_numpy(places).to(device)
        # Each class has bins of its own, so that one call counts them all.
        first = BINS * torch.arange(len(shares), dtype=torch.int32, device=device)[:, None]
        own, every = torch.zeros((2, self._own.size), dtype=torch.int64, device=device)
        for start in range(0, len(places), _PIXELS_AT_ONCE):
            piece = slice(start, start + _PIXELS_AT_ONCE)
            bins = _bins(shares.index_select(1, columns[piece])) + first
            every += torch.bincount(bins.flatten(), minlength=len(every))
            own += torch.bincount(bins.gather(0, ids[piece][None])[0], minlength=len(own))
        self._own += own.reshape(self._own.shape).cpu().numpy()
        self._all += every.reshape(self._all.shape).cpu().numpy()

    def numbers(self) -> Floats:
        """(0,): none."""
        return np.zeros(0)

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """None that has an interval."""
        return {}

    def held(self, sums: Floats) -> Floats:
        """(R, 0): of no score."""
        return sums

    def __iadd__(self, other: Self) -> Self:
        """Take in the counts of another part of the data."""
        self._own += other._own
        self._all += other._all
        return self

    def result(self) -> AveragePrecision:
        """The average precision of each class."""
        return AveragePrecision(tuple(_average(own, every) for own, every in zip(self._own, self._all, strict=True)))


def _bins(probabilities: Tensor) -> Tensor:
    """The bin of each probability in that of its class, int32."""
    # In the logit, since most probabilities of a trained network are next to 0 or 1.
    logits = torch.logit(probabilities.float()).clamp_(_LOWEST, _HIGHEST).nan_to_num_(nan=_LOWEST)
    return logits.sub_(_LOWEST).mul_(BINS / (_HIGHEST - _LOWEST)).to(torch.int32).clamp_(max=BINS - 1)


def _average(own: NDArray[np.int64], every: NDArray[np.int64]) -> float:
    """Average precision from two histograms over rising scores."""
    total = int(own.sum())
    if not total:
        return math.nan
    held = np.flatnonzero(own)[::-1]
    hits, pixels = own[held], every[held]
    better_hits, better = np.cumsum(hits) - hits, np.cumsum(every[::-1])[BINS - 1 - held] - pixels
    # Of n hits in random order among m pixels the average one is the (n + 1) / 2-th hit and the (m + 1) / 2-th pixel.
    precision = (better_hits + (hits + 1) / 2) / (better + (pixels + 1) / 2)
    return float((hits * precision).sum() / total)
