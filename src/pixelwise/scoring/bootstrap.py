"""How sure a score is: 95 % intervals from resampling the images with replacement.

A resample draws N of the N images; the spread of a score over many resamples is how far it would move had other
images of the same kind been labelled (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Plain percentiles are too narrow by about sqrt((n - 1) / n) and by the quantile of the normal in place of Student's
distribution; they are expanded for both (Hesterberg, What Teachers Should Know About the Bootstrap, The American
Statistician 69, 2015, section 5.3). Images differ in what they hold of a class, so n is Kish's effective number,
(sum of pixels)^2 / (sum of squares), and for a mean over classes the one of Welch and Satterthwaite.

In simulations 150 images give 93 to 96 % coverage for every score, ten about 90 %; a class that a handful of images
hold is covered less often, for no resample shows what these did not.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pixelwise.scoring.formulas import MEANS, PER_CLASS, SUMMARY, Floats, Sums, ratio, scores_of
from pixelwise.scoring.image_counts import ImageCounts

CONFIDENCE = 0.95
_WEIGHTS_AT_ONCE = 1 << 20  # 8 MB: memory does not grow with the resamples


class Interval(NamedTuple):
    """Both ends of a 95 % interval, in the unit of the score."""

    low: float
    high: float


Intervals = dict[str, Interval | list[Interval | None] | None]
"""By the names of `formulas.SUMMARY` one, by those of `formulas.PER_CLASS` a list in class order."""


def intervals(counts: ImageCounts, *, resamples: int = 2000, seed: int = 0) -> Intervals:
    """95 % intervals of every score.

    None where nothing can be said: for a class that fewer than two images hold, and for one image alone. Equal
    images and seed give equal intervals, in whatever order the images were counted.
    """
    num_classes = counts.num_classes
    if len(counts) < 2:
        return {**dict.fromkeys(SUMMARY), **{name: [None] * num_classes for name in PER_CLASS}}
    counts = counts.ordered(sorted(counts.names))
    images = counts.sums
    table = np.concatenate(images, axis=1)
    drawn = [scores_of(_split(weights @ table)) for weights in resampled(len(counts), resamples, seed)]
    values = {name: np.concatenate([piece[name] for piece in drawn]) for name in (*SUMMARY, *PER_CLASS)}
    effective = _effective_images(images, values)
    per_class = {name: expanded_percentiles(values[name], effective[name]) for name in PER_CLASS}
    return {name: expanded_percentiles(values[name][:, None], effective[name])[0] for name in SUMMARY} | per_class


def resampled(num_images: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Pieces (R, N) of the resamples: how often each image was drawn; every row sums to N."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // num_images)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = generator.integers(0, num_images, (rows, num_images))
        drawn += num_images * np.arange(rows)[:, None]
        weights = np.bincount(drawn.reshape(-1), minlength=drawn.size)
        yield weights.reshape(rows, num_images).astype(np.float64)


def expanded_percentiles(values: Floats, effective_images: Floats) -> list[Interval | None]:
    """For each column of `values` (R, M) the interval that `effective_images` (M,) of its score allow.

    None where these are NaN; resamples that are NaN are left out.
    """
    degrees = np.fmax(effective_images, 2.0) - 1  # NaN become 2 too
    spread = np.sqrt((degrees + 1) / degrees) * special.stdtrit(degrees, (1 + CONFIDENCE) / 2)
    ordered = np.sort(values, axis=0)  # NaN go last
    measured = (~np.isnan(values)).sum(axis=0)
    low, high = (_quantile(ordered, measured, special.ndtr(sign * spread)) for sign in (-1, 1))
    return [
        None if np.isnan(images) or np.isnan(bottom) else Interval(float(bottom), float(top))
        for images, bottom, top in zip(effective_images, low, high, strict=True)
    ]


def effective_number(pixels: Floats) -> Floats:
    """(K,): Kish's effective number of the images (N, K); NaN where fewer than two hold anything."""
    number = ratio(pixels.sum(axis=0) ** 2, (pixels**2).sum(axis=0))
    return np.where((pixels > 0).sum(axis=0) > 1, number, np.nan)


def effective_number_of_mean(values: Floats, effective_images: Floats) -> float:
    """That of a mean over classes whose resampled values are (R, K): Satterthwaite's (1946) degrees of freedom + 1."""
    usable = ~np.isnan(effective_images)
    variances = np.nanvar(values[:, usable], axis=0)
    degrees = np.maximum(effective_images[usable], 2.0) - 1
    below = float((variances**2 / degrees).sum())
    return float(variances.sum()) ** 2 / below + 1 if below > 0 else 2.0


def _split(table: Floats) -> Sums:
    return Sums(*np.split(table, 3, axis=1))


def _effective_images(images: Sums, values: dict[str, Floats]) -> dict[str, Floats]:
    """(1,) for each score of `formulas.SUMMARY`, (K,) for those of `formulas.PER_CLASS`."""
    effective = {name: effective_number(parts(images)[1]) for name, parts in PER_CLASS.items()}
    for name in SUMMARY:
        if name in MEANS:
            of = MEANS[name]
            effective[name] = np.array([effective_number_of_mean(values[of], effective[of])])
        else:
            effective[name] = effective_number(images.truth.sum(axis=1)[:, None])
    return effective


def _quantile(ordered: Floats, measured: NDArray[np.int64], levels: Floats) -> Floats:
    """(M,): for each sorted column the value at its own level among the `measured` first ones.

    The i-th of R stands at i / (R + 1), linear in between (Davison and Hinkley, Bootstrap Methods, 1997, 5.3).
    """
    last = np.maximum(measured - 1, 0)
    places = np.clip(levels * (measured + 1) - 1, 0, last)
    below = np.floor(places).astype(np.int64)
    columns = np.arange(ordered.shape[1])
    first, second = ordered[below, columns], ordered[np.minimum(below + 1, last), columns]
    return np.asarray(first + (places - below) * (second - first))
