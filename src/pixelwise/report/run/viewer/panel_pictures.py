"""The pictures of a panel: image, truth, prediction, errors, right and wrong, difference, probability."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.inference.render import WRONG, error_map, mask_image
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import percent
from pixelwise.report.html import Html, figure, html, joined, picture
from pixelwise.report.numbers import number, score_text
from pixelwise.report.run.content import Panel
from pixelwise.report.run.viewer.panels import nearest
from pixelwise.scoring.insight.id_difference import absolute_difference

PICTURE_BYTES = 6_500_000
"""All pictures of all panels together; base64, as it is in the page."""

_TRIES = ((640, 80), (480, 75), (360, 70), (240, 60), (120, 50))  # longer side in px, JPEG quality; until it fits
_SMALL_SIDE = 320
_PROBABILITY_QUALITY = 88  # within a percent or two
_PALE = 96  # the darkest gray under errors


class DrawnPanel(NamedTuple):
    """A panel as the page holds it: what a reader sees, and what the viewer reads beside it."""

    html: Html
    planes: Mapping[str, str]  # "truth", "predicted": data URIs of 8-bit gray PNG whose values are class ids


def draw_panels(panels: Sequence[Panel], rows: Mapping[str, Mapping[str, Any]], labels: LabelTable) -> list[DrawnPanel]:
    """Each panel in pictures that take their part of PICTURE_BYTES at most; `rows` are image facts by name."""
    room = PICTURE_BYTES // max(1, len(panels))
    return [_fitting(i, panel, rows.get(panel.name, {}), labels, room) for i, panel in enumerate(panels)]


def data_uri(image: Image.Image, form: str, **how: Any) -> str:
    """A picture as an address that holds it; PNG is exact."""
    buffer = io.BytesIO()
    image.save(buffer, form, **how)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _fitting(index: int, panel: Panel, row: Mapping[str, Any], labels: LabelTable, room: int) -> DrawnPanel:
    for side, quality in _TRIES:
        shown = shrunk(panel, side)
        planes = {name: data_uri(Image.fromarray(plane), "PNG") for name, plane in _planes(shown).items()}
        left = room - sum(map(len, planes.values()))
        if left > room // 4 or side == _TRIES[-1][0]:
            drawn = DrawnPanel(_article(index, shown, row, labels, quality), planes)
            if len(drawn.html) <= left:
                break
    return drawn


def shrunk(panel: Panel, side: int) -> Panel:
    """The panel with no side longer than `side` px."""
    scale = side / max(panel.image.size)
    if scale >= 1:
        return panel
    size = (max(1, round(panel.image.width * scale)), max(1, round(panel.image.height * scale)))
    planes = (nearest(plane, size) for plane in (panel.truth, panel.predicted, panel.confidence))
    return Panel(panel.name, panel.image.resize(size, Image.Resampling.LANCZOS), *planes)


def _article(index: int, panel: Panel, row: Mapping[str, Any], labels: LabelTable, quality: int) -> Html:
    scores = (score_text(number(row.get(score))) for score in ("mean_iou", "pixel_accuracy"))
    facts = "mean IoU {}, pixel accuracy {}".format(*scores)
    return Html(
        f'<article class="panel" id="panel-{index}"><h4>{html(panel.name)} <small>{facts} '
        f'<a class="open" href="#viewer" data-panel="{index}" hidden>open in the viewer</a></small></h4>'
        f'<div class="strip">{joined(_figures(panel, row, labels, quality))}</div></article>'
    )


def _figures(panel: Panel, row: Mapping[str, Any], labels: LabelTable, quality: int) -> list[Html]:
    """The seven pictures; those that the viewer does not read are small ones."""
    small, about = shrunk(panel, _SMALL_SIDE), f"of {panel.name}"
    wrong, difference = _shares(panel, labels)
    wrong = number(row.get("wrong", wrong))  # of the image itself, if it is known
    apart = _grays(absolute_difference(small.truth, small.predicted, labels.num_classes))
    right = error_map(small.truth, small.predicted)
    probability = Image.fromarray(panel.confidence)
    return [
        figure(_jpeg(panel.image, f"The image {panel.name}", quality, name="photo"), "Image"),
        figure(picture(mask_image(small.truth, labels), f"Truth {about}"), "Truth"),
        figure(picture(mask_image(small.predicted, labels), f"Prediction {about}"), "Prediction"),
        figure(_jpeg(_reddened(small), f"Errors {about} in red", 70), f"Errors in red: {percent(wrong)}"),
        figure(picture(right, f"Right and wrong pixels {about}"), "Right green, wrong red"),
        figure(picture(apart, f"Difference {about}"), f"Absolute difference of ids: {score_text(difference)}"),
        figure(
            _jpeg(probability, f"Probability {about}", _PROBABILITY_QUALITY, name="confidence"),
            "Probability of the chosen class (white: sure)",
        ),
    ]


def _shares(panel: Panel, labels: LabelTable) -> tuple[float, float]:
    """Share of wrong pixels and mean absolute difference; NaN where nothing is labelled."""
    counted = panel.truth != IGNORE
    if not counted.any():
        return float("nan"), float("nan")
    difference = absolute_difference(panel.truth, panel.predicted, labels.num_classes)[counted]
    return float(np.count_nonzero(difference) / difference.size), float(difference.mean())


def _planes(panel: Panel) -> dict[str, NDArray[np.uint8]]:
    return {name: np.ascontiguousarray(getattr(panel, name)) for name in ("truth", "predicted")}


def _reddened(panel: Panel) -> Image.Image:
    """The image in gray, paler, with the wrong pixels in red."""
    wrong = (panel.truth != IGNORE) & (panel.truth != panel.predicted)
    gray = _PALE + np.asarray(panel.image.convert("L"), dtype=np.float32)[..., None] * ((255 - _PALE) / 255)
    return Image.fromarray(np.where(wrong[..., None], np.array(WRONG, dtype=np.float32), gray).astype(np.uint8))


def _grays(shares: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.rint(255 * shares).astype(np.uint8))


def _jpeg(image: Image.Image, alt: str, quality: int, *, name: str = "") -> Html:
    """A photograph; under a name if the viewer reads it again."""
    named = f' class="{name}"' if name else ""
    source = data_uri(image, "JPEG", quality=quality, subsampling=0)
    return Html(f'<img{named} src="{source}" alt="{escape(alt)}" width="{image.width}" height="{image.height}">')
