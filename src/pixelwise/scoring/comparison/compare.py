"""Whether one evaluation is really better than another: paired image by image, per class too.

Both must have seen the same images and the same truth; `paired.py` has the statistics.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.phrases import counted, listed
from pixelwise.scoring.bootstrap import CONFIDENCE, Interval
from pixelwise.scoring.comparison.statistics import PairedCounts, holm
from pixelwise.scoring.formulas import scores_of
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.values import strict_json

METHOD = (
    "Differences are B minus A over the same images. interval: 95 % bootstrap over the images, both sides drawn "
    "together; each class for itself. p_value: two-sided randomisation test that exchanges A and B image by image; "
    "those of the classes are corrected for their number by Holm's method. real: p_value below 0.05 and 0 outside "
    "the interval."
)

_NAMES_SHOWN = 8


class Counted(NamedTuple):
    """One of the two: what to call it, what it counted, and its classes."""

    name: str
    counts: ImageCounts
    labels: LabelTable


@dataclass(frozen=True)
class ScoreDifference:
    """One score of A and of B, as shares; NaN and None where nothing can be said."""

    name: str
    a: float
    b: float
    interval: Interval | None
    p_value: float | None

    @property
    def difference(self) -> float:
        """B minus A."""
        return self.b - self.a

    @property
    def is_real(self) -> bool:
        """Whether luck is ruled out as its cause, by the measure of `METHOD`."""
        if self.interval is None or self.p_value is None:
            return False
        return self.p_value < 1 - CONFIDENCE and not self.interval.low <= 0 <= self.interval.high

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, null where nothing can be said."""
        return {
            "name": self.name,
            **strict_json({"a": self.a, "b": self.b, "difference": self.difference}),
            "interval": self.interval,
            "p_value": self.p_value,
            "real": self.is_real,
        }


@dataclass(frozen=True)
class Comparison:
    """A against B over `num_images` images; `classes` holds the IoU of each, in class order."""

    a: str
    b: str
    num_images: int
    mean_iou: ScoreDifference
    pixel_accuracy: ScoreDifference
    classes: tuple[ScoreDifference, ...]

    @property
    def verdict(self) -> str:
        """One sentence on mean IoU."""
        return self._sentence(self.mean_iou, "mean IoU")

    def text(self) -> str:
        """Plain text for a terminal: the verdict, then one line a class."""
        width = max(len("class"), *(len(difference.name) for difference in self.classes))
        tested = sum(difference.p_value is not None for difference in self.classes)
        return "\n".join([
            self.verdict,
            self._sentence(self.pixel_accuracy, "pixel accuracy"),
            "",
            f"{'class':<{width}}{'IoU A':>9}{'IoU B':>9}{'B - A':>9}{'95 % interval':>18}{'p':>9}",
            *(_line(difference, width) for difference in self.classes),
            "",
            f"A is {self.a}, B is {self.b}; IoU and differences in points of a hundred.",
            f"* marks a real difference; p is corrected for {tested} tested classes by Holm's method.",
        ])  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, the verdict as a sentence."""
        return {
            "method": METHOD,
            "a": self.a,
            "b": self.b,
            "images": self.num_images,
            "verdict": self.verdict,
            "mean_iou": self.mean_iou.to_json(),
            "pixel_accuracy": self.pixel_accuracy.to_json(),
            "per_class": [{"id": i, **difference.to_json()} for i, difference in enumerate(self.classes)],
        }

    def _sentence(self, of: ScoreDifference, score: str) -> str:
        if math.isnan(of.difference):
            return f"Nothing can be said about {score}: no pixel of these images is labelled."
        better, worse = (self.b, self.a) if of.difference > 0 else (self.a, self.b)
        is_or_scores = "is better than" if of.is_real else "scores higher than"
        text = f"{better} {is_or_scores} {worse} by {100 * abs(of.difference):.1f} points of {score}"
        if of.difference == 0:
            text = f"{self.a} and {self.b} have the same {score}"
        if of.interval is not None and of.p_value is not None:
            low, high = sorted(math.copysign(100, of.difference) * end for end in of.interval)
            p_value = "p < 0.001" if of.p_value < 0.001 else f"p = {of.p_value:.3f}"
            text += f" (95 % interval {low:.1f} to {high:.1f}, {p_value})"
        images = f"{'this' if self.num_images == 1 else 'these'} {counted(self.num_images, 'image')}"
        return text + (": the difference is real." if of.is_real else f": not shown to be real by {images}.")


def compare(a: Counted, b: Counted, *, resamples: int | None = None, seed: int = 0) -> Comparison:
    """Compare two evaluations of the same images.

    By default `resamples` are 2,000, or 80 a class if that is more: the smallest p-value there can be,
    1 / resamples, then stays well below 0.05 when it is corrected for the number of classes.

    Raises:
        DataError: their images, classes or truth differ; the message names what only one has.
    """
    _require_equal_classes(a, b)
    _require_equal_images(a, b)
    pair = PairedCounts(a.counts, b.counts)
    resamples = resamples or max(2000, 80 * a.labels.num_classes)
    found, p_values = pair.intervals(resamples, seed), pair.p_values(resamples, seed)
    tested = [None if x is None else p for x, p in zip(found["iou"], p_values["iou"], strict=True)]
    p_values["iou"] = holm(tested)
    scores = [scores_of(side) for side in pair.totals()]

    def differences(score: str, names: Collection[str]) -> list[ScoreDifference]:
        values = (side[score].reshape(-1).tolist() for side in scores)
        return [ScoreDifference(*parts) for parts in zip(names, *values, found[score], p_values[score], strict=True)]

    (mean_iou,), (pixel_accuracy,) = (differences(score, [score]) for score in ("mean_iou", "pixel_accuracy"))
    classes = tuple(differences("iou", a.labels.names))
    return Comparison(a.name, b.name, len(a.counts), mean_iou, pixel_accuracy, classes)


def _line(of: ScoreDifference, width: int) -> str:
    shares = "".join(f"{'-' if math.isnan(x) else f'{100 * x:.1f}':>9}" for x in (of.a, of.b, of.difference))
    interval = "-" if of.interval is None else f"{100 * of.interval.low:.1f} to {100 * of.interval.high:.1f}"
    p_value = "-" if of.p_value is None else f"{of.p_value:.3f}"
    return f"{of.name:<{width}}{shares}{interval:>18}{p_value:>9}{' *' if of.is_real else ''}"


def _require_equal_classes(a: Counted, b: Counted) -> None:
    if a.labels.names == b.labels.names:
        return
    if a.labels.num_classes != b.labels.num_classes:
        found = f"{a.labels.num_classes} classes, {b.name} has {b.labels.num_classes}"
    else:
        i = next(i for i, names in enumerate(zip(a.labels.names, b.labels.names, strict=True)) if len(set(names)) > 1)
        found = f"class {i} named {a.labels.names[i]!r}, {b.name} names it {b.labels.names[i]!r}"
    raise DataError(f"{a.name} has {found}. Expected the same classes; evaluate both on the same data set.")


def _require_equal_images(a: Counted, b: Counted) -> None:
    names_a, names_b = set(a.counts.names), set(b.counts.names)
    faults = [
        f"Only {side.name} has {listed(sorted(only), _NAMES_SHOWN)}."
        for side, only in ((a, names_a - names_b), (b, names_b - names_a))
        if only
    ]
    if faults:
        raise DataError(f"{' '.join(faults)} Expected the same images; evaluate both on the same split.")
    if not names_a:
        raise DataError(f"{a.name} and {b.name} hold no images. Evaluate both on a split that has some.")
    names = sorted(names_a)
    differs = (a.counts.ordered(names).truth != b.counts.ordered(names).truth).any(axis=1)
    if differs.any():
        others = listed((name for name, differing in zip(names, differs, strict=True) if differing), _NAMES_SHOWN)
        raise DataError(f"{a.name} and {b.name} saw different truth in {others}. Evaluate both on the same masks.")
