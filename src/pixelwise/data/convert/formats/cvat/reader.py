"""CVAT: archives of "Segmentation mask 1.1", and of "CVAT for images 1.1" (see cvat_xml).

The layout of the masks is described in https://docs.cvat.ai/docs/dataset_management/formats/format-smask/: colour
masks in SegmentationClass, their names in ImageSets/Segmentation, the colours in labelmap.txt.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.color_tables import label_map_in
from pixelwise.data.convert.classes.mapping import class_ids_of, colors_of
from pixelwise.data.convert.classes.names import Named, class_table
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.cvat.xml import read_xml, xml_files
from pixelwise.data.convert.matching.references import Lookup, images_of, split_of
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import color_number
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable

_MASKS = "SegmentationClass"
_OBJECTS = "SegmentationObject"
_LABELS = "labelmap.txt"
_LISTS = "ImageSets/Segmentation/"
_BORDER = "ignored"  # what Datumaro, which writes these archives, calls PASCAL VOC's border


class _Table(NamedTuple):
    """What pixels become."""

    labels: LabelTable
    colors: Mapping[int, int]  # {0xRRGGBB: class id}
    indices: Mapping[int, int]  # {place in labelmap.txt: class id}
    notes: tuple[str, ...]


def read(source: Source, options: Options) -> Conversion:
    """Every mask of SegmentationClass with its image; the lists in ImageSets say the splits.

    Classes come in the order of labelmap.txt. Without masks, annotations.xml is read.

    Raises:
        DataError: there are neither masks nor annotations, there are no images, or colours and names are unknown.
    """
    roots = source.prefixes(_MASKS)
    if not roots:
        if xml_files(source):
            return read_xml(source, options)
        raise DataError(
            f"{source.path}: has neither {_MASKS} nor annotations.xml. Export from CVAT as "
            '"Segmentation mask 1.1" or "CVAT for images 1.1", with "Save images" switched on.'
        )
    table = _table(source, roots, options)
    masks = tuple(f"{root}{folder}/" for root in roots for folder in (_MASKS, _OBJECTS))
    images = Lookup((name for name in images_of(source) if not name.startswith(masks)), stems=True)
    items = [item for root in roots for item in _items(source, root, images, table)]
    if not items:
        raise DataError(f"{source.path}: {_MASKS} has no PNG masks. Export it again.")
    if not any(item.image in source for item in items):
        raise DataError(
            f'{source.path}: has masks and no images. Export again with "Save images" switched on, or give a folder '
            f"that holds the images as well, for instance in JPEGImages beside {_MASKS}."
        )
    return Conversion(table.labels, items, table.notes)


def _items(source: Source, root: str, images: Lookup, table: _Table) -> list[Item]:
    """The masks of one folder, each with its image or with the place where one is expected."""
    splits = _splits(source, root)
    folder = f"{root}{_MASKS}/"
    items = []
    for mask in source.names:
        if mask.startswith(folder) and mask.lower().endswith(".png"):
            name = posixpath.splitext(mask.removeprefix(folder))[0]
            image = images.find(name, near=f"{root}JPEGImages/{name}") or f"{root}JPEGImages/{name}.jpg"
            items.append(Item(name, image, splits.get(name), partial(_class_ids, source, mask, table)))
    return items


def _splits(source: Source, root: str) -> dict[str, str | None]:
    """{name: split} from the lists; "default" is what CVAT calls images without one."""
    return {
        line.strip(): split_of(posixpath.basename(name))
        for name in source.names
        if name.startswith(root + _LISTS) and name.endswith(".txt")
        for line in source.read(name).decode("utf-8-sig", "replace").splitlines()
    }


def _table(source: Source, roots: list[str], options: Options) -> _Table:
    """The classes of all folders, which must have one labelmap.txt or equal ones."""
    files = [root + _LABELS for root in roots if root + _LABELS in source]
    lists = [label_map_in(source, name) for name in files]
    if any(listed != lists[0] for listed in lists):
        raise DataError(f"{source.path}: {' and '.join(files)} differ. Convert their folders one by one.")
    if not lists:
        if options.classes is None:
            raise DataError(
                f"{source.path}: has no {_LABELS}, which names the colours. Give them with --classes; PASCAL VOC's own "
                "21 classes are converted with `voc`."
            )
        return _Table(options.classes, colors_of(options.classes), {}, ())
    named = [Named(name, color, (color,)) for name, color in lists[0].items()]
    has_border = _BORDER in lists[0] and options.classes is None
    classes = class_table(
        [entry for entry in named if not (has_border and entry.name == _BORDER)], options.classes, source
    )
    labels, notes = classes.labels, []
    if has_border:
        labels = replace(labels, ignored=(lists[0][_BORDER],))
        notes.append(f"The label {_BORDER!r} is ignored, as the border in PASCAL VOC's masks.")
    elif left_out := [name for name in lists[0] if name not in classes.ids]:
        notes.append(f"The table given has no place for {left_out[0]}, which is ignored.")
    colors = {color_number(color): classes.ids.get(name, IGNORE) for name, color in lists[0].items()}
    indices = {i: classes.ids.get(name, IGNORE) for i, name in enumerate(lists[0])}
    return _Table(labels, colors, indices, tuple(notes))


def _class_ids(source: Source, mask: str, table: _Table) -> npt.NDArray[np.uint8]:
    """Class ids by colours; a gray mask whose grays are no colours of classes has the labels' numbers."""
    raw = decode(source.read(mask), mask)
    colors = raw.colors()
    if table.indices and raw.kind == "gray":
        known = np.isin(colors, np.array(list(table.colors), dtype=np.uint32))
        if not known.all():
            return class_ids_of(raw.values(), table.indices, mask)
    return class_ids_of(colors, table.colors, mask)
