"""The mask of one image of COCO: painted objects, or the segments of a panoptic PNG."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pixelwise.data.convert.classes.names import Classes
from pixelwise.data.convert.conversion import Drawn
from pixelwise.data.convert.formats.coco.ids import plain_id
from pixelwise.data.convert.formats.outlines import Points, count_object
from pixelwise.data.convert.formats.polygons import NoRegion, Region, cut, parts_of, segmentation
from pixelwise.data.convert.matching.references import Lookup
from pixelwise.data.convert.objects import EMPTY, NO_CATEGORY, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.data.reading import MAX_PIXELS
from pixelwise.labels import IGNORE


class Document(NamedTuple):
    """An annotation file."""

    name: str
    kind: str
    images: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]
    categories: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Reader:
    """What all items of a conversion share."""

    source: Source
    classes: Classes
    category_names: Mapping[int, str]
    images: Lookup
    pngs: Lookup

    def class_id(self, category: Any, name: str) -> int:
        """The class id of a category, which must be one of the list."""
        if not self.knows(category):
            raise self.source.fault(
                name, f"has an annotation of category {category!r}", expected="a category of its list",
                remedy="Export it again.",
            )  # fmt: skip
        return self.classes.ids.get(self.category_names[plain_id(category)], IGNORE)

    def knows(self, category: Any) -> bool:
        """Whether the list has this category."""
        return plain_id(category) in self.category_names


def painted(
    document: Document, image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], reader: Reader
) -> Drawn:
    """(H, W) class ids of an image whose objects are polygons or run lengths."""
    shape = _shape(document, image, reader.source)
    unlabelled = reader.classes.background if document.kind == "instances" else IGNORE
    class_ids = np.full(shape, unlabelled, dtype=np.uint8)
    objects, counts = [], Objects()
    for annotation in annotations:
        category, name = annotation.get("category_id"), f"annotation {annotation.get('id')} of {image['file_name']}"
        place, region = cut(_region(document, image, annotation, reader.source, shape))
        if reader.knows(category):
            outline = _outline(annotation["segmentation"])
            count_object(counts, name, outline, has_pixels=bool(region.size), shape=shape)
        else:
            counts.add(f"{name}, whose category_id is {category!r}", NO_CATEGORY)
        class_id = reader.class_id(category, document.name) if reader.knows(category) else IGNORE
        crowd = bool(annotation.get("iscrowd", 0))
        objects.append((not crowd, -int(region.sum()), class_id, place, region))
    for _, _, class_id, place, region in sorted(objects, key=lambda entry: entry[:2]):
        class_ids[place][region] = class_id
    return Drawn(class_ids, counts)


def _outline(value: Any) -> list[Points]:
    """The polygons of a segmentation that was read; none where it has run lengths."""
    parts = [] if isinstance(value, Mapping) else parts_of(value)
    return [np.asarray(part, dtype=np.float64).reshape(-1, 2) for part in parts]


def _region(
    document: Document, image: Mapping[str, Any], annotation: Mapping[str, Any], source: Source, shape: tuple[int, int]
) -> Region:
    try:
        return segmentation(annotation.get("segmentation"), shape)
    except NoRegion as error:
        found, expected = error.args
        raise source.fault(
            document.name, f"annotation {annotation.get('id')} of {image['file_name']} {found}", expected=expected,
            remedy="Draw the object's mask, or remove the annotation.",
        ) from None  # fmt: skip


def _shape(document: Document, image: Mapping[str, Any], source: Source) -> tuple[int, int]:
    height, width = image.get("height"), image.get("width")
    # JSON's true is a number to Python.
    if type(height) is int and type(width) is int and height > 0 < width and height * width <= MAX_PIXELS:
        return height, width
    raise source.fault(
        document.name, f"gives {image['file_name']} the size {width} x {height}",
        expected="width and height in pixels", remedy="Export it again.",
    )  # fmt: skip


def segments(
    document: Document, image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], reader: Reader
) -> Drawn:
    """(H, W) class ids of an image with a panoptic PNG, whose colours are ids: R + 256 G + 65536 B."""
    own_name = posixpath.splitext(posixpath.basename(image["file_name"]))[0] + ".png"
    reference = str(annotations[0].get("file_name") or own_name)
    folder = posixpath.splitext(document.name)[0]
    name = reader.pngs.find(reference, near=f"{folder}/{reference}")
    if name is None:
        raise reader.source.fault(
            document.name, f"refers to {reference}, which is missing", expected=f"the PNG files in {folder}/",
            remedy=f"Unpack {folder}.zip there.",
        )  # fmt: skip
    colors = decode(reader.source.read(name), name).colors().astype(np.int64)
    ids = (colors >> 16) | (colors & 0xFF00) | ((colors & 0xFF) << 16)
    classes = {0: IGNORE} | {
        plain_id(segment.get("id")): reader.class_id(segment.get("category_id"), document.name)
        for segment in annotations[0].get("segments_info") or []
    }
    present, inverse = np.unique(ids, return_inverse=True)
    unknown = [int(i) for i in present if int(i) not in classes]
    if unknown:
        raise reader.source.fault(
            name, f"has the segment {unknown[0]}, which {document.name} does not list",
            expected="ids of its segments_info", remedy="Fetch both again.",
        )  # fmt: skip
    table = np.array([classes[int(i)] for i in present], dtype=np.uint8)
    counts, drawn = Objects(), set(present.tolist())
    for segment in [listed for listed in classes if listed]:
        counts.add(f"segment {segment} of {name}", None if segment in drawn else EMPTY)
    return Drawn(table[inverse].reshape(ids.shape), counts)


def objects_of(annotation: Mapping[str, Any]) -> int:
    """How many objects an annotation holds: one, or the segments of a panoptic image."""
    return len(annotation.get("segments_info") or [annotation])


DECODERS: Mapping[str, Callable[..., Drawn]] = {
    "panoptic": segments,
    "stuff": painted,
    "instances": painted,
}
"""By kind of annotations: (document, image, its annotations, reader) -> (H, W) class ids."""
