"""What the values and the colours of a VOC folder's masks mean."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from pixelwise.data.convert.classes.color_tables import found_table, label_map_in
from pixelwise.data.convert.classes.mapping import colors_of, values_of
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import color_number
from pixelwise.data.reading import open_image
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, Color, LabelTable

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
BORDER: Color = (224, 224, 192)
"""What VOC draws 255 in."""

# Images of VOC2008 and later are called YEAR_NUMBER, those of VOC2007 by six digits, as other datasets' are too.
_OF_A_YEAR = re.compile(r"20(?:0[7-9]|1[0-2])_\d{6}")
_OF_2007 = re.compile(r"\d{6}")
_VOC_FOLDER = re.compile(r"VOC(?:devkit|20(?:0[7-9]|1[0-2])|(?:trainval|test)_.*)", re.IGNORECASE)
_VOC_MASKS = re.compile(r"SegmentationClass(?:_?aug)?", re.IGNORECASE)
_LOOKED_AT = 20

Masks = Sequence[tuple[str, str, Mapping[str, str]]]
"""Of each folder: its root, the name of the folder of masks, and the masks by stem."""


class VocClasses(NamedTuple):
    """The classes and how masks say them."""

    labels: LabelTable
    values: Mapping[int, int]  # {value: class id}, for masks of one channel
    colors: Mapping[int, int]  # {0xRRGGBB: class id}, for colour masks
    palette_by_color: bool = False  # the palette's colours count and not the indices
    notes: tuple[str, ...] = ()


def classes(source: Source, options: Options, masks: Masks) -> VocClasses:
    """The classes of a VOC folder, see voc.read; DataError where nothing says what they are."""
    if options.classes is not None:
        given = options.classes
        ignored = {color_number(BORDER): IGNORE}
        return VocClasses(given, {IGNORE: IGNORE} | values_of(given), ignored | colors_of(given))
    for name in _files(source, "labelmap.txt"):
        return _of_label_map(source, name)
    for name in _files(source, "class_names.txt"):
        names = source.read(name).decode("utf-8-sig", "replace").splitlines()
        return _by_index(_without_marks(names), masks, source, f"The class names are from {name}.")
    if options.num_classes is not None:
        return _by_index(LabelTable.numbered(options.num_classes).names, masks, source, "")
    if _is_voc(source, masks):
        return _by_index(VOC_NAMES, masks, source, "The files are named as PASCAL VOC's, so its 21 classes are taken.")
    found = found_table(source)
    if found is not None:
        return _by_index(found.labels.names, masks, source, " ".join(found.notes))
    raise DataError(
        f"{source.path}: does not say what its classes are{_values_found(source, masks)}. The files are not named as "
        "PASCAL VOC's. Name the classes with --classes FILE, with class_names.txt in the source (one name a line, "
        "from 0 on) or, if this is VOC itself, in a folder called VOC2012 or VOC2007."
    )


def voc_color(index: int) -> Color:
    """The colour of an index in VOC's palette (VOClabelcolormap.m): its bits, dealt to the channels in turn."""
    channels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            channels[channel] |= ((index >> (3 * place + channel)) & 1) << (7 - place)
    return (channels[0], channels[1], channels[2])


def _files(source: Source, name: str) -> list[str]:
    found = [path for path in source.names if PurePosixPath(path).name.lower() == name]
    return sorted(found, key=lambda path: (path.count("/"), path))[:1]


def _without_marks(names: Sequence[str]) -> list[str]:
    """The names by index: lists of labelme begin with `__ignore__`, which has none, and `_background_`."""
    given = [name.strip() for name in names if name.strip() and name.strip() != "__ignore__"]
    return ["background" if name == "_background_" else name for name in given]


def _by_index(names: Sequence[str], masks: Masks, source: Source, note: str) -> VocClasses:
    colors = {i: voc_color(i) for i in range(len(names))}
    labels = LabelTable.named(names, colors)
    if _in_color(source, masks):
        sources = {i: [color] for i, color in colors.items()}
        labels = LabelTable.named(names, colors, sources=sources, ignored=[BORDER])
    by_color = {color_number(color): i for i, color in colors.items()} | {color_number(BORDER): IGNORE}
    by_value = {i: i for i in range(len(names))} | {IGNORE: IGNORE}
    return VocClasses(labels, by_value, by_color, notes=(note,) if note else ())


def _in_color(source: Source, masks: Masks) -> bool:
    first = next(name for _, _, by_stem in masks for name in sorted(by_stem.values()))
    try:
        return open_image(source.read(first)).mode not in ("P", "L", "1")
    except DataError:  # it is reported with its image
        return False


def _of_label_map(source: Source, name: str) -> VocClasses:
    """CVAT's and datumaro's table: lines of `name:red,green,blue:parts:actions`, in the order of the indices."""
    colors = label_map_in(source, name)
    border = colors.pop("ignored", BORDER)
    by_index = dict(enumerate(colors.values()))
    sources = {i: [color] for i, color in by_index.items()}
    labels = LabelTable.named(tuple(colors), by_index, sources=sources, ignored=[border])
    by_color = {color_number(border): IGNORE} | {color_number(color): i for i, color in by_index.items()}
    by_value = {i: i for i in by_index} | {IGNORE: IGNORE}
    return VocClasses(labels, by_value, by_color, True, (f"Class names and colours are from {name}.",))


def _is_voc(source: Source, masks: Masks) -> bool:
    stems = [PurePosixPath(stem).name for _, _, by_stem in masks for stem in by_stem]
    folders = [source.path.resolve().name, *(part for root, _, _ in masks for part in root.split("/"))]
    in_voc_folder = any(_VOC_FOLDER.fullmatch(folder) for folder in folders)
    of_voc = all(_OF_A_YEAR.fullmatch(stem) or (in_voc_folder and _OF_2007.fullmatch(stem)) for stem in stems)
    return of_voc and all(_VOC_MASKS.fullmatch(folder) for _, folder, _ in masks)


def _values_found(source: Source, masks: Masks) -> str:
    """What values some of the masks have, in parentheses, as far as they can be read."""
    names = sorted(name for _, _, by_stem in masks for name in by_stem.values())
    looked = names[:: max(1, len(names) // _LOOKED_AT)][:_LOOKED_AT]
    found: set[int] = set()
    for name in looked:
        try:
            found |= set(np.unique(decode(source.read(name), name).values()).tolist())
        except DataError:  # a colour mask; the message does without
            return ""
    values = sorted(found - {IGNORE})
    return f" ({len(looked)} masks looked at have values from {values[0]} to {values[-1]})" if values else ""
