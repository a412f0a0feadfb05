"""Two evaluations of the same images: the interval of each difference, and how easily luck alone makes it.

The interval is the image-level bootstrap of `bootstrap.py`, with both sides drawn together. The p-value is that of the
randomisation test: were both equally good, exchanging their answers on any of the images would change nothing, so the
share of random exchanges that reach the difference is how often luck does (Noreen, Computer-Intensive Methods for
Testing Hypotheses, 1989).
"""

from collections.abc import Iterator

import numpy as np

from pixelwise.scoring.bootstrap import (
    Interval,
    effective_number,
    effective_number_of_mean,
    expanded_percentiles,
    resampled,
)
from pixelwise.scoring.formulas import Floats, Sums, scores_of
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.values import strict_json

COMPARED = ("mean_iou", "pixel_accuracy", "iou")
"""Scores of which differences are taken; the last one has a value for each class."""

_AT_ONCE = 1 << 20


class PairedCounts:
    """What two evaluations counted in the same images, side by side in the order of the images' names."""

    def __init__(self, a: ImageCounts, b: ImageCounts) -> None:
        names = sorted(a.names)
        a, b = a.ordered(names), b.ordered(names)
        parts = (a.truth, a.intersection, a.predicted, b.intersection, b.predicted)
        self.table = np.concatenate(parts, axis=1, dtype=np.float64)

    def totals(self) -> tuple[Sums, Sums]:
        """(1, K) of each side."""
        return _split(self.table.sum(axis=0, keepdims=True))

    def intervals(self, resamples: int, seed: int) -> dict[str, list[Interval | None]]:
        """Of each difference, by name of the score; None for a class that fewer than two images hold in the truth."""
        drawn = [_differences(*_split(weights @ self.table)) for weights in resampled(len(self.table), resamples, seed)]
        values = {name: np.concatenate([piece[name] for piece in drawn]) for name in COMPARED}
        a, b = _split(self.table)
        of_classes = np.where((a.truth > 0).sum(axis=0) > 1, effective_number(a.union + b.union), np.nan)
        effective = {
            "mean_iou": np.array([effective_number_of_mean(values["iou"], of_classes)]),
            "pixel_accuracy": effective_number(a.truth.sum(axis=1, keepdims=True)),
            "iou": of_classes,
        }
        if len(self.table) < 2:
            effective["mean_iou"][:] = np.nan
        return {name: expanded_percentiles(values[name], effective[name]) for name in COMPARED}

    def p_values(self, resamples: int, seed: int) -> dict[str, list[float | None]]:
        """Share of random exchanges of A and B whose difference is at least as large as the real one."""
        a, b = self.totals()
        num_classes = a.truth.shape[1]
        gains = self.table[:, 3 * num_classes :] - self.table[:, num_classes : 3 * num_classes]
        real = _differences(a, b)
        reached = {name: np.ones(values.shape[1]) for name, values in real.items()}  # the real one is among them
        for exchanged in _exchanges(len(gains), resamples, seed):
            hits, predicted = np.split(exchanged @ gains, 2, axis=1)
            drawn = _differences(
                Sums(a.intersection + hits, a.truth, a.predicted + predicted),
                Sums(b.intersection - hits, b.truth, b.predicted - predicted),
            )
            for name in COMPARED:
                # Equal differences may differ by rounding: the sums over classes run over other numbers.
                reached[name] += (np.abs(drawn[name]) >= np.abs(real[name]) - 1e-12).sum(axis=0)
        shares = {name: np.where(np.isnan(real[name][0]), np.nan, reached[name] / (resamples + 1)) for name in reached}
        return {name: strict_json(values.tolist()) for name, values in shares.items()}


def holm(p_values: list[float | None]) -> list[float | None]:
    """The same, corrected for their number (Scandinavian Journal of Statistics 6, 1979); None are no tests."""
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected, largest = dict.fromkeys(range(len(p_values))), 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        corrected[i] = largest
    return list(corrected.values())


def _split(table: Floats) -> tuple[Sums, Sums]:
    truth, *sides = np.split(table, 5, axis=1)
    return Sums(sides[0], truth, sides[1]), Sums(sides[2], truth, sides[3])


def _differences(a: Sums, b: Sums) -> dict[str, Floats]:
    """B minus A, (R, 1) for means and (R, K) for classes."""
    scores_a, scores_b = scores_of(a), scores_of(b)
    return {name: (scores_b[name] - scores_a[name]).reshape(len(a.intersection), -1) for name in COMPARED}


def _exchanges(num_images: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Pieces (R, N): 1 where A and B change places, with even odds."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // num_images)
    for start in range(0, resamples, at_once):
        shape = (min(at_once, resamples - start), num_images)
        yield generator.integers(0, 2, shape, dtype=np.int8).astype(np.float64)
