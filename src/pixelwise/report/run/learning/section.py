"""The learning curves of a run, training and validation on one axis, under a sentence that says what they mean."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.report.charts.lines import Series, Span, line_chart
from pixelwise.report.html import Html, Section, folded, html, joined, prose, table
from pixelwise.report.numbers import duration, number, score_text
from pixelwise.report.run.learning.diagnosis import Diagnosis

_CHARTS: tuple[tuple[str, str, Span | None], ...] = (
    ("loss", "Loss", None),
    ("miou", "Mean IoU", (0.0, 1.0)),
    ("pixel_accuracy", "Pixel accuracy", (0.0, 1.0)),
)
_NOTE = (
    "Training values are measured while the weights change, on augmented crops; validation values on whole images "
    "with the weights at the end of the epoch. Training below validation is therefore normal."
)


def learning_section(history: Sequence[Mapping[str, Any]], diagnosis: Diagnosis) -> Section:
    """Curves of loss, mean IoU, pixel accuracy and learning rate, the diagnosis above and the numbers below them."""
    charts = [_pair(history, column, title, y_range) for column, title, y_range in _CHARTS]
    rate = Series("learning rate", _points(history, "learning_rate"), "guide")
    charts.append(line_chart([rate], title="Learning rate", x_name="epoch", x_range=_span(history)))
    body = [
        diagnosis_html(diagnosis),
        Html(f'<div class="charts curves">{joined(charts)}</div><p class="quiet">{_NOTE}</p>'),
        folded("The numbers of every epoch", _table(history)),
    ]
    return Section("learning", "Learning curves", joined(body))


def diagnosis_html(diagnosis: Diagnosis) -> Html:
    """The verdict with its evidence, and what to change."""
    return Html(
        f'<p class="diagnosis"><strong>{html(diagnosis.verdict.capitalize())}.</strong> {prose(diagnosis.evidence)} '
        f"{prose(diagnosis.advice)}</p>"
    )


def _pair(history: Sequence[Mapping[str, Any]], column: str, title: str, y_range: Span | None) -> Html:
    lines = [
        Series(name, _points(history, f"{split}_{column}"), split)
        for split, name in (("train", "training"), ("validation", "validation"))
    ]
    return line_chart(
        lines, title=title, x_name="epoch", x_range=_span(history), y_range=y_range, note=_best(lines[1], column)
    )


def _best(validation: Series, column: str) -> str:
    measured = [(y, -x) for x, y in validation.points if not math.isnan(y)]
    if not measured:
        return ""
    value, epoch = min((y, -x) for y, x in measured) if column == "loss" else max(measured)
    return f"best validation value: {value:.4g} in epoch {abs(epoch):.0f}"


def _points(history: Sequence[Mapping[str, Any]], column: str) -> list[tuple[float, float]]:
    """(epoch, value); a value that was not measured is left out, so that the line goes on."""
    points = [(_epoch(row, i), number(row.get(column))) for i, row in enumerate(history)]
    return [point for point in points if not math.isnan(point[1])]


def _epoch(row: Mapping[str, Any], index: int) -> float:
    epoch = number(row.get("epoch"))
    return float(index + 1) if math.isnan(epoch) else epoch


def _span(history: Sequence[Mapping[str, Any]]) -> Span:
    """Equal for all charts, so that an epoch stands at the same place in each."""
    epochs = [_epoch(row, i) for i, row in enumerate(history)] or [0.0]
    return (min(epochs), max(epochs)) if min(epochs) < max(epochs) else (epochs[0] - 1, epochs[0] + 1)


def _table(history: Sequence[Mapping[str, Any]]) -> Html:
    columns = [f"{split}_{column}" for column, _, _ in _CHARTS for split in ("train", "validation")]
    head = ["epoch", "learning rate", *(name.replace("_", " ").replace("miou", "mIoU") for name in columns), "time"]
    rows = [
        [
            f"{_epoch(row, i):.0f}",
            _short(row.get("learning_rate")),
            *(score_text(number(row.get(name))) for name in columns),
            duration(number(row.get("seconds"))),
        ]
        for i, row in enumerate(history)
    ]
    return table(head, rows, caption="One line an epoch, as metrics.jsonl holds them")


def _short(value: Any) -> str:
    found = number(value)
    return "-" if math.isnan(found) else f"{found:.3g}"
