"""Some pairs of a split, spread evenly over it and bounded in number and pixels, looked at by threads."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

from pixelwise.data.dataset.pairs import Pair
from pixelwise.workers import in_order

Result = TypeVar("Result")

_GOLDEN = 0.6180339887498949


class Bound(NamedTuple):
    """Looking ends with `most` pairs, or once `pixels` pixels and `least` pairs were looked at."""

    most: int
    least: int
    pixels: int


def spread(number: int) -> list[int]:
    """0 to `number` - 1 in an order of which every beginning is spread evenly: by multiples of the golden ratio."""
    return sorted(range(number), key=lambda i: i * _GOLDEN % 1)


def sampled(pairs: Sequence[Pair], look: Callable[[Pair], tuple[int, Result]], bound: Bound) -> list[Result]:
    """What `look` says of some pairs, in their order; it also tells how many pixels it looked at.

    The choice depends on the pairs alone, not on threads. Raises what `look` raises.
    """
    chosen = spread(len(pairs))[: bound.most]
    found: dict[int, Result] = {}
    seen = 0
    with closing(in_order(lambda i: (i, look(pairs[i])), chosen)) as looked:
        for i, (pixels, result) in looked:
            found[i] = result
            seen += pixels
            if seen >= bound.pixels and len(found) >= bound.least:
                break
    return [found[i] for i in sorted(found)]
