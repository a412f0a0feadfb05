"""Human parsing: CIHP and LIP, whose masks hold the ids of 20 body parts and clothes."""

import re
from functools import partial
from pathlib import PurePosixPath

from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.matching.fitting import ClassIds
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted, listed

_NAMES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks", "pants",
    "torso skin", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe",
)  # fmt: skip
# The colours of the authors' own pictures, which are all different.
_COLORS = (
    (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85), (0, 119, 221),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 255), (51, 170, 221), (0, 255, 255),
    (85, 255, 170), (170, 255, 85), (255, 255, 0), (255, 170, 0),
)  # fmt: skip
CIHP = LabelTable(_NAMES, _COLORS)
LIP = LabelTable((*_NAMES[:10], "jumpsuits", *_NAMES[11:]), _COLORS)

_IDS = {i: i for i in range(len(_NAMES))} | {IGNORE: IGNORE}
_SPLITS = {
    "training": "train", "train": "train",
    "validation": "validation", "val": "validation",
    "testing": "test", "test": "test",
}  # fmt: skip


def read_cihp(source: Source, options: Options) -> Conversion:
    """Crowd Instance-level Human Parsing (Gong et al., "Instance-level Human Parsing via Part Grouping Network", 2018).

    `Training` and `Validation` hold `Images` and `Category_ids`, gray PNG with the ids 0 to 19, at any depth.
    """
    expected = "Training/Images/*.jpg and Training/Category_ids/*.png"
    return _read(source, options, CIHP, (r"(training|validation|testing)/images", r"(\w+)/category_ids", expected))


def read_lip(source: Source, options: Options) -> Conversion:
    """Look Into Person (Gong et al., "Look into Person: Self-supervised Structure-sensitive Learning", 2017).

    Images are in `train_images` and `val_images`, gray PNG with the ids 0 to 19 in `train_segmentations` and
    `val_segmentations`, at any depth.
    """
    expected = "train_images/*.jpg and train_segmentations/*.png"
    return _read(source, options, LIP, (r"(train|val|test|testing)_images", r"(\w+?)_segmentations", expected))


def _read(source: Source, options: Options, labels: LabelTable, layout: tuple[str, str, str]) -> Conversion:
    images, masks = _files(source, layout[0], {".jpg", ".jpeg", ".png"}), _files(source, layout[1], {".png"})
    if not images.keys() & masks.keys():
        folders = {str(PurePosixPath(name).parent) for name in source.names}
        raise DataError(
            f"{source.path}: found {len(images)} images and {len(masks)} masks of class ids with equal names, in "
            f"{listed(sorted(folders))}. Expected {layout[2]}."
        )
    wanted, notes = _lists(source)
    items = [
        Item(key[1], image, key[0], partial(_class_ids, source, masks[key]))
        for key, image in images.items()
        if key in masks and (key[0] not in wanted or key[1] in wanted[key[0]])
    ]
    without = [image for key, image in images.items() if key not in masks]
    if without:
        notes.append(f"{counted(len(without), 'image')} without a mask left out: {listed(without)}.")
    return Conversion(_labels(options, labels), items, tuple(notes))


def _files(source: Source, folder: str, suffixes: set[str]) -> dict[tuple[str, str], str]:
    """{(split, stem): file} of the folders that fit a pattern whose group is the split."""
    inside = re.compile(rf"(?:.*/)?{folder}", re.IGNORECASE)
    found = {}
    for name in source.names:
        path = PurePosixPath(name)
        fit = inside.fullmatch(str(path.parent)) if path.suffix.lower() in suffixes else None
        if fit and fit[1].lower() in _SPLITS:
            found[_SPLITS[fit[1].lower()], path.stem] = name
    return found


def _lists(source: Source) -> tuple[dict[str, set[str]], list[str]]:
    """{split: stems} of train_id.txt, val_id.txt and test_id.txt where there are such."""
    wanted: dict[str, set[str]] = {}
    for name in source.names:
        fit = re.fullmatch(r"(train|val|test)_id\.txt", PurePosixPath(name).name)
        if fit:
            lines = source.read(name).decode("utf-8-sig", errors="replace").split()
            wanted.setdefault(_SPLITS[fit[1]], set()).update(PurePosixPath(line).stem for line in lines)
    notes = [
        f"Only the {len(stems)} images that the list of {split} names were taken." for split, stems in wanted.items()
    ]
    return wanted, notes


def _class_ids(source: Source, name: str) -> ClassIds:
    return class_ids_of(decode(source.read(name), name).values(), _IDS, name)


def _labels(options: Options, labels: LabelTable) -> LabelTable:
    """The names and colours of `--classes`, if given, else the official ones."""
    chosen = options.classes or labels
    for count in (chosen.num_classes, options.num_classes):
        if count not in (None, labels.num_classes):
            raise SettingsError(f"num_classes is {count}, but these masks have {labels.num_classes} classes.")
    return chosen
