"""Tables of class colours, as the tools that draw colour masks write them."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import Color, LabelTable

NamedColor = tuple[str, Color]


def find_color_table(source: Source) -> tuple[str, LabelTable] | None:
    """The table nearest to the source's root with its name in the source, or None.

    Read are classes.json (ours, or Supervisely's with `title` and `color`), class_dict.csv (`name,r,g,b`),
    labelmap.txt (CVAT's `name:r,g,b:parts:actions`) and label_colors.txt (CamVid's `r g b name`).

    Raises:
        DataError: the table cannot be read.
    """
    found = sorted(
        (name for name in source.names if PurePosixPath(name).name in _TABLES), key=lambda name: (name.count("/"), name)
    )
    return (found[0], read_color_table(source, found[0])) if found else None


def read_color_table(source: Source, name: str) -> LabelTable:
    """One of the files that `find_color_table` names."""
    where = str(source.file(name))
    try:
        if name.endswith(".json"):
            return _json(source.json(name), where)
        text = source.read(name).decode("utf-8-sig")
        entries = _TABLES[PurePosixPath(name).name](text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where}: cannot be read as a table of names and colours ({error}). Correct it.") from None
    return _table(entries, where)


def _table(entries: Sequence[NamedColor], where: str) -> LabelTable:
    return LabelTable.from_json(
        [{"id": i, "name": name, "color": list(color)} for i, (name, color) in enumerate(entries)], source=where
    )


def _json(content: Any, where: str) -> LabelTable:
    listed = content.get("classes") if isinstance(content, dict) else content
    if isinstance(listed, list) and all(isinstance(entry, dict) and "title" in entry for entry in listed):
        classes = [
            {"id": i, "name": entry["title"], "color": entry.get("color") or "missing"}
            for i, entry in enumerate(listed)
        ]
        return LabelTable.from_json(classes, source=where)
    return LabelTable.from_json(content, source=where)


def _class_dict(text: str) -> list[NamedColor]:
    rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    lowered: list[Mapping[str, str]] = [
        {(key or "").strip().lower(): value for key, value in row.items()} for row in rows
    ]
    return [(row["name"].strip(), _rgb(row["r"], row["g"], row["b"])) for row in lowered]


def _labelmap(text: str) -> list[NamedColor]:
    lines = [line.split(":") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(parts[0].strip(), _rgb(*parts[1].split(","))) for parts in lines if len(parts) > 1]


def _label_colors(text: str) -> list[NamedColor]:
    rows = (re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S.*?)\s*", line) for line in text.splitlines())
    return [(row[4], _rgb(row[1], row[2], row[3])) for row in rows if row]


def _rgb(*channels: str) -> Color:
    red, green, blue = (int(channel) for channel in channels)
    return red, green, blue


_TABLES: dict[str, Callable[[str], list[NamedColor]]] = {
    "classes.json": lambda _: [],
    "class_dict.csv": _class_dict,
    "labelmap.txt": _labelmap,
    "label_colors.txt": _label_colors,
}
