"""Parts of a whole, as bars and pies show them, whoever draws these."""

from collections.abc import Iterable
from typing import NamedTuple

from pixelwise.labels import Color

SLICES = 12
"""A pie has so many slices at most; what is smaller is gathered in one more."""

_OTHER_COLOR = (136, 136, 136)


class Share(NamedTuple):
    """One part of a whole: what a bar or a slice stands for."""

    name: str
    value: int
    color: Color


def largest(shares: Iterable[Share], most: int) -> list[Share]:
    """The parts, largest first; where more than one comes after `most`, these are one part, named as such."""
    ordered = sorted(shares, key=lambda share: -share.value)
    kept, rest = ordered[:most], ordered[most:]
    if len(rest) > 1:
        rest = [Share(f"{len(rest)} others", sum(share.value for share in rest), _OTHER_COLOR)]
    return kept + rest


def gathered(shares: Iterable[Share]) -> list[Share]:
    """The slices of a pie: the parts that are not zero, the smallest of many as one."""
    return largest((share for share in shares if share.value), SLICES)
