"""PASCAL VOC folders: JPEGImages, SegmentationClass and the lists in ImageSets/Segmentation.

The layout is that of the VOC development kit (http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html):
palette PNGs of class indices, 255 for the border. Many other datasets come in it, with other classes.
"""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.voc.classes import VocClasses, classes
from pixelwise.data.convert.formats.voc.lists import read_lists
from pixelwise.data.convert.source import Source
from pixelwise.data.dataset.channels import IMAGE_SUFFIXES
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import PALETTES
from pixelwise.errors import DataError

_MASK = re.compile(r"((?:.*/)?)(SegmentationClass[^/]*)/(.+)\.png", re.IGNORECASE)
_IMAGE = re.compile(r"((?:.*/)?)JPEGImages/(.+)(\.[^./]+)")


class _Folder(NamedTuple):
    """One place where masks and images lie side by side, such as VOCdevkit/VOC2012/."""

    root: str
    masks_folder: str
    masks: dict[str, str]  # {stem: name in the source}
    images: dict[str, str]


def read(source: Source, options: Options) -> Conversion:
    """Read a VOC folder or several of them (VOCdevkit/VOC2007, VOC2012).

    The classes are, in this order: the table given; labelmap.txt (CVAT: names and colours); class_names.txt
    (labelme: names by line); VOC's own twenty and the background, if the files are named as VOC names its images.

    Raises:
        DataError: no such folder, or nothing says what the classes are.
    """
    folders = _folders(source)
    meaning = classes(source, options, [(folder.root, folder.masks_folder, folder.masks) for folder in folders])
    items: list[Item] = []
    notes = list(meaning.notes)
    for folder in folders:
        found, said = _items(source, folder, meaning, several=len(folders) > 1)
        items += found
        notes += said
    return Conversion(meaning.labels, items, tuple(notes))


def _folders(source: Source) -> list[_Folder]:
    masks: dict[str, dict[str, dict[str, str]]] = {}
    for fit in filter(None, map(_MASK.fullmatch, source.names)):
        masks.setdefault(fit[1], {}).setdefault(fit[2], {})[fit[3]] = fit[0]
    images: dict[str, dict[str, str]] = {}
    for fit in filter(None, map(_IMAGE.fullmatch, source.names)):
        if fit[3].lower() in IMAGE_SUFFIXES:
            images.setdefault(fit[1], {})[fit[2]] = fit[0]
    if not masks:
        raise DataError(
            f"{source.path}: has no folder SegmentationClass with PNG masks, expected a folder in the layout of PASCAL "
            "VOC. For other layouts see `pixelwise convert --help`."
        )
    if not images:
        raise DataError(
            f"{source.path}: has masks but no folder JPEGImages, expected the images there. Put them beside "
            "SegmentationClass, or export again with images."
        )
    return [
        _Folder(root, chosen, kinds[chosen], images.get(root, {}))
        for root, kinds in sorted(masks.items())
        for chosen in [_chosen(source, root, kinds)]
    ]


def _chosen(source: Source, root: str, kinds: Iterable[str]) -> str:
    """SegmentationClass, or the one folder that takes its place (SegmentationClassAug, SegmentationClassPNG)."""
    found = sorted(kinds)
    if "SegmentationClass" in found:
        return "SegmentationClass"
    if len(found) > 1:
        raise DataError(
            f"{source.file(root)}: has the masks {', '.join(found)}, expected SegmentationClass or one of its kind. "
            "Rename the one wanted to SegmentationClass."
        )
    return found[0]


def _items(source: Source, folder: _Folder, meaning: VocClasses, *, several: bool) -> tuple[list[Item], list[str]]:
    splits, notes = read_lists(source, folder.root, folder.masks)
    prefix = f"{PurePosixPath(folder.root).name or 'root'}/" if several else ""
    items = []
    for stem, split in sorted(splits.items()):
        # A file that the lists name and that is missing is an error of its item, when it is read.
        image = folder.images.get(stem, f"{folder.root}JPEGImages/{stem}.jpg")
        mask = folder.masks.get(stem, f"{folder.root}{folder.masks_folder}/{stem}.png")
        items.append(Item(f"{prefix}{stem}", image, split, partial(_class_ids, source, mask, meaning)))
    return items, notes


def _class_ids(source: Source, mask: str, meaning: VocClasses) -> npt.NDArray[np.uint8]:
    raw = decode(source.read(mask), mask)
    if raw.kind in ("16-bit", "colors") or (raw.kind in PALETTES and meaning.palette_by_color):
        return class_ids_of(raw.colors(), meaning.colors, mask)
    return class_ids_of(raw.values(), meaning.values, mask)
