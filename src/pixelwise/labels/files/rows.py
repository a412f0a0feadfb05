"""Tables with a class a row: CSV of any separator, with or without a header."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pixelwise.errors import DataError
from pixelwise.labels.files.entries import Entries, Listed, NoClassNames, entries_of, told
from pixelwise.labels.files.lines import rgb_of
from pixelwise.labels.ids import MAX_CLASSES, Color

_SEPARATORS = (",", ";", "\t", "|")
# Headers without blanks, "_" and "-", the likeliest first.
_IDS = ("pixelvalue", "id", "classid", "labelid", "value", "index", "idx", "number", "gray", "grayvalue", "trainid")
_NAMES = ("name", "classname", "class", "labelname", "label", "category", "categoryname", "title")
_CHANNELS = (("r", "red"), ("g", "green"), ("b", "blue"))
_COLORS = ("color", "colour", "hex", "hexcolor", "rgb", "hexcode")
_FILES = ("filename", "file", "image", "imageid", "img", "path", "imagepath", "encodedpixels", "mask")
_KNOWN = {*_IDS, *_NAMES, *_COLORS, *_FILES, *(word for words in _CHANNELS for word in words)}
_WHOLE = re.compile(r"[+-]?\d{1,9}(\.0+)?", re.ASCII)
_HEX = re.compile(r"#?[0-9a-f]{6}", re.IGNORECASE)
_EXPECTED = "rows such as 0,background or, with a header, id,name,r,g,b"


class _Row(NamedTuple):
    where: str
    cells: list[str]


class _Columns(NamedTuple):
    """Which column holds what."""

    name: int
    id: int | None = None  # None: the order gives the ids
    color: tuple[int, ...] = ()  # one column, or three


def entries_of_rows(text: str, where: str) -> Entries:
    """Entries of a table: a column of names, of ids if there is one, and of colours (r, g, b or "#rrggbb").

    Raises:
        NoClassNames: the table lists images.
        DataError: it cannot be read, a row lacks something, or it is not clear which column is which.
    """
    rows = _rows(text, where)
    if not rows:
        raise DataError(f"{where}: holds no row. Expected {_EXPECTED}; fill it in or remove the file.")
    header, body = _divided(rows)
    if set(header) & set(_FILES):
        raise NoClassNames(
            f"{where}: lists images by its header {told(', '.join(rows[0].cells))}, expected {_EXPECTED}."
        )
    if len(body) > MAX_CLASSES + 1:
        raise NoClassNames(f"{where}: has {len(body)} rows, expected one a class and at most {MAX_CLASSES}.")
    _require_width(rows, bool(header), where)
    columns = _by_header(header, body) if set(header) & _KNOWN else _by_content(body)
    if columns is None:
        raise DataError(f"{where}: does not show which column holds the names. Expected {_EXPECTED}; add a header.")
    return entries_of([_listed(i, row, columns, where) for i, row in enumerate(body)], where)


def _rows(text: str, where: str) -> list[_Row]:
    """The rows with a cell that is not empty, separated so that they have as many columns as each other."""
    first, _, rest = text.partition("\n")
    chosen = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)  # Excel's own mark
    start, text, separators = (1, rest, (chosen[1],)) if chosen else (0, text, _SEPARATORS)
    try:
        readings = [_split(text, separator, start) for separator in separators]
    except csv.Error as error:
        raise DataError(f"{where}: cannot be read as CSV ({error}). Expected {_EXPECTED}; correct the file.") from None
    return max(readings, key=_fitness)


def _split(text: str, separator: str, start: int) -> list[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows = []
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        while stripped and not stripped[-1]:  # spreadsheets end rows with empty cells
            stripped.pop()
        if stripped:
            rows.append(_Row(f"line {start + reader.line_num}", stripped))
    return rows


def _fitness(rows: Sequence[_Row]) -> tuple[int, bool]:
    """How many columns all rows have, then whether one of them is of numbers: a name may hold another separator."""
    width = min((len(row.cells) for row in rows), default=0)
    return min(width, 2), any(_all(rows[1:], i, _WHOLE) for i in range(width))


def _divided(rows: Sequence[_Row]) -> tuple[list[str], Sequence[_Row]]:
    """The header in plain words, empty where there is none, and the rows below it."""
    plain = [re.sub(r"[\s_-]", "", cell).casefold() for cell in rows[0].cells]
    has_numbers = any(_WHOLE.fullmatch(cell) or _HEX.fullmatch(cell) for cell in rows[0].cells)
    known = _NAMES if len(plain) == 1 else _KNOWN  # of one column the first class may be called "path"
    of_numbers = any(_all(rows[1:], i, _WHOLE) for i in range(len(plain)))
    is_header = not has_numbers and (bool(set(plain) & set(known)) or of_numbers)
    return (plain, rows[1:]) if is_header else ([], rows)


def _require_width(rows: Sequence[_Row], has_header: bool, where: str) -> None:
    """A cell that no column has would be dropped: a name that holds the separator has to be in quotes."""
    width = len(rows[0].cells)
    for row in rows[1:]:
        if len(row.cells) > width or (not has_header and len(row.cells) < width):
            raise DataError(
                f"{where}: {row.where} has {len(row.cells)} cells ({_shown(row)}), but {rows[0].where} has {width}. "
                "Expected equally many; put a name that holds the separator in quotes."
            )


def _by_header(header: Sequence[str], body: Sequence[_Row]) -> _Columns | None:
    def first(words: Sequence[str], fits: Callable[[int], bool] = lambda _: True) -> int | None:
        return next((header.index(word) for word in words if word in header and fits(header.index(word))), None)

    def is_numbers(i: int) -> bool:
        return _all(body, i, _WHOLE)

    name = first(_NAMES, lambda i: not is_numbers(i))
    channels = [first(words) for words in _CHANNELS]
    single = first(_COLORS)
    color = tuple(i for i in channels if i is not None) if None not in channels else ()
    if not color and single is not None:
        color = (single,)
    number = first(_IDS)
    if number is None:  # "label,name" and "class,name": the first holds the ids
        number = first(_NAMES, lambda i: i != name and is_numbers(i))
    return None if name is None else _Columns(name, number, color)


def _by_content(body: Sequence[_Row]) -> _Columns | None:
    """The columns without a known header: one of words, and numbers by how many there are."""
    width = min((len(row.cells) for row in body), default=0)
    numbers = [i for i in range(width) if _all(body, i, _WHOLE)]
    hexes = [i for i in range(width) if i not in numbers and _all(body, i, _HEX)]
    words = [i for i in range(width) if i not in numbers and i not in hexes]
    if not words or len(numbers) not in (0, 1, 3, 4):
        return None
    number = numbers[0] if len(numbers) in (1, 4) else None
    return _Columns(words[0], number, tuple(numbers[-3:]) if len(numbers) > 2 else tuple(hexes[:1]))


def _listed(i: int, row: _Row, columns: _Columns, where: str) -> Listed:
    name = _cell(row, columns.name)
    number = str(i) if columns.id is None else _cell(row, columns.id)
    if not name:
        raise DataError(f"{where}: {row.where} has no name ({_shown(row)}), expected {_EXPECTED}. Name the class.")
    if not _WHOLE.fullmatch(number):
        raise DataError(f"{where}: {row.where} has the id {told(number)} for {told(name)}, expected 0, 1, 2, ...")
    return Listed(row.where, int(number.partition(".")[0]), name, _color(row, columns.color, where))


def _color(row: _Row, columns: Sequence[int], where: str) -> Color | None:
    cells = [_cell(row, i) for i in columns]
    if not any(cells):
        return None
    parts = [part for part in re.split(r"[\s,;()\[\]]+", cells[0]) if part] if len(cells) == 1 else cells
    color = rgb_of(parts)
    if color is None and len(parts) == 1 and _HEX.fullmatch(parts[0]):
        red, green, blue = bytes.fromhex(parts[0].removeprefix("#"))
        color = (red, green, blue)
    if color is None:
        raise DataError(
            f"{where}: {row.where} has the colour {told(', '.join(cells))}, expected red, green and blue from 0 to 255 "
            'or "#rrggbb". Correct it.'
        )
    return color


def _cell(row: _Row, i: int) -> str:
    return row.cells[i] if i < len(row.cells) else ""


def _shown(row: _Row) -> str:
    return told(", ".join(row.cells))


def _all(rows: Sequence[_Row], i: int, form: re.Pattern[str]) -> bool:
    return bool(rows) and all(form.fullmatch(_cell(row, i)) for row in rows)
