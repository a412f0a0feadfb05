"""Prior: what class weights of the loss do to the probabilities of a network, and how much of it prediction undoes."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeGuard

import torch
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.phrases import factor, listed

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""At these the weights may be undone; validation chooses one."""


@dataclass(frozen=True)
class Prior:
    """The weights w (K,) that the loss gave the classes, and the strength, 0 to 1, at which prediction undoes them.

    Cross entropy that counts pixels of class k w[k] times is least where the network says p[k] w[k], scaled to a sum of
    1, in place of the probability p[k]: rare classes are learned, and then called too often. Logits less log(w) give p
    back (Menon et al., arXiv 2007.07314, section 4.1, with 1 / w in the place of the prior). A network that is short of
    training has not come so far, nor is that the optimum of other losses: hence the strength a, logits - a log(w).

    A weight of 0, given so or of a class without training pixels, is that of a class which the loss never asked for:
    nothing raised its logit, and less the logarithm of 0 it would be everywhere. Its logit stays as it is; so does that
    of a class with an infinite weight, which would be nowhere.
    """

    weights: tuple[float, ...]
    strength: float = 0.0

    @classmethod
    def of_json(cls, found: Any, num_classes: int, *, source: str) -> Self | None:
        """What `to_json` gave, of so many classes; None of null, as in bundles from before there was a prior.

        Raises:
            ModelError: it is something else; the message begins with `source`.
        """
        if found is None:
            return None
        facts = found if isinstance(found, dict) else {}
        strength, weights = facts.get("strength"), facts.get("weights")
        if _is_number(strength) and strength <= 1 and isinstance(weights, list) and len(weights) == num_classes:
            numbers = [float(weight) for weight in weights if _is_number(weight)]
            if len(numbers) == num_classes:
                return cls(tuple(numbers), float(strength))
        raise ModelError(
            f"{source}: prior is {found!r}, expected a strength from 0 to 1 and {num_classes} weights from 0 on. "
            "Copy the bundle again from where it was trained."
        )

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {"strength": self.strength, "weights": list(self.weights)}

    def candidates(self) -> Iterator[Self]:
        """These weights undone at each of `STRENGTHS`, in their order."""
        for strength in STRENGTHS:
            yield replace(self, strength=strength)

    def shift(self) -> Tensor:
        """What is added to the logits, (K,) float32."""
        logarithms = [math.log(weight) if 0 < weight < math.inf else 0.0 for weight in self.weights]
        return -self.strength * torch.tensor(logarithms, dtype=torch.float32)

    def sentence(self, names: Sequence[str]) -> str:
        """How much of the weights is undone, and what these are for the classes called `names`."""
        given = listed(f"{factor(weight)} ({name})" for weight, name in zip(self.weights, names, strict=True))
        how = f" (logits - {self.strength:g} x log(weight))" if self.strength else ""
        undone = f"{self.strength:g}" if self.strength else "none"
        return (
            f"Prediction undoes {undone} of the class weights{how}, the strength with the best mean IoU on validation. "
            f"The loss had the weights {given}."
        )


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 <= value <= sys.float_info.max
