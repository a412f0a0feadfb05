"""CSV tables of run lengths, as Kaggle's competitions have them: which column holds what, and the rows."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pixelwise.data.convert.source import MAX_FILE_BYTES, Source
from pixelwise.phrases import listed

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "both": ("imagelabel", "imageidclassid", "imageclass", "imageidlabel"),  # "0011165.jpg_Fish"
    "image": ("imageid", "image", "id", "filename", "file", "imagename", "imagepath", "imagefile", "imgid", "img"),
    "runs": (
        *("encodedpixels", "rle", "rlemask", "maskrle", "encodedrle", "encoding", "segmentation"),
        *("annotation", "rlestring", "runlengths", "mask"),
    ),
    "class": ("classid", "class", "label", "classname", "category", "categoryid", "labelname", "celltype"),
    "width": ("width", "imagewidth", "imgwidth"),
    "height": ("height", "imageheight", "imgheight"),
}
"""By what a column holds, the names it may have, in lower case and without anything but letters."""

_NO_OBJECT = {"", "-1", "nan", "none", "null", "<na>"}
_RUN = re.compile(r"\s*\d+\s+\d")
_IN_ONE = re.compile(r"(.+\.(?:jpe?g|png|webp|bmp|tiff?))_(.+)", re.IGNORECASE)


class ListedRow(NamedTuple):
    """An object, or an image that has none."""

    line: int  # of the file, the header being 1
    image: str
    kind: str | None  # its class; None: the table has no column for it
    runs: str  # empty: no object
    size: tuple[int, int] | None  # (height, width), where the table has them


class Table(NamedTuple):
    """A file of run lengths."""

    name: str
    rows: Sequence[ListedRow]

    @property
    def has_classes(self) -> bool:
        """Whether it says of what each object is."""
        return any(row.kind is not None for row in self.rows)


def read_table(source: Source, name: str) -> Table | None:
    """The rows of a CSV file (commas, semicolons or tabs); None if no column holds images or none runs.

    Raises:
        FileFault: it is no text, or a width or height in it is no number of pixels.
    """
    limit = csv.field_size_limit(MAX_FILE_BYTES)  # the runs of an image are longer than csv expects of a field
    try:
        lines = source.read(name).decode("utf-8-sig").splitlines(keepends=True)
        first = lines[0] if lines else ""
        entries = csv.reader(lines, delimiter=max(",;\t", key=first.count))
        places = _places(next(entries, []))
        if "runs" not in places or not {"image", "both"} & places.keys():
            return None
        table = Table(name, list(_rows(entries, places, name, source)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise source.fault(
            name, f"cannot be read as CSV ({error})", expected="CSV in UTF-8", remedy="Fetch or export it again."
        ) from None
    finally:
        csv.field_size_limit(limit)  # which is one for the whole process
    filled = [row.runs for row in table.rows if row.runs]
    return table if not filled or any(_RUN.match(runs) for runs in filled) else None  # a column of paths


def header_of(source: Source, name: str) -> str:
    """The first line of a file, for messages."""
    text = source.read(name)[:2000].decode("utf-8-sig", "replace")
    return listed((part.strip() for part in re.split("[,;\t]", text.partition("\n")[0])), 8)


def _places(header: Sequence[str]) -> dict[str, int]:
    """{what a column holds: where it stands}; of several names that fit, the one that comes first above."""
    plain = [re.sub("[^a-z]", "", title.lower()) for title in header]
    fits = {what: [plain.index(name) for name in names if name in plain] for what, names in COLUMNS.items()}
    return {what: places[0] for what, places in fits.items() if places}


def _rows(entries: Iterator[list[str]], places: Mapping[str, int], name: str, source: Source) -> Iterator[ListedRow]:
    for line, cells in enumerate(entries, 2):
        if not any(cell.strip() for cell in cells):
            continue
        told = {what: cells[place].strip() if place < len(cells) else "" for what, place in places.items()}
        image, kind = told.get("image", ""), told.get("class")
        if "both" in told:
            image, kind = _parted(told["both"])
        runs = "" if told["runs"].lower() in _NO_OBJECT else told["runs"]
        yield ListedRow(line, image, kind, runs, _size(told, line, name, source))


def _parted(cell: str) -> tuple[str, str]:
    """("0011165.jpg", "Fish") of "0011165.jpg_Fish"."""
    fit = _IN_ONE.fullmatch(cell)
    image, _, kind = cell.rpartition("_")
    return (fit[1], fit[2]) if fit else (image, kind)


def _size(told: Mapping[str, str], line: int, name: str, source: Source) -> tuple[int, int] | None:
    texts = told.get("height", ""), told.get("width", "")
    if any(text.lower() in _NO_OBJECT for text in texts):
        return None
    if not all(re.fullmatch(r"\d{1,9}(\.0*)?", text) for text in texts):
        found = f"gives the image of row {line} the size {texts[1][:20]} x {texts[0][:20]}"
        raise source.fault(name, found, expected="width and height in pixels", remedy="Correct the row.")
    return int(float(texts[0])), int(float(texts[1]))
