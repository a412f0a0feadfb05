"""CamVid: the original colour masks of 32 classes, or the ids of SegNet's 11."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath

from pixelwise.data.convert.classes.color_tables import find_color_table
from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.matching.fitting import ClassIds
from pixelwise.data.convert.matching.pairing import split_of
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import color_number
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, Color, LabelTable
from pixelwise.phrases import counted, listed

# Badrinarayanan, Kendall and Cipolla, "SegNet", 2017: the names and colours, and what each takes of the 32 classes of
# Brostow, Fauqueur and Cipolla, "Semantic object classes in video", 2009. Void is ignored.
_GROUPS: Mapping[str, tuple[Color, tuple[str, ...]]] = {
    "sky": ((128, 128, 128), ("Sky",)),
    "building": ((128, 0, 0), ("Archway", "Bridge", "Building", "Tunnel", "Wall")),
    "pole": ((192, 192, 128), ("Column_Pole", "TrafficCone")),
    "road": ((128, 64, 128), ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv")),
    "pavement": ((60, 40, 222), ("Sidewalk", "ParkingBlock", "RoadShoulder")),
    "tree": ((128, 128, 0), ("Tree", "VegetationMisc")),
    "sign symbol": ((192, 128, 128), ("SignSymbol", "Misc_Text", "TrafficLight")),
    "fence": ((64, 64, 128), ("Fence",)),
    "car": ((64, 0, 128), ("Car", "SUVPickupTruck", "Truck_Bus", "Train", "OtherMoving")),
    "pedestrian": ((64, 64, 0), ("Pedestrian", "Child", "CartLuggagePram", "Animal")),
    "bicyclist": ((0, 128, 192), ("Bicyclist", "MotorcycleScooter")),
}
_ELEVEN = LabelTable(tuple(_GROUPS), tuple(color for color, _ in _GROUPS.values()))
_VOID_ID = 11
_PICTURE = re.compile(r"\.(png|jpe?g|tiff?)$", re.IGNORECASE)
_EXPECTED = (
    "train/*.png with trainannot/*.png (11 classes), or images with masks NAME_L.png and label_colors.txt (32 classes)"
)


def read(source: Source, options: Options) -> Conversion:
    """Read SegNet's folders (`train`, `trainannot`, ...) or the original images, `*_L.png` and label_colors.txt.

    `num_classes` decides about the original masks: 32 (the default) takes every colour of the table as a class, 31
    ignores Void, 11 groups them as SegNet does.

    Raises:
        SettingsError: `num_classes` is none of these, or 31 or 32 where the masks have 11 classes.
        DataError: neither layout is found, or a table of colours is missing or is not CamVid's.
    """
    annotated = _annotated(source)
    return _eleven(source, options, annotated) if annotated else _original(source, options)


def _annotated(source: Source) -> list[tuple[str, str, str]]:
    """(split, image, mask) of SegNet's layout."""
    found = []
    for mask in source.names:
        fit = re.fullmatch(r"((?:.*/)?)(train|val|test)annot/([^/]+\.png)", mask)
        image = f"{fit[1]}{fit[2]}/{fit[3]}" if fit else ""
        if fit and image in source:
            found.append(("validation" if fit[2] == "val" else fit[2], image, mask))
    return found


def _eleven(source: Source, options: Options, annotated: list[tuple[str, str, str]]) -> Conversion:
    if options.num_classes not in (None, 11):
        raise SettingsError(
            f"num_classes is {options.num_classes}, but the masks of {source.path} have SegNet's 11 classes. The 32 "
            "are in the original masks, NAME_L.png with label_colors.txt."
        )
    ids = {i: i for i in range(11)} | {_VOID_ID: IGNORE, IGNORE: IGNORE}
    items = [
        Item(PurePosixPath(image).stem, image, split, partial(_of_values, source, mask, ids))
        for split, image, mask in annotated
    ]
    labels = LabelTable.named(
        _ELEVEN.names, dict(enumerate(_ELEVEN.colors)), sources={i: [i] for i in range(11)}, ignored=[_VOID_ID]
    )
    return Conversion(labels, items, (f"The masks have SegNet's 11 classes; {_VOID_ID} (void) is ignored.",))


def _original(source: Source, options: Options) -> Conversion:
    masks = {PurePosixPath(name).stem[:-2]: name for name in source.names if name.endswith("_L.png")}
    images = {PurePosixPath(name).stem: name for name in source.names if _PICTURE.search(name)}
    both = [stem for stem in masks if stem in images]
    if not both:
        folders = {str(PurePosixPath(name).parent) for name in source.names}
        raise DataError(f"{source.path}: is not CamVid; it has {listed(sorted(folders))}. Expected {_EXPECTED}.")
    given = find_color_table(source)
    table = options.classes or (given[1] if given else None)
    if table is None:
        raise DataError(f"{source.path}: lacks label_colors.txt, which names the colours. Complete the source.")
    labels, ids, note = _chosen(table, options.num_classes, source)
    splits = _lists(source)
    items = [
        Item(stem, images[stem], splits.get(stem) or split_of(str(PurePosixPath(images[stem]).parent)),
             partial(_of_colors, source, masks[stem], ids))
        for stem in both
    ]  # fmt: skip
    lone = sorted(masks.keys() - images.keys())
    notes = [note] + ([f"{counted(len(lone), 'mask')} without an image left out: {listed(lone)}."] if lone else [])
    return Conversion(labels, items, tuple(notes))


def _chosen(table: LabelTable, num_classes: int | None, source: Source) -> tuple[LabelTable, dict[int, int], str]:
    """The classes, {0xRRGGBB: class id} and what to say about it."""
    if num_classes == 11:
        return _grouped(table, source)
    kept = [i for i, name in enumerate(table.names) if num_classes != 31 or name.casefold() != "void"]
    void = [table.colors[i] for i in range(table.num_classes) if i not in kept]
    if num_classes not in (None, len(kept)):
        raise SettingsError(
            f"num_classes is {num_classes}, but the table of {source.path} has {table.num_classes} classes. Expected "
            "11, 31 or 32."
        )
    names, colors = [table.names[i] for i in kept], [table.colors[i] for i in kept]
    labels = LabelTable.named(
        names, dict(enumerate(colors)), sources={i: [color] for i, color in enumerate(colors)}, ignored=void
    )
    ids = {color_number(color): i for i, color in enumerate(colors)} | {color_number(color): IGNORE for color in void}
    what = "is ignored" if void else "is a class; --num-classes 31 ignores it and 11 groups the classes as SegNet does"
    return labels, ids, f"Void {what}."


def _grouped(table: LabelTable, source: Source) -> tuple[LabelTable, dict[int, int], str]:
    group_of = {name: i for i, (_, members) in enumerate(_GROUPS.values()) for name in members}
    unknown = [name for name in table.names if name not in group_of and name != "Void"]
    if unknown:
        raise DataError(
            f"{source.path}: the table of colours has {listed(unknown)}, which SegNet's grouping does not know. "
            "Expected the 32 names of CamVid's label_colors.txt."
        )
    sources: dict[int, list[int | Color]] = {i: [] for i in range(len(_GROUPS))}
    ignored: list[int | Color] = []
    for name, color in zip(table.names, table.colors, strict=True):
        (sources[group_of[name]] if name in group_of else ignored).append(color)
    labels = LabelTable.named(_ELEVEN.names, dict(enumerate(_ELEVEN.colors)), sources=sources, ignored=ignored)
    ids = {
        color_number(color): group_of.get(name, IGNORE) for name, color in zip(table.names, table.colors, strict=True)
    }
    return labels, ids, "The classes were grouped to SegNet's 11; Void is ignored."


def _lists(source: Source) -> dict[str, str]:
    """{stem: split} of train.txt, val.txt and test.txt; a line is the path of an image, or of an image and its mask."""
    splits = {}
    for name in source.names:
        fit = re.fullmatch(r"(?:.*/)?(train|val|valid|validation|test)\.txt", name)
        for line in source.read(name).decode("utf-8-sig", errors="replace").splitlines() if fit else ():
            if fit and line.strip():
                split = fit[1] if fit[1] in ("train", "test") else "validation"
                splits[PurePosixPath(line.split()[0]).stem] = split
    return splits


def _of_values(source: Source, name: str, ids: Mapping[int, int]) -> ClassIds:
    return class_ids_of(decode(source.read(name), name).values(), ids, name)


def _of_colors(source: Source, name: str, ids: Mapping[int, int]) -> ClassIds:
    return class_ids_of(decode(source.read(name), name).colors(), ids, name)
