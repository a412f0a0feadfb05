"""LabelTable: the names and colours of the classes, and what a value in a mask file means."""

import colorsys
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixelwise.errors import DataError, SettingsError
from pixelwise.labels.files.entries import is_text, told
from pixelwise.labels.files.reading import entries_at, entries_in
from pixelwise.labels.ids import IGNORE, MAX_CLASSES, SOURCE_NUMBERS, Color, SourceValue, hex_color

# Okabe and Ito's colours, which colour-blind readers tell apart (https://jfly.uni-koeln.de/color/).
_FIRST_COLORS: tuple[Color, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167), (128, 128, 128),
)  # fmt: skip
_BACKGROUND_NAMES = {"background", "void", "other", "unlabelled", "unlabeled"}
_MOST_LETTERS = 200
_SIDES = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Class `i` is called `names[i]` and drawn in `colors[i]` (RGB, 0 to 255).

    Where masks were repaired or converted, `sources[i]` are the values that became class `i` and `ignored` those
    that became IGNORE; both are empty when nothing was changed.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    sources: tuple[tuple[SourceValue, ...], ...] = ()
    ignored: tuple[SourceValue, ...] = ()

    @property
    def num_classes(self) -> int:
        """How many classes there are, the background included, ignored pixels not."""
        return len(self.names)

    @classmethod
    def numbered(cls, num_classes: int) -> Self:
        """A table for classes that nobody named; SettingsError for a number there cannot be."""
        if not 2 <= num_classes <= MAX_CLASSES:
            raise SettingsError(f"num_classes is {num_classes}, expected 2 to {MAX_CLASSES}, the background included.")
        return cls.named([f"class {i}" for i in range(num_classes)])

    @classmethod
    def named(
        cls,
        names: Sequence[str],
        colors: Mapping[int, Color] | None = None,
        *,
        sources: Mapping[int, Sequence[SourceValue]] | None = None,
        ignored: Sequence[SourceValue] = (),
    ) -> Self:
        """A table with the colours given and well separated ones for the rest."""
        given = colors or {}
        chosen = tuple(given[i] if i in given else _default_color(i, name) for i, name in enumerate(names))
        values = tuple(tuple(sources.get(i, ())) for i in range(len(names))) if sources else ()
        return cls(tuple(names), chosen, values, tuple(ignored))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that names the classes: `{"0": "sky"}` or `[{"id": 0, "name": "sky", "color": "#87ceeb"}]`.

        The list may say what a class is in the masks as people have them: `"source": 7`, `"#87ceeb"` or a list of
        these. An entry of id 255 names what is ignored. Other files that name classes are read as well: _classes.csv,
        dataset.json, data.yaml, labelmap.txt, id2label.json, lists and tables, see `labels.files`.

        Raises:
            DataError: the file cannot be read, or the classes are not 2 to 254 with ids from 0 on and names of their
                own; NoClassNames where it speaks of something else.
        """
        return cls.from_json(entries_at(path), source=str(path))

    @classmethod
    def of_bytes(cls, name: str, content: bytes, *, source: str) -> Self:
        """As `read`, from the content of the file called `name`; `source` is named in errors."""
        return cls.from_json(entries_in(name, content, source), source=source)

    @classmethod
    def from_json(cls, content: Any, *, source: str) -> Self:
        """Build a table from parsed JSON in either of the two forms; `source` is named in errors."""
        entries = _entries(content, source)
        names = {i: entry["name"].strip() for i, entry in entries.items() if i != IGNORE}
        colors = {
            i: _color(entry["color"], f"{source}: class {i}")
            for i, entry in entries.items()
            if entry.get("color") is not None
        }
        sources = {
            i: _sources(entry["source"], f"{source}: class {i}") for i, entry in entries.items() if "source" in entry
        }
        ignored = sources.pop(IGNORE, None) or [color for i, color in colors.items() if i == IGNORE]
        ids = sorted(names)
        if not 2 <= len(ids) <= MAX_CLASSES or ids != list(range(len(ids))):
            raise DataError(
                f"{source}: class ids are {_shorten(ids)}. Expected 2 to {MAX_CLASSES} classes numbered "
                f"0, 1, 2, ... without gaps ({IGNORE} means ignored and is not listed); renumber the classes."
                f"{_as_sources(ids, names)}"
            )
        ordered = [names[i] for i in ids]
        twice = sorted({name for name in ordered if ordered.count(name) > 1})
        if twice:
            raise DataError(f"{source}: the name {twice[0]!r} stands for several classes. Give each its own name.")
        return cls.named(ordered, colors, sources=sources, ignored=ignored)

    def to_json(self) -> list[dict[str, Any]]:
        """The list form, as bundles store it."""
        entries: list[dict[str, Any]] = [
            {"id": i, "name": name, "color": hex_color(color)}
            for i, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]
        for entry, values in zip(entries, self.sources, strict=False):
            if values:
                entry["source"] = _source_json(values)
        if self.ignored:
            entries.append({"id": IGNORE, "name": "ignored", "source": _source_json(self.ignored)})
        return entries

    def palette(self) -> bytes:
        """768 bytes of RGB for a palette PNG; ignored pixels are white, unused values grey."""
        entries = list(self.colors) + [(96, 96, 96)] * (256 - self.num_classes)
        entries[IGNORE] = (255, 255, 255)
        return bytes(channel for color in entries for channel in color)

    def mirrored(self) -> tuple[int, ...]:
        """The class that each class becomes when an image is flipped: left arm <-> right arm."""
        known = {name.casefold(): i for i, name in enumerate(self.names)}
        others = (_other_side(name) for name in self.names)
        return tuple(i if other is None else known.get(other, i) for i, other in enumerate(others))


def _other_side(name: str) -> str | None:
    """`name` with left and right exchanged where they begin a word (bright stays bright), or None."""
    other = re.sub(r"(?<![a-z])(left|right)", lambda side: _SIDES[side[0]], name.casefold())
    return None if other == name.casefold() else other


def _entries(content: Any, source: str) -> dict[int, Mapping[str, Any]]:
    """{class id: entry} of either form, every entry with a name."""
    if isinstance(content, dict):
        listed = [{"id": key, "name": value} for key, value in content.items()]
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        listed = content
    else:
        raise DataError(
            f"{source}: found {type(content).__name__}, expected an object of id and name or a list of "
            'objects such as {"id": 0, "name": "sky", "color": "#87ceeb"}.'
        )
    entries: dict[int, Mapping[str, Any]] = {}
    for entry in listed:
        class_id = _class_id(entry, source)
        if class_id in entries:
            raise DataError(f"{source}: class id {class_id} is listed twice. List each class once.")
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{source}: class {class_id} has the name {told(name)}, expected a text.")
        if not is_text(name.strip()) or len(name) > _MOST_LETTERS:
            raise DataError(
                f"{source}: class {class_id} has the name {told(name)}, expected at most {_MOST_LETTERS} letters "
                "without line breaks and other control characters. Correct it."
            )
        entries[class_id] = entry
    return entries


def _class_id(entry: Mapping[str, Any], source: str) -> int:
    try:
        return int(str(entry["id"]))
    except (KeyError, ValueError):
        found = told(entry["id"]) if "id" in entry else "no id"
        raise DataError(f"{source}: {found} where a class id (0, 1, 2, ...) was expected.") from None


def _color(value: Any, where: str) -> Color:
    digits = value.removeprefix("#") if isinstance(value, str) else ""
    if isinstance(value, list) and len(value) == 3 and all(isinstance(v, int) and 0 <= v <= 255 for v in value):
        return (value[0], value[1], value[2])
    try:
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise DataError(f'{where} has the color {value!r}, expected "#rrggbb" or [red, green, blue].') from None
    return (red, green, blue)


def _sources(value: Any, where: str) -> list[SourceValue]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(_is_source(entry) for entry in values):
        raise DataError(
            f"{where} has the source {value!r}, expected a value of the masks ({SOURCE_NUMBERS[0]} to "
            f'{SOURCE_NUMBERS[-1]}), a colour "#rrggbb" or a list of these.'
        )
    return [entry if isinstance(entry, int) else _color(entry, where) for entry in values]


def _is_source(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and value in SOURCE_NUMBERS)  # JSON's true is an int too


def _source_json(values: Sequence[SourceValue]) -> Any:
    written = [value if isinstance(value, int) else hex_color(value) for value in values]
    return written[0] if len(written) == 1 else written


def _default_color(class_id: int, name: str) -> Color:
    if class_id == 0 and name.casefold() in _BACKGROUND_NAMES:
        return (0, 0, 0)
    if class_id < len(_FIRST_COLORS):
        return _FIRST_COLORS[class_id]
    # The golden angle keeps neighbours far apart in hue; lightness alternates for the colour-blind.
    hue = (class_id * 0.618034) % 1.0
    lightness = (0.35, 0.55, 0.75)[class_id % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.65)
    return (round(red * 255), round(green * 255), round(blue * 255))


def _as_sources(ids: Sequence[int], names: Mapping[int, str]) -> str:
    """How a classes.json says that masks hold ids with gaps."""
    if not 2 <= len(ids) <= MAX_CLASSES or not 0 <= ids[0] <= ids[-1] < SOURCE_NUMBERS.stop:
        return ""
    entries = [{"id": i, "name": names[value], "source": value} for i, value in enumerate(ids[:2])]
    return (
        " If the masks hold these values, name them by a classes.json such as "
        f"[{', '.join(map(json.dumps, entries))}{', ...' if len(ids) > 2 else ''}]."
    )


def _shorten(ids: Sequence[int]) -> str:
    text = ", ".join(map(str, ids[:8]))
    return f"{text}, ... ({len(ids)} in all)" if len(ids) > 8 else text or "none"
