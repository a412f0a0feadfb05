"""The shape of every tally of `menus.TALLIES`: sums over images, and scores that follow from the sums.

A new score that takes more than a confusion matrix is a class with this shape in a file of its own, and a line in
`menus.TALLIES`; it then stands in scores.json with its 95 % interval, and in the report. The shortest is
`id_difference.DifferenceTally`.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.scoring.formulas import Floats

if TYPE_CHECKING:  # what compares masks alone starts without PyTorch
    from torch import Tensor


class Scored(NamedTuple):
    """An image and all that is known of it when it is scored."""

    truth: NDArray[np.uint8]  # (H, W): class ids, 255 where ignored
    predicted: NDArray[np.uint8]  # (H, W): class ids
    logits: "Tensor"  # (K, H, W): float32, on any device
    probabilities: "Tensor"  # (K, H, W): softmax(logits / temperature)


class Result(Protocol):
    """What a tally says of all images."""

    def to_json(self) -> dict[str, Any]:
        """Its part of scores.json: strict JSON, null for NaN, with its "definition"."""


class ScoreTally(ABC):
    """Sums over the images so far; pixels whose truth is 255 count for nothing."""

    def __init__(self, num_classes: int, temperature: float = 1.0) -> None:
        self.num_classes, self.temperature = num_classes, temperature

    @abstractmethod
    def add(self, image: Scored) -> None:
        """Count an image."""

    @abstractmethod
    def numbers(self) -> Floats:
        """(S,) sums over the images so far, from which the scores follow."""

    @abstractmethod
    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Each score that has an interval, (R,), of R rows of `numbers()`, (R, S); NaN where there is none.

        Its name is that in scores.json, and no other tally's.
        """

    @abstractmethod
    def held(self, sums: Floats) -> Floats:
        """How much of what it measures each row of `sums` (R, S) holds: labelled pixels, objects of a size.

        (R, 1) for all `scores` alike, or (R, M), a column for each. With a row an image, Kish's effective number of
        images, and so the width of an interval, follows.
        """

    @abstractmethod
    def result(self) -> Result:
        """What all images show: the `summary`, and what has no interval."""

    def summary(self) -> dict[str, float]:
        """Each of `scores` over all images."""
        return {name: float(values[0]) for name, values in self.scores(self.numbers()[None]).items()}
