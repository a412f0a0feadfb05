"""Files in a source that name its classes, with or without their colours."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import Color, LabelTable
from pixelwise.labels.files.beside import OWN, rank, same_classes
from pixelwise.labels.files.entries import NoClassNames
from pixelwise.labels.files.lines import label_map_of
from pixelwise.labels.files.text import text_of
from pixelwise.phrases import listed

_COLORED = (OWN, "class_dict.csv", "classes.csv", "labelmap.txt", "label_colors.txt")
_SHOWN = 8


class FoundTable(NamedTuple):
    """The classes of a source, the file that names them, and notes on it."""

    labels: LabelTable
    name: str
    notes: tuple[str, ...]


def find_color_table(source: Source) -> tuple[str, LabelTable] | None:
    """The table of colours nearest to the source's root with its name in the source, or None.

    Read are classes.json (ours, or Supervisely's with `title` and `color`), class_dict.csv and classes.csv
    (`name,r,g,b`), labelmap.txt (CVAT's `name:r,g,b:parts:actions`) and label_colors.txt (CamVid's `r g b name`).

    Raises:
        DataError: the table cannot be read.
    """
    names = (name for name in source.names if PurePosixPath(name).name in _COLORED)
    found = sorted(names, key=lambda name: (name.count("/"), name))
    return (found[0], _read(source, found[0])) if found else None


def found_table(source: Source) -> FoundTable | None:
    """The classes of the file of CLASS_FILES nearest to the root, of several in one folder the first of the list.

    Files that speak of something else are passed over.

    Raises:
        DataError: the file cannot be read, or one of its folder or of its name contradicts it where it is no
            classes.json.
    """
    files = [name for name in source.names if rank(name) is not None]
    files.sort(key=lambda name: (name.count("/"), rank(name) or 0, name))
    tables: list[tuple[str, LabelTable]] = []
    for name in files:
        if tables and not _belongs(name, tables[0][0]):
            continue
        try:
            tables.append((name, _read(source, name)))
        except NoClassNames:
            if PurePosixPath(name).name == OWN:
                raise
    if not tables:
        return None
    first, labels = tables[0]
    notes = [f"Names of the classes come from {first}."]
    for name, other in tables[1:]:
        if not same_classes(labels.names, first, other.names, name):
            notes.append(_contradiction(source, first, labels.names, name, other.names))
    return FoundTable(labels, first, tuple(notes))


def label_map_in(source: Source, name: str) -> dict[str, Color]:
    """{label: colour} of a labelmap.txt, in its order; DataError that names the line that is none."""
    where = str(source.file(name))
    try:
        return label_map_of(text_of(source.read(name)), where)
    except ValueError as error:
        raise DataError(f"{where}: cannot be read ({error}). Expected lines such as car:0,0,142::.") from None


def _read(source: Source, name: str) -> LabelTable:
    return LabelTable.of_bytes(PurePosixPath(name).name, source.read(name), source=str(source.file(name)))


def _belongs(name: str, first: str) -> bool:
    """Whether two files speak of the same data: they lie in one folder, or splits have one each."""
    path, other = PurePosixPath(name), PurePosixPath(first)
    return path.parent == other.parent or (path.name == other.name != OWN and name.count("/") == first.count("/"))


def _contradiction(source: Source, first: str, names: Sequence[str], other: str, others: Sequence[str]) -> str:
    """A note where classes.json counts; else DataError."""
    told = f"{other} names the classes {listed(others, _SHOWN)}, and {first} names them {listed(names, _SHOWN)}"
    if PurePosixPath(first).name == OWN:
        return f"{told}; {first} counts."
    raise DataError(f"{source.path}: {told}. Say which is right with --classes FILE, or remove the other.")
