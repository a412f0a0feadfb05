"""Pictures of the worst, the median and the best images, and the viewer that looks into them."""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pixelwise.inference.render import WRONG
from pixelwise.labels import LabelTable
from pixelwise.report.html import Html, Section, folded, html, joined, static, swatch
from pixelwise.report.numbers import number
from pixelwise.report.run.content import Panel
from pixelwise.report.run.viewer.panel_pictures import DrawnPanel, draw_panels
from pixelwise.report.run.viewer.panels import choose_by

_GROUPS = {
    "worst": "The worst images, by mean IoU",
    "median": "Images around the median",
    "best": "The best images",
    "others": "Images",
}


def picture_sections(
    panels: Sequence[Panel], images: Sequence[Mapping[str, Any]], labels: LabelTable, shown: str = ""
) -> tuple[list[Section], dict[str, Any]]:
    """The panels and the viewer as sections, and what the viewer's script reads; `shown`: how pictures were made."""
    if not panels:
        return [], {}
    rows = {str(row["name"]): row for row in images}
    drawn = draw_panels(panels, rows, labels)
    groups = grouped(panels, images)
    data = {
        "panels": [{"name": panel.name, **each.planes} for panel, each in zip(panels, drawn, strict=True)],
        "colors": [list(color) for color in labels.colors],
        "names": list(labels.names),
        "wrong": list(WRONG),
    }
    said = Html(f'<p class="quiet">{html(shown)}.</p>' if shown else "")
    sections = [
        Section("viewer", "Look closely", joined(filter(None, (said, _viewer(panels, groups, labels))))),
        Section(
            "panels", "Images, truth and predictions", joined(filter(None, (said, _panels(drawn, groups, labels))))
        ),
    ]
    return sections, data


def grouped(panels: Sequence[Panel], images: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Indices of the panels by group, in the group's order; "others" are those that no group chose."""
    places = {panel.name: i for i, panel in enumerate(panels)}
    chosen = choose_by([number(row.get("mean_iou")) for row in images], each=-(-len(panels) // 3))
    groups = {
        group: [places[name] for i in indices if (name := str(images[i]["name"])) in places]
        for group, indices in chosen.items()
    }
    listed = {place for places_of in groups.values() for place in places_of}
    groups["others"] = [i for i in range(len(panels)) if i not in listed]
    return {group: indices for group, indices in groups.items() if indices}


def script_data(data: Mapping[str, Any]) -> Html:
    """Data for the page's own script; no text in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="report-data">{text}</script>')


def iou_texts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The IoU of every class of each image in thousandths, between commas, empty where there is none."""
    return [
        ",".join("" if math.isnan(value := number(iou)) else f"{1000 * value:.0f}" for iou in row["iou"])
        for row in rows
    ]


def _panels(drawn: Sequence[DrawnPanel], groups: Mapping[str, Sequence[int]], labels: LabelTable) -> Html:
    note = (
        '<p class="quiet">Ignored pixels are white in the truth and gray among right and wrong. The absolute '
        "difference is |true id - predicted id| / (largest id), averaged from 0 (none) to 1: ids are names, so it says "
        "where a pixel is wrong, not how badly.</p>"
    )
    parts: list[Any] = [Html(note), Html(legend(labels))]
    for i, (group, indices) in enumerate(groups.items()):
        articles = joined(drawn[index].html for index in indices)
        parts.append(folded(f"{_GROUPS[group]} ({len(indices)})", articles, is_open=not i))
    return joined(parts)


def legend(labels: LabelTable) -> Html:
    """All classes with their colours; folded where they are many."""
    entries = "".join(
        f"<li>{swatch(color)}{i} {escape(name)}</li>"
        for i, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    )
    listed = Html(f'<ul class="legend">{entries}</ul>')
    return listed if labels.num_classes <= 40 else folded(f"The colours of {labels.num_classes} classes", listed)


def _viewer(panels: Sequence[Panel], groups: Mapping[str, Sequence[int]], labels: LabelTable) -> Html:
    options = "".join(
        f'<optgroup label="{escape(_GROUPS[group])}">'
        + "".join(f'<option value="{i}">{escape(panels[i].name)}</option>' for i in indices)
        + "</optgroup>"
        for group, indices in groups.items()
    )
    layers = "".join(
        f'<label><input type="radio" name="layer" value="{value}"{checked}> {name}</label>'
        for value, name, checked in (
            ("predicted", "prediction", " checked"),
            ("truth", "truth", ""),
            ("errors", "errors", ""),
        )
    )
    classes = "".join(
        f'<label><input type="checkbox" value="{i}" checked> {swatch(color)}{i} {escape(name)}</label>'
        for i, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    )
    # Joined without line ends, which would be spaces between the elements.
    content = "".join(static("run/viewer/viewer.html").splitlines())
    return Html(content.format(options=options, layers=layers, classes=classes))
