"""VIA, the VGG Image Annotator: projects and annotations as JSON, https://www.robots.ox.ac.uk/~vgg/software/via/."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pixelwise.data.convert.classes.names import Classes, Named, class_table, is_background, with_background
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.outlines import count_object
from pixelwise.data.convert.formats.polygons import NoRegion, polygons
from pixelwise.data.convert.formats.via.attributes import Attribute, chosen_attribute
from pixelwise.data.convert.formats.via.documents import ViaDocument, ViaImage, regions_of, via_document
from pixelwise.data.convert.formats.via.shapes import corners
from pixelwise.data.convert.matching.references import Lookup, images_of, names_by_split, split_of
from pixelwise.data.convert.objects import NO_AREA, NO_CLASS, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted, listed

_ONLY = "object"


@dataclass(frozen=True)
class _Reader:
    """What all items share."""

    source: Source
    attribute: Attribute
    classes: Classes

    def class_ids(self, image: ViaImage, file: str) -> Drawn:
        """(H, W): the regions of an image in their order, later ones on top."""
        shape = image_shape(self.source.read(file), file)
        class_ids, counts = np.full(shape, self.classes.background, dtype=np.uint8), Objects()
        what = f"the regions of {image.filename}"
        try:
            for what, drawn, values in list(regions_of(image)):
                outline = corners(drawn)
                if outline is None:
                    counts.add(f"{what}, a {drawn['name']}", NO_AREA)
                    continue
                region = polygons([outline], shape)
                name = self.attribute.class_of(values)
                class_ids[region] = IGNORE if name is None else self.classes.ids[name or self.only]
                if name is None:
                    counts.add(f"{what}, {self.attribute.amiss(values)}", NO_CLASS)
                else:
                    points = [np.array(outline).reshape(-1, 2)]
                    count_object(counts, what, points, has_pixels=bool(region.any()), shape=shape)
        except NoRegion as error:
            found, expected = error.args
            what = f"{what} {found}"
        except ValueError as error:
            what, expected = f"{error} has no shape_attributes", "those of VIA"
        else:
            return Drawn(class_ids, counts)
        raise self.source.fault(image.document, what, expected=expected, remedy="Correct it in VIA, or remove it.")

    @property
    def only(self) -> str:
        """The class of all regions where none has an attribute."""
        return next(name for name in self.classes.ids if not is_background(name))


def read(source: Source, options: Options) -> Conversion:
    """Every image of VIA's JSON files that is in the source.

    The class of a region is `options.attribute`, else its only attribute; regions without any are one class. Classes
    come in the order of the attribute's options, else by name, after background. Pixels outside all regions are
    background, those of a region without a class are ignored.

    Raises:
        DataError: there is no such file, none of its images is there, or it is open which attribute is the class.
    """
    names = [name for name in source.names if name.lower().endswith(".json")]
    documents = [document for name in names if (document := via_document(source, name)) is not None]
    if not documents:
        raise DataError(
            f"{source.path}: none of its {len(names)} JSON files is one of VIA. Expected a project of VIA 2, or "
            "annotations exported from there as JSON, with the images."
        )
    found, notes = _found(source, documents)
    if len(documents) < len(names):
        notes.append(f"{counted(len(names) - len(documents), 'JSON file')} not VIA's and passed over.")
    attributes = [values for image in found.values() for _, _, values in _readable(image)]
    attribute = chosen_attribute(source, options.attribute, attributes, [each.attributes for each in documents])
    classes, said = _classes(source, options.classes, attribute, attributes)
    notes += said
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all regions are ignored.")
    return Conversion(classes.labels, _items(found, _Reader(source, attribute, classes)), tuple(notes))


def _found(source: Source, documents: Sequence[ViaDocument]) -> tuple[dict[str, ViaImage], list[str]]:
    """{file, which may be missing: its image} and notes."""
    lookup = Lookup(images_of(source))
    by_file: dict[str, ViaImage] = {}
    again = 0
    for image in (image for document in documents for image in document.images):
        file = lookup.find(image.filename, near=image.document) or image.filename
        first = by_file.setdefault(file, image)
        if first is not image and first.regions != image.regions:
            raise DataError(
                f"{source.path}: {first.document} and {image.document} have other regions of {image.filename}. "
                "Expected one list of them; remove the file that is out of date."
            )
        again += first is not image
    if not any(file in source for file in by_file):
        raise DataError(
            f"{source.path}: none of the {counted(len(by_file), 'image')} that {documents[0].name} lists is here, such "
            f"as {next(iter(by_file))}. Give the folder that holds the images as well."
        )
    notes = [f"{counted(again, 'image')} listed twice with the same regions."] if again else []
    return by_file, notes


def _readable(image: ViaImage) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """The regions of an image; none where one is broken, which is reported with the image."""
    try:
        return list(regions_of(image))
    except ValueError:
        return []


def _classes(
    source: Source, given: LabelTable | None, attribute: Attribute, regions: Sequence[Mapping[str, Any]]
) -> tuple[Classes, list[str]]:
    """The classes, and notes on how they came about."""
    if attribute.name is None:
        names = [name for name in given.names if not is_background(name)] if given is not None else []
        only = names[0] if len(names) == 1 else _ONLY
        note = f"The regions have no attribute, so all are of one class, {only}."
        return class_table(with_background([Named(only)]), given, source), [note]
    used = {name for values in regions if (name := attribute.class_of(values)) is not None}
    known = list(dict.fromkeys(map(attribute.shown, attribute.options)))
    others = sorted(used - set(known))
    notes = []
    if others:
        notes.append(
            f"Classes are the values of {attribute.name}"
            + (f"; {listed(others)} are none of its options." if known else ", in the order of their names.")
        )
    named = [Named(name) for name in [*known, *others]]
    return class_table(with_background(named), given, source, used=used), notes


def _items(found: Mapping[str, ViaImage], reader: _Reader) -> list[Item]:
    splits = {
        file: split_of(posixpath.dirname(file)) or split_of(posixpath.dirname(image.document))
        for file, image in found.items()
    }
    names = names_by_split(splits)
    return [
        Item(names[file], file, splits[file], partial(reader.class_ids, image, file)) for file, image in found.items()
    ]
