"""Where a model fails: at boundaries, on small objects, on dark images, where it is sure; and doubtful masks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.phrases import percent
from pixelwise.report.numbers import Record, number

LISTED = 50
"""So many doubtful masks are listed at most."""

_LEAST_SHARE, _TIMES_MEDIAN = 0.01, 2.0
_LEAST_IMAGES = 12  # thirds of fewer say nothing
_Z = 1.96  # of a normal 95 % interval
_SURE_FROM, _UNSURE_BELOW = 0.9, 0.6


@dataclass(frozen=True)
class Group:
    """Pixels or images of one kind: how many, and what share of their pixels is wrong (NaN: not measured)."""

    name: str
    size: str
    wrong: float
    margin: float = 0.0  # half of the 95 % interval of `wrong` for groups of images


@dataclass(frozen=True)
class Contrast:
    """Groups that are told apart by one thing. `is_expected` says that a good model shows it, too."""

    name: str
    groups: tuple[Group, ...]
    note: str = ""
    is_expected: bool = False

    @property
    def worst(self) -> Group:
        """The group with the most errors."""
        return max(self.groups, key=_wrongness)

    @property
    def best(self) -> Group:
        """The group with the fewest errors."""
        return min((group for group in self.groups if not math.isnan(group.wrong)), key=_wrongness)

    @property
    def ratio(self) -> float:
        """Errors of the worst group over those of the best; NaN where that says nothing."""
        measured = [group for group in self.groups if not math.isnan(group.wrong)]
        if len(measured) < 2 or self.worst.wrong <= 0:
            return math.nan
        # Of margins the squares add up, as do variances.
        if self.worst.wrong - self.best.wrong <= math.hypot(self.worst.margin, self.best.margin):
            return math.nan
        return self.worst.wrong / self.best.wrong if self.best.wrong > 0 else math.inf


def contrasts(scores: Record, images: Sequence[Record]) -> list[Contrast]:
    """All that could be measured, in a fixed order."""
    found = (_boundary(scores), _objects(scores), _brightness(images), _confidence(scores), _image_confidence(images))
    return [each for each in found if each is not None]


def largest_effect(found: Sequence[Contrast]) -> str:
    """One sentence that names the largest effect; that unsure pixels are more often wrong is none."""
    effects = [each for each in found if not each.is_expected and each.ratio > 1]
    if not effects:
        return "No kind of pixel or image is wrong clearly more often than another."
    effect = max(effects, key=lambda each: each.ratio)
    worst, best = effect.worst, effect.best
    times = f"{effect.ratio:.1f} times as often as" if math.isfinite(effect.ratio) else "often, but never"
    return (
        f"Largest effect, {effect.name}: {worst.name} are wrong {times} {best.name} "
        f"({percent(worst.wrong)} against {percent(best.wrong)} of their pixels)."
    )


def doubtful(images: Sequence[Record]) -> list[Record]:
    """Images whose masks are probably wrong, the most doubtful first: much is wrong where the model is sure.

    Those of which more than 1 % of the labelled pixels are wrong at a probability above 0.9, and more than twice as
    many as in the median image, so that a model that is always too sure does not accuse every mask.
    """
    shares = [number(row.get("confidently_wrong")) for row in images]
    measured = [share for share in shares if not math.isnan(share)]
    if not measured:
        return []
    limit = max(_LEAST_SHARE, _TIMES_MEDIAN * float(np.median(measured)))
    chosen = [(share, row) for share, row in zip(shares, images, strict=True) if share > limit]
    return [row for _, row in sorted(chosen, key=lambda entry: -entry[0])]


def _wrongness(group: Group) -> float:
    return -1.0 if math.isnan(group.wrong) else group.wrong


def _boundary(scores: Record) -> Contrast | None:
    """Of all errors the share e lies on the share p of the pixels: near ones are wrong at rate e w / p."""
    boundary = scores.get("boundary") or {}
    errors, pixels = (number(boundary.get(f"{name}_at_boundary")) for name in ("errors", "pixels"))
    wrong = 1 - number(scores.get("pixel_accuracy"))
    if math.isnan(errors + pixels + wrong) or not 0 < pixels < 1:
        return None
    groups = (
        Group("pixels within 4 px of a boundary", f"{percent(pixels)} of the pixels", wrong * errors / pixels),
        Group("interior pixels", f"{percent(1 - pixels)} of the pixels", wrong * (1 - errors) / (1 - pixels)),
    )
    note = (
        f"{percent(errors)} of all errors lie within 4 px of a boundary between true classes. Errors there are often "
        "matters of drawing; errors inside are matters of seeing."
    )
    return Contrast("boundary or interior", groups, note)


def _objects(scores: Record) -> Contrast | None:
    overall = (scores.get("objects") or {}).get("overall") or {}
    groups = tuple(
        Group(f"{name} objects", f"{entry['regions']:,} objects", 1 - number(entry.get("pixel_recall")))
        for name, entry in overall.items()
        if entry.get("regions")
    )
    note = "Regions of one class in the truth; small: below 0.1 % of the image, large: from 1 % on."
    return Contrast("small or large objects", groups, note) if len(groups) > 1 else None


def _brightness(images: Sequence[Record]) -> Contrast | None:
    names = ("dark images", "images of middle brightness", "bright images")
    note = "Thirds of the images by their mean gray, 0 black to 1 white."
    return _thirds(images, "brightness", "dark or bright images", names, note)


def _image_confidence(images: Sequence[Record]) -> Contrast | None:
    names = ("images the model is least sure of", "images in between", "images it is surest of")
    note = (
        "Thirds of the images by the mean probability of the chosen class. A large difference means that unlabelled "
        "images to label next can be found by their confidence."
    )
    return _thirds(images, "confidence", "confident or not, by image", names, note, is_expected=True)


def _thirds(
    images: Sequence[Record], column: str, name: str, names: Sequence[str], note: str, *, is_expected: bool = False
) -> Contrast | None:
    pairs = np.array([(number(row.get(column)), number(row.get("wrong"))) for row in images]).reshape(-1, 2)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if len(pairs) < _LEAST_IMAGES:
        return None
    parts = np.array_split(pairs[np.argsort(pairs[:, 0], kind="stable")], 3)
    groups = tuple(
        Group(
            title,
            f"{len(part):,} images, {part[0, 0]:.2f} to {part[-1, 0]:.2f}",
            float(part[:, 1].mean()),
            _Z * float(part[:, 1].std(ddof=1)) / math.sqrt(len(part)),
        )
        for title, part in zip(names, parts, strict=True)
    )
    return Contrast(name, groups, note, is_expected)


def _confidence(scores: Record) -> Contrast | None:
    """Pixels by the probability of their class, from the bins of the calibration."""
    bins = (scores.get("calibration") or {}).get("bins") or []
    pixels = np.array([number(entry.get("pixels")) for entry in bins])
    if not pixels.sum() > 0:
        return None
    wrong = pixels * (1 - np.array([number(entry.get("accuracy")) for entry in bins]))
    ends = np.array([(entry["from"], entry["to"]) for entry in bins])
    sure, unsure = ends[:, 0] >= _first_from(ends, _SURE_FROM), ends[:, 1] <= _UNSURE_BELOW + 1e-9
    kinds: list[tuple[str, NDArray[np.bool_]]] = [
        (_named(ends[unsure], "unsure pixels"), unsure),
        (_named(ends[~sure & ~unsure], "pixels in between"), ~sure & ~unsure),
        (_named(ends[sure], "sure pixels"), sure),
    ]
    groups = tuple(
        Group(
            name,
            f"{percent(float(pixels[kind].sum() / pixels.sum()))} of the pixels",
            float(np.nansum(wrong[kind]) / pixels[kind].sum()),
        )
        for name, kind in kinds
        if pixels[kind].sum() > 0
    )
    part = float(np.nansum(wrong[sure]) / max(np.nansum(wrong), 1))
    note = (
        f"{percent(part)} of all errors are made by sure pixels. That unsure pixels are wrong more often is as it "
        "should be."
    )
    return Contrast("confident or not, by pixel", groups, note, is_expected=True)


def _first_from(ends: NDArray[np.float64], limit: float) -> float:
    """The lower end of the first bin that lies wholly above `limit`, or of the last one."""
    above = ends[ends[:, 0] >= limit - 1e-9]
    return float(above[0, 0] if len(above) else ends[-1, 0])


def _named(ends: NDArray[np.float64], name: str) -> str:
    return f"{name} (probability {ends[0, 0]:.2f} to {ends[-1, 1]:.2f})" if len(ends) else name
