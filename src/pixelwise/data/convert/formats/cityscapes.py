"""Cityscapes: leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY, or the same files in any other folders.

File names, ids, training ids and colours are those of https://github.com/mcordts/cityscapesScripts
(README.md and cityscapesscripts/helpers/labels.py).
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of, values_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, Color, LabelTable

# By training id: (id, name, colour).
_TRAINED: tuple[tuple[int, str, Color], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
_LAST_ID = 33
_NAMES = tuple(name for _, name, _ in _TRAINED)
_COLORS = {i: color for i, (_, _, color) in enumerate(_TRAINED)}

_MASK = re.compile(r"(?:.*/)?([^/]+)_(gtFine|gtCoarse)_(labelIds|labelTrainIds)\.png")
_IMAGE = re.compile(r"(?:.*/)?([^/]+)_leftImg8bit\.(?:png|jpe?g|webp)", re.IGNORECASE)
_SPLIT = re.compile(r"(train|val|test)(?:_.*)?")
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read(source: Source, options: Options) -> Conversion:
    """Read the fine annotations, or the coarse ones if there are no others, as the 19 classes of the benchmark.

    `options.classes` names others by "source": the ids to take. Masks of training ids are read where there are none
    of ids. The test split is passed over when its labels are the empty ones that the benchmark gives out.

    Raises:
        DataError: no masks or no images of these names.
        SettingsError: the table given fits neither ids nor training ids.
    """
    masks, kind, fineness = _masks(source)
    images = {fit[1]: fit[0] for fit in filter(None, map(_IMAGE.fullmatch, source.names))}
    if not masks.keys() & images.keys():
        raise DataError(
            f"{source.path}: has {len(masks)} masks (*_{fineness}_{kind}.png) and {len(images)} images "
            "(*_leftImg8bit.png), none of which belong together. Unpack leftImg8bit and gtFine into one folder."
        )
    labels = _labels(kind, options)
    table = {IGNORE: IGNORE} | values_of(labels)
    notes = [f"Masks are the {fineness} {kind}."]
    items = [
        Item(stem, images[stem], _split(mask), partial(_class_ids, source, mask, table))
        for stem, mask in sorted(masks.items())
        if stem in images
    ]
    if len(items) < len(masks):
        notes.append(f"{len(masks) - len(items)} masks have no image and were passed over.")
    tests = [item for item in items if item.split == "test"]
    if tests and _nothing_labelled(tests):
        items = [item for item in items if item.split != "test"]
        notes.append(f"The {len(tests)} test images were passed over: the masks given out with them are empty.")
    return Conversion(labels, items, tuple(notes))


def _masks(source: Source) -> tuple[dict[str, str], str, str]:
    """{stem: name} of the best masks there are, and whether they are labelIds or labelTrainIds, gtFine or gtCoarse."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for fit in filter(None, map(_MASK.fullmatch, source.names)):
        found.setdefault((fit[2], fit[3]), {})[fit[1]] = fit[0]
    for fineness in ("gtFine", "gtCoarse"):
        for kind in ("labelIds", "labelTrainIds"):
            if (fineness, kind) in found:
                return found[fineness, kind], kind, fineness
    raise DataError(
        f"{source.path}: has no masks called *_gtFine_labelIds.png or *_gtFine_labelTrainIds.png, expected those of "
        "Cityscapes. Give the folder that holds leftImg8bit and gtFine."
    )


def _labels(kind: str, options: Options) -> LabelTable:
    given = options.classes
    if given is not None and given.sources:
        return given
    names = given.names if given is not None else _NAMES
    if len(names) != len(_TRAINED) or options.num_classes not in (None, len(_TRAINED)):
        asked = options.num_classes or len(names)
        raise SettingsError(
            f"{asked} classes are asked for, but Cityscapes trains {len(_TRAINED)}. For others give a table with "
            '--classes in which each class has its ids, such as {"id": 0, "name": "road", "source": [7, 8]}, and the '
            'rest is ignored by {"id": 255, "name": "ignored", "source": [0, 1, 2]}.'
        )
    colors = dict(enumerate(given.colors)) if given is not None else _COLORS
    if kind == "labelTrainIds":
        return LabelTable.named(names, colors)
    trained = {number: i for i, (number, _, _) in enumerate(_TRAINED)}
    sources = {i: [number] for number, i in trained.items()}
    ignored = [number for number in range(_LAST_ID + 1) if number not in trained]
    return LabelTable.named(names, colors, sources=sources, ignored=ignored)


def _split(mask: str) -> str | None:
    """The split that a folder of the mask's path names, such as val or train_label."""
    found = [fit[1] for fit in map(_SPLIT.fullmatch, mask.split("/")[:-1]) if fit]
    return _SPLITS[found[-1]] if found else None


def _class_ids(source: Source, mask: str, table: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    return class_ids_of(decode(source.read(mask), mask).values(), table, mask)


def _nothing_labelled(tests: Sequence[Item]) -> bool:
    try:
        return bool((tests[0].class_ids() == IGNORE).all())
    except DataError:  # it is reported with its image
        return False
