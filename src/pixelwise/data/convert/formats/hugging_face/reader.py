"""Datasets of Hugging Face: images and masks in columns of a table; https://huggingface.co/docs/datasets."""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.classes.survey import survey
from pixelwise.data.convert.classes.tables import (
    GivenTable,
    Meaning,
    color_meaning,
    given_table,
    require_count,
    value_meaning,
)
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.hugging_face.columns import Columns, choose, encoded, is_picture
from pixelwise.data.convert.formats.hugging_face.names import names_inside
from pixelwise.data.convert.formats.hugging_face.opening import library, open_splits
from pixelwise.data.convert.matching.references import split_of
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import RawMask, whole_numbers
from pixelwise.errors import DataError
from pixelwise.phrases import counted, listed

Plane = npt.NDArray[Any]


@contextmanager
def _named(row: "_Row", column: str) -> Iterator[None]:
    """Errors about a cell are about its row."""
    try:
        yield
    except FileFault:
        raise
    except DataError as error:
        remedy = "Correct the row, or leave it out of the dataset."
        raise FileFault(
            Finding(
                Path(row.name), f"{error} in the column {column}", "an image and its mask", remedy, "unreadable-file"
            )
        ) from None


class _Row(NamedTuple):
    """A row of a split, with what reads it."""

    name: str  # such as "train/000012" or "train/street.jpg"
    split: str
    cell: Callable[[str], Any]  # of a column


def read(source: Source, options: Options) -> Conversion:
    """Every row that has an image and a mask, of every split; images keep the bytes that are stored.

    `options.images` and `options.masks` are names of columns. Class names come from `--classes`, else from a
    file in the source such as id2label.json, else from the ClassLabel of which the masks are made.

    Raises:
        MissingExtra: the extra `hf` is not installed.
        SettingsError: a column is given that is not there.
        DataError: there is no such dataset, its columns do not tell images and masks, or values have no class.
    """
    splits = open_splits(source)
    columns = choose(_features(splits, source.path), options, source.path)
    notes = [f"Images are in the column {columns.image}, masks in {columns.mask}."]
    rows: dict[str, _Row] = {}
    for name, dataset in splits.items():
        found, said = _rows(name, dataset, columns)
        rows |= {row.name: row for row in found}
        notes += said
    if not rows:
        raise DataError(
            f"{source.path}: no row of {listed(splits)} has a mask in {columns.mask}. Give labelled splits."
        )
    meaning, read_plane, said = _meaning(rows, columns, source, options, _features(splits, source.path))
    items = [
        Item(
            _called(row, several=len(splits) > 1), row.name, split_of(row.split),
            partial(_class_ids, row, read_plane, meaning.ids), partial(_image, row, columns.image, source.path),
        )
        for row in rows.values()
    ]  # fmt: skip
    return Conversion(meaning.labels, items, (*notes, *said, *meaning.notes))


def _features(splits: Mapping[str, Any], where: Path) -> Mapping[str, Any]:
    """The columns of the splits, which have to be the same."""
    first: Mapping[str, Any] = next(iter(splits.values())).features
    for name, dataset in splits.items():
        if set(dataset.features) != set(first):
            raise DataError(
                f"{where}: the splits {next(iter(splits))} and {name} have other columns ({listed(first, 8)}; "
                f"{listed(dataset.features, 8)}). Expected one table in splits; give the folder of one dataset."
            )
    return first


def _rows(split: str, dataset: Any, columns: Columns) -> tuple[list[_Row], list[str]]:
    """The rows of a split that have a mask, and a note on the others."""
    datasets = library()
    table = dataset.select_columns(list(columns))
    for column in columns:
        if type(table.features[column]).__name__ == "Image":
            table = table.cast_column(column, datasets.Image(decode=False))
    masked = [not is_null for is_null in table.data.column(columns.mask).is_null().to_pylist()]
    names = _names(table, columns.image)

    views = {column: table.select_columns([column]) for column in columns}  # of a row only what is asked for is read

    def cell(row: int, column: str) -> Any:
        return views[column][row][column]

    rows = [_Row(f"{split}/{name}", split, partial(cell, i)) for i, name in enumerate(names) if masked[i]]
    bare = len(names) - len(rows)
    return rows, [f"{counted(bare, 'row')} of {split} without a mask left out."] if bare else []


def _names(table: Any, column: str) -> list[str]:
    """What the images of a split are called: by their own names where all have one, else by their numbers."""
    paths: list[Any] = []
    if not hasattr(table.features[column], "dtype") or type(table.features[column]).__name__ == "Image":
        for chunk in table.data.column(column).chunks:
            paths += chunk.field("path").to_pylist() if "path" in {field.name for field in chunk.type} else []
    names = [posixpath.basename(path.replace("\\", "/")) if isinstance(path, str) else "" for path in paths]
    stems = {posixpath.splitext(name)[0].casefold() for name in names}
    if len(names) == table.num_rows and len(stems) == len(names) and "" not in stems:
        return names
    return [f"{i:0{max(6, len(str(table.num_rows)))}d}" for i in range(table.num_rows)]


def _called(row: _Row, *, several: bool) -> str:
    """The name of a row in a dataset; with its split's where that is none of ours and others have the same numbers."""
    name = posixpath.splitext(row.name)[0]
    return name if several and split_of(row.split) is None else posixpath.basename(name)


def _meaning(
    rows: Mapping[str, _Row], columns: Columns, source: Source, options: Options, features: Mapping[str, Any]
) -> tuple[Meaning, Callable[[_Row], Plane], list[str]]:
    """What the values (or, by a table of colours, the colours) of the masks are, how they are read, and notes."""
    is_encoded = is_picture(features[columns.mask])
    table = given_table(source, options) if source.names else GivenTable(options.classes)
    if table.labels is None:
        table = names_inside(features[columns.mask])
    given, notes = table.labels, list(table.notes)
    if given is not None and any(isinstance(value, tuple) for values in given.sources for value in values):
        in_color = partial(_colors, column=columns.mask, root=source.path)
        seen = survey(list(rows), lambda name: in_color(rows[name]))
        return color_meaning(seen, require_count(given, options), source.path), in_color, notes
    read_plane: Callable[[_Row], Plane] = partial(
        _values if is_encoded else _numbers, column=columns.mask, root=source.path
    )
    seen = survey(list(rows), lambda name: read_plane(rows[name]))
    return value_meaning(seen, given, options.num_classes, source.path), read_plane, notes


def _class_ids(row: _Row, read_plane: Callable[[_Row], Plane], ids: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    return class_ids_of(read_plane(row), ids, row.name)


def _image(row: _Row, column: str, root: Path) -> bytes:
    with _named(row, column):
        return encoded(row.cell(column), root)


def _raw(row: _Row, column: str, root: Path) -> RawMask:
    with _named(row, column):
        return decode(encoded(row.cell(column), root), row.name)


def _values(row: _Row, *, column: str, root: Path) -> Plane:
    raw = _raw(row, column, root)
    return raw.gray() if raw.kind == "colors" else raw.values()  # gray is often kept in three equal channels


def _colors(row: _Row, *, column: str, root: Path) -> Plane:
    return _raw(row, column, root).colors()


def _numbers(row: _Row, *, column: str, root: Path) -> Plane:
    with _named(row, column):
        try:
            plane = np.asarray(row.cell(column))
        except ValueError:  # rows of different lengths
            plane = np.empty(0)
        if plane.ndim != 2 or not plane.size:
            raise DataError(f"holds numbers of the shape {' x '.join(map(str, plane.shape))}, not (height, width)")
        return whole_numbers(plane, Path(row.name))
