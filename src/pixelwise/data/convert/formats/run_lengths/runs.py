"""Texts of runs "start length start length ..." -> pixels, and what such texts show of how pixels are numbered."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.formats.polygons import NoRegion, Region

Runs = npt.NDArray[np.int64]
"""(N, 2) starts and lengths."""

_EXPECTED = "pairs of a start and a length in pixels, in ascending order, such as 1 3 10 5"
_FEWEST = 8  # neighbouring runs that lie side by side
_TIMES = 2
"""So many times as many lie side by side in the right order, and more: on masks of streets and of cracks 3.7 times as
many, on masks of clothes and of vessels at least 29 times as many."""


class Numbering(NamedTuple):
    """How pixels are numbered; Kaggle's documents say from 1, column by column."""

    first: int = 1
    by_columns: bool = True


def pairs_of(text: str) -> Runs:
    """The runs of a text; NoRegion where it holds anything else, or runs that overlap or are out of order."""
    tokens = text.split()
    # Nine digits number more pixels than an image may have.
    if len(tokens) % 2 or not all(token.isascii() and token.isdigit() and len(token) <= 9 for token in tokens):
        raise NoRegion(f"has the run lengths {text[:40]!r}", _EXPECTED)
    pairs = np.array(tokens, dtype=np.int64).reshape(-1, 2)
    starts, lengths = pairs.T
    if (lengths == 0).any():
        raise NoRegion(f"has a run without a pixel, from {starts[lengths == 0][0]} on", _EXPECTED)
    early = np.flatnonzero(starts[1:] < starts[:-1] + lengths[:-1])
    if len(early):
        (start, length), (following, _) = pairs[early[0]], pairs[early[0] + 1]
        raise NoRegion(f"has runs that overlap: {length} from {start} on, then one from {following} on", _EXPECTED)
    return pairs


def region(text: str, shape: tuple[int, int], numbering: Numbering) -> Region:
    """(H, W), True on the pixels of the runs; NoRegion as `pairs_of`, or where a run leads out of the image."""
    height, width = shape
    pairs = pairs_of(text)
    starts, ends = pairs[:, 0] - numbering.first, pairs.sum(axis=1) - numbering.first
    if len(pairs) and (starts[0] < 0 or ends[-1] > height * width):
        outside = 0 if starts[0] < 0 else int(np.argmax(ends > height * width))
        start, length = pairs[outside]
        last = height * width - 1 + numbering.first
        raise NoRegion(
            f"has a run of {length} pixels from {start} on",
            f"pixels from {numbering.first} to {last:,} ({width} x {height} px)",
        )
    steps = np.zeros(height * width + 1, dtype=np.int8)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    flat = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    return flat.reshape(width, height).T if numbering.by_columns else flat.reshape(height, width)


class Alignment:
    """Along which sides of images runs lie side by side, as those of an object do in the right order."""

    def __init__(self) -> None:
        self.pairs, self.by_columns, self.by_rows = 0, 0, 0

    def add(self, texts: Iterable[str], shape: tuple[int, int]) -> None:
        """Look at the runs of objects of one image; a square one tells nothing."""
        height, width = shape
        if height == width:
            return
        for text in texts:
            try:
                pairs = pairs_of(text)
            except NoRegion:  # named where the image is converted
                continue
            self.pairs += max(0, len(pairs) - 1)
            tolerance = min((abs(width - height) - 1) / 2, max(1, min(shape) / 16))
            self.by_columns += _side_by_side(pairs, height, tolerance)
            self.by_rows += _side_by_side(pairs, width, tolerance)

    @property
    def tells(self) -> bool:
        """Whether there was enough to see."""
        return self.by_columns + self.by_rows >= _FEWEST

    @property
    def is_by_rows(self) -> bool:
        """Whether the runs lie side by side in rows, and not in columns."""
        return self.tells and self.by_rows >= _TIMES * self.by_columns


def _side_by_side(pairs: Runs, line: int, tolerance: float) -> int:
    """How many runs have their middle beside that of the run before, where lines have so many pixels."""
    middles = pairs[:, 0] + pairs[:, 1] / 2
    return int(np.count_nonzero(np.abs(np.diff(middles) - line) <= tolerance))
