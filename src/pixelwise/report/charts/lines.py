"""Lines over a common axis as inline SVG, told apart by dashes as well as colours, in the page's own colours."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from pixelwise.report.html import Html

Span = tuple[float, float]

_WIDTH, _HEIGHT = 360, 230  # user units; on a phone one is about a pixel
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 348, 10, 190
_DOTS_UP_TO = 30


class Series(NamedTuple):
    """Points (x, y) in order of x, NaN where there is none; `kind` is "train", "validation" or "guide"."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "train"


def line_chart(
    lines: Sequence[Series],
    *,
    title: str,
    x_name: str,
    x_range: Span | None = None,
    y_range: Span | None = None,
    note: str = "",
) -> Html:
    """A chart under its title, with a legend; ranges that are not given follow from the points."""
    drawn = [line for line in lines if any(_is_point(point) for point in line.points)]
    if not drawn:
        return Html(f"<figure><figcaption><strong>{escape(title)}</strong>: not measured.</figcaption></figure>")
    across = _Axis.of(x_range, (x for line in drawn for x, y in line.points if _is_point((x, y))), _LEFT, _RIGHT)
    up = _Axis.of(y_range, (y for line in drawn for x, y in line.points if _is_point((x, y))), _BOTTOM, _TOP)
    parts = [_frame(across, up, x_name), *(_line(line, across, up) for line in drawn)]
    described = "; ".join(_description(line) for line in drawn)
    keys = "".join(f'<span class="key">{_sample(line.kind)}{escape(line.name)}</span>' for line in drawn)
    added = f'<br><span class="quiet">{escape(note)}</span>' if note else ""
    return Html(
        f'<figure class="chart"><figcaption><strong>{escape(title)}</strong><br>{keys}{added}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" fill="currentColor" '
        f'font-size="12"><title>{escape(title)}</title><desc>{escape(described)}</desc>{"".join(parts)}</svg></figure>'
    )


class _Axis(NamedTuple):
    """Values from `low` to `high` on the way from user unit `start` to `end`."""

    low: float
    high: float
    start: int
    end: int

    @classmethod
    def of(cls, given: Span | None, values: Iterable[float], start: int, end: int) -> "_Axis":
        if given is not None:
            return cls(*given, start, end)
        found = list(values)
        low, high = min(found), max(found)
        if low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        if end < start and 0 <= low < high / 2:  # an upright axis from near zero begins at zero
            low = 0.0
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Four to six round values (1, 2 or 5 times a power of ten apart)."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _frame(across: _Axis, up: _Axis, x_name: str) -> str:
    parts = []
    for value in up.ticks():
        y = up.at(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_number(value)}</text>')
    for value in across.ticks():
        x = across.at(value)
        anchor = "end" if x > _RIGHT - 8 else "middle"
        parts.append(f'<path class="tick" d="M{x} {_BOTTOM}v4"/>')
        parts.append(f'<text x="{x}" y="{_BOTTOM + 17}" text-anchor="{anchor}">{_number(value)}</text>')
    middle = (_LEFT + _RIGHT) / 2
    parts.append(f'<path class="tick" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>')
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 5}" text-anchor="middle">{escape(x_name)}</text>')
    return "".join(parts)


def _line(line: Series, across: _Axis, up: _Axis) -> str:
    runs: list[list[str]] = [[]]
    for point in line.points:
        if _is_point(point):
            runs[-1].append(f"{across.at(point[0])} {up.at(point[1])}")
        elif runs[-1]:
            runs.append([])
    path = "".join(f"M{'L'.join(run)}" for run in runs if run)
    dots = ""
    measured = [point for point in line.points if _is_point(point)]
    if line.kind != "guide" and len(measured) <= _DOTS_UP_TO:
        dots = "".join(
            f'<circle cx="{across.at(x)}" cy="{up.at(y)}" r="3"><title>{escape(line.name)}: {_number(y)} at '
            f"{_number(x)}</title></circle>"
            for x, y in measured
        )
    return f'<g class="line {line.kind}"><path d="{path}"/>{dots}</g>'


def _sample(kind: str) -> str:
    return (
        f'<svg class="sample" width="30" height="10" viewBox="0 0 30 10" aria-hidden="true"><g class="line {kind}">'
        '<path d="M0 5H30"/></g></svg>'
    )


def _description(line: Series) -> str:
    measured = [point for point in line.points if _is_point(point)]
    (first_x, first_y), (last_x, last_y) = measured[0], measured[-1]
    return f"{line.name} from {_number(first_y)} at {_number(first_x)} to {_number(last_y)} at {_number(last_x)}"


def _is_point(point: tuple[float, float]) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _number(value: float) -> str:
    return f"{round(value, 10):.4g}"
