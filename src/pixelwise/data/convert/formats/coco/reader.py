"""COCO: panoptic PNG and JSON, instances and stuff as JSON of polygons or run lengths, stuff as PNG.

The layouts are those of https://cocodataset.org/#format-data; ids of categories have gaps there and become class ids
without any.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pixelwise.data.convert.classes.names import Named, by_number, class_table, with_background
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.coco.ids import Ids, plain_id
from pixelwise.data.convert.formats.coco.masks import DECODERS, Document, Reader, objects_of
from pixelwise.data.convert.formats.coco.pixelmaps import read_pixelmaps
from pixelwise.data.convert.matching.patterns import match
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.objects import NO_IMAGE, Objects
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, Color
from pixelwise.phrases import listed

_KINDS = ("panoptic", "stuff", "instances")
_OTHER_KINDS = ("captions", "image_info", "person_keypoints")
_PARTS = ("images", "annotations", "categories")
_IDS = ("id", "image_id", "category_id")


def read(source: Source, options: Options) -> Conversion:
    """Every image of the annotation files of one kind that is in the source, with its classes.

    `options.masks` chooses among annotation files ("annotations/stuff_*.json") or names PNG masks. In instances,
    pixels outside every object are background, and smaller objects are drawn over larger ones; crowds come first.
    In panoptic and stuff annotations, pixels without a segment are ignored.

    Raises:
        DataError: there are no annotations or several kinds, their lists of categories disagree, or no image is there.
    """
    documents = list(_documents(source, options.masks))
    if not documents:
        return read_pixelmaps(source, options)
    named, category_names, notes = _categories(documents)
    kind = documents[0].kind
    instances = kind == "instances"
    classes = class_table(with_background(named) if instances else named, options.classes, source)
    pngs = Lookup(name for name in source.names if name.lower().endswith(".png"))
    reader = Reader(source, classes, category_names, Lookup(images_of(source)), pngs)
    if not any(document.annotations for document in documents):
        raise DataError(
            f"{source.path}: {listed(document.name for document in documents)} lists no annotation, expected objects "
            "of some images. Annotate them, or export the annotations again."
        )
    items, orphans = [], Objects()
    for document in documents:
        found, said = _items(document, reader, orphans)
        items += found
        notes += said
    if orphans.given == sum(objects_of(annotation) for document in documents for annotation in document.annotations):
        raise DataError(f"{source.path}: {orphans.refusal()}")
    if not items:
        raise DataError(
            f"{source.path}: has none of the images that {', '.join(document.name for document in documents)} list. "
            "Give the folder that holds the images as well as the annotations."
        )
    if instances:
        notes.append("Where objects overlap, the smaller one is on top; crowd regions lie beneath all others.")
        if classes.background == IGNORE:
            notes.append("No class of the table given is called background: pixels outside all objects are ignored.")
    return Conversion(classes.labels, items, tuple(notes), orphans)


def _documents(source: Source, pattern: str | None) -> Iterator[Document]:
    """The annotation files to read; none where the masks are PNG alone."""
    if pattern is not None and not pattern.lower().endswith(".json"):
        return
    names = [name for name in source.names if name.lower().endswith(".json")]
    if pattern is not None:
        names = [name for name, _ in match(source.names, pattern)]
        if not names:
            raise DataError(f"{source.path}: no file fits --masks {pattern!r}.")
    else:
        names = [name for name in names if not _stem(name).startswith(_OTHER_KINDS)]
        names = [name for name in names if _stem(name).startswith(_KINDS)] or names
    _require_one_kind({kind for name in names for kind in _KINDS if _stem(name).startswith(kind)}, source)
    documents = [document for name in names if (document := _document(source, name)) is not None]
    _require_one_kind({document.kind for document in documents}, source)
    if pattern is not None and not documents:
        raise DataError(f"{source.path}: {listed(names)}: no lists of {', '.join(_PARTS)}, which COCO's have.")
    yield from documents


def _document(source: Source, name: str) -> Document | None:
    """The annotations of a file; None where it has none."""
    content = source.json(name)
    parts: list[Any] = [content.get(part) for part in _PARTS] if isinstance(content, dict) else []
    if not parts or not all(isinstance(part, list) for part in parts) or not (parts[0] and parts[2]):
        return None
    for part, entries in zip(_PARTS, parts, strict=True):
        odd = [entry for entry in entries if not _has_plain_ids(entry)][:1]
        if odd:
            found = f"lists {str(odd[0])[:80]} in its {part}"
            raise source.fault(name, found, expected="objects with ids that are numbers", remedy="Export it again.")
    kind = next((kind for kind in _KINDS if _stem(name).startswith(kind)), "instances")
    if any("segments_info" in annotation for annotation in parts[1][:100]):
        kind = "panoptic"
    return Document(name, kind, *parts)


def _has_plain_ids(entry: Any) -> bool:
    """Whether an entry of a list, and each segment in it, is an object whose ids can be looked up."""
    if not isinstance(entry, dict) or not all(_is_id(entry.get(key, 0)) for key in _IDS):
        return False
    segments = entry.get("segments_info", [])
    return isinstance(segments, list) and all(
        isinstance(segment, dict) and all(_is_id(segment.get(key, 0)) for key in _IDS) for segment in segments
    )


def _is_id(value: Any) -> bool:
    return isinstance(plain_id(value), (int, str))


def _require_one_kind(kinds: set[str], source: Source) -> None:
    if len(kinds) > 1:
        raise DataError(
            f"{source.path}: has annotations of several kinds: {', '.join(sorted(kinds))}. Choose one with --masks, "
            f'such as --masks "**/{min(kinds)}_*.json".'
        )


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0].lower()


def _categories(documents: Sequence[Document]) -> tuple[list[Named], dict[int, str], list[str]]:
    """The classes in the order of their ids, {category id: name} and notes."""
    names: dict[int, str] = {}
    colors: dict[str, Any] = {}
    for document in documents:
        for category in document.categories:
            category_id, name = plain_id(category.get("id")), category.get("name")
            if not isinstance(category_id, int) or not isinstance(name, str) or not name.strip():
                raise DataError(f"{document.name}: has the category {category}, expected one with an id and a name.")
            if names.setdefault(category_id, name.strip()) != name.strip():
                raise DataError(
                    f"{document.name}: category {category_id} is called {name!r}, in {documents[0].name} it is called "
                    f"{names[category_id]!r}. Expected one list of categories; convert the files one by one."
                )
            colors.setdefault(name.strip(), category.get("color"))
    named, notes = by_number(names, {name: _color(color) for name, color in colors.items()}, "categories")
    return named, names, notes


def _color(value: Any) -> Color | None:
    """The colour [red, green, blue] of a category; colours are for show, so that odd ones are passed over."""
    if isinstance(value, list) and len(value) == 3 and all(isinstance(v, int) and 0 <= v <= 255 for v in value):
        return value[0], value[1], value[2]
    return None


def _items(document: Document, reader: Reader, orphans: Objects) -> tuple[list[Item], list[str]]:
    """The images of one file that are in the source, and notes on the others; what has no image joins `orphans`."""
    images = [image for image in document.images if isinstance(image.get("file_name"), str)]
    by_image = _by_image(document, images, orphans)
    names = short_names([image["file_name"] for image in images])
    split = split_of(document.name)
    items, without = [], 0
    for image, name in zip(images, names, strict=True):
        annotations = by_image.get(image.get("id"), [])
        if not annotations and document.kind != "instances":
            without += 1
            continue
        found = reader.images.find(image["file_name"], near=document.name)
        decode = partial(DECODERS[document.kind], document, image, annotations, reader)
        items.append((Item(name, found or image["file_name"], split, decode), found is not None))
    notes = [f"{document.name}: {without} images have no annotation and were left out."] if without else []
    if items and not any(found for _, found in items):
        return [], [*notes, f"{document.name}: none of its {len(images)} images is here; the file was left out."]
    return [item for item, _ in items], notes


def _by_image(
    document: Document, images: Sequence[Mapping[str, Any]], orphans: Objects
) -> dict[Any, list[Mapping[str, Any]]]:
    """{id of an image: its annotations}."""
    ids = Ids(image["id"] for image in images if image.get("id") is not None)
    found: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in document.annotations:
        image = ids.find(annotation.get("image_id"))
        if image is None:
            named = f"annotation {annotation.get('id')} of {document.name}"
            orphans.add(
                f"{named}, whose image_id is {annotation.get('image_id')!r}", NO_IMAGE, count=objects_of(annotation)
            )
        else:
            found[image].append(annotation)
    return found
