"""Texts that name a class a line: names alone, with ids or with colours before or behind them."""

import re
from collections.abc import Sequence

from pixelwise.errors import DataError
from pixelwise.labels.files.entries import Entries, Listed, NoClassNames, entries_of, in_order, told
from pixelwise.labels.ids import IGNORE, MAX_CLASSES, Color

# CVAT's and datumaro's `name:r,g,b:parts:actions`; a name may hold a colon.
_COLORED = re.compile(r"(?P<name>.+):\s*(?P<rgb>\d+\s*,\s*\d+\s*,\s*\d+)\s*(?::[^:]*:[^:]*|:)?")
_AFTER_COLOR = re.compile(r"(?P<rgb>\d+\s+\d+\s+\d+)\s+(?P<name>\S.*)")  # CamVid's
_NUMBERED = re.compile(r"(?P<id>[+-]?\d{1,9})(?:\s*[:;,=.)]\s*|\s+)(?P<name>\S.*)")
_NUMBER_LAST = re.compile(r"(?P<name>.*[^\s:;,=])(?:\s*[:;,=]\s*|\s+)(?P<id>\d{1,9})")
_PATH = re.compile(r".*\.(png|jpe?g|tiff?|bmp|gif|webp|npy|txt|json|xml)(\s.*)?", re.IGNORECASE)
_BORDER = "ignored"
"""What datumaro calls VOC's border, which has a colour and is no class."""

_Line = tuple[str, str]  # its place and its text


def entries_of_lines(text: str, where: str) -> Entries:
    """Entries of a text; the order gives the ids where no line has one.

    Read are `sky`, `0 sky`, `0: sky`, `sky: 0`, `sky:10,20,30::` (labelmap.txt) and `10 20 30 sky` (label_colors.txt).
    Of labelme's lists `__ignore__` is no class and `_background_` is the background.

    Raises:
        NoClassNames: the lines are paths of files.
        DataError: a line is not like the others, an id or a name comes twice, or there is none.
    """
    lines = [(place, line) for place, line in _lines(text) if line != "__ignore__"]
    if not lines:
        raise DataError(f"{where}: holds no name. Expected one class a line; fill it in or remove the file.")
    if any(_PATH.fullmatch(line) for _, line in lines):
        raise NoClassNames(f"{where}: lists files, expected one class a line. Give the file that names the classes.")
    if len(lines) > MAX_CLASSES + 1:
        raise NoClassNames(f"{where}: has {len(lines)} lines, expected one a class and at most {MAX_CLASSES}.")
    if _COLORED.fullmatch(lines[0][1]):
        return _with_colors(label_map_of(text, where), where)
    if all(_AFTER_COLOR.fullmatch(line) for _, line in lines):
        return _with_colors(_colors_first(lines, where), where)
    numbered = _numbered(lines, where)
    listed = [one for one in numbered if one is not None]
    if len(listed) == len(lines):
        return entries_of(listed, where)
    if 2 * len(listed) >= len(lines) or (numbered[0] is not None and numbered[0].id == 0):
        place, line = next(pair for pair, one in zip(lines, numbered, strict=True) if one is None)
        raise DataError(f"{where}: {place} is {told(line)}, expected an id and a name as in the others. Correct it.")
    return in_order([(place, "background" if line == "_background_" else line) for place, line in lines], where)


def label_map_of(text: str, where: str) -> dict[str, Color]:
    """{label: colour} from lines `label:red,green,blue:parts:actions`, in their order.

    Raises:
        DataError: a line is none, or has a label or a colour that an earlier one has.
    """
    labels: dict[str, Color] = {}
    for place, line in _lines(text):
        fit = _COLORED.fullmatch(line)
        color = rgb_of(fit["rgb"].split(",")) if fit else None
        if fit is None or color is None or fit["name"].strip() in labels or color in labels.values():
            raise DataError(
                f"{where}: {place} is {told(line)}, expected a label and a colour of its own such as car:0,0,142:: "
                "with 0 to 255. Correct it or export it again."
            )
        labels[fit["name"].strip()] = color
    return labels


def rgb_of(channels: Sequence[str]) -> Color | None:
    """A colour of three texts from 0 to 255, or None."""
    if len(channels) != 3 or not all(re.fullmatch(r"\s*\d{1,3}\s*", channel, re.ASCII) for channel in channels):
        return None
    red, green, blue = map(int, channels)
    return (red, green, blue) if max(red, green, blue) <= 255 else None


def _lines(text: str) -> list[_Line]:
    stripped = ((f"line {i}", line.strip()) for i, line in enumerate(re.split(r"\r\n|\n|\r", text), 1))
    # "# label:color_rgb:parts:actions" is a comment; "#87ceeb" is a name that nobody else could have chosen.
    return [(place, line) for place, line in stripped if line and not re.match(r"#(\s|$|label:)", line)]


def _with_colors(labels: dict[str, Color], where: str) -> Entries:
    border = labels.pop(_BORDER, None)
    entries = entries_of([Listed(name, i, name, color) for i, (name, color) in enumerate(labels.items())], where)
    return [*entries, {"id": IGNORE, "name": _BORDER, "color": list(border)}] if border is not None else entries


def _colors_first(lines: Sequence[_Line], where: str) -> dict[str, Color]:
    labels: dict[str, Color] = {}
    for place, line in lines:
        fit = _AFTER_COLOR.fullmatch(line)
        color = rgb_of(fit["rgb"].split()) if fit else None
        if fit is None or color is None or fit["name"] in labels:
            raise DataError(
                f"{where}: {place} is {told(line)}, expected a colour of 0 to 255 and a name of its own such as "
                "64 128 64 Animal. Correct it."
            )
        labels[fit["name"]] = color
    return labels


def _numbered(lines: Sequence[_Line], where: str) -> list[Listed | None]:
    """The classes of lines that have an id; NoClassNames where numbers behind names are none."""
    last = [_NUMBER_LAST.fullmatch(line) for _, line in lines]
    if all(last) and len({fit["name"] for fit in last if fit}) == len(lines):  # "class 0" and "class 1" are names
        if sorted(int(fit["id"]) for fit in last if fit) != list(range(len(lines))):
            raise NoClassNames(f"{where}: has numbers behind names that are no ids 0, 1, 2, ...: {told(lines[0][1])}.")
        fits = last
    else:
        fits = [_NUMBERED.fullmatch(line) for _, line in lines]
    return [
        Listed(place, int(fit["id"]), fit["name"]) if fit else None for (place, _), fit in zip(lines, fits, strict=True)
    ]
