"""Shapes of VIA -> polygons: https://www.robots.ox.ac.uk/~vgg/software/via/docs/ (region shapes)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.data.convert.formats.polygons import NoRegion, ellipse, turned
from pixelwise.phrases import shortened

_KINDS = ("polygon", "rect", "circle", "ellipse", "polyline", "point")


def corners(shape: Mapping[str, Any]) -> list[float] | None:
    """The polygon [x0, y0, x1, y1, ...] of a shape in pixels; None: a point or an open line, which has no area.

    A polyline that ends where it begins is an outline.

    Raises:
        NoRegion: the shape is of no known kind or lacks numbers.
    """
    kind = shape.get("name")
    if kind not in _KINDS:
        raise NoRegion(f"is of the shape {_shown(kind)}", f"one of {', '.join(_KINDS)}")
    if kind == "point":
        return None
    if kind in ("polygon", "polyline"):
        points = _points(shape, kind)
        if kind == "polyline" and (len(points) < 4 or points[0] != points[-1]):
            return None
    elif kind == "rect":
        x, y, width, height = _numbers(shape, "x", "y", "width", "height")
        points = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    elif kind == "circle":
        x, y, radius = _numbers(shape, "cx", "cy", "r")
        points = ellipse((x, y), (radius, radius))
    else:
        x, y, horizontal, vertical = _numbers(shape, "cx", "cy", "rx", "ry")
        (angle,) = _numbers({"theta": 0} | dict(shape), "theta")  # radians; version 1 has none
        points = list(turned(ellipse((x, y), (horizontal, vertical)), (x, y), angle))
    return [value for point in points for value in point]


def _points(shape: Mapping[str, Any], kind: str) -> list[tuple[float, float]]:
    columns, rows = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(columns, list) or not isinstance(rows, list) or len(columns) != len(rows):
        counts = [len(values) if isinstance(values, list) else "no" for values in (columns, rows)]
        raise NoRegion(
            f"is a {kind} of {counts[0]} all_points_x and {counts[1]} all_points_y", "two lists of one length"
        )
    return [(_number(x, "all_points_x"), _number(y, "all_points_y")) for x, y in zip(columns, rows, strict=True)]


def _numbers(shape: Mapping[str, Any], *names: str) -> Sequence[float]:
    return [_number(shape.get(name), name) for name in names]


def _number(value: Any, name: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise NoRegion(f"has {_shown(value)} among its {name}", "numbers in pixels")
    return number


def _shown(value: Any) -> str:
    scalar = value is None or isinstance(value, str | int | float)
    return shortened(repr(value), 40) if scalar else f"a {type(value).__name__}"
