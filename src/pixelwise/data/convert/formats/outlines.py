"""Whether an object of a source left anything in its mask: by its outline and by whether it has pixels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.objects import EMPTY, MOSTLY_OUTSIDE, NORMALISED, OUTSIDE, Furthest, Objects

Points = npt.NDArray[np.float64]
"""(N, 2) corners x, y in pixels."""

_MOST_OUTSIDE = 0.5


def count_object(
    objects: Objects, name: str, outline: Sequence[Points], *, has_pixels: bool, shape: tuple[int, int]
) -> None:
    """Add the object called `name` to `objects`.

    `outline` are the polygons that it is made of; none where it is a mask. `has_pixels`: before others cover it.
    """
    reason = _reason(outline, has_pixels, shape)
    points = np.concatenate(outline) if outline else np.empty((0, 2))
    if reason in (OUTSIDE, MOSTLY_OUTSIDE, NORMALISED):
        (height, width), (left, top), (right, bottom) = shape, points.min(axis=0), points.max(axis=0)
        name = f"{name}, x {left:g} to {right:g} and y {top:g} to {bottom:g} in {width} x {height} px"
        found = Furthest(round(float(right), 2), round(float(bottom), 2), width, height)
        if reason != NORMALISED and found.ratio > objects.reach.ratio:
            objects.reach = found
    objects.add(name, reason)


def _reason(outline: Sequence[Points], has_pixels: bool, shape: tuple[int, int]) -> str | None:
    """Why an object is named; None: it lies where it should."""
    points = np.concatenate(outline) if outline else np.empty((0, 2))
    if not len(points):
        return None if has_pixels else EMPTY
    if (points >= 0).all() and (points <= 1).all() and max(shape) > 1:
        return NORMALISED if has_pixels or _area(outline) else EMPTY
    share = _share_outside(outline, shape)
    if has_pixels:
        return MOSTLY_OUTSIDE if share > _MOST_OUTSIDE else None
    size = np.array(shape[::-1])
    apart = (points.max(axis=0) < 0).any() or (points.min(axis=0) > size).any()
    return OUTSIDE if apart or share > _MOST_OUTSIDE else EMPTY


def sticks_out(points: Points, shape: tuple[int, int]) -> bool:
    """Whether any of `points` lies outside of an image of `shape`."""
    return bool((points < 0).any() or (points > np.array(shape[::-1])).any())


def _share_outside(outline: Sequence[Points], shape: tuple[int, int]) -> float:
    """Which share of the area lies outside of an image of `shape`; 0 where there is no area."""
    if not any(sticks_out(part, shape) for part in outline):
        return 0.0
    area = _area(outline)
    inside = _area([_clipped(part, shape) for part in outline])
    return 1 - inside / area if area else 0.0


def _area(outline: Sequence[Points]) -> float:
    """The area of polygons by the shoelace formula."""
    return sum(abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2 for x, y in (part.T for part in outline))


def _clipped(points: Points, shape: tuple[int, int]) -> Points:
    """A polygon cut to its image: Sutherland and Hodgman, "Reentrant polygon clipping", CACM 17(1), 1974."""
    height, width = shape
    for axis, bound, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        after = np.roll(points, -1, axis=0)
        kept: list[Points] = []
        for point, following in zip(points, after, strict=True):
            here, there = sign * (point[axis] - bound), sign * (following[axis] - bound)
            kept += [point] if here >= 0 else []
            if here * there < 0:
                kept.append(point + (following - point) * here / (here - there))
        points = np.array(kept).reshape(-1, 2)
    return points
