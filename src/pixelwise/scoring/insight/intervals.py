"""How sure the scores are that take more than a confusion matrix: the bootstrap over images, on their own sums."""

from collections.abc import Mapping

import numpy as np

from pixelwise.scoring.bootstrap import Interval, effective_number, expanded_percentiles, resampled
from pixelwise.scoring.formulas import Floats
from pixelwise.scoring.insight.tally import ScoreTally

RESAMPLES = 1000


def insight_intervals(
    tallies: Mapping[str, ScoreTally], numbers: Mapping[str, Floats], *, seed: int = 0
) -> dict[str, Interval | None]:
    """95 % intervals by the name of the score; None where nothing can be said, and for one image alone.

    `numbers` has for each tally what each image adds to its `numbers()`, (N, S).
    """
    found: dict[str, Interval | None] = {}
    for name, tally in tallies.items():
        found |= _intervals(tally, numbers[name], seed)
    return found


def _intervals(tally: ScoreTally, images: Floats, seed: int) -> dict[str, Interval | None]:
    names = list(tally.scores(images[:1]))
    if len(images) < 2 or not names:
        return dict.fromkeys(names)
    # One seed, so that all tallies see the same resamples.
    drawn = [tally.scores(weights @ images) for weights in resampled(len(images), RESAMPLES, seed)]
    values = np.stack([np.concatenate([piece[name] for piece in drawn]) for name in names], axis=1)
    effective = np.broadcast_to(effective_number(tally.held(images)), len(names))
    return dict(zip(names, expanded_percentiles(values, effective), strict=True))
