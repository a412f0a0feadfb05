"""Run lengths in CSV, one row for an image and an object or class of it, as Kaggle's competitions have them.

"EncodedPixels" is documented with each competition, such as
https://www.kaggle.com/c/airbus-ship-detection (Evaluation).
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from pixelwise.data.convert.classes.names import Named, class_table, is_background, with_background
from pixelwise.data.convert.classes.tables import one_kind
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.outlines import count_object
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.formats.run_lengths.runs import Alignment, Numbering, region
from pixelwise.data.convert.formats.run_lengths.table import COLUMNS, ListedRow, Table, header_of, read_table
from pixelwise.data.convert.matching.patterns import match
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.objects import NO_CATEGORY, NO_IMAGE, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted, listed, percent

_LOOKED_AT = 40


class _Listed(NamedTuple):
    """An image of the source and its rows."""

    image: str
    table: str
    rows: list[ListedRow]


@dataclass(frozen=True)
class _Meaning:
    """What the items of a conversion share; `ids` are by class, None: that of a table without classes."""

    source: Source
    ids: Mapping[str | None, int]
    background: int
    numbering: Numbering


def read(source: Source, options: Options) -> Conversion:
    """Every image that a CSV of run lengths lists, with the objects of its rows; smaller ones lie on top.

    A row without runs (empty, -1, NaN) says that there is no such object; an image with such rows alone is background.
    Pixels are numbered from 1, unless a run starts at 0, and column by column, unless the runs lie side by side in rows
    and not in columns. `options.masks` chooses among CSV files, `options.images` among images.

    Raises:
        SettingsError: a pattern cannot be used.
        DataError: there is no such CSV, none of its images is here, two list one image, or nothing names the classes.
    """
    tables, notes = _tables(source, options.masks)
    orphans = Objects()
    found = _by_image(tables, _Images(source, options.images), orphans, source)
    if not found:
        if orphans.given:
            raise DataError(f"{source.path}: {orphans.refusal()}")
        raise DataError(f"{source.path}: has none of the images that {listed(each.name for each in tables)} lists.")
    numbering, said = _numbering(found, source)
    labels, ids, background, more = _classes(tables, source, options)
    meaning = _Meaning(source, ids, background, numbering)
    names = short_names([one.image for one in found])
    items = [
        Item(
            name,
            one.image,
            split_of(posixpath.dirname(one.image)) or split_of(one.table),
            partial(_drawn, one, meaning),
        )
        for name, one in zip(names, found, strict=True)
    ]
    notes += [*said, *more, "Where objects overlap, the smaller one is on top."]
    return Conversion(labels, items, (*notes, *_without_rows(found, source)), orphans)


def _tables(source: Source, pattern: str | None) -> tuple[list[Table], list[str]]:
    """The CSV files to read; submissions, which hold predictions or examples of them, are passed over."""
    names = [name for name in source.names if name.lower().endswith((".csv", ".tsv"))]
    if pattern is not None:
        names = [name for name, _ in match(source.names, pattern)]
        if not names:
            raise DataError(f"{source.path}: no file fits --masks {pattern!r}.")
    tables = [table for name in names if (table := read_table(source, name)) is not None]
    if not tables:
        seen = "; ".join(f"{name} has {header_of(source, name)}" for name in names[:4]) or "there is no CSV file"
        expected = " or ".join(f"{titles[0]!r}" for titles in (COLUMNS["image"], COLUMNS["both"], COLUMNS["runs"]))
        raise DataError(
            f"{source.path}: no CSV file has a column of images and one of run lengths: {seen}. Expected columns such "
            f"as {expected}. Rename them, or give the folder that holds the CSV and the images."
        )
    kept = [
        table for table in tables if pattern is not None or "submission" not in posixpath.basename(table.name).lower()
    ]
    passed = [table.name for table in tables if table not in kept] if kept else []
    notes = [f"{listed(passed)} passed over as a submission; --masks takes it."] if passed else []
    return kept or tables, notes


class _Images:
    """The images of the source by what a table calls them, with or without suffix."""

    def __init__(self, source: Source, pattern: str | None) -> None:
        fitting = images_of(source)
        if pattern is not None:
            known = set(fitting)
            fitting = [name for name, _ in match(source.names, pattern) if name in known]
            if not fitting:
                raise DataError(f"{source.path}: no image fits --images {pattern!r}.")
        self._whole, self._stems = Lookup(fitting), Lookup(fitting, stems=True)

    def find(self, reference: str, near: str) -> str | None:
        return self._whole.find(reference, near=near) or self._stems.find(reference, near=near)


def _by_image(tables: Sequence[Table], images: _Images, orphans: Objects, source: Source) -> list[_Listed]:
    """The images that are here, in the order of the tables; objects of others join `orphans`."""
    found: dict[str, _Listed] = {}
    for table in tables:
        places: dict[str, str | None] = {}
        for row in table.rows:
            if row.image not in places:
                places[row.image] = images.find(row.image, table.name)
            image = places[row.image]
            if image is None:
                if row.runs:
                    orphans.add(f"row {row.line} of {table.name}, of the image {row.image!r}", NO_IMAGE)
                continue
            listing = found.setdefault(image, _Listed(image, table.name, []))
            if listing.table != table.name:
                raise DataError(
                    f"{source.path}: {listing.table} and {table.name} both list {image}. Expected one file for each "
                    f'image; choose with --masks, such as --masks "{listing.table}".'
                )
            listing.rows.append(row)
    return list(found.values())


def _numbering(found: Sequence[_Listed], source: Source) -> tuple[Numbering, list[str]]:
    """How the pixels are numbered, as far as the runs prove it, and a note that says so."""
    from_0 = any(row.runs.split(None, 1)[0] == "0" for one in found for row in one.rows if row.runs)
    filled = [one for one in found if any(row.runs for row in one.rows)]
    alignment = Alignment()
    for one in filled[:: max(1, len(filled) // _LOOKED_AT)]:
        try:
            shape = one.rows[0].size or image_shape(source.read(one.image), one.image)
        except DataError:  # reported when it is converted
            continue
        alignment.add((row.runs for row in one.rows if row.runs), shape)
    order = "column by column"
    if alignment.is_by_rows:
        in_rows, in_columns = (percent(n / alignment.pairs) for n in (alignment.by_rows, alignment.by_columns))
        order = f"row by row (so {in_rows} of neighbouring runs lie side by side, by columns {in_columns})"
    elif not alignment.tells:
        order += ", as Kaggle documents it; the images (square, or of few runs) cannot tell"
    note = f"Pixels are numbered from {0 if from_0 else 1}{', as a run starts at 0,' if from_0 else ''} {order}."
    return Numbering(0 if from_0 else 1, not alignment.is_by_rows), [note]


def _classes(
    tables: Sequence[Table], source: Source, options: Options
) -> tuple[LabelTable, dict[str | None, int], int, list[str]]:
    """The classes, {class of a row: its id}, what is no object, and notes."""
    given = options.classes
    if not any(table.has_classes for table in tables):
        where = f"{source.path}: {tables[0].name} shows"
        return one_kind(given, options, where, '{"0": "background", "1": "ship"}.'), {None: 1}, 0, []
    kinds = sorted({row.kind for table in tables for row in table.rows if row.kind}, key=_natural)
    names = {kind: _name(kind, given) for kind in kinds}
    named = [Named(name, values=(int(kind),) if _is_number(kind) else ()) for kind, name in names.items()]
    used = {names[row.kind] for table in tables for row in table.rows if row.kind and row.runs}
    classes = class_table(with_background(named), given, source, used=used)
    notes = []
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all objects are ignored.")
    ids: dict[str | None, int] = {kind: classes.ids[name] for kind, name in names.items() if name in classes.ids}
    return classes.labels, ids, classes.background, notes


def _is_number(kind: str) -> bool:
    return kind.isascii() and kind.isdigit() and int(kind[:9]) < 2**16 and len(kind) < 6


def _natural(kind: str) -> tuple[bool, bool, int, str]:
    """Background first, numbers in their order, then names."""
    return (not is_background(kind), not _is_number(kind), int(kind) if _is_number(kind) else 0, kind)


def _name(kind: str, given: LabelTable | None) -> str:
    """What a class is called; of a number, what a table without sources says, for then it lists ids."""
    if not _is_number(kind):
        return kind
    if given is not None and not given.sources and int(kind) < given.num_classes:
        return given.names[int(kind)]
    return f"class {int(kind)}"


def _drawn(one: _Listed, meaning: _Meaning) -> Drawn:
    shape = image_shape(meaning.source.read(one.image), one.image)
    counts, objects = Objects(), []
    for row in one.rows:
        if row.size not in (None, shape) and row.size is not None:
            raise _refused(
                meaning, one, row, f"gives {one.image} {row.size[1]} x {row.size[0]} px", f"{shape[1]} x {shape[0]} px"
            )
        if not row.runs:
            continue
        try:
            plane = region(row.runs, shape, meaning.numbering)
        except NoRegion as error:
            raise _refused(meaning, one, row, *error.args) from None
        if row.kind in meaning.ids:
            name = f"row {row.line} of {one.table}"
            count_object(counts, name, [], has_pixels=True, shape=shape)
        else:
            counts.add(f"row {row.line} of {one.table}, of the class {row.kind!r}", NO_CATEGORY)
        objects.append((-int(np.count_nonzero(plane)), row.line, row))
    class_ids = np.full(shape, meaning.background, dtype=np.uint8)
    for _, _, row in sorted(objects):
        class_ids[region(row.runs, shape, meaning.numbering)] = meaning.ids.get(row.kind, IGNORE)
    return Drawn(class_ids, counts)


def _refused(meaning: _Meaning, one: _Listed, row: ListedRow, found: str, expected: str) -> DataError:
    remedy = "Correct the row, or give the images that the runs were made for."
    return meaning.source.fault(one.table, f"row {row.line} ({one.image}) {found}", expected=expected, remedy=remedy)


def _without_rows(found: Sequence[_Listed], source: Source) -> Iterator[str]:
    """A note on the images beside listed ones that no row lists."""
    taken = {one.image for one in found}
    folders = {posixpath.dirname(image) for image in taken}
    bare = [name for name in images_of(source) if posixpath.dirname(name) in folders and name not in taken]
    if bare:
        yield (
            f"{counted(len(bare), 'image')} without a row left out: {listed(bare)}. To take one as background, "
            "give it a row without run lengths."
        )
