"""YOLO segmentation, as Ultralytics trains on it: images/, labels/ with a .txt file of outlines each, and data.yaml.

The layout: https://docs.ultralytics.com/datasets/segment/; Roboflow has train/images and train/labels.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pixelwise.data.convert.classes.names import (
    Classes,
    Named,
    by_number,
    class_table,
    is_background,
    with_background,
)
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.yolo.data_yaml import NAME_LISTS, DataYaml, described
from pixelwise.data.convert.formats.yolo.images import LabelFiles, chosen_images
from pixelwise.data.convert.formats.yolo.lines import drawn, label_lines, line_fault
from pixelwise.data.convert.matching.references import images_of, names_by_split
from pixelwise.data.convert.objects import NO_IMAGE, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.phrases import counted, listed


@dataclass(frozen=True)
class _Reader:
    """What all items share."""

    source: Source
    ids: Mapping[int, int]  # {class in the labels: class id}
    background: int

    def class_ids(self, image: str, label: str) -> Drawn:
        shape = image_shape(self.source.read(image), image)
        return drawn(self.source, label, shape, self.ids, background=self.background)


def read(source: Source, options: Options) -> Conversion:
    """Every image with a label file; an empty one is an image of background.

    Classes are those of data.yaml, of classes.txt or, where nothing names them, numbered or named by `options.classes`;
    background comes first. Splits are those of data.yaml, else of the folders. Smaller objects are drawn over larger
    ones, and pixels outside all are background.

    Raises:
        DataError: no image has labels, or the names, the splits or the classes of the labels cannot be used.
    """
    images = images_of(source)
    labels = LabelFiles(source, images)
    if not labels.of:
        raise _without_labels(source, images, labels)
    description = described(source)
    chosen = chosen_images(source, description, images, labels)
    labelled = {image: split for image, split in chosen.splits.items() if image in labels.of}
    if not labelled:
        raise DataError(
            f"{source.path}: none of the {counted(len(chosen.splits), 'image')} in its splits has a label file, such "
            f"as {next(iter(labels.of.values()))}. Put the labels into labels/ beside images/."
        )
    classes, numbers, notes = _classes(source, options, description, [labels.of[image] for image in labelled])
    notes += [*chosen.notes, *_bare([image for image in chosen.splits if image not in labels.of])]
    notes.append("Where objects overlap, the smaller one is on top.")
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all objects are ignored.")
    ids = {number: classes.ids[name] for number, name in numbers.items() if name in classes.ids}
    items = _items(_Reader(source, ids, classes.background), labelled, labels)
    orphans, others = _orphans(source, labels)
    return Conversion(classes.labels, items, (*notes, *others), orphans)


def _items(reader: _Reader, labelled: Mapping[str, str | None], labels: LabelFiles) -> list[Item]:
    names = names_by_split(labelled)
    return [
        Item(names[image], image, split, partial(reader.class_ids, image, labels.of[image]))
        for image, split in labelled.items()
    ]


def _classes(
    source: Source, options: Options, description: DataYaml | None, labels: Sequence[str]
) -> tuple[Classes, Mapping[int, str], list[str]]:
    """The classes, {class in the labels: name} and notes."""
    given = options.classes
    if description is not None and description.names is not None:
        named, notes = by_number(description.names, {}, "classes")
        return class_table(with_background(named), given, source), description.names, notes
    numbers = range(max(_highest(source, labels) + 1, (options.num_classes or 0) - 1))
    if given is not None and not given.sources:
        names = _given_names(given, len(numbers))
        named = [Named(name, color, (i,)) for i, (name, color) in names.items()]
        table = given if any(map(is_background, given.names)) else None
        said = listed((f"{i} is {name}" for i, (name, _) in names.items()), 8)
        note = f"Nothing in the source names its classes; by the table given, {said}."
        return class_table(with_background(named), table, source), {i: name for i, (name, _) in names.items()}, [note]
    named = [Named(f"class {i}", None, (i,)) for i in numbers]
    note = "Nothing names the classes, so they are numbered; name them with --classes, or with data.yaml."
    notes = [] if given is not None else [note]
    return class_table(with_background(named), given, source), {i: f"class {i}" for i in numbers}, notes


def _given_names(given: LabelTable, count: int) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """{class in the labels: its name and colour} by a table: in its order, the background left out.

    Only where there are as many classes in the labels as in the table is background one of them.
    """
    entries = list(zip(given.names, given.colors, strict=True))
    objects = [entry for entry in entries if not is_background(entry[0])]
    return dict(enumerate(entries if count == len(entries) else objects))


def _highest(source: Source, labels: Sequence[str]) -> int:
    """The highest class of all label files that can be read; the others are reported with their images."""
    highest = 0
    for label in labels:
        try:
            lines = label_lines(source, label)
        except FileFault:
            continue
        for line in lines:
            if line.class_number >= MAX_CLASSES:
                found = f"is of the class {line.class_number}"
                raise line_fault(source, label, line.number, found, f"a class from 0 to {MAX_CLASSES - 1}")
            highest = max(highest, line.class_number)
    return highest


def _bare(images: Sequence[str]) -> list[str]:
    if not images:
        return []
    return [
        f"{counted(len(images), 'image')} without a label file left out: {listed(images)}. To take one as background, "
        "give it an empty label file."
    ]


def _orphans(source: Source, labels: LabelFiles) -> tuple[Objects, list[str]]:
    """The objects of label files that belong to no image, and a note on texts among the labels without any."""
    orphans, others = Objects(), []
    for name in labels.alone:
        try:
            lines = label_lines(source, name)
        except FileFault:  # a text of another kind, or damaged
            lines = []
        orphans.add(f"that of {name}, which has no image", NO_IMAGE, count=len(lines))
        if not lines and posixpath.basename(name).lower() not in NAME_LISTS:
            others.append(name)
    if not others:
        return orphans, []
    return orphans, [f"{counted(len(others), 'text file')} among the labels without an image: {listed(others)}."]


def _without_labels(source: Source, images: Sequence[str], labels: LabelFiles) -> DataError:
    found = f"{counted(len(images), 'image')} and {counted(len(labels.alone), 'file')} in labels/"
    return DataError(
        f"{source.path}: has {found}, and no image has a label file. Expected images/a.jpg with labels/a.txt, "
        "train/images/a.jpg with train/labels/a.txt, or both in one folder. Give the "
        "folder that holds images and labels."
    )
