"""LabelMe: a JSON file of shapes for each image, https://github.com/wkentaro/labelme."""

import base64
import binascii
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from pixelwise.data.convert.classes.names import Classes, Named, class_table, is_background, with_background
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.labelme.shapes import LINE_WIDTH, drawn
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE
from pixelwise.phrases import counted, listed

_IGNORED = "__ignore__"
_LABELS = "labels.txt"


class _Document(NamedTuple):
    """What is kept of a JSON file; it is read again when its image is converted, as it may hold the image too."""

    name: str
    image: str | None  # in the source; None: nowhere but perhaps in the JSON
    is_embedded: bool
    labels: Counter[str]
    thin: int  # lines and points


def read(source: Source, options: Options) -> Conversion:
    """Every JSON file of LabelMe with its image, which may be embedded in it.

    Shapes are drawn in their order, later ones on top; pixels outside all shapes are background, those in a shape
    called `__ignore__` are ignored. The order of the classes is that of a labels.txt in the source or of
    `options.classes`, else background and then the labels by name.

    Raises:
        DataError: there is no such file, or a label has no place among the classes.
    """
    lookup = Lookup(images_of(source))
    names = [name for name in source.names if name.lower().endswith(".json")]
    documents = [document for name in names if (document := _document(source, name, lookup)) is not None]
    if not documents:
        raise DataError(
            f'{source.path}: none of its {len(names)} JSON files has "shapes", as LabelMe writes them. Give the folder '
            "that LabelMe saves to, with its images."
        )
    if all(document.image is None and not document.is_embedded for document in documents):
        raise DataError(
            f"{source.path}: none of the images that its {len(documents)} JSON files name is here. Give the folder "
            "that holds both, or save with the image data in LabelMe."
        )
    used = Counter(label for document in documents for label in document.labels.elements())
    if not used:
        raise DataError(
            f"{source.path}: none of its {len(documents)} JSON files of LabelMe has a shape, expected shapes in some "
            "of them. Annotate the images first."
        )
    classes, notes = _classes(source, options, used)
    if len(documents) < len(names):
        notes.append(f"{len(names) - len(documents)} JSON files are not LabelMe's and were passed over.")
    thin = sum(document.thin for document in documents)
    if thin:
        notes.append(f"{thin} lines and points are {LINE_WIDTH} px wide in the masks, as in labelme's own export.")
    notes += _without_json(documents, source)
    short = short_names([document.name for document in documents])
    items = [_item(name, document, source, classes) for name, document in zip(short, documents, strict=True)]
    return Conversion(classes.labels, items, tuple(notes))


def _document(source: Source, name: str, images: Lookup) -> _Document | None:
    content = source.json(name)
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        return None
    if not all(isinstance(shape, dict) and str(shape.get("label") or "").strip() for shape in shapes):
        raise source.fault(
            name, "has a shape without a label", expected="a label for each", remedy="Label or delete it in LabelMe."
        )
    labels = Counter(_label(shape) for shape in shapes)
    kinds = Counter(str(shape.get("shape_type")) for shape in shapes)
    thin = sum(kinds[kind] for kind in ("line", "linestrip", "point", "points"))
    return _Document(name, _image(content, name, source, images), bool(content.get("imageData")), labels, thin)


def _label(shape: Mapping[str, Any]) -> str:
    return str(shape["label"]).strip()


def _image(content: Mapping[str, Any], name: str, source: Source, images: Lookup) -> str | None:
    """The image's name in the source: where imagePath leads, else wherever a file of this name is."""
    reference = content.get("imagePath")
    if not isinstance(reference, str) or not reference.strip():
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), reference.replace("\\", "/")))
    return path if path in source else images.find(reference, near=name)


def _classes(source: Source, options: Options, used: Counter[str]) -> tuple[Classes, list[str]]:
    """The classes, and notes on how their order came about."""
    notes = []
    known = _known(source)
    labels = [label for label in used if label != _IGNORED]
    if options.classes is None and known is not None:
        missing = [label for label in labels if label not in known]
        if missing:
            raise DataError(
                f"{source.path}: {_LABELS} lacks labels that shapes have: {listed(missing, 12)}. It lists "
                f"{listed(known, 12) or 'none'}. Complete it, or give a table with --classes."
            )
        labels = [label for label in known if label != _IGNORED]
    else:
        labels.sort(key=lambda label: (not is_background(label), label))
        if options.classes is None:
            notes.append(
                f"There is no {_LABELS}: the classes are the labels of the shapes in the order of their names."
            )
    classes = class_table(with_background([Named(label) for label in labels]), options.classes, source, used=used)
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all shapes are ignored.")
    return classes._replace(ids={**classes.ids, _IGNORED: IGNORE}), notes


def _known(source: Source) -> list[str] | None:
    """The labels that a labels.txt lists; None where there is none."""
    files = [name for name in source.names if posixpath.basename(name) == _LABELS]
    lists = [
        [line.strip() for line in source.read(name).decode("utf-8-sig", "replace").splitlines() if line.strip()]
        for name in files
    ]
    if any(each != lists[0] for each in lists):
        raise DataError(
            f"{source.path}: {' and '.join(files[:4])} differ. Expected one list of labels; give a table with "
            "--classes, or convert their folders one by one."
        )
    return list(dict.fromkeys(lists[0])) if lists else None


def _without_json(documents: Sequence[_Document], source: Source) -> list[str]:
    """A note on the images beside annotated ones that have no JSON, as labelme writes none where nobody drew."""
    taken = {posixpath.splitext(document.image)[0] for document in documents if document.image is not None}
    folders = {posixpath.dirname(stem) for stem in taken}
    bare = [
        name
        for name in images_of(source)
        if posixpath.dirname(name) in folders and posixpath.splitext(name)[0] not in taken
    ]
    if not bare:
        return []
    return [
        f"{counted(len(bare), 'image')} without a JSON file left out, as in labelme's own export: {listed(bare)}. "
        'To take one as background, give it a JSON file with "shapes": [].'
    ]


def _item(name: str, document: _Document, source: Source, classes: Classes) -> Item:
    decode = partial(_class_ids, document, source, classes)
    split = split_of(posixpath.dirname(document.name))
    if document.image is None:
        return Item(name, document.name, split, decode, partial(_embedded, document.name, source))
    return Item(name, document.image, split, decode)


def _embedded(name: str, source: Source) -> bytes:
    """The image that a JSON file holds."""
    content = source.json(name)
    if not content.get("imageData"):
        raise source.fault(
            name, f"refers to the image {content.get('imagePath')!r}, which is not here",
            expected="an image in it or beside it", remedy="Put the image beside the JSON.",
        )  # fmt: skip
    try:
        return base64.b64decode(content["imageData"])
    except (TypeError, binascii.Error, ValueError):
        raise source.fault(
            name, "has imageData that is no base64", expected="an image in it or beside it",
            remedy="Put the image beside the JSON.",
        ) from None  # fmt: skip


def _class_ids(document: _Document, source: Source, classes: Classes) -> Drawn:
    content = source.json(document.name)
    embedded = document.image is None
    image = _embedded(document.name, source) if document.image is None else source.read(document.image)
    shape = image_shape(image, document.name if embedded else str(document.image))
    _require_size(content, shape, document.name, source)
    shapes: Sequence[Mapping[str, Any]] = [{**entry, "label": _label(entry)} for entry in content["shapes"]]
    try:
        return drawn(shapes, shape, classes.ids, classes.background, of=document.name)
    except NoRegion as error:
        found, expected = error.args
        raise source.fault(
            document.name, found, expected=expected, remedy="Draw it again or delete it in LabelMe."
        ) from None


def _require_size(content: Mapping[str, Any], shape: tuple[int, int], name: str, source: Source) -> None:
    """Refuse an image that was resized after it was annotated: its shapes are elsewhere."""
    annotated = content.get("imageHeight"), content.get("imageWidth")
    if None not in annotated and annotated != shape:
        raise source.fault(
            name, f"was drawn on {annotated[1]} x {annotated[0]} px, and its image has {shape[1]} x {shape[0]} px",
            expected="the image that was annotated", remedy="Put the original image beside it.", code="size-mismatch",
        )  # fmt: skip
