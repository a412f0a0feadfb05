"""What the values or colours of a source's masks mean; what no table says is asked for, never guessed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pixelwise.data.convert.classes.color_tables import found_table
from pixelwise.data.convert.classes.survey import Survey, shares
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.judging import ignoring, source_entries, spread_grays
from pixelwise.data.masks.raw import color_number, numbered_color
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable, SourceValue, hex_color

_MANY_COLORS = 256
_FEW_OBJECTS = 8
_SHOWN = 8


class Meaning(NamedTuple):
    """What the masks of a source say: the classes, and {value or 0xRRGGBB: class id or IGNORE}."""

    labels: LabelTable
    ids: Mapping[int, int]
    notes: tuple[str, ...] = ()


class GivenTable(NamedTuple):
    """The classes that were given or that a file in the source names, if any, and what to say about it."""

    labels: LabelTable | None
    notes: tuple[str, ...] = ()


def given_table(source: Source, options: Options) -> GivenTable:
    """The classes that `--classes` gives, else those of the file in the source that `found_table` takes.

    Raises:
        SettingsError: `--classes` and `--num-classes` disagree.
        DataError: the file in the source cannot be used, or another contradicts it.
    """
    if options.classes is not None:
        return GivenTable(require_count(options.classes, options))
    found = found_table(source)
    if found is None:
        return GivenTable(None)
    return GivenTable(require_count(found.labels, options), found.notes)


def given_labels(source: Source, options: Options) -> LabelTable | None:
    """The labels of `given_table`."""
    return given_table(source, options).labels


def require_count(labels: LabelTable, options: Options) -> LabelTable:
    """`labels` unchanged; SettingsError where `--num-classes` contradicts them."""
    if options.num_classes not in (None, labels.num_classes):
        raise SettingsError(
            f"num_classes is {options.num_classes}, but the table of classes has {labels.num_classes}. Give one."
        )
    return labels


def one_kind(given: LabelTable | None, options: Options, where: str, example: str) -> LabelTable:
    """The two classes of a source that shows one kind of object; `where` begins the error and `example` ends it."""
    if given is None and options.num_classes == 2:
        given = LabelTable.numbered(2)
    if given is None or given.num_classes != 2:
        found = "nothing says of what" if given is None else f"the table has {given.num_classes} classes"
        raise DataError(
            f"{where} one kind of object and {found}. Give --classes FILE with two names, such as {example}"
        )
    return given


def value_meaning(seen: Survey, labels: LabelTable | None, num_classes: int | None, where: Path) -> Meaning:
    """What the numbers in masks mean: class ids, or the `source` values of `labels`; 255 is ignored unless listed.

    Without labels, `num_classes` says that the values are class ids, or, when there are just as many others, that
    each is a class; without either the ids 0, 1, 2, ... without gaps are classes. Masks of 0 and 255 alone are the two
    classes of a table of two, also where nothing is given.

    Raises:
        DataError: neither `labels` nor `num_classes` nor the values settle it, or a value has no class.
    """
    notes: tuple[str, ...] = ()
    if labels is None:
        if num_classes is None and seen.keys() != {0, IGNORE}:
            num_classes = _plain_ids(seen)
            if num_classes is None:
                raise _unnamed(seen, where)
            notes = (
                f"The masks hold the ids 0 to {num_classes - 1} and nothing names the classes, so they are numbered; "
                "--classes FILE names them.",
            )
        labels = _numbered(seen, num_classes or 2)
    plain = not labels.sources and not labels.ignored
    if plain and labels.num_classes == 2 and IGNORE in seen and set(seen) <= {0, IGNORE}:
        note = f"The masks hold 0 and 255 alone; 255 became class 1 ({labels.names[1]})."
        return Meaning(replace(labels, sources=((0,), (IGNORE,))), {0: 0, IGNORE: 1}, (note,))
    ids = _ids(labels, [i for i in range(labels.num_classes)], where, kind=int)
    ids.setdefault(IGNORE, IGNORE)
    if not seen.keys() <= ids.keys():
        raise _lacking(seen, ids, where, show=str)
    return Meaning(_with_sources(labels, ids, lambda value: value), ids, notes)


def color_meaning(seen: Survey, labels: LabelTable, where: Path) -> Meaning:
    """What the colours in masks mean, by the `source` of each class or, where it has none, its `color`.

    Raises:
        DataError: a colour has no class.
    """
    ids = _ids(labels, labels.colors, where, kind=tuple)
    if not seen.keys() <= ids.keys():
        unused = [f"{_hex(v)} ({labels.names[i]})" for v, i in ids.items() if v not in seen and i != IGNORE]
        hint = f" No mask has these colours of the table: {', '.join(unused)}." if unused else ""
        raise _lacking(seen, ids, where, show=_hex, hint=hint)
    return Meaning(_with_sources(labels, ids, numbered_color), ids)


def unnamed_colors(seen: Survey, where: Path) -> DataError:
    """The error of colour masks without any table."""
    quoted = [f'"{_hex(value)}"' for value in seen]
    entries = [f'{{"id": {i}, "name": "NAME", "source": {value}}}' for i, value in enumerate(quoted[:2])]
    return DataError(
        f"{where}: nothing says which classes the colours of the masks are: {_all_shares(seen, _hex)}."
        f"{_many_colors(seen)} Give --classes FILE with all of them, such as [{', '.join(entries)}, ...]; an entry of "
        "id 255 says what is ignored."
    )


def _plain_ids(seen: Survey) -> int | None:
    """How many classes there are if the values are the ids 0, 1, 2, ... without gaps; None: they may be anything.

    Many numbers of which each higher one is in fewer masks count the objects of each image.
    """
    ids = sorted(value for value in seen if value != IGNORE)
    if not 2 <= len(ids) <= MAX_CLASSES or ids != list(range(len(ids))) or _may_be_instances(seen):
        return None
    return len(ids)


def _may_be_instances(seen: Survey) -> bool:
    files = [seen[value].files for value in sorted(seen) if value not in (0, IGNORE)]
    return len(files) > _FEW_OBJECTS and files[0] > files[-1] and files == sorted(files, reverse=True)


def _numbered(seen: Survey, num_classes: int) -> LabelTable:
    """Classes without names: the values are their ids, or there are just as many values as classes."""
    numbers = sorted(value for value in seen if 0 <= value != IGNORE)  # what is negative has to be listed
    if max(numbers, default=0) >= num_classes:
        values = numbers if len(numbers) == num_classes else sorted(value for value in seen if value >= 0)
        if len(values) == num_classes:
            names = [f"value {value}" for value in values]
            return LabelTable.named(names, sources={i: [value] for i, value in enumerate(values)})
    return LabelTable.numbered(num_classes)


def _ids(labels: LabelTable, defaults: Sequence[SourceValue], where: Path, *, kind: type) -> dict[int, int]:
    """{value or 0xRRGGBB: class id or IGNORE}, by the sources of a table where it has some."""
    given = labels.sources or ((),) * labels.num_classes
    ids: dict[int, int] = {}
    entries = [(i, given[i] or (defaults[i],)) for i in range(labels.num_classes)] + [(IGNORE, labels.ignored)]
    for class_id, values in entries:
        for value in values:
            if class_id == IGNORE and kind is int and not isinstance(value, int):
                continue  # labelmap.txt gives what is ignored a colour, which masks of numbers cannot hold
            if not isinstance(value, kind):
                expected = 'a colour such as "#87ceeb"' if kind is tuple else "a number"
                raise DataError(f"{where}: the table of classes has the source {_text(value)}, expected {expected}.")
            key = value if isinstance(value, int) else color_number(value)
            if ids.setdefault(key, class_id) != class_id:
                one, other = (_name(labels, i) for i in (ids[key], class_id))
                raise DataError(
                    f"{where}: the table of classes gives {_text(value)} to {one} and to {other}. Give it to one."
                )
    return ids


def _with_sources(labels: LabelTable, ids: Mapping[int, int], original: Callable[[int], SourceValue]) -> LabelTable:
    """`labels` that say what every class was; where values stay what they are, nothing needs to be said."""
    if all(value == class_id for value, class_id in ids.items()):
        return replace(labels, sources=(), ignored=())
    sources = tuple(
        tuple(original(value) for value, class_id in ids.items() if class_id == i) for i in range(labels.num_classes)
    )
    ignored = tuple(original(value) for value, i in ids.items() if i == IGNORE and original(value) != IGNORE)
    return replace(labels, sources=sources, ignored=ignored)


def _unnamed(seen: Survey, where: Path) -> DataError:
    numbers = [value for value in seen if 0 <= value != IGNORE]
    negative = [value for value in seen if value < 0]
    grays = spread_grays(seen.keys())
    if grays:
        example = f"{source_entries(grays)}, which makes a class of each gray, {IGNORE} included"
    elif negative and len(numbers) > 1:
        example = _with_ignored(numbers, negative)
    elif numbers == [0]:
        example = '{"0": "background", "1": "NAME"}'
    elif numbers == list(range(len(numbers))):
        example = '{"0": "NAME", "1": "NAME", ...}'
    else:
        values = [*negative, *numbers][:2]
        entries = [f'{{"id": {i}, "name": "NAME", "source": {value}}}' for i, value in enumerate(values)]
        example = f"[{', '.join(entries)}, ...]; a class may have several values, and an entry of id 255 is ignored"
    objects = ""
    if _may_be_instances(seen):
        objects = (
            " Each higher number is in fewer masks: they may number the objects of an image; if they are class ids, "
            f"give --num-classes {max(numbers) + 1}."
        )
    return DataError(
        f"{where}: nothing says which classes the values of the masks are: {_all_shares(seen, str)}. Give --classes "
        f"FILE with all of them, such as {example}.{objects}"
    )


def _with_ignored(numbers: Sequence[int], negative: Sequence[int]) -> str:
    """A whole table in which negative values, which no model predicts, are ignored."""
    entries = [f'{{"id": {i}, "name": "NAME {i}", "source": {value}}}' for i, value in enumerate(numbers[:_SHOWN])]
    more = ", ..." if len(numbers) > _SHOWN else ""
    return f"[{', '.join(entries)}{more}, {ignoring(negative)}], in which values below 0 are ignored"


def _lacking(
    seen: Survey, ids: Mapping[int, int], where: Path, *, show: Callable[[int], str], hint: str = ""
) -> DataError:
    lacking = {value: found for value, found in seen.items() if value not in ids}
    first = next(iter(lacking))
    hexed = f'{{"id": {IGNORE}, "name": "ignored", "source": "{_hex(first)}"}}'
    entry = hexed if show is _hex else ignoring([value for value in lacking if value < 0] or [first])
    told = shares(lacking, sum(found.pixels for found in seen.values()), show)
    return DataError(
        f"{where}: the table of classes lacks {'colours' if show is _hex else 'values'} of the masks: {told}.{hint}"
        f'{_many_colors(seen) if show is _hex else ""} Give --classes FILE in which each is a class\'s "source", or is '
        f"ignored by an entry such as {entry}."
    )


def _all_shares(seen: Survey, show: Callable[[int], str]) -> str:
    return shares(seen, sum(found.pixels for found in seen.values()), show)


def _many_colors(seen: Survey) -> str:
    if len(seen) <= _MANY_COLORS:
        return ""
    return " So many colours come from smoothing or from JPEG: export the masks again without either."


def _name(labels: LabelTable, class_id: int) -> str:
    return "what is ignored" if class_id == IGNORE else repr(labels.names[class_id])


def _text(value: SourceValue) -> str:
    return str(value) if isinstance(value, int) else hex_color(value)


def _hex(value: int) -> str:
    return hex_color(numbered_color(value))
