"""CVAT's own XML, "CVAT for images 1.1": https://docs.cvat.ai/docs/dataset_management/formats/xml_format/."""

import math
import posixpath
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from pixelwise.data.convert.classes.names import Classes, Named, class_table, shown_color, with_background
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.outlines import count_object
from pixelwise.data.convert.formats.polygons import NoRegion, Region, ellipse, polygons, runs, turned
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.objects import PASSED_OVER, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.reading import MAX_PIXELS
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, Color

_AREAS = ("polygon", "box", "ellipse", "mask")
_WITHOUT_AREA = ("polyline", "points", "cuboid", "skeleton")


class _File(NamedTuple):
    """An annotations.xml."""

    name: str
    root: ElementTree.Element


def xml_files(source: Source) -> list[str]:
    """The annotation files of a source: those called annotations.xml, else every XML file."""
    names = [name for name in source.names if name.lower().endswith(".xml")]
    return [name for name in names if posixpath.basename(name).lower() == "annotations.xml"] or names


def read_xml(source: Source, options: Options) -> Conversion:
    """Every image of the files with its shapes: polygons, boxes, ellipses and masks, by z_order and then in order.

    Class 0 is background, what no shape covers; the others come in the order of the task's labels. Subsets of a
    project are its splits.

    Raises:
        DataError: a file is no such XML, has no labels, or none of its images is there.
    """
    files = [_parsed(source, name) for name in xml_files(source)]
    named = _labels(files, source)
    classes = class_table(with_background(named), options.classes, source)
    lookup = Lookup(images_of(source))
    items = [item for file in files for item in _items(file, source, classes, lookup)]
    if not any(item.image in source for item in items):
        raise DataError(
            f"{source.path}: {files[0].name} lists {len(items)} images and none is here. Export again with "
            '"Save images" switched on, or give a folder that holds annotations.xml and the images.'
        )
    notes = []
    flat = sum(len(file.root.findall(f"image/{kind}")) for file in files for kind in _WITHOUT_AREA)
    if flat:
        notes.append(f"{flat} polylines, points, cuboids and skeletons have no area in the image and were passed over.")
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all shapes are ignored.")
    return Conversion(classes.labels, items, tuple(notes))


def _parsed(source: Source, name: str) -> _File:
    expected, remedy = 'the annotations of "CVAT for images 1.1"', "Export it again in this format."
    try:
        text = source.read(name).decode("utf-8-sig")
        # Entities can be declared in a DOCTYPE only, and grow a small file beyond all memory.
        if "<!DOCTYPE" in text:
            raise source.fault(name, "has a DOCTYPE, which is not read", expected=expected, remedy=remedy)
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        raise source.fault(name, f"is no XML in UTF-8 ({error})", expected=expected, remedy=remedy) from None
    if root.tag != "annotations" or root.find("image") is None:
        found = "has tracks of a video and no images" if root.find("track") is not None else "lists no images"
        raise source.fault(name, found, expected=expected, remedy=remedy)
    return _File(name, root)


def _labels(files: Iterable[_File], source: Source) -> list[Named]:
    """The labels of the task, or of the project, in their order."""
    colors: dict[str, Color | None] = {}
    for file in files:
        for label in file.root.iterfind("meta//labels/label"):
            name = (label.findtext("name") or "").strip()
            if name and label.find("parent") is None:  # points of a skeleton have a parent
                colors.setdefault(name, shown_color(label.findtext("color")))
    if not colors:
        raise DataError(f"{source.path}: the XML lists no labels in its <meta>. Export it again.")
    return [Named(name, color) for name, color in colors.items()]


def _items(file: _File, source: Source, classes: Classes, lookup: Lookup) -> list[Item]:
    images = [image for image in file.root.iterfind("image") if image.get("name")]
    names = short_names([image.attrib["name"] for image in images])
    return [
        Item(
            name,
            lookup.find(image.attrib["name"], near=file.name) or image.attrib["name"],
            split_of(image.get("subset", "")),
            partial(_class_ids, image, file.name, source, classes),
        )
        for name, image in zip(names, images, strict=True)
    ]


def _class_ids(image: ElementTree.Element, file: str, source: Source, classes: Classes) -> Drawn:
    """(H, W): the shapes of an image, higher z_order on top."""
    try:
        shape = int(image.get("height", "")), int(image.get("width", ""))
        if min(shape) < 1 or shape[0] * shape[1] > MAX_PIXELS:
            raise NoRegion(f"has the size {shape[1]} x {shape[0]}", "a size in pixels")
        return _drawn(image, shape, classes)
    except NoRegion as error:
        found, expected = error.args
    except (KeyError, ValueError) as error:
        found, expected = f"has a shape that cannot be read ({error})", "numbers as CVAT writes them"
    raise source.fault(file, f"{image.get('name')} {found}", expected=expected, remedy="Correct it in CVAT.")


def _drawn(image: ElementTree.Element, shape: tuple[int, int], classes: Classes) -> Drawn:
    class_ids = np.full(shape, classes.background, dtype=np.uint8)
    counts = Objects()
    for entry in sorted((s for s in image if s.tag in _AREAS), key=lambda s: int(s.get("z_order", "0"))):
        label = entry.get("label", "")
        if label not in classes.ids:
            raise NoRegion(f"has a {entry.tag} of the label {label!r}", "a label of the task")
        corners = None if entry.tag == "mask" else _corners(entry.tag, entry.attrib)
        region = _mask(entry.attrib, shape) if corners is None else polygons([corners], shape)
        class_ids[region] = classes.ids[label]
        outline = [] if corners is None else [np.array(corners).reshape(-1, 2)]
        name = f"{entry.tag} {label!r} of {image.get('name')}"
        count_object(counts, name, outline, has_pixels=bool(region.any()), shape=shape)
    for entry in (s for s in image if s.tag in _WITHOUT_AREA):
        counts.add(f"{entry.tag} {entry.get('label')!r} of {image.get('name')}", PASSED_OVER)
    return Drawn(class_ids, counts)


def _corners(kind: str, entry: Mapping[str, str]) -> list[float]:
    """The polygon [x0, y0, x1, y1, ...] of one shape."""
    if kind == "polygon":
        return [float(value) for point in entry["points"].split(";") for value in point.split(",")]
    if kind == "box":
        left, top, right, bottom = (float(entry[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        center = (left + right) / 2, (top + bottom) / 2
    else:
        x, y, horizontal, vertical = (float(entry[name]) for name in ("cx", "cy", "rx", "ry"))
        center = x, y
        corners = ellipse(center, (horizontal, vertical))
    angle = math.radians(float(entry.get("rotation", "0")))
    return [value for point in turned(corners, center, angle) for value in point]


def _mask(entry: Mapping[str, str], shape: tuple[int, int]) -> Region:
    """A mask: run lengths by rows inside a box, outside first."""
    left, top, width, height = (int(float(entry[name])) for name in ("left", "top", "width", "height"))
    if not (0 <= left <= left + width <= shape[1] and 0 <= top <= top + height <= shape[0]):
        raise NoRegion(
            f"has a mask at {left}, {top} of {width} x {height} px", f"one inside {shape[1]} x {shape[0]} px"
        )
    counts = [int(count) for count in entry["rle"].split(",")]
    region = np.zeros(shape, dtype=np.bool_)
    region[top : top + height, left : left + width] = runs(counts, (height, width), by_columns=False)
    return region
