"""Which of a trunk's feature maps a head takes, by their strides; rules give positions in the tuple of maps, rising."""

import math
from typing import Any

Strides = tuple[float, ...]
"""Input pixels per step of feature maps, finest first."""

# Four pixels, or a quarter of a patch of 14: what the papers call the map of stride 4.
_FOUR = 3.5


def taken(head: Any, strides: Strides) -> tuple[int, ...]:
    """The maps that `head`, a class or an object, takes: those that its `taps` names, or all if it has none."""
    rule = getattr(head, "taps", None)
    return tuple(range(len(strides))) if rule is None else tuple(rule(strides))


def last_alone(strides: Strides) -> tuple[int, ...]:
    """The coarsest map."""
    return (len(strides) - 1,)


def without_finest(strides: Strides) -> tuple[int, ...]:
    """Every map of stride 4 or more; all where none is."""
    return tuple(range(finest(strides), len(strides)))


def finest(strides: Strides) -> int:
    """The finest map of stride 4 or more; the first where none is."""
    return next((i for i, stride in enumerate(strides) if stride >= _FOUR), 0)


def nearest(strides: Strides, wanted: float) -> int:
    """The map whose stride is nearest to `wanted` as a ratio; the finest of several."""
    return min(range(len(strides)), key=lambda i: abs(math.log2(strides[i] / wanted)))
