"""Shapes of LabelMe -> class ids, drawn as labelme's own export draws them."""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.convert.conversion import Drawn
from pixelwise.data.convert.formats.outlines import Points, count_object, sticks_out
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.objects import Objects
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError

LINE_WIDTH = 10
POINT_RADIUS = 5

_POINTS = {
    "polygon": range(3, 10**9),
    "rectangle": range(2, 3),
    "oriented_rectangle": range(4, 5),
    "rotation": range(4, 5),  # what X-AnyLabeling calls it; it also gives all four corners of rectangles
    "circle": range(2, 3),
    "line": range(2, 3),
    "linestrip": range(2, 10**9),
    "point": range(1, 2),
    "points": range(1, 10**9),
    "mask": range(2, 3),
}
_MAX_OUTSIDE = 10  # image sizes; drawing takes the longer the further out a point is


def drawn(
    shapes: Sequence[Mapping[str, Any]], shape: tuple[int, int], ids: Mapping[str, int], background: int, *, of: str
) -> Drawn:
    """(H, W) class ids: the shapes in their order, later ones on top, as `labelme.utils.shapes_to_label` does.

    Lines are 10 px wide and points have a radius of 5 px, as there. `of` names the file of the shapes.

    Raises:
        NoRegion: a shape is of no known type or has points that its type cannot have.
    """
    height, width = shape
    plane = Image.new("L", (width, height), background)
    counts = Objects()
    for number, entry in enumerate(shapes, 1):
        kind = _kind(entry)
        points = _points(entry, f"shape {number} ({entry.get('label')!r})", kind, shape)
        _paint(plane, entry, kind, points, ids[str(entry["label"])])
        outline = _outline(kind, points)
        # What lies inside leaves its outline at least; a mask may be empty anywhere.
        has_pixels = kind != "mask" and not any(sticks_out(part, (height - 1, width - 1)) for part in outline)
        if not has_pixels:
            alone = Image.new("L", plane.size)
            _paint(alone, entry, kind, points, 1)
            has_pixels = alone.getbbox() is not None
        name = f"shape {number} ({entry['label']!r}) of {of}"
        count_object(counts, name, outline, has_pixels=has_pixels, shape=shape)
    return Drawn(np.array(plane), counts)


def _paint(
    plane: Image.Image, entry: Mapping[str, Any], kind: str, points: list[tuple[float, float]], class_id: int
) -> None:
    if kind == "mask":
        _paste(plane, entry, points, class_id)
    else:
        _draw(ImageDraw.Draw(plane), kind, points, class_id)


def _outline(kind: str, points: list[tuple[float, float]]) -> list[Points]:
    """The corners of a shape; of a circle and of a mask those of the box around it."""
    if kind == "circle":
        (x, y), rim = points
        radius = math.dist((x, y), rim)
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    if kind == "mask":
        points = [points[0], (points[1][0] + 1, points[1][1] + 1)]  # the last pixel is part of it
    if kind in ("circle", "mask") or (kind == "rectangle" and len(points) == 2):
        (x0, y0), (x1, y1) = points
        points = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return [np.array(points)]


def _kind(entry: Mapping[str, Any]) -> str:
    kind = str(entry.get("shape_type") or "polygon")  # old versions knew polygons alone
    points = entry.get("points")
    return "rotation" if kind == "rectangle" and isinstance(points, list) and len(points) == 4 else kind


def _points(entry: Mapping[str, Any], what: str, kind: str, shape: tuple[int, int]) -> list[tuple[float, float]]:
    """The points of a shape, checked."""
    if kind not in _POINTS:
        raise NoRegion(f"has {what} of the type {kind!r}", f"one of {', '.join(_POINTS)}")
    try:
        points = np.asarray(entry["points"], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= _MAX_OUTSIDE * max(shape)).all():
        raise NoRegion(f"has {what} with the points {str(entry.get('points'))[:60]}", "points [x, y] near the image")
    if len(points) not in _POINTS[kind]:
        count = "more" if _POINTS[kind].stop > 10**6 else "no more"
        raise NoRegion(f"has {what}, a {kind} of {len(points)} points", f"{_POINTS[kind].start} points and {count}")
    return [(x, y) for x, y in points.tolist()]


def _draw(draw: ImageDraw.ImageDraw, kind: str, points: list[tuple[float, float]], class_id: int) -> None:
    if kind == "circle":
        (x, y), rim = points
        _disc(draw, (x, y), math.dist((x, y), rim), class_id)
    elif kind == "rectangle":
        (x0, y0), (x1, y1) = points
        draw.rectangle([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)], outline=class_id, fill=class_id)
    elif kind in ("line", "linestrip"):
        draw.line(points, fill=class_id, width=LINE_WIDTH, joint="curve")
    elif kind in ("point", "points"):
        for point in points:
            _disc(draw, point, POINT_RADIUS, class_id)
    else:
        draw.polygon(points, outline=class_id, fill=class_id)


def _disc(draw: ImageDraw.ImageDraw, center: tuple[float, float], radius: float, class_id: int) -> None:
    x, y = center
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=class_id, fill=class_id)


def _paste(plane: Image.Image, entry: Mapping[str, Any], points: list[tuple[float, float]], class_id: int) -> None:
    """Paint the embedded mask of a shape with its left top corner at the first point."""
    try:
        content = base64.b64decode(entry["mask"])
        region = decode(content, "mask").gray() > 0
    except (KeyError, TypeError, binascii.Error, DataError):
        raise NoRegion(f"has a mask of {entry.get('label')!r} that is no PNG", "a PNG in base64") from None
    left, top = (round(value) for value in points[0])
    plane.paste(class_id, (left, top), Image.fromarray(region))
