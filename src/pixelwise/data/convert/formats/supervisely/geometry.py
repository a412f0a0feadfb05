"""Objects of Supervisely -> pixels, as its own SDK draws them (github.com/supervisely/supervisely, geometry/).

Points are whole pixels and belong to what they bound; a bitmap is a PNG, packed by zlib and base64, at its origin.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.convert.formats.outlines import Points
from pixelwise.data.convert.formats.polygons import NoRegion, Region
from pixelwise.data.masks.decoding import decode
from pixelwise.data.reading import load, open_image
from pixelwise.errors import DataError

AREAS = ("polygon", "bitmap", "rectangle")
_MOST_BYTES = 100_000_000  # of the PNG of one object
_MAX_OUTSIDE = 10  # image sizes
_A_PNG = "a PNG, packed by zlib and base64"


class Figure(NamedTuple):
    """The pixels of an object, and the corners of what it was before it was clipped to its image."""

    place: tuple[slice, slice]
    region: Region  # of this place
    outline: Sequence[Points]


def kind_of(entry: Mapping[str, Any], known: str | None) -> str:
    """The kind of an object, which older versions leave to its class (`known`), or to what it holds."""
    kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else None)
    return str(kind or (known if known not in (None, "any") else "polygon"))


def figure(entry: Mapping[str, Any], kind: str, shape: tuple[int, int]) -> Figure:
    """What an object of one of AREAS covers in an image of `shape`.

    Raises:
        NoRegion: it has no such points or no such bitmap.
    """
    if kind == "bitmap":
        return _bitmap(entry, shape)
    points = entry.get("points")
    if not isinstance(points, dict):
        raise NoRegion(f"is a {kind} without points", "points with an exterior")
    exterior = _points(points.get("exterior"), shape)
    if kind == "rectangle":
        if len(exterior) != 2:
            raise NoRegion(f"is a rectangle of {len(exterior)} points", "two corners")
        (x0, y0), (x1, y1) = exterior
        exterior = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    interior = points.get("interior") or []
    if not isinstance(interior, list):
        raise NoRegion(f"is a {kind} whose interior is no list", "lists of points")
    holes = [_points(hole, shape) for hole in interior] if kind == "polygon" else []
    return _filled(exterior, holes, shape)


def _points(value: Any, shape: tuple[int, int]) -> Points:
    """(N, 2), checked."""
    try:
        points = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # OverflowError: a whole number of hundreds of digits
        points = np.full(1, np.nan)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= _MAX_OUTSIDE * max(shape)).all():
        raise NoRegion(f"has the points {str(value)[:60]}", "points [x, y] near the image")
    return points


def _filled(exterior: Points, holes: Sequence[Points], shape: tuple[int, int]) -> Figure:
    """A polygon with its edge, less its holes with theirs."""
    whole = np.floor(exterior)
    if len(whole) < 3:
        return Figure((slice(0, 0), slice(0, 0)), np.zeros((0, 0), dtype=np.bool_), _outline(exterior))
    (left, top), (right, bottom) = whole.min(axis=0).astype(int), whole.max(axis=0).astype(int) + 1
    place, _ = _clipped((top, bottom), (left, right), shape)
    rows, columns = place
    plane = Image.new("1", (columns.stop - columns.start, rows.stop - rows.start))
    if not plane.width or not plane.height:
        return Figure(place, np.zeros((0, 0), dtype=np.bool_), _outline(exterior))
    draw = ImageDraw.Draw(plane)
    for points, value in [(whole, 1), *((np.floor(hole), 0) for hole in holes if len(hole) > 2)]:
        draw.polygon([(x - columns.start, y - rows.start) for x, y in points.tolist()], fill=value, outline=value)
    return Figure(place, np.array(plane), _outline(exterior))


def _clipped(
    rows: tuple[int, int], columns: tuple[int, int], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of a box that lies in an image of `shape`: its place there and in the box."""
    inside = []
    for (start, stop), size in zip((rows, columns), shape, strict=True):
        first, last = (min(max(value, 0), size) for value in (start, stop))
        inside.append((slice(first, last), slice(first - start, last - start)))
    return (inside[0][0], inside[1][0]), (inside[0][1], inside[1][1])


def _outline(points: Points) -> list[Points]:
    """The corners of an object; none where it lies in the first pixel, which are no shares of the image's size."""
    tiny = bool(((points == 0) | (points == 1)).all())
    return [] if tiny else [points]


def _bitmap(entry: Mapping[str, Any], shape: tuple[int, int]) -> Figure:
    bitmap = entry.get("bitmap")
    if not isinstance(bitmap, dict):
        raise NoRegion("is a bitmap without data", _A_PNG)
    origin = _points([bitmap.get("origin")], shape)
    if not len(origin):
        raise NoRegion("is a bitmap without an origin", "the pixel of its left top corner")
    region = _unpacked(bitmap.get("data"))
    left, top = np.floor(origin[0]).astype(int)
    height, width = region.shape
    place, part = _clipped((top, top + height), (left, left + width), shape)
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return Figure(place, region[part], [])
    (x0, x1), (y0, y1) = (columns[[0, -1]] + [left, left + 1]), (rows[[0, -1]] + [top, top + 1])
    return Figure(place, region[part], _outline(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)))


def _unpacked(data: Any) -> Region:
    """(H, W), True where a bitmap is drawn: what is opaque, or without transparency what is not 0."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(data, validate=True), _MOST_BYTES)
        if unpacking.unconsumed_tail:
            raise NoRegion(f"has a bitmap of more than {_MOST_BYTES:,} bytes", "a PNG of one object")
        image = load(open_image(content), Path("bitmap"))
        if "transparency" in image.info or "A" in image.getbands():
            return np.array(image.convert("RGBA").getchannel("A")) > 0
        raw = decode(content, "bitmap")
        return (raw.colors() if raw.kind == "colors" else raw.values()) > 0
    except NoRegion:
        raise
    except (TypeError, ValueError, OSError, zlib.error, DataError):
        raise NoRegion("has a bitmap that cannot be read", _A_PNG) from None
