"""Regions of Label Studio -> class ids; coordinates are percent of the image's sides."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pixelwise.data.convert.conversion import Drawn
from pixelwise.data.convert.formats.label_studio.brush import brush
from pixelwise.data.convert.formats.outlines import Points, count_object
from pixelwise.data.convert.formats.polygons import NoRegion, Region, polygons
from pixelwise.data.convert.objects import NO_CATEGORY, PASSED_OVER, Objects
from pixelwise.labels import IGNORE

_FURTHEST = 1e6  # percent; what is that far out, or nan, is no place in a picture
_CORNERS = 128  # of the polygon that stands for an ellipse: off by 0.03 % of its radius at most


class Labelled(NamedTuple):
    """A region as Label Studio exports it."""

    name: str  # for messages
    label: str | None  # None: nobody said what it is
    value: Mapping[str, Any]
    size: tuple[Any, Any]  # original_height, original_width as the file has them
    rotation: Any  # image_rotation: how the image was turned while it was labelled
    labels: int = 1  # how many it has; the first counts

    @property
    def kind(self) -> str | None:
        """What the region is, by the fields that it has; None for what has no area (points, choices, texts)."""
        fields = self.value.keys()
        if "rle" in fields or "format" in fields:
            return "brush"
        if "points" in fields:
            return "polygon"
        if {"radiusX", "radiusY"} & fields:
            return "ellipse"
        return "rectangle" if {"x", "y", "width", "height"} <= fields and "keypointlabels" not in fields else None


def drawn(regions: Sequence[Labelled], shape: tuple[int, int], ids: Mapping[str, int], background: int) -> Drawn:
    """(H, W) class ids: the regions in their order, later ones on top; those without a label are ignored.

    Raises:
        NoRegion: a region has no coordinates that its kind can have, or belongs to an image of another size.
        MissingExtra: there are outlines and pycocotools is not installed.
    """
    class_ids = np.full(shape, background, dtype=np.uint8)
    counts = Objects()
    for region in regions:
        if region.kind is None:
            counts.add(region.name, PASSED_OVER)
            continue
        plane, outline = _plane(region, shape)
        if region.label is None:
            counts.add(region.name, NO_CATEGORY)
        else:
            count_object(counts, region.name, outline, has_pixels=bool(plane.any()), shape=shape)
        class_ids[plane] = IGNORE if region.label is None else ids[region.label]
    return Drawn(class_ids, counts)


def _plane(region: Labelled, shape: tuple[int, int]) -> tuple[Region, list[Points]]:
    """Where a region is, and its outline; none of a brush stroke."""
    height, width = shape
    if region.rotation not in (0, None):
        raise NoRegion(
            f"has {region.name} on its image turned by {str(region.rotation)[:20]} degrees", "upright images"
        )
    if None not in region.size and region.size != shape:
        original = " x ".join(str(side)[:20] for side in region.size[::-1])
        raise NoRegion(f"has {region.name} on {original} px", f"an image of this size; it has {width} x {height} px")
    try:
        if region.kind == "brush":
            if region.value.get("format", "rle") != "rle":
                raise NoRegion(f"has a brush stroke of the format {str(region.value['format'])[:20]!r}", "rle")
            return brush(region.value.get("rle"), shape), []
        points = _OUTLINES[str(region.kind)](region.value, shape)
        return polygons([points.ravel().tolist()], shape), [points]
    except NoRegion as error:
        found, expected = error.args
        raise NoRegion(f"{found} in {region.name}", expected) from None


def _polygon(value: Mapping[str, Any], shape: tuple[int, int]) -> Points:
    points = value["points"]
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise NoRegion(f"has the points {str(points)[:40]}", "points [x, y] in percent of the image")
    return np.array([_pixels(point, shape) for point in points]).reshape(-1, 2)


def _rectangle(value: Mapping[str, Any], shape: tuple[int, int]) -> Points:
    """Four corners; it is turned about its first one, clockwise."""
    corner = _pixels([value["x"], value["y"]], shape)
    wide, high = _pixels([value["width"], value["height"]], shape)
    return corner + np.array([(0, 0), (wide, 0), (wide, high), (0, high)]) @ _turned(value)


def _ellipse(value: Mapping[str, Any], shape: tuple[int, int]) -> Points:
    """A polygon of _CORNERS corners; an ellipse is turned about its middle."""
    middle = _pixels([value.get("x"), value.get("y")], shape)
    radii = _pixels([value.get("radiusX"), value.get("radiusY")], shape)
    angles = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    return middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii @ _turned(value)


_OUTLINES = {"polygon": _polygon, "rectangle": _rectangle, "ellipse": _ellipse}


def _turned(value: Mapping[str, Any]) -> Points:
    """(2, 2), by which points (x, y) are multiplied to turn them clockwise as seen, where y runs downwards."""
    angle = math.radians(_number(value.get("rotation") or 0))
    return np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])


def _pixels(percent: Sequence[Any], shape: tuple[int, int]) -> Points:
    return np.array([_number(part) for part in percent]) * np.array(shape[::-1], dtype=np.float64) / 100


def _number(value: Any) -> float:
    try:
        number = float(value) if not isinstance(value, (bool, str)) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _FURTHEST:
        raise NoRegion(f"has the coordinate {str(value)[:20]!r}", "numbers in percent of the image")
    return number
