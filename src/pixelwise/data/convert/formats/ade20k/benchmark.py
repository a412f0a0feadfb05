"""ADE20K: the scene parsing benchmark of 150 classes; the full release is told apart and read by `full`.

Layout and ids: http://sceneparsing.csail.mit.edu (ADEChallengeData2016: 0 is other, 1 to 150 are the classes of
objectInfo150.txt).
"""

import csv
import re
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of, values_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.ade20k.full import read_full
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable

_NUM_CLASSES = 150
_MASK = re.compile(r"((?:.*/)?)annotations/((?:.*/)?)([^/]+)\.png")
_SPLITS = {"training": "train", "validation": "validation"}
_OF_NAME = re.compile(r"ADE_(train|val)_\d+")


def read(source: Source, options: Options) -> Conversion:
    """Read images/ and annotations/, with training/ and validation/ in them or flat, or the full release.

    Names are those of objectInfo150.txt (the first of its synonyms) or of the table given, which may also choose and
    join classes by "source", the ids in the masks. Without split folders the files' names tell (ADE_train_, ADE_val_).

    Raises:
        DataError: the layout is neither of the two, or nothing names the classes.
        SettingsError: the table given does not fit the 150 ids.
    """
    if any(name.endswith("_seg.png") for name in source.names):
        return read_full(source, options)
    masks = [fit for fit in map(_MASK.fullmatch, source.names) if fit]
    if not masks:
        raise DataError(
            f"{source.path}: has neither annotations/*.png (the benchmark of 150 classes) nor *_seg.png (the full "
            "release), expected one of them. Give the folder ADEChallengeData2016 or ADE20K_2021_17_01."
        )
    labels, notes = _labels(source, options)
    table = values_of(labels)
    items = [
        Item(
            fit[3],
            f"{fit[1]}images/{fit[2]}{fit[3]}.jpg",
            split_of(fit[0]),
            partial(_class_ids, source, fit[0], table),
        )
        for fit in masks
    ]
    return Conversion(labels, items, tuple(notes))


def split_of(path: str) -> str | None:
    """The split that the folders of a path or, without any, its name say."""
    folders = [_SPLITS[part] for part in path.split("/")[:-1] if part in _SPLITS]
    named = _OF_NAME.match(PurePosixPath(path).name)
    if folders:
        return folders[-1]
    return {"train": "train", "val": "validation"}[named[1]] if named else None


def _labels(source: Source, options: Options) -> tuple[LabelTable, list[str]]:
    given = options.classes
    if given is not None and given.sources:
        return given, []
    notes = [f"0 (other) became ignored, 1 to {_NUM_CLASSES} became 0 to {_NUM_CLASSES - 1}."]
    names = given.names if given is not None else _names(source)
    if len(names) != _NUM_CLASSES or options.num_classes not in (None, _NUM_CLASSES):
        raise SettingsError(
            f"{options.num_classes or len(names)} classes are asked for, but the benchmark has {_NUM_CLASSES}. For "
            'others give a table with --classes in which each class has its ids, such as {"id": 0, "name": "wall", '
            '"source": [1]}, and the rest is an entry of id 255.'
        )
    colors = dict(enumerate(given.colors)) if given is not None else None
    return LabelTable.named(names, colors, sources={i: [i + 1] for i in range(_NUM_CLASSES)}, ignored=[0]), notes


def _names(source: Source) -> list[str]:
    """The first synonym of each line of objectInfo150.txt (tabs) or .csv, by id."""
    found = [name for name in source.names if PurePosixPath(name).stem.lower() == "objectinfo150"]
    if not found:
        raise DataError(
            f"{source.path}: has no objectInfo150.txt, which names the {_NUM_CLASSES} classes of the release. Put it "
            "there, or name the classes with --classes FILE."
        )
    text = source.read(found[0]).decode("utf-8-sig", "replace")
    rows = list(csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ","))
    named = {
        int(row[0]): row[-1].split(",")[0].split(";")[0].strip() for row in rows if row and row[0].strip().isdigit()
    }
    if sorted(named) != list(range(1, _NUM_CLASSES + 1)):
        raise DataError(
            f"{source.file(found[0])}: names {len(named)} classes, expected lines that begin with 1 to {_NUM_CLASSES} "
            "and end with a name. Fetch it again, or name the classes with --classes FILE."
        )
    return [named[i] for i in sorted(named)]


def _class_ids(source: Source, mask: str, table: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    return class_ids_of(decode(source.read(mask), mask).values(), table, mask)
