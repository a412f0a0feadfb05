"""Masks of single objects: polygons and run lengths -> (H, W) arrays of booleans."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import MissingExtra

Region = npt.NDArray[np.bool_]
"""(H, W), True on the object."""

_ELLIPSE_POINTS = 720
_MAX_OUTSIDE = 10  # image sizes; a point further out is no point of an image and would take memory without end


class NoRegion(ValueError):
    """A description that is no region of its image; `args` are what was found and what was expected.

    It knows no file: whoever reads one raises an error about it.
    """


def segmentation(value: Any, shape: tuple[int, int]) -> Region:
    """The "segmentation" of a COCO annotation: polygons, or run lengths, plain or compressed.

    COCO's format of data (https://cocodataset.org/#format-data). Several polygons are one object in parts.

    Raises:
        NoRegion: `value` is neither, or does not fit an image of `shape`.
        MissingExtra: it has polygons and pycocotools is not installed.
    """
    if isinstance(value, Mapping):
        return _run_lengths(value, shape)
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return polygons(parts_of(value), shape)
    raise NoRegion(f"has the segmentation {str(value)[:60]}", "polygons or run lengths")


def parts_of(value: Sequence[Any]) -> Sequence[Any]:
    """The polygons of a "segmentation", each as [x0, y0, x1, y1, ...].

    COCO has a list of such lists. Of one flat list (VIA's export), and of a list of points [x, y], one polygon is made.
    """
    if all(isinstance(entry, int | float) for entry in value):
        return [value]
    if all(isinstance(entry, list) and len(entry) == 2 for entry in value):
        return [[coordinate for point in value for coordinate in point]]
    return value


def ellipse(center: tuple[float, float], radii: tuple[float, float]) -> list[tuple[float, float]]:
    """The corners of a polygon for an upright ellipse or a circle."""
    angles = (2 * math.pi * i / _ELLIPSE_POINTS for i in range(_ELLIPSE_POINTS))
    return [(center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles]


def turned(
    points: Iterable[tuple[float, float]], center: tuple[float, float], radians: float
) -> Iterable[tuple[float, float]]:
    """`points` turned clockwise, as seen with y downwards, about `center`."""
    cosine, sine = math.cos(radians), math.sin(radians)
    for x, y in points:
        dx, dy = x - center[0], y - center[1]
        yield center[0] + dx * cosine - dy * sine, center[1] + dx * sine + dy * cosine


def polygons(parts: Sequence[Any], shape: tuple[int, int]) -> Region:
    """The union of polygons [x0, y0, x1, y1, ...] in pixels, filled as pycocotools does; see `segmentation`.

    Parts of fewer than three points have no area and are passed over.
    """
    height, width = shape
    checked = [_polygon(part, shape) for part in parts]
    drawn = [part for part in checked if len(part) >= 6]
    if not drawn:
        return np.zeros(shape, dtype=np.bool_)
    try:
        masks: Any = import_module("pycocotools.mask")
    except ImportError:
        raise MissingExtra("convert", "reading polygons") from None
    merged = masks.merge(masks.frPyObjects(drawn, height, width))
    return runs(_decompressed(merged["counts"].decode()), shape, by_columns=True)


def cut(region: Region) -> tuple[tuple[slice, slice], Region]:
    """Where a region lies, and this part of it: of many objects the whole planes would fill the memory."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return (slice(0, 0), slice(0, 0)), region[:0, :0]
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return place, region[place].copy()


def runs(counts: Sequence[int], shape: tuple[int, int], *, by_columns: bool) -> Region:
    """Alternating lengths of outside and inside, outside first, that fill `shape` by columns or by rows.

    Raises:
        NoRegion: a length is negative or their sum is not the number of pixels.
    """
    height, width = shape
    if any(not 0 <= count <= height * width for count in counts) or sum(counts) != height * width:
        raise NoRegion(f"has run lengths for {sum(counts)} pixels", f"{height * width} ({width} x {height} px)")
    lengths = np.asarray(counts, dtype=np.int64)
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T if by_columns else flat.reshape(height, width)


def _polygon(part: Any, shape: tuple[int, int]) -> list[float]:
    """The coordinates of one polygon, checked."""
    try:
        points = np.asarray(part, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # OverflowError: a whole number of hundreds of digits
        points = np.empty((0, 0))
    limit = _MAX_OUTSIDE * max(shape)
    if points.ndim != 1 or len(points) % 2 or not np.isfinite(points).all() or (np.abs(points) > limit).any():
        raise NoRegion(f"has the polygon {str(part)[:60]}", "numbers x, y, x, y, ... near the image")
    coordinates: list[float] = points.tolist()
    return coordinates


def _run_lengths(value: Mapping[str, Any], shape: tuple[int, int]) -> Region:
    # Not left to pycocotools, which fills up with whatever the memory holds where lengths are too few.
    counts, size = value.get("counts"), value.get("size")
    if size != list(shape):
        raise NoRegion(f"has run lengths of size {size}", f"{list(shape)}, the height and width of its image")
    if isinstance(counts, str):
        return runs(_decompressed(counts), shape, by_columns=True)
    if isinstance(counts, list) and all(isinstance(count, int) for count in counts):
        return runs(counts, shape, by_columns=True)
    raise NoRegion(f"has the run lengths {str(counts)[:60]}", "numbers or COCO's compressed text")


def _decompressed(text: str) -> list[int]:
    """The lengths of a compressed text: `rleFrString` in common/maskApi.c of github.com/cocodataset/cocoapi.

    Each character holds 5 bits and whether more follow, the last one the sign; from the fourth length on, the
    difference to the length before the last is stored.
    """
    codes = np.frombuffer(text.encode("utf-8"), dtype=np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    digits = ends - starts + 1
    if not len(ends) or ends[-1] != len(codes) - 1 or (codes < 0).any() or (codes > 63).any() or (digits > 7).any():
        raise NoRegion(f"has the run lengths {text[:30]!r}", "COCO's compressed text")
    place = np.arange(len(codes)) - np.repeat(starts, digits)
    lengths = np.add.reduceat((codes & 31) << (5 * place), starts)
    lengths = np.where(codes[ends] & 16, lengths - (np.int64(1) << (5 * digits)), lengths)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    numbers: list[int] = lengths.tolist()
    return numbers
