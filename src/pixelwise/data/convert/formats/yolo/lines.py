"""A label file of YOLO: lines of a class and an outline, in shares of the image's width and height.

The format: https://docs.ultralytics.com/datasets/segment/. As there, a line of a class and four numbers is a box.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.data.convert.conversion import Drawn
from pixelwise.data.convert.formats.outlines import Points, count_object
from pixelwise.data.convert.formats.polygons import NoRegion, Region, cut, polygons
from pixelwise.data.convert.objects import BOXES, IN_PIXELS, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault
from pixelwise.phrases import shortened

EXPECTED = "a class and x1 y1 x2 y2 x3 y3 ... from 0 to 1"
_BOX = 4
_FAR = 2  # shares of the image; an outline with more is in pixels


class LabelLine(NamedTuple):
    """An object as a file has it."""

    number: int  # of the line
    class_number: int
    coordinates: Sequence[float]


def label_lines(source: Source, name: str) -> list[LabelLine]:
    """The objects of a label file; empty lines do not count.

    Raises:
        FileFault: a line is none of a class and finite numbers.
    """
    text = source.read(name).decode("utf-8-sig", "replace")
    return [_line(source, name, i, line.split()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]


def _line(source: Source, name: str, number: int, words: Sequence[str]) -> LabelLine:
    values = []
    for word in words:
        try:
            values.append(float(word))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise line_fault(source, name, number, f"has {shortened(word, 40)!r}", "numbers separated by spaces")
    if not values[0].is_integer() or not 0 <= values[0] < 2**31:
        raise line_fault(source, name, number, f"begins with {shortened(words[0], 40)!r}", "the number of a class")
    return LabelLine(number, int(values[0]), values[1:])


def line_fault(source: Source, name: str, number: int, found: str, expected: str) -> FileFault:
    """An error about one line, for raising."""
    return source.fault(
        name, f"line {number} {found}", expected=expected, remedy="Correct the line, or export the labels again."
    )


def drawn(source: Source, name: str, shape: tuple[int, int], ids: Mapping[int, int], *, background: int) -> Drawn:
    """(H, W) class ids: the outlines of a label file, smaller ones on top, as Ultralytics trains on them.

    `ids` is {class in the labels: class id}. Boxes and outlines in pixels are counted and not drawn.

    Raises:
        FileFault: a line has no outline, or a class that `ids` lacks.
    """
    counts = Objects()
    regions: list[tuple[int, tuple[slice, slice], Region]] = []
    for line in label_lines(source, name):
        if line.class_number not in ids:
            expected = f"one of the classes 0 to {max(ids)}" if len(ids) > max(ids) else "a class that is named"
            raise line_fault(source, name, line.number, f"is of the class {line.class_number}", expected)
        what = f"line {line.number} of {name}"
        if len(line.coordinates) == _BOX:
            counts.add(what, BOXES)
            continue
        points = _points(source, name, line)
        if points.max() > _FAR and np.median(points) > 1:
            counts.add(what, IN_PIXELS)
            continue
        outline = points * np.array(shape[::-1])
        try:
            place, region = cut(polygons([outline.ravel().tolist()], shape))
        except NoRegion:
            found = f"has coordinates up to {float(np.abs(points).max()):g}"
            raise line_fault(source, name, line.number, found, EXPECTED) from None
        # What lies in the first pixel is small, and not in shares that were taken for pixels.
        tiny = bool(((outline >= 0) & (outline <= 1)).all())
        count_object(counts, what, [] if tiny else [outline], has_pixels=bool(region.size), shape=shape)
        regions.append((ids[line.class_number], place, region))
    class_ids = np.full(shape, background, dtype=np.uint8)
    for class_id, place, region in sorted(regions, key=lambda entry: -int(entry[2].sum())):
        class_ids[place][region] = class_id
    return Drawn(class_ids, counts)


def _points(source: Source, name: str, line: LabelLine) -> Points:
    count = len(line.coordinates)
    if not count or count % 2:
        found = f"has {count} numbers behind its class" if count else "has a class alone"
        raise line_fault(source, name, line.number, found, f"{EXPECTED}: an even number of them, without a confidence")
    return np.array(line.coordinates, dtype=np.float64).reshape(-1, 2)
