"""Where it fails, the masks that are probably wrong, and all images, as sections of a page."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from html import escape

from pixelwise.labels import LabelTable
from pixelwise.phrases import counted, percent
from pixelwise.report.html import Html, Section, filter_box, html, joined, table
from pixelwise.report.numbers import Record, number, score_text
from pixelwise.report.run.failure_findings import LISTED, Contrast, contrasts, doubtful, largest_effect

MOST_IMAGES = 2000
"""Of more images than these the worst are listed; images.json holds all."""

_COLUMNS = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "confidence": "confidence",
    "confidently_wrong": "confidently wrong",
    "errors_at_boundary": "errors at boundary",
    "brightness": "brightness",
}
_DOWNLOADED = ("name", "confidently_wrong", "wrong", "mean_iou", "confidence")


def failures_section(scores: Record, images: Sequence[Record]) -> Section | None:
    """Shares of wrong pixels by kind, under the sentence that names the largest effect."""
    found = contrasts(scores, images)
    if not found:
        return None
    said = Html(f"<p><strong>{html(largest_effect(found))}</strong></p>")
    tables = joined(_contrast(each) for each in found)
    return Section("failures", "Where it fails", joined([said, Html(f'<div class="charts">{tables}</div>')]))


def masks_section(images: Sequence[Record], places: Mapping[str, int]) -> Section | None:
    """The masks to look at in the labelling tool; `places` are the panels by name."""
    if all(math.isnan(number(row.get("confidently_wrong"))) for row in images):
        return None
    found = doubtful(images)
    if not found:
        body = Html(
            "<p>None stands out: in no image is more than 1 % of the labelled pixels wrong at a probability above 0.9, "
            "and more than twice as much as in the median image.</p>"
        )
        return Section("masks", "Masks that are probably wrong", body)
    rows = [
        [
            _name(row, places),
            *(percent(number(row.get(name))) for name in ("confidently_wrong", "wrong", "errors_at_boundary")),
            score_text(number(row.get("mean_iou"))),
        ]
        for row in found[:LISTED]
    ]
    head = ["image", "confidently wrong", "wrong", "errors at boundary", "mean IoU"]
    more = f" The first {LISTED} are shown; the list below holds all." if len(found) > LISTED else ""
    said = Html(
        f"<p>In {counted(len(found), 'image')} the model disagrees with the mask and is sure of it: more than 1 % of "
        "the labelled pixels are wrong at a probability above 0.9, and more than twice as many as in the median image. "
        "Either the mask is wrong or the model has learned something wrong; look at each before correcting it. "
        f"Errors away from boundaries are the more suspicious ones.{more}</p>"
    )
    listed = Html(
        '<p><label for="doubtful">For the labelling tool, as CSV:</label></p>'
        f'<textarea id="doubtful" class="list" readonly rows="{min(10, len(found) + 1)}" '
        f'data-download="masks-to-check.csv">{escape(doubtful_csv(found))}</textarea>'
    )
    shown = Html(f"<div data-sortable>{table(head, rows, caption='Confident disagreement, the most first')}</div>")
    return Section("masks", "Masks that are probably wrong", joined([said, shown, listed]))


def doubtful_csv(images: Sequence[Record]) -> str:
    """One line an image under a head, as spreadsheets and labelling tools read it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_DOWNLOADED)
    for row in images:
        numbers = (number(row.get(name)) for name in _DOWNLOADED[1:])
        writer.writerow([row["name"], *("" if math.isnan(value) else f"{value:.4f}" for value in numbers)])
    return text.getvalue()


def listed_images(images: Sequence[Record]) -> list[Record]:
    """Those of the table, the worst first and those without a score last."""
    return sorted(images, key=lambda row: _or(number(row.get("mean_iou")), math.inf))[:MOST_IMAGES]


def images_section(images: Sequence[Record], places: Mapping[str, int], labels: LabelTable) -> Section | None:
    """All images as a table that is sorted by any column; the last one is the IoU of a class that is chosen."""
    if not images:
        return None
    columns = [name for name in _COLUMNS if any(not math.isnan(number(row.get(name))) for row in images)]
    listed = listed_images(images)
    rows = [
        [_name(row, places), *(score_text(number(row.get(name))) for name in columns), score_text(_first_iou(row))]
        for row in listed
    ]
    options = "".join(f'<option value="{i}">{i} {escape(name)}</option>' for i, name in enumerate(labels.names))
    head = ["image", *(_COLUMNS[name] for name in columns), f"IoU of 0 {labels.names[0]}"]
    caption = "Press a heading to sort; shares from 0 to 1, - where a class is in neither truth nor prediction"
    left_out = (
        f'<p class="quiet">The {MOST_IMAGES:,} worst of {len(images):,} images; images.json holds all.</p>'
        if len(listed) < len(images)
        else ""
    )
    body = joined(
        [
            Html(left_out),
            filter_box("Show only images with", "#all-images tbody tr"),
            Html(
                '<p id="iou-of" hidden><label>Sort by the IoU of '
                f'<select id="class-of-iou">{options}</select></label></p>'
            ),
            Html(f'<div data-sortable id="all-images">{table(head, rows, caption=caption)}</div>'),
        ]
    )
    return Section("images", "All images", body)


def _contrast(found: Contrast) -> Html:
    rows = [
        [group.name, _unbroken(percent(group.wrong) + (f" ± {percent(group.margin)}" * bool(group.margin))), group.size]
        for group in found.groups
    ]
    caption = found.name[0].upper() + found.name[1:]
    head = ["which", "wrong pixels", "how many"]
    return Html(f'<div>{table(head, rows, caption=caption, texts=3)}<p class="quiet">{html(found.note)}</p></div>')


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _name(row: Record, places: Mapping[str, int]) -> Html:
    name = str(row["name"])
    if name not in places:
        return html(name)
    return Html(f'<a href="#panel-{places[name]}" data-panel="{places[name]}">{html(name)}</a>')


def _first_iou(row: Record) -> float:
    return number(row["iou"][0]) if row.get("iou") else math.nan


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value
