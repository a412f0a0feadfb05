"""Outlines, objects by size, probabilities and ranking: what the means over all pixels hide."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pixelwise.labels import LabelTable
from pixelwise.menus import TALLIES
from pixelwise.phrases import percent
from pixelwise.report.charts.lines import Series, line_chart
from pixelwise.report.facts import class_name
from pixelwise.report.html import Html, Section, folded, html, joined, table
from pixelwise.report.numbers import Record, interval_of, interval_text, number, score_text

_SMALL_ERROR = 0.02
_SIZES = ("small", "medium", "large")


def quality_sections(scores: Record, labels: LabelTable) -> list[Section]:
    """Sections on what was measured of `menus.TALLIES`; the others are left out."""
    sections = []
    for name, choice in TALLIES.items():
        measured = scores.get(name)
        if not measured:
            continue
        if name in _OWN_SECTIONS:
            title, write = _OWN_SECTIONS[name]
            body = [*write(measured, labels)]
        else:
            title, body = choice.meaning[:1].upper() + choice.meaning[1:], [_plain(measured, scores)]
        sections.append(Section(name.replace("_", "-"), title, joined([*body, _definition(measured)])))
    return sections


def _plain(measured: Record, scores: Record) -> Html:
    """The numbers of a tally that has no section of its own, with their intervals."""
    rows = [
        [name.replace("_", " "), score_text(number(value)), interval_text(interval_of(scores, name))]
        for name, value in measured.items()
        if value is None or isinstance(value, int | float)
    ]
    return table(["score", "value", "95 % interval"], rows, caption="Over all images")


def _definition(measured: Record) -> Html:
    text = measured.get("definition")
    return folded("How it is measured", Html(f"<p>{html(text)}</p>")) if text else Html("")


def _boundary(boundary: Record, labels: LabelTable) -> Iterator[Html]:
    mean = number(boundary.get("mean_boundary_iou"))
    yield Html(
        f"<p>Mean boundary IoU is <strong>{score_text(mean)}</strong>. "
        f"{percent(number(boundary.get('errors_at_boundary')))} of the errors lie within 4 px of a boundary between "
        f"true classes, where {percent(number(boundary.get('pixels_at_boundary')))} of the pixels are.</p>"
    )
    trimap: Sequence[Record] = boundary.get("trimap") or ()
    lines = [
        Series(name, [(number(row["width_px"]), number(row.get(column))) for row in trimap], kind)
        for column, name, kind in (
            ("pixel_accuracy", "pixel accuracy", "train"),
            ("mean_iou", "mean IoU", "validation"),
        )
    ]
    yield _chart(
        lines, title="Trimap: scores near boundaries", x_name="within so many px of a boundary", x_range=(0, 32)
    )
    rows = [
        [
            f"{row['width_px']} px",
            score_text(number(row.get("pixel_accuracy"))),
            score_text(number(row.get("mean_iou"))),
        ]
        for row in trimap
    ]
    values = list(enumerate(map(number, boundary.get("boundary_iou") or ())))
    tables = [
        table(["band", "pixel accuracy", "mean IoU"], rows, caption="Within so many pixels of a boundary"),
        _by_class("boundary IoU", values, labels),
    ]
    yield folded("The numbers, and boundary IoU of each class", joined(tables))


def _objects(objects: Record, labels: LabelTable) -> Iterator[Html]:
    overall: Record = objects.get("overall") or {}
    rows = [
        [name, int(entry["regions"]), *(percent(number(entry.get(key))) for key in ("mean_recall", "pixel_recall"))]
        for name, entry in overall.items()
    ]
    head = ["objects", "number", "found of each, mean", "found of all pixels"]
    yield table(head, rows, caption="How much of the objects is found, by their size")
    classes: Sequence[Record] = objects.get("per_class") or ()
    rows = [
        [class_name(i, labels), *(_recall(sizes.get(size) or {}) for size in _SIZES)]
        for i, sizes in enumerate(classes)
        if any((sizes.get(size) or {}).get("regions") for size in _SIZES)
    ]
    caption = "Mean recall of the objects, and their number"
    yield folded("By class", table(["class", *_SIZES], rows, caption=caption))


def _recall(entry: Record) -> str:
    count = int(entry.get("regions") or 0)
    return f"{percent(number(entry.get('mean_recall')))} of {count:,}" if count else "-"


def _calibration(calibration: Record, _: LabelTable) -> Iterator[Html]:
    bins: Sequence[Record] = calibration.get("bins") or ()
    total = sum(int(entry.get("pixels") or 0) for entry in bins)
    gap = sum(
        int(entry["pixels"]) * (number(entry.get("confidence")) - number(entry.get("accuracy")))
        for entry in bins
        if entry.get("pixels")
    )
    mean = gap / total if total else math.nan
    error = number(calibration.get("expected_calibration_error"))
    yield Html(f"<p>{_verdict(mean, error)} Expected calibration error: <strong>{score_text(error)}</strong>.</p>")
    points = [(number(entry.get("confidence")), number(entry.get("accuracy"))) for entry in bins]
    points = [point for point in points if not math.isnan(point[0] + point[1])]
    lines = [Series("true probabilities", [(0, 0), (1, 1)], "guide"), Series("this model", points, "train")]
    yield _chart(
        lines,
        title="Reliability",
        x_name="probability of the chosen class",
        x_range=(0, 1),
        note="up: share that is right",
    )
    names = {
        "expected_calibration_error": "Expected calibration error",
        "maximum_calibration_error": "Maximum calibration error",
        "brier_score": "Brier score",
        "negative_log_likelihood": "Negative log-likelihood",
        "temperature": "Temperature",
    }
    rows = [[title, score_text(number(calibration.get(name)))] for name, title in names.items()]
    of_bins = [
        [
            f"{entry['from']:.2f} to {entry['to']:.2f}",
            int(entry.get("pixels") or 0),
            score_text(number(entry.get("confidence"))),
            score_text(number(entry.get("accuracy"))),
        ]
        for entry in bins
    ]
    numbers = table(["bin", "pixels", "probability", "right"], of_bins, caption="By probability of the chosen class")
    yield table(["score", "value"], rows, caption="Calibration")
    yield folded("The numbers of the diagram", numbers)


def _verdict(mean: float, error: float) -> str:
    """What the gap between probability and truth, as a mean with its sign and without, says."""
    if math.isnan(mean):
        return "No pixel was measured."
    if error < _SMALL_ERROR:
        return "Its probabilities can be taken at their word."
    if abs(mean) < error / 2:
        return "It is too sure of some pixels and not sure enough of others."
    return (
        f"It is {'too sure' if mean > 0 else 'not sure enough'}: on average the probability of the chosen class is "
        f"{100 * abs(mean):.1f} points {'above' if mean > 0 else 'below'} the share that is right."
    )


def _ranking(ranking: Record, labels: LabelTable) -> Iterator[Html]:
    mean = score_text(number(ranking.get("mean_average_precision")))
    yield Html(f"<p>Mean average precision (mAP) over the pixels is <strong>{mean}</strong>.</p>")
    values = list(enumerate(map(number, ranking.get("per_class") or ())))
    yield folded("Average precision of each class", _by_class("average precision", values, labels))


def _difference(difference: Record, _: LabelTable) -> Iterator[Html]:
    mean = score_text(number(difference.get("mean_absolute_difference")))
    differing = percent(number(difference.get("share_differing")))
    yield Html(
        f"<p>Mean absolute difference is <strong>{mean}</strong> (0 none, 1 worst); {differing} of the pixels "
        "differ.</p>"
    )


def _by_class(title: str, values: Sequence[tuple[int, float]], labels: LabelTable) -> Html:
    """The classes that were measured, the weakest first."""
    measured = sorted((value, i) for i, value in values if not math.isnan(value))
    rows = [[class_name(i, labels), score_text(value)] for value, i in measured]
    return table(["class", title], rows, caption=f"{title.capitalize()} by class, the weakest first")


def _chart(lines: Sequence[Series], **how: Any) -> Html:
    return Html(f'<div class="charts">{line_chart(lines, y_range=(0, 1), **how)}</div>')


_OWN_SECTIONS: dict[str, tuple[str, Callable[[Record, LabelTable], Iterator[Html]]]] = {
    "boundary": ("Boundaries", _boundary),
    "objects": ("Objects by size", _objects),
    "calibration": ("Probabilities", _calibration),
    "average_precision": ("Average precision", _ranking),
    "difference": ("Mean absolute difference", _difference),
}
"""Of `menus.TALLIES`: the heading, and what writes the section; any other has a table of its numbers."""
