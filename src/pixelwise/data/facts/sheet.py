"""The facts of a split for the terminal: plain text, 100 columns wide."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.data.facts.advice import IMBALANCE_LIMIT, Advice, FieldOfView, covering
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelStatistics
from pixelwise.labels import LabelTable
from pixelwise.phrases import counted, factor, length, percent, shortened

COLUMNS = 100

_BAR = 20
_NAME = 20
_SIZES_SHOWN = 8


@dataclass(frozen=True)
class FactSheet:
    """The facts of a split beside what follows from them for a network."""

    split: str
    facts: Facts
    measured: int  # pairs that regions and pixel values come from
    advice: Advice
    branches: tuple[FieldOfView, ...]  # what the network's head sees

    def text(self) -> str:
        """The sheet for the terminal."""
        number = self.facts.sizes.num_images
        some = f"; objects and pixel values are those of {self.measured} of them" if self.measured < number else ""
        title = f"Facts of {self.split}, {counted(number, 'image')}{some}"
        return f"{title}\n\n{facts_text(self.facts, self.advice, branches=self.branches)}"

    def to_json(self) -> dict[str, Any]:
        """The sheet for a program; an extent of null is the whole image."""
        seen = {name: None if math.isinf(extent) else extent for name, extent in self.branches}
        advice = self.advice.to_json()
        return {**self.facts.to_json(), "measured": self.measured, "advice": advice, "head_sees_px": seen}


def facts_text(facts: Facts, advice: Advice, *, branches: Sequence[FieldOfView] = ()) -> str:
    """Tables of the classes, their regions and the image sizes, with what follows from each.

    `branches` are the paths of the chosen head; with them the regions are compared.
    """
    parts = [
        _class_table(facts.balance, facts.labels),
        _weight_table(facts.balance, facts.labels, advice),
        _region_table(facts, branches),
        [line for sentence in advice.scales for line in _wrapped(sentence)],
        _sizes(facts.sizes, advice),
        _pixels(facts.pixels),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _class_table(balance: ClassBalance, labels: LabelTable) -> list[str]:
    if not sum(balance.pixels):
        return [f"{counted(balance.num_images, 'mask')}, no pixel of which has a class."]
    lines = [f"{'class':<{_NAME + 4}}  {'of the labelled pixels':<{_BAR + 11}}  {'in so many of the images'}"]
    largest = max(balance.pixel_shares)
    for i, name in enumerate(labels.names):
        pixels, images = balance.pixel_shares[i], balance.image_shares[i]
        bars = f"{percent(pixels):>9}  {_bar(pixels / largest):<{_BAR}}  {percent(images):>8}  {_bar(images)}"
        lines.append(f"{_label(i, name)}  {bars}".rstrip())
    lines.append(f"{percent(balance.ignored_share)} of all pixels are ignored (255).")
    return lines


def _weight_table(balance: ClassBalance, labels: LabelTable, advice: Advice) -> list[str]:
    """The imbalance ratio and, where it is high, the weights that answer it."""
    ratio = balance.imbalance_ratio
    if math.isnan(ratio):
        return []
    lines = _wrapped(
        f"Imbalance ratio {ratio:.1f}: the largest percentage of pixels over the smallest, counted as 0.1 if it is "
        "less; absent classes are left out."
    )
    if ratio <= IMBALANCE_LIMIT:
        return lines
    lines += _wrapped(
        "Warning: above 10, rare classes are learnt late or never. These class_weights of the loss answer it, "
        "inverse_square_root the gentler:"
    )
    lines.append(f"{'class':<{_NAME + 4}}" + "".join(f"{rule:>22}" for rule in advice.weights))
    for i in balance.present:
        numbers = "".join(f"{factor(weights[i]):>22}" for weights in advice.weights.values())
        lines.append(f"{_label(i, labels.names[i])}{numbers}")
    return lines


def _region_table(facts: Facts, branches: Sequence[FieldOfView]) -> list[str]:
    if not any(found.count for found in facts.regions):
        return []
    lines = _wrapped(
        "Objects: 8-connected regions of one class. Area as a share of the image; length is the longer side of the "
        "bounding box, thickness area / length, both such that half of the class's pixels lie in objects no larger. "
        "The smallest and the median count every speck."
    )
    seen = "  seen whole by" if branches else ""
    head = f"{'regions':>8}{'smallest':>11}{'median':>11}{'largest':>9}{'length':>9}{'thickness':>10}"
    lines.append(f"{'class':<{_NAME + 4}}{head}{seen}")
    for i, (name, found) in enumerate(zip(facts.labels.names, facts.regions, strict=True)):
        areas = f"{percent(found.smallest):>11}{percent(found.median):>11}{percent(found.largest):>9}"
        lengths = f"{length(found.typical_extent_px):>9}{length(found.typical_thickness_px):>10}"
        line = f"{_label(i, name)}{found.count:>8}{areas}{lengths}  {_seen_by(found.typical_extent_px, branches)}"
        lines.append(line[:COLUMNS].rstrip())
    if branches:
        lines += _wrapped(f"Seen of the image: {', '.join(map(_seen, branches))}.")
    return lines


def _seen_by(extent_px: float, branches: Sequence[FieldOfView]) -> str:
    if not branches or math.isnan(extent_px):
        return ""
    branch = covering(extent_px, branches)
    return branch.name if branch else "none"


def _seen(branch: FieldOfView) -> str:
    return f"{branch.name} {'all' if math.isinf(branch.extent_px) else f'{branch.extent_px:.0f} px'}"


def _sizes(sizes: ImageSizes, advice: Advice) -> list[str]:
    if advice.crop is None:
        return ["No image could be read."]
    number = sizes.num_images
    lines = [f"{counted(number, 'image')} of {counted(len(sizes.counts), 'size')}:"]
    shown = sizes.most_frequent(_SIZES_SHOWN)
    for (width, height), count in shown:
        share = count / number
        lines.append(f"{width:>7} x {height:<6}{count:>9}  {percent(share):>8}  {_bar(share)}".rstrip())
    rest = len(sizes.counts) - len(shown)
    if rest:
        lines.append(f"{'':>16}{number - sum(count for _, count in shown):>9}  of {counted(rest, 'other size')}")
    return lines + _wrapped(advice.crop.reason)


def _pixels(pixels: PixelStatistics) -> list[str]:
    if not pixels.num_pixels:
        return []
    mean, std = (", ".join(f"{value:.3f}" for value in values) for values in (pixels.mean, pixels.std))
    if len(pixels.mean) != 3:
        return [f"Pixels (band by band, in its range): mean {mean}", f"{'':>23}standard deviation {std}"]
    return [f"Pixels (red, green, blue; 0 black, 1 full): mean {mean}", f"{'':>28}standard deviation {std}"]


def _label(class_id: int, name: str) -> str:
    return f"{class_id:>3} {shortened(name, _NAME, end='...'):<{_NAME}}"


def _bar(share: float) -> str:
    """A bar of at most 20 marks; of one at least where there is anything, so that rare and absent differ."""
    return "#" * max(round(_BAR * share), 1 if share > 0 else 0)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS)
