"""COCO-Stuff as PNG masks: pixel values 0 to 181, 255 is unlabelled.

The masks are those of stuffthingmaps (https://github.com/nightrome/cocostuff): a pixel is the id of its label less 1.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of, values_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.matching.patterns import match
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable

_MASK_FOLDER = re.compile(r"stuffthingmap|pixelmap|label|annotation|mask", re.IGNORECASE)


def read_pixelmaps(source: Source, options: Options) -> Conversion:
    """Every PNG mask with the image of its name.

    `options.masks` and `options.images` are patterns of their names. The names of the classes come from
    `options.classes` or from COCO-Stuff's labels.txt in the source.

    Raises:
        DataError: no masks are found, it is open which they are, or the classes have no names.
    """
    pairs = _pairs(source, options)
    labels = _labels(source, options)
    table = values_of(labels) | {IGNORE: IGNORE}
    by_split: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for image, mask in pairs:
        by_split[split_of(posixpath.dirname(image)) or split_of(posixpath.dirname(mask))].append((image, mask))
    items = []
    for split, files in by_split.items():
        names = short_names([image for image, _ in files])
        for name, (image, mask) in zip(names, files, strict=True):
            items.append(Item(name, image, split, partial(_class_ids, source, mask, table)))
    return Conversion(labels, items)


def _class_ids(source: Source, mask: str, table: dict[int, int]) -> npt.NDArray[np.uint8]:
    return class_ids_of(decode(source.read(mask), mask).values(), table, mask)


def _pairs(source: Source, options: Options) -> list[tuple[str, str]]:
    """(image, mask) by name; images without a mask are passed over."""
    masks = _masks(source, options.masks)
    taken = set(masks)
    images = [name for name, _ in match(source.names, options.images)] if options.images else images_of(source)
    lookup = Lookup((name for name in images if name not in taken and not _is_png_beside(name, options)), stems=True)
    found = [(lookup.find(posixpath.splitext(posixpath.basename(mask))[0], near=mask), mask) for mask in masks]
    pairs = [(image, mask) for image, mask in found if image is not None]
    if not pairs:
        raise DataError(
            f"{source.path}: has neither COCO's JSON nor PNG masks with images of the same names. Expected "
            "panoptic_*.json, instances_*.json or stuff_*.json with their images, or folders of images and of masks; "
            "say where they are with --images and --masks."
        )
    return pairs


def _is_png_beside(name: str, options: Options) -> bool:
    """Whether a PNG that is no mask is none of the images either: instance maps and the like."""
    return options.images is None and name.lower().endswith(".png")


def _masks(source: Source, pattern: str | None) -> Sequence[str]:
    """The masks: those that fit the pattern, else the PNG files of one folder for each image."""
    if pattern is not None:
        return [name for name, _ in match(source.names, pattern)]
    pngs = [name for name in source.names if name.lower().endswith(".png")]
    folders = {posixpath.dirname(name) for name in pngs}
    likely = {folder for folder in folders if _MASK_FOLDER.search(folder)} or folders
    chosen = [name for name in pngs if posixpath.dirname(name) in likely]
    seen: dict[tuple[str | None, str], str] = {}
    for name in chosen:
        other = seen.setdefault((split_of(posixpath.dirname(name)), posixpath.basename(name)), name)
        if other != name:
            raise DataError(
                f"{source.path}: {other} and {name} may both be the mask of one image. Say which are the masks with "
                f'--masks, such as --masks "{posixpath.dirname(name)}/*.png".'
            )
    return chosen


def _labels(source: Source, options: Options) -> LabelTable:
    if options.classes is not None:
        return options.classes
    listed = [name for name in source.names if posixpath.basename(name).lower() == "labels.txt"]
    if listed:
        return LabelTable.named(_label_names(source.read(listed[0]).decode("utf-8-sig", "replace"), listed[0]))
    if options.num_classes is not None:
        return LabelTable.numbered(options.num_classes)
    raise DataError(
        f"{source.path}: the masks do not say what their classes are called. Put COCO-Stuff's labels.txt into the "
        "source, or give the names with --classes, or only their number with --num-classes (182 in COCO-Stuff)."
    )


def _label_names(text: str, name: str) -> list[str]:
    """The names by pixel value from lines "0: unlabeled", "1: person", ...; or from a plain list of names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(\d+)\s*[:\t]\s*(.+)", line) for line in lines]
    if not all(numbered):
        return lines
    names = {int(fit[1]): fit[2].strip() for fit in numbered if fit is not None}
    first = 1 if names.get(0, "").lower() in ("unlabeled", "unlabelled") else 0
    ids = sorted(i for i in names if i >= first)
    if ids != list(range(first, first + len(ids))):
        raise DataError(f"{name}: the labels are not numbered {first}, {first + 1}, ... without gaps. Give --classes.")
    return [names[i] for i in ids]
