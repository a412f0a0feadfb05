"""Supervisely: projects of datasets with ann/ and img/, in the format that its documents describe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pixelwise.data.convert.classes.names import Classes, Named, class_table, with_background
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.outlines import count_object
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.formats.supervisely.geometry import AREAS, figure, kind_of
from pixelwise.data.convert.formats.supervisely.project import Annotated, annotated_images, known_classes
from pixelwise.data.convert.matching.references import names_by_split
from pixelwise.data.convert.objects import NO_AREA, NO_CLASS, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted, listed, shortened


@dataclass(frozen=True)
class _Reader:
    """What all items share."""

    source: Source
    classes: Classes
    kinds: Mapping[str, str]  # {class: the kind of its objects}

    def class_ids(self, annotated: Annotated) -> Drawn:
        """(H, W): the objects of an image in their order, later ones on top."""
        content = _content(self.source, annotated.file)
        shape = image_shape(self.source.read(annotated.image), annotated.image)
        self._require_size(content, shape, annotated.file)
        class_ids, counts = np.full(shape, self.classes.background, dtype=np.uint8), Objects()
        for number, entry in enumerate(content["objects"], 1):
            title = _title(entry)
            what = f"object {number} ({shortened(title, 60)!r}) of {annotated.file}"
            kind = kind_of(entry, self.kinds.get(title))
            if kind not in AREAS:
                counts.add(f"{what}, a {shortened(kind, 60)}", NO_AREA)
                continue
            try:
                place, region, outline = figure(entry, kind, shape)
            except NoRegion as error:
                found, expected = error.args
                raise self.source.fault(
                    annotated.file, f"object {number} ({shortened(title, 60)!r}) {found}", expected=expected,
                    remedy="Draw it again or delete it in Supervisely.",
                ) from None  # fmt: skip
            class_ids[place][region] = self.classes.ids.get(title, IGNORE)
            if title in self.classes.ids:
                count_object(counts, what, outline, has_pixels=bool(region.any()), shape=shape)
            else:
                counts.add(f"{what}, a class that meta.json lacks", NO_CLASS)
        return Drawn(class_ids, counts)

    def _require_size(self, content: Mapping[str, Any], shape: tuple[int, int], file: str) -> None:
        """Refuse an image that was resized after it was annotated: its objects are elsewhere."""
        size = content.get("size")
        annotated = (size.get("height"), size.get("width")) if isinstance(size, dict) else (None, None)
        if None not in annotated and annotated != shape:
            raise self.source.fault(
                file, f"was drawn on {annotated[1]} x {annotated[0]} px, and its image has {shape[1]} x {shape[0]} px",
                expected="the image that was annotated", remedy="Put the original image into img/.",
                code="size-mismatch",
            )  # fmt: skip


def read(source: Source, options: Options) -> Conversion:
    """Every annotation of every dataset with its image.

    Classes come in the order of meta.json, after background; without it, the titles of the objects by name. Datasets
    called train, val or test are the splits. Pixels outside all objects are background.

    Raises:
        DataError: there are no annotations or none of their images, or meta.json cannot be used.
    """
    found, bare = annotated_images(source)
    if not found:
        raise DataError(
            f"{source.path}: has no folder ann of JSON files. Expected a project of Supervisely: meta.json and, for "
            "each dataset, ann/ and img/ beside each other."
        )
    if not any(each.image in source for each in found):
        raise DataError(
            f"{source.path}: none of the {counted(len(found), 'image')} that ann/ speaks of is here, such as "
            f"{found[0].image}. Export again with the images, or put them into img/ beside ann/."
        )
    known = known_classes(source)
    notes = []
    if known is None:
        classes, said = _of_titles(source, options.classes, found)
        notes.append(said)
    else:
        classes = class_table(with_background(known.named), options.classes, source)
    if bare:
        notes.append(
            f"{counted(len(bare), 'image')} without a file in ann/ left out: {listed(bare)}. To take one as "
            'background, give it one with "objects": [].'
        )
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all objects are ignored.")
    reader = _Reader(source, classes, known.kinds if known is not None else {})
    return Conversion(classes.labels, _items(found, reader), tuple(notes))


def _items(found: Sequence[Annotated], reader: _Reader) -> list[Item]:
    names = names_by_split({each.image: each.split for each in found})
    return [Item(names[each.image], each.image, each.split, partial(reader.class_ids, each)) for each in found]


def _of_titles(source: Source, given: LabelTable | None, found: Sequence[Annotated]) -> tuple[Classes, str]:
    """The classes by the titles of all objects, and a note on it."""
    used: Counter[str] = Counter()
    for each in found:
        try:
            used.update(_title(entry) for entry in _content(source, each.file)["objects"])
        except FileFault:  # reported with its image
            continue
    named = [Named(title) for title in sorted(filter(None, used))]
    return (
        class_table(with_background(named), given, source),
        "There is no meta.json: the classes are the titles of the objects in the order of their names.",
    )


def _content(source: Source, file: str) -> Mapping[str, Any]:
    """An annotation file, whose objects are checked to be some."""
    content = source.json(file)
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, list) or not all(isinstance(entry, dict) for entry in objects):
        raise source.fault(
            file, "has no list of objects", expected="the annotation of an image, as Supervisely writes it",
            remedy="Export it again.",
        )  # fmt: skip
    checked: Mapping[str, Any] = content
    return checked


def _title(entry: Mapping[str, Any]) -> str:
    title = entry.get("classTitle")
    return title.strip() if isinstance(title, str) else ""
