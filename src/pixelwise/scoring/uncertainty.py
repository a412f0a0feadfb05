"""How sure the scores are that take more than a confusion matrix: the bootstrap over images, on their own sums."""

from collections.abc import Mapping

import numpy as np

from pixelwise.scoring.bootstrap import Interval, effective_number, expanded_percentiles, resampled
from pixelwise.scoring.boundary import NEAR, WIDTHS
from pixelwise.scoring.calibration import BINS
from pixelwise.scoring.formulas import Floats, mean, ratio
from pixelwise.scoring.object_size import SIZES

RESAMPLES = 1000


def insight_intervals(numbers: Mapping[str, Floats], num_classes: int, *, seed: int = 0) -> dict[str, Interval | None]:
    """95 % intervals by the name of the score; None where nothing can be said, and for one image alone.

    `numbers` has for "boundary", "objects", "calibration" and "difference" what each image adds to the `numbers()` of
    that tally, (N, S). Average precision has none: it ranks the pixels of all images together.
    """
    num_images = len(numbers["difference"])
    names = list(_scores({name: rows[:1] for name, rows in numbers.items()}, num_classes))
    if num_images < 2:
        return dict.fromkeys(names)
    drawn = [
        _scores({name: weights @ rows for name, rows in numbers.items()}, num_classes)
        for weights in resampled(num_images, RESAMPLES, seed)
    ]
    values = np.stack([np.concatenate([piece[name] for piece in drawn]) for name in names], axis=1)
    pixels = effective_number(numbers["difference"][:, 2:])[0]
    of_size = dict(zip(SIZES, effective_number(numbers["objects"][:, : len(SIZES)]), strict=True))
    effective = np.array([of_size.get(name.removesuffix("_object_recall"), pixels) for name in names])
    return dict(zip(names, expanded_percentiles(values, effective), strict=True))


def _scores(sums: Mapping[str, Floats], num_classes: int) -> dict[str, Floats]:
    """Each score, (R,), of R rows of sums; as the tallies' own results have them."""
    apart, differing, pixels = sums["difference"].T
    regions, found = np.split(sums["objects"], 2, axis=1)
    recalls = {f"{size}_object_recall": ratio(found[:, i], regions[:, i]) for i, size in enumerate(SIZES)}
    return {
        **_boundary(sums["boundary"], num_classes),
        **recalls,
        **_calibration(sums["calibration"]),
        "mean_absolute_difference": ratio(apart, pixels * max(num_classes - 1, 1)),
        "share_differing": ratio(differing, pixels),
    }


def _boundary(sums: Floats, num_classes: int) -> dict[str, Floats]:
    edges = sums[:, : 3 * num_classes].reshape(-1, 3, num_classes)
    hits, pixels = np.split(sums[:, 3 * num_classes :], 2, axis=1)
    both, true, seen = edges[:, 0], edges[:, 1], edges[:, 2]
    near = WIDTHS.index(NEAR) + 1
    wrong = pixels - hits
    return {
        "mean_boundary_iou": mean(ratio(both, true + seen - both)),
        "errors_at_boundary": ratio(wrong[:, :near].sum(axis=1), wrong.sum(axis=1)),
        "interior_accuracy": ratio(hits[:, near:].sum(axis=1), pixels[:, near:].sum(axis=1)),
    }


def _calibration(sums: Floats) -> dict[str, Floats]:
    pixels, confidence, right = (sums[:, i * BINS : (i + 1) * BINS] for i in range(3))
    squares, logs = sums[:, 3 * BINS :].T
    total = pixels.sum(axis=1)
    return {
        "expected_calibration_error": ratio(np.abs(right - confidence).sum(axis=1), total),
        "brier_score": ratio(squares, total),
        "negative_log_likelihood": ratio(logs, total),
    }
