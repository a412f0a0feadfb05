"""The scores of an evaluation: headline numbers, bars of each class, and other definitions of the same numbers."""

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from pixelwise.labels import LabelTable, hex_color
from pixelwise.phrases import shortened
from pixelwise.report.facts import class_name
from pixelwise.report.html import Html, Section, folded, html, joined, prose, table
from pixelwise.report.numbers import Record, interval_of, interval_text, number, score_text
from pixelwise.scoring.definitions import DEFINITIONS

HEADLINES = {
    "mean_iou": (
        "Mean IoU",
        "The mean of TP / (TP + FP + FN) over the classes in truth or prediction. 1 is perfect; many uses begin at "
        "0.5. It counts every class the same, however rare.",
    ),
    "pixel_accuracy": (
        "Pixel accuracy",
        "Right pixels over labelled pixels. It misleads where one class is large: predicting it everywhere scores "
        "its share.",
    ),
    "mean_dice": (
        "Mean Dice",
        "The mean of 2 TP / (2 TP + FP + FN) over the same classes as mean IoU; also called F1.",
    ),
    "mean_accuracy": ("Mean accuracy", "The mean of TP / (TP + FN), the recall, over the classes in the truth."),
    "frequency_weighted_iou": (
        "Frequency-weighted IoU",
        "The IoU of each class weighted by its share of the labelled pixels; large classes decide.",
    ),
    "mean_iou_absent_as_zero": (
        "Mean IoU, absent classes as 0",
        "The mean of IoU over all classes, one in neither truth nor prediction counting 0, as Amazon SageMaker's "
        "algorithm reports it.",
    ),
}
"""Name in scores.json -> what people call it, and its definition."""

_WEAKEST_SHOWN = 30
_ROW = 38  # px


def headline_section(scores: Mapping[str, Any], labels: LabelTable) -> Section:
    """Every score of the whole with its 95 % interval and its definition, and what test-time augmentation did."""
    cards = [
        f'<div class="card"><dt>{html(title)}</dt><dd><strong>{score_text(number(scores.get(name)))}</strong>'
        f"{_between(interval_of(scores, name))}<span>{html(meaning)}</span></dd></div>"
        for name, (title, meaning) in HEADLINES.items()
    ]
    count = scores.get("images")
    over = f" over the {count:,} images" if isinstance(count, int) else ""
    note = (
        "From one exact count of all labelled pixels at native resolution; pixels whose truth is 255 are left out. TP: "
        "pixels of a class that were found; FP: predicted, but of another class; FN: missed. The interval says how far "
        f"a score would move had other images of the same kind been labelled (95 %, bootstrap{over})."
    )
    listed = Html(f'<dl class="cards">{joined(map(Html, cards))}</dl><p class="quiet">{note}</p>')
    return Section("scores", "Scores", joined([*_augmented(scores, labels), listed]))


def _augmented(scores: Mapping[str, Any], labels: LabelTable) -> Iterator[Html]:
    """What the mean over views brings and costs, and which they are; nothing where there was none."""
    tta: Record = scores.get("tta") or {}
    if not tta:
        return
    yield Html(f"<p><strong>{html(tta['verdict'])}</strong></p>")
    plain: Record = tta["plain"]
    pairs = [(title, plain.get(name), scores.get(name)) for name, (title, _) in HEADLINES.items()]
    pairs += [
        (class_name(i, labels), alone.get("iou"), averaged.get("iou"))
        for i, (alone, averaged) in enumerate(zip(plain["per_class"], scores["per_class"], strict=True))
    ]
    rows = [[title, *(score_text(number(value)) for value in values)] for title, *values in pairs]
    both = table(["score, IoU of a class", "image as it is", "all views"], rows, caption="Without and with views")
    views = Html(
        f"<p>The views: {html('; '.join(tta['views']))}. Every number and picture of this report is of all.</p>"
    )
    yield folded("The views, and all scores without and with them", joined([views, both]))


def classes_section(scores: Mapping[str, Any], labels: LabelTable) -> Section:
    """IoU and Dice of each class as bars with intervals and the mean, and all numbers as a table."""
    charts = joined(score_bars(scores, labels, name, title) for name, title in (("iou", "IoU"), ("dice", "Dice")))
    entries = scores["per_class"]
    head = ["class", "IoU", "95 % interval", "Dice", "recall", "precision", "pixels"]
    rows = [
        [
            class_name(i, labels),
            score_text(number(entry.get("iou"))),
            interval_text(interval_of(scores, "iou", i)),
            *(score_text(number(entry.get(name))) for name in ("dice", "accuracy", "precision")),
            int(entry.get("pixels") or 0),
        ]
        for i, entry in enumerate(entries)
    ]
    numbers = folded("All numbers of every class", table(head, rows, caption="By class; - where nothing was measured"))
    return Section("by-class", "Scores by class", joined([Html(f'<div class="charts">{charts}</div>'), numbers]))


def score_bars(scores: Mapping[str, Any], labels: LabelTable, score: str, title: str) -> Html:
    """Bars from 0 to 1, the weakest class first, a whisker for each interval and the mean as a dashed line."""
    entries = scores["per_class"]
    values = {i: number(entry.get(score)) for i, entry in enumerate(entries)}
    measured = sorted((i for i, value in values.items() if not math.isnan(value)), key=lambda i: values[i])
    if not measured:
        return Html(f'<p class="quiet">{escape(title)}: no class was measured.</p>')
    shown = measured[:_WEAKEST_SHOWN]
    rows = [_bar(row, labels, i, values[i], interval_of(scores, score, i)) for row, i in enumerate(shown)]
    texts = [_bar_text(row, f"{i} {labels.names[i]}", values[i]) for row, i in enumerate(shown)]
    height, mean = _ROW * len(shown), number(scores.get(f"mean_{score}"))
    line = "" if math.isnan(mean) else f'<line class="mean" x1="{_at(mean)}" x2="{_at(mean)}" y1="0" y2="{height}"/>'
    described = ", ".join(f"{labels.names[i]} {values[i]:.3f}" for i in shown)
    whiskers = "; whiskers: 95 % intervals" if any("whisker" in row for row in rows) else ""
    left_out = [f"the {len(shown)} weakest of {len(measured)} classes"] if len(shown) < len(measured) else []
    left_out += [f"{len(entries) - len(measured)} classes do not occur"] if len(measured) < len(entries) else []
    more = f" ({'; '.join(left_out)})" if left_out else ""
    return Html(
        f"<figure><figcaption><strong>{escape(title)}</strong>{more}<br>dashed: the mean, {score_text(mean)}{whiskers}"
        f'</figcaption><svg class="bars scores" width="100%" height="{height}" role="img" fill="currentColor" '
        f'font-size="14"><title>{escape(title)} of each class</title><desc>{escape(described)}</desc>'
        f"{''.join(rows)}{line}{''.join(texts)}</svg></figure>"
    )


def definitions_section(scores: Mapping[str, Any]) -> Section | None:
    """Mean IoU of the same predictions as others compute it."""
    others = scores.get("other_definitions") or {}
    if not others:
        return None
    named = [("mean_iou", "mean_iou (ours)", HEADLINES["mean_iou"][1])]
    named += [(name, name, DEFINITIONS.get(name, "")) for name in others]
    values = {"mean_iou": scores.get("mean_iou"), **others}
    entries = joined(
        Html(f"<div><dt>{score_text(number(values[name]))} <code>{html(title)}</code></dt><dd>{prose(said)}</dd></div>")
        for name, title, said in named
    )
    measured = [value for value in map(number, others.values()) if not math.isnan(value)]
    spread = (
        f"<p>The same predictions score from {min(measured):.3f} to {max(measured):.3f}, depending on whose "
        "definition is used. Compare numbers only under one definition.</p>"
        if measured
        else ""
    )
    body = Html(f'<dl class="definitions">{entries}</dl>')
    return Section("definitions", "The same predictions under other definitions", joined([Html(spread), body]))


def _between(interval: tuple[float, float]) -> str:
    return "" if math.isnan(interval[0]) else f" <em>{interval_text(interval)}</em>"


def _bar(row: int, labels: LabelTable, class_id: int, value: float, interval: tuple[float, float]) -> str:
    top, name = row * _ROW, f"{class_id} {labels.names[class_id]}"
    between = "" if math.isnan(interval[0]) else f" ({interval_text(interval)})"
    whisker = ""
    if between:
        low, high = _at(interval[0]), _at(interval[1])
        ends = (
            f'<line x1="{low}" x2="{high}" y1="{top + 25}" y2="{top + 25}"/>'
            f'<line x1="{low}" x2="{low}" y1="{top + 21}" y2="{top + 29}"/>'
            f'<line x1="{high}" x2="{high}" y1="{top + 21}" y2="{top + 29}"/>'
        )
        whisker = f'<g class="whisker halo">{ends}</g><g class="whisker">{ends}</g>'
    return (
        f"<g><title>{escape(name)}: {value:.3f}{between}</title>"
        f'<rect y="{top + 19}" width="100%" height="12" fill="currentColor" opacity="0.08"/>'
        f'<rect y="{top + 19}" width="{_at(value)}" height="12" fill="{hex_color(labels.colors[class_id])}" '
        f'stroke="currentColor" stroke-opacity="0.45"/>{whisker}</g>'
    )


def _bar_text(row: int, name: str, value: float) -> str:
    """On top of the line of the mean."""
    y, shown = row * _ROW + 14, shortened(name, 24)
    return f'<text x="0" y="{y}">{escape(shown)}</text><text x="100%" y="{y}" text-anchor="end">{value:.3f}</text>'


def _at(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"
