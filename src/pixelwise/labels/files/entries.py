"""One class as a file has it, and what is wrong with a list of them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pixelwise.errors import DataError
from pixelwise.labels.ids import IGNORE, MAX_CLASSES, Color
from pixelwise.phrases import shortened

Entries = list[dict[str, Any]]
"""Classes in the list form of classes.json: {"id": 0, "name": "sky", "color": [r, g, b], "source": 7}."""

_MOST_LETTERS = 60


class NoClassNames(DataError):
    """A file that is sound and speaks of something else than classes."""


class Listed(NamedTuple):
    """A class of a file of lines; `where` is its place, such as "line 3"."""

    where: str
    id: int
    name: str
    color: Color | None = None


def entries_of(listed: Sequence[Listed], where: str) -> Entries:
    """`listed` as entries; DataError that names both places where an id or a name comes twice."""
    if len(listed) > MAX_CLASSES + 1:
        raise DataError(f"{where}: lists {len(listed)} classes, expected at most {MAX_CLASSES}. Give the right file.")
    ids: dict[int, Listed] = {}
    names: dict[str, Listed] = {}
    for one in listed:
        if not one.name:
            raise DataError(f"{where}: {one.where} has no name for class {one.id}. Name the class or remove the line.")
        if one.id in ids:
            raise DataError(
                f"{where}: {one.where} gives {told(one.name)} the class id {one.id}, which {ids[one.id].where} gives "
                f"{told(ids[one.id].name)}. Expected each id once; correct one of them."
            )
        ids[one.id] = one
        other = names.setdefault(one.name, one)
        if other is not one and one.id != IGNORE:
            raise DataError(
                f"{where}: {one.where} has the name {told(one.name)}, which {other.where} has too. Expected a name of "
                "its own for each class; rename one."
            )
    return [
        {"id": one.id, "name": one.name} | ({} if one.color is None else {"color": list(one.color)})
        for one in sorted(listed, key=lambda one: one.id)
    ]


def in_order(names: Iterable[tuple[str, str]], where: str) -> Entries:
    """Entries of (place, name), numbered from 0."""
    return entries_of([Listed(place, i, name) for i, (place, name) in enumerate(names)], where)


def told(value: object) -> str:
    """What a file holds, short and on one line, for a message."""
    # A hostile file nests lists that would fill a disk when written out: containers go by their type.
    plain = isinstance(value, str | int | float | bool) or value is None
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of many digits"
    return shortened(repr(value), _MOST_LETTERS) if plain else f"a {type(value).__name__}"


def is_text(name: str) -> bool:
    """Whether a name can be printed and written as UTF-8: no control characters, no halves of surrogate pairs."""
    return not any(ord(letter) < 32 or 127 <= ord(letter) < 160 or "\ud800" <= letter <= "\udfff" for letter in name)
