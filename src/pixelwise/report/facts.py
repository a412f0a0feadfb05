"""The facts of the splits as sections of a page: classes, objects, sizes of the images, pixels."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pixelwise.data.facts.advice import advise
from pixelwise.data.facts.statistics import Facts
from pixelwise.labels import LabelTable
from pixelwise.phrases import counted, factor, length, percent
from pixelwise.report.charts.bars import bars, pie
from pixelwise.report.html import Html, Section, folded, html, joined, swatch, table
from pixelwise.report.shares import Share

_SIZES_SHOWN = 20


def facts_sections(facts: Mapping[str, Facts]) -> list[Section]:
    """Sections on the facts of each split; those without content are left out."""
    sections = [
        Section("splits", "Splits", _splits(facts)),
        Section("classes", "Classes", joined(_classes(facts))),
        Section("objects", "Objects", joined(_objects(facts))),
        Section("sizes", "Image sizes", joined(_sizes(facts))),
    ]
    return [section for section in sections if section.body]


def _splits(facts: Mapping[str, Facts]) -> Html:
    head = ["split", "images", "masks", "image sizes", "ignored pixels", "imbalance ratio", "pixel mean", "deviation"]
    rows = [
        [
            name, each.sizes.num_images, each.balance.num_images, len(each.sizes.counts),
            percent(each.balance.ignored_share), _ratio(each.balance.imbalance_ratio),
            _channels(each.pixels.mean), _channels(each.pixels.std),
        ]
        for name, each in facts.items()
    ]  # fmt: skip
    note = (
        "Imbalance: the largest class's percentage of the pixels over the smallest's (counted as 0.1 if it is less). "
        "Mean and standard deviation: of red, green and blue, or of each band in its range, from 0 to 1."
    )
    return joined([table(head, rows, caption="What could be read"), Html(f'<p class="quiet">{note}</p>')])


def _classes(facts: Mapping[str, Facts]) -> Iterator[Html]:
    labelled = {name: each for name, each in facts.items() if sum(each.balance.pixels)}
    if not labelled:
        return
    head = ["class", *(f"{name}, {of}" for name in labelled for of in ("pixels", "images"))]
    shares = [column for each in labelled.values() for column in (each.balance.pixel_shares, each.balance.image_shares)]
    labels = next(iter(labelled.values())).labels
    rows = [[class_name(i, labels), *(percent(column[i]) for column in shares)] for i in range(labels.num_classes)]
    yield table(head, rows, caption="Shares of the labelled pixels, and of the images that show the class")
    for name, each in labelled.items():
        yield folded(f"Pixels of {name}, drawn", _charts(name, each), is_open=name == next(iter(labelled)))
    first = next(iter(labelled))
    yield folded(f"Weights that would balance the classes of {first} in the loss", _weights(labelled[first]))


def _charts(split: str, facts: Facts) -> Html:
    shares = [
        Share(f"{i} {facts.labels.names[i]}", count, facts.labels.colors[i])
        for i, count in enumerate(facts.balance.pixels)
    ]
    ordered = sorted(shares, key=lambda share: -share.value)
    both = bars(ordered, title=f"Pixels by class in {split}"), pie(shares, title=f"Shares of the pixels in {split}")
    return Html(f'<div class="charts">{both[0]}{both[1]}</div>')


def _weights(facts: Facts) -> Html:
    weights = advise(facts).weights
    rows = [
        [class_name(i, facts.labels), *(factor(numbers[i]) for numbers in weights.values())]
        for i in facts.balance.present
    ]
    return table(["class", *weights], rows, caption="Values of class_weights; classes without pixels are left out")


def _objects(facts: Mapping[str, Facts]) -> Iterator[Html]:
    head = ["class", "regions", "smallest", "median", "largest", "length", "thickness"]
    measured = {name: each for name, each in facts.items() if any(found.count for found in each.regions)}
    for name, each in measured.items():
        rows: list[list[Any]] = [
            [
                class_name(i, each.labels), found.count, percent(found.smallest), percent(found.median),
                percent(found.largest), length(found.typical_extent_px), length(found.typical_thickness_px),
            ]
            for i, found in enumerate(each.regions)
        ]  # fmt: skip
        content = table(head, rows, caption="Areas as shares of the image")
        yield folded(f"Objects of {name}", content, is_open=name == next(iter(measured)))
    if measured:
        yield Html(
            '<p class="quiet">Objects are 8-connected regions of one class. Length is the longer side of the bounding '
            "box, thickness area over length, both such that half of the class's pixels lie in objects no larger. "
            "The smallest and the median count every speck.</p>"
        )


def _sizes(facts: Mapping[str, Facts]) -> Iterator[Html]:
    for name, each in facts.items():
        number = each.sizes.num_images
        if not number:
            continue
        shown = each.sizes.most_frequent(_SIZES_SHOWN)
        rows: list[list[Any]] = [[f"{w} x {h} px", count, percent(count / number)] for (w, h), count in shown]
        rest = len(each.sizes.counts) - len(shown)
        if rest:
            count = number - sum(images for _, images in shown)
            rows.append([counted(rest, "other size"), count, percent(count / number)])
        yield table(["width x height", "images", "share"], rows, caption=f"Sizes in {name}")
    crop = advise(next(iter(facts.values()))).crop if facts else None
    if crop is not None:
        yield Html(f"<p>{html(crop.reason)}</p>")


def class_name(class_id: int, labels: LabelTable) -> Html:
    """A class as pages name it: its colour, its id, its name."""
    return Html(f"{swatch(labels.colors[class_id])}{class_id} {html(labels.names[class_id])}")


def _ratio(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{ratio:.1f}"


def _channels(values: tuple[float, ...]) -> str:
    return "-" if math.isnan(values[0]) else ", ".join(f"{value:.3f}" for value in values)
