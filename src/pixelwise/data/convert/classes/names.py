"""From the classes that a source names to a label table, in the source's order or in the one the user gave."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, Color, LabelTable, SourceValue
from pixelwise.phrases import listed

BACKGROUND = "background"
_MAX_VALUE = 65535  # of a source in a label table


class Named(NamedTuple):
    """A class of a source: its name, its colour there, and its number or colour in the source's masks."""

    name: str
    color: Color | None = None
    values: tuple[SourceValue, ...] = ()


class Classes(NamedTuple):
    """The table of a conversion and what each name of the source becomes: {name: class id or IGNORE}."""

    labels: LabelTable
    ids: Mapping[str, int]

    @property
    def background(self) -> int:
        """What pixels become that nobody labelled: the class called background, else IGNORE."""
        return next((i for name, i in self.ids.items() if is_background(name)), IGNORE)


def is_background(name: str) -> bool:
    """Whether a class is what is left when everything else is labelled."""
    return _plain(name) == BACKGROUND


def with_background(named: Sequence[Named]) -> list[Named]:
    """`named` with a background in front unless there is one."""
    if any(is_background(entry.name) for entry in named):
        return list(named)
    return [Named(BACKGROUND, (0, 0, 0)), *named]


def shown_color(text: Any) -> Color | None:
    """The colour of a text "#rrggbb"; colours are for show, so that all else is passed over."""
    try:
        red, green, blue = bytes.fromhex(text.strip().removeprefix("#"))
    except (AttributeError, ValueError):
        return None
    return red, green, blue


def by_number(names: Mapping[int, str], colors: Mapping[str, Color | None], what: str) -> tuple[list[Named], list[str]]:
    """The classes in the order of their numbers, and notes: numbers of one name became one class."""
    numbers: dict[str, list[int]] = {}
    for number in sorted(names):
        numbers.setdefault(names[number], []).append(number)
    notes = [
        f"The {what} {', '.join(map(str, same))} are all called {name} and became one class."
        for name, same in numbers.items()
        if len(same) > 1
    ]
    named = [
        Named(name, colors.get(name), tuple(i for i in same if 0 <= i <= _MAX_VALUE)) for name, same in numbers.items()
    ]
    return named, notes


def class_table(
    named: Sequence[Named], given: LabelTable | None, source: Source, *, used: Collection[str] | None = None
) -> Classes:
    """Number the classes of a source: in their order, or as `given` has them.

    A `given` table takes a class by its "source" values, else by its name. Only the classes in `used` need a place in
    it; None: all but the background.

    Raises:
        DataError: a name is no text, or `given` has no place for a class.
    """
    names = [entry.name for entry in named]
    _require_texts(names, source)
    if given is None:
        black = {i: (0, 0, 0) for i, name in enumerate(names) if is_background(name)}
        colors = black | {i: entry.color for i, entry in enumerate(named) if entry.color is not None}
        sources = {i: entry.values for i, entry in enumerate(named) if entry.values}
        if all(values == (i,) for i, values in sources.items()):
            sources = {}  # the ids are those of the source
        labels = LabelTable.named(names, colors, sources=sources)
        return Classes(labels, {name: i for i, name in enumerate(names)})
    ids = {entry.name: _given_id(entry, given) for entry in named}
    missing = [
        name
        for name, class_id in ids.items()
        if class_id is None and (name in used if used is not None else not is_background(name))
    ]
    if missing:
        raise DataError(
            f"{source.path}: has classes that the table given lacks: {listed(missing, 12)}. The table has "
            f"{listed(given.names, 12)}. Add them, or say what they become: "
            '{"id": 255, "name": "ignored", "source": [...]} ignores values of the masks.'
        )
    return Classes(_with_sources(given, named, ids), {name: i for name, i in ids.items() if i is not None})


def _require_texts(names: Sequence[str], source: Source) -> None:
    """Refuse a half of a character, as JSON and YAML can escape it: no file could hold the name."""
    broken = next((name for name in names if any("\ud800" <= character <= "\udfff" for character in name)), None)
    if broken is not None:
        raise DataError(
            f"{source.path}: has a class called {broken!r}, which is no text. Rename it where it was annotated, or "
            "correct the file that names it."
        )


def _given_id(entry: Named, given: LabelTable) -> int | None:
    if any(value in given.ignored for value in entry.values):
        return IGNORE
    for i, values in enumerate(given.sources):
        if any(value in values for value in entry.values):
            return i
    plain = [_plain(name) for name in given.names]
    return plain.index(_plain(entry.name)) if _plain(entry.name) in plain else None


def _with_sources(given: LabelTable, named: Sequence[Named], ids: Mapping[str, int | None]) -> LabelTable:
    """`given` with the source's own values, so that predictions can come back in them."""
    sources: dict[int, list[SourceValue]] = {}
    ignored: list[SourceValue] = []
    for entry in named:
        class_id = ids[entry.name]
        if class_id is not None:
            (ignored if class_id == IGNORE else sources.setdefault(class_id, [])).extend(entry.values)
    return LabelTable.named(given.names, dict(enumerate(given.colors)), sources=sources, ignored=ignored)


def _plain(name: str) -> str:
    return name.strip("_ ").casefold()
