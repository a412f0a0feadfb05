"""Bar chart and pie as inline SVG: no library, text in the page's colour, every part named as well as coloured."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from pixelwise.labels import Color, hex_color
from pixelwise.phrases import percent, shortened
from pixelwise.report.html import Html, swatch
from pixelwise.report.shares import Share, gathered

_ROW, _BAR = 40, 12  # px
_RADIUS, _LABEL_GAP = 70, 17
_LABELLED_SHARE = 0.05


def bars(shares: Sequence[Share], *, title: str, unit: str = "px") -> Html:
    """Horizontal bars in the order given, each under its name, its share of the sum and its value in `unit`.

    Lengths are relative to the largest value. Positions are in percent and texts in pixels, so that the chart
    keeps its letters readable at any width.
    """
    whole, largest = sum(share.value for share in shares), max((share.value for share in shares), default=0)
    if not whole:
        return _nothing(title)
    rows = []
    for i, (name, value, color) in enumerate(shares):
        top, numbers = i * _ROW, f"{percent(value / whole)} · {value:,} {unit}"
        length = 100 * value / largest
        rows.append(
            f"<g><title>{escape(f'{name}: {numbers}')}</title>"
            f'<text x="0" y="{top + 15}">{escape(shortened(name, 20))}</text>'
            f'<text x="100%" y="{top + 15}" text-anchor="end">{escape(numbers)}</text>'
            f'<rect y="{top + 21}" width="100%" height="{_BAR}" fill="currentColor" opacity="0.08"/>'
            f'<rect y="{top + 21}" width="{length:.2f}%" height="{_BAR}" fill="{hex_color(color)}" '
            'stroke="currentColor" stroke-opacity="0.45"/></g>'
        )
    size = f'width="100%" height="{_ROW * len(shares)}"'
    return Html(f'<svg class="bars" {size} {_opening(title, _listing(shares, whole))}{"".join(rows)}</svg>')


def pie(shares: Iterable[Share], *, title: str) -> Html:
    """A pie of the parts that are not zero, largest first from the top clockwise, over its legend.

    Slices of 5 % and more carry their name, so that nobody has to tell colours apart.
    """
    ordered = gathered(shares)
    whole = sum(share.value for share in ordered)
    if not whole:
        return _nothing(title)
    slices, labels, start = [], [], 0.0
    for share in ordered:
        part = share.value / whole
        tip = escape(f"{share.name}: {percent(share.value / whole)}")
        slices.append(f"<g><title>{tip}</title>{_slice(start, part, share.color)}</g>")
        if part >= _LABELLED_SHARE:
            labels.append((share.name, start + part / 2))
        start += part
    rim = f'<circle r="{_RADIUS}" fill="none" stroke="currentColor" stroke-opacity="0.45"/>'
    drawn = "".join(slices) + rim + _names_around(labels)
    opening = f'<svg class="pie" viewBox="-170 -105 340 210" width="340" height="210" {_opening(title, "")}'
    entries = (
        f"<li>{swatch(share.color)}{escape(share.name)} <span>{percent(share.value / whole)}</span></li>"
        for share in ordered
    )
    return Html(f'<div>{opening}{drawn}</svg><ul class="legend">{"".join(entries)}</ul></div>')


def _nothing(title: str) -> Html:
    return Html(f'<p class="quiet">{escape(title)}: nothing to draw, for all are zero.</p>')


def _slice(start: float, part: float, color: Color) -> str:
    style = f'fill="{hex_color(color)}" style="stroke:var(--paper,#fff)" stroke-width="1.5"'
    if part > 0.9999:  # an arc that ends where it begins is not drawn
        return f'<circle r="{_RADIUS}" {style}/>'
    (x, y), (to_x, to_y) = _on_circle(start, _RADIUS), _on_circle(start + part, _RADIUS)
    arc = f"A{_RADIUS} {_RADIUS} 0 {int(part > 0.5)} 1 {to_x:.2f} {to_y:.2f}"
    return f'<path d="M0 0L{x:.2f} {y:.2f}{arc}Z" {style}/>'


def _names_around(labels: Iterable[tuple[str, float]]) -> str:
    """Names beside the pie at their turns (0 to 1), moved down where they would touch."""
    drawn = []
    placed = {1: -math.inf, -1: -math.inf}  # by side: where the last label is
    for name, turn in sorted(labels, key=lambda label: _on_circle(label[1], 1)[1]):
        (x, y), side = _on_circle(turn, _RADIUS), 1 if turn <= 0.5 else -1
        label_y = max(y * 1.12, placed[side] + _LABEL_GAP)
        placed[side] = label_y
        text_x, anchor = side * 88, "start" if side > 0 else "end"
        drawn.append(
            f'<path d="M{x:.1f} {y:.1f}L{side * 84} {label_y:.1f}" fill="none" stroke="currentColor" opacity="0.6"/>'
            f'<text x="{text_x}" y="{label_y + 4:.1f}" text-anchor="{anchor}">{escape(shortened(name, 12))}</text>'
        )
    return "".join(drawn)


def _on_circle(turn: float, radius: float) -> tuple[float, float]:
    """(x, y) after `turn` (0 to 1) of a circle, clockwise from the top."""
    return radius * math.sin(2 * math.pi * turn), -radius * math.cos(2 * math.pi * turn)


def _opening(title: str, description: str) -> str:
    """The rest of an `<svg` tag, and what a screen reader says in place of the drawing."""
    described = f"<desc>{escape(description)}</desc>" if description else ""
    return f'role="img" fill="currentColor" font-size="14"><title>{escape(title)}</title>{described}'


def _listing(shares: Iterable[Share], whole: int) -> str:
    return ", ".join(f"{share.name} {percent(share.value / whole)}" for share in shares)
