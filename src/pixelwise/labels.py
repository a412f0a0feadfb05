"""LabelTable: the names and colours of the classes, and what a value in a mask file means."""

import colorsys
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixelwise.errors import DataError, SettingsError

IGNORE = 255
"""The class id of pixels that count for nothing, in the loss and in every score."""

MAX_CLASSES = 254

Color = tuple[int, int, int]

# Okabe and Ito's colours, which colour-blind readers tell apart (https://jfly.uni-koeln.de/color/).
_FIRST_COLORS: tuple[Color, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167), (128, 128, 128),
)  # fmt: skip
_BACKGROUND_NAMES = {"background", "void", "other", "unlabelled", "unlabeled"}
_SIDES = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Class `i` is called `names[i]` and drawn in `colors[i]` (RGB, 0 to 255)."""

    names: tuple[str, ...]
    colors: tuple[Color, ...]

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
    def named(cls, names: Sequence[str], colors: Mapping[int, Color] | None = None) -> Self:
        """A table with the colours given and well separated ones for the rest."""
        given = colors or {}
        chosen = tuple(given.get(i) or _default_color(i, name) for i, name in enumerate(names))
        return cls(tuple(names), chosen)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read `classes.json`: `{"0": "sky"}` or `[{"id": 0, "name": "sky", "color": "#87ceeb"}]`."""
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: cannot be read as JSON ({error}). Expected class names such as "
                '{"0": "sky", "1": "road"}; correct the file or remove it.'
            ) from None
        return cls.from_json(content, source=str(path))

    @classmethod
    def from_json(cls, content: Any, *, source: str) -> Self:
        """Build a table from parsed JSON in either of the two forms; `source` is named in errors."""
        names, colors = _names_and_colors(content, source)
        ids = sorted(names)
        if not 2 <= len(ids) <= MAX_CLASSES or ids != list(range(len(ids))):
            raise DataError(
                f"{source}: class ids are {_shorten(ids)}. Expected 2 to {MAX_CLASSES} classes numbered "
                f"0, 1, 2, ... without gaps ({IGNORE} means ignored and is not listed); renumber the classes."
            )
        ordered = [names[i] for i in ids]
        twice = sorted({name for name in ordered if ordered.count(name) > 1})
        if twice:
            raise DataError(f"{source}: the name {twice[0]!r} stands for several classes. Give each its own name.")
        return cls.named(ordered, colors)

    def to_json(self) -> list[dict[str, Any]]:
        """The list form, as bundles store it."""
        return [
            {"id": i, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for i, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]

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


def _names_and_colors(content: Any, source: str) -> tuple[dict[int, str], dict[int, Color]]:
    if isinstance(content, dict):
        entries = [{"id": key, "name": value} for key, value in content.items()]
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        entries = content
    else:
        raise DataError(
            f"{source}: found {type(content).__name__}, expected an object of id and name or a list of "
            'objects such as {"id": 0, "name": "sky", "color": "#87ceeb"}.'
        )
    names: dict[int, str] = {}
    colors: dict[int, Color] = {}
    for entry in entries:
        class_id = _class_id(entry, source)
        if class_id in names:
            raise DataError(f"{source}: class id {class_id} is listed twice. List each class once.")
        if not isinstance(entry.get("name"), str) or not entry["name"].strip():
            raise DataError(f"{source}: class {class_id} has the name {entry.get('name')!r}, expected a text.")
        names[class_id] = entry["name"].strip()
        if entry.get("color") is not None:
            colors[class_id] = _color(entry["color"], f"{source}: class {class_id}")
    return names, colors


def _class_id(entry: Mapping[str, Any], source: str) -> int:
    try:
        return int(str(entry["id"]))
    except (KeyError, ValueError):
        found = repr(entry["id"]) if "id" in entry else "no id"
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


def _shorten(ids: Sequence[int]) -> str:
    text = ", ".join(map(str, ids[:8]))
    return f"{text}, ... ({len(ids)} in all)" if len(ids) > 8 else text or "none"
