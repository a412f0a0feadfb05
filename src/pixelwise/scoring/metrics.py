"""Scores: every number that we report, derived from one confusion matrix by a named definition."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.formulas import DEFINITION, PER_CLASS, SUMMARY, Floats, Sums, ratio, scores_of
from pixelwise.values import strict_json


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix says; shares are in [0, 1], NaN marks what could not be measured.

    Per-class arrays are (K,) float64 in class order. Definitions: `formulas.DEFINITION` and docs/scores.md.
    """

    confusion: ConfusionMatrix
    labels: LabelTable

    def __post_init__(self) -> None:
        if self.confusion.num_classes != self.labels.num_classes:
            raise ValueError(f"{self.confusion.num_classes} classes counted, {self.labels.num_classes} named")

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(K,) int64: labelled pixels of each class in the truth."""
        return np.asarray(self.confusion.counts.sum(axis=1))

    @property
    def confusion_shares(self) -> Floats:
        """(K, K): of the true pixels of each class (row) the share predicted as each; NaN for an absent class."""
        return ratio(self.confusion.counts, self.pixels[:, None])

    @property
    def iou(self) -> Floats:
        """(K,): intersection over union (the Jaccard index)."""
        return self._values["iou"]

    @property
    def dice(self) -> Floats:
        """(K,): the Dice coefficient, also called F1."""
        return self._values["dice"]

    @property
    def accuracy(self) -> Floats:
        """(K,): share of the class's true pixels that were found (recall)."""
        return self._values["accuracy"]

    @property
    def precision(self) -> Floats:
        """(K,): share of the pixels predicted as the class that are it."""
        return self._values["precision"]

    @property
    def pixel_accuracy(self) -> float:
        """Share of labelled pixels that are right."""
        return float(self._values["pixel_accuracy"])

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy over the classes present in the truth."""
        return float(self._values["mean_accuracy"])

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes present in truth or prediction."""
        return float(self._values["mean_iou"])

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes present in truth or prediction."""
        return float(self._values["mean_dice"])

    @property
    def frequency_weighted_iou(self) -> float:
        """IoU weighted by each class's share of the labelled pixels."""
        return float(self._values["frequency_weighted_iou"])

    @property
    def mean_iou_absent_as_zero(self) -> float:
        """Mean IoU over all K classes, a class in neither truth nor prediction counting 0 (the AWS mean)."""
        return float(self._values["mean_iou_absent_as_zero"])

    def to_json(self) -> dict[str, Any]:
        """The content of scores.json: strict JSON, null where nothing could be measured."""
        per_class = [
            {
                "id": i,
                "name": name,
                **{score: self._values[score][i] for score in PER_CLASS},
                "pixels": int(self.pixels[i]),
            }
            for i, name in enumerate(self.labels.names)
        ]
        return {
            "definition": DEFINITION,
            **strict_json({name: float(self._values[name]) for name in SUMMARY}),
            "per_class": strict_json(per_class),
            "confusion": self.confusion.counts.tolist(),
            "confusion_row_normalised": strict_json(self.confusion_shares.tolist()),
        }

    @classmethod
    def from_json(cls, content: Any, *, source: str) -> Self:
        """Read the content of a scores.json back; everything follows from its counts and names."""
        try:
            names = [str(entry["name"]) for entry in content["per_class"]]
            counts = np.asarray(content["confusion"])
            if counts.dtype.kind != "i" or counts.min() < 0:
                raise ValueError("confusion does not hold counts")
            return cls(ConfusionMatrix(len(names), counts.astype(np.int64)), LabelTable.named(names))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{source}: is not a scores.json ({type(error).__name__}: {error}). Expected what "
                "`pixelwise evaluate` or `pixelwise score` wrote; write it again."
            ) from None

    def table(self) -> str:
        """Plain text for a terminal: one line a class, then the summary."""
        width = max(len("class"), *(len(name) for name in self.labels.names))
        lines = [f"{'class':<{width}}" + "".join(f"{name:>11}" for name in (*PER_CLASS, "pixels"))]
        for i, name in enumerate(self.labels.names):
            shares = "".join(f"{_text(self._values[score][i]):>11}" for score in PER_CLASS)
            lines.append(f"{name:<{width}}{shares}{self.pixels[i]:>11}")
        titles = {name: name.replace("_", " ") for name in SUMMARY}
        titles |= {name: title.replace(" iou", " IoU") for name, title in titles.items()}
        widest = max(map(len, titles.values()))
        lines += ["", *(f"{title:<{widest}}  {_text(float(self._values[name]))}" for name, title in titles.items())]
        return "\n".join(lines)

    @cached_property
    def _values(self) -> dict[str, Floats]:
        return scores_of(Sums.of(self.confusion.counts))


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
