"""Values as people write them (texts, JSON, Python) to the type and range of a setting; and as strict JSON."""

import difflib
import json
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack, overload

from pixelwise.errors import SettingsError


class Form(NamedTuple):
    """How a setting is written that is more than one number, word or path."""

    convert: Callable[[Any], Any]
    expected: str


class Bounds(TypedDict, total=False):
    """The range of a number."""

    at_least: float
    at_most: float
    above: float  # exclusive


_UNLIMITED = {"at_least": -math.inf, "at_most": math.inf, "above": -math.inf}


def setting(
    group: str,
    default: Any,
    meaning: str,
    *,
    form: Form | None = None,
    choices: Collection[Any] = (),
    planned: bool = False,
    **limits: Unpack[Bounds],
) -> Any:
    """A dataclass field with its group, its meaning and what it may be.

    Nothing but `choices` is allowed unless there is a `form`, which then decides. Where it is `planned`, `train` finds
    a value that fits the data, unless one is given.
    """
    rule = {"form": form, "choices": choices, "planned": planned, **_UNLIMITED, **limits}
    return field(default=default, metadata={"group": group, "meaning": meaning, **rule})


def checked(name: str, value: Any, kinds: tuple[Any, ...], rule: Mapping[str, Any]) -> Any:
    """`value` as the first of `kinds` (None only if NoneType is among them), inside the `rule` of its field.

    Raises:
        SettingsError: the value has another type or lies outside; the message names the setting.
    """
    converted = _converted(name, value, kinds, rule["form"])
    choices = rule["choices"]
    if choices and rule["form"] is None and converted is not None and converted not in choices:
        raise SettingsError(unknown_choice(name, value, choices))
    if isinstance(converted, (int, float)) and not isinstance(converted, bool):
        inside = rule["at_least"] <= converted <= rule["at_most"] and converted > rule["above"]
        if not inside or not math.isfinite(converted):
            raise SettingsError(f"{name} is {value!r}, expected a number {_range(rule)}.")
    return converted


def unknown_name(name: str, known: Iterable[str], what: str) -> str:
    """A sentence that refuses `name` and offers the nearest known one."""
    names = sorted(known)
    return f"Unknown {what} {name!r}.{nearest(name, names)} Known: {', '.join(names)}."


def unknown_choice(name: str, value: Any, choices: Iterable[Any]) -> str:
    """A sentence that refuses `value` for the setting or flag `name` and offers the nearest of its choices."""
    known = list(map(str, choices))
    return f"{name} is {value!r}, expected one of {', '.join(known)}.{nearest(value, known)}"


def nearest(name: Any, known: Iterable[Any]) -> str:
    """A question for the known name nearest to `name`, with a space before it; or nothing."""
    near = difflib.get_close_matches(str(name).lower(), list(map(str, known)), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def parse_duration(text: str) -> float:
    """Seconds in "90", "90s", "20m" or "1h30m"; ValueError for anything else."""
    match = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", text.strip().lower())
    if not match or not any(match.groups()):
        raise ValueError(text)
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def duration_text(seconds: float) -> str:
    """A time as `parse_duration` reads it, in whole seconds: "45s", "20m", "1h30m", "2h3m20s"."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def parse_money(value: Any) -> float | None:
    """USD in "3usd", "2.5 USD" or "$3"; None for whatever is no money."""
    number = r"(\d+(?:\.\d*)?|\.\d+)"
    match = re.fullmatch(rf"\$\s*{number}|{number}\s*usd", value.strip().lower()) if isinstance(value, str) else None
    return float(match[1] or match[2]) if match else None


def to_seconds(value: Any) -> float:
    """Seconds from a number or from a text that `parse_duration` reads."""
    return parse_duration(value) if isinstance(value, str) else float(_to_kind(float, value))


def to_text(value: Any) -> str:
    """A text without space around it; TypeError for anything else."""
    return str(_to_kind(str, value))


def to_tuple(value: Any, kind: type) -> tuple[Any, ...]:
    """`(10, 20)` from itself, from a list, from one number or from the text "10,20"."""
    if isinstance(value, str):
        value = [part for part in value.strip("[]() ").split(",") if part.strip()]
    if isinstance(value, (int, float)):
        value = [value]
    return tuple(_to_kind(kind, part) for part in value)


def word_or_numbers(words: Collection[str]) -> Callable[[Any], str | tuple[float, ...]]:
    """A function that leaves the `words` as they are and reads all else as numbers."""
    return lambda value: value if isinstance(value, str) and value in words else to_tuple(value, float)


def parse_sum(name: str, text: str, known: Collection[str]) -> list[tuple[float, str]]:
    """(weight, term) of each term in a sum such as "cross_entropy+0.5*dice", the value of the setting `name`."""
    terms = []
    for part in text.split("+"):
        weight, _, term = part.strip().rpartition("*")
        if term.strip() not in known:
            raise SettingsError(f"{name} is {text!r}. {unknown_name(term.strip(), known, name)}")
        try:
            terms.append((float(weight) if weight else 1.0, term.strip()))
        except ValueError:
            raise SettingsError(f"{name} is {text!r}: {weight!r} is not a number. Example: 0.5*dice.") from None
        if not 0 < terms[-1][0] < math.inf:
            raise SettingsError(f"{name} is {text!r}: weights must be above 0.")
    return terms


def parse_file(path: Path) -> Any:
    """What a JSON, TOML or YAML file of settings holds; SettingsError where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors add a mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}). Give a JSON, TOML or YAML file of settings.") from None
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        import yaml  # late: only for this format, and slow to import

        return yaml.safe_load(text) or {}
    except Exception as error:  # each parser has its own exception; all carry line and column
        raise SettingsError(f"{path}: is not valid {path.suffix.lstrip('.').upper() or 'YAML'}: {error}") from None


@overload
def strict_json(value: Mapping[str, Any]) -> dict[str, Any]: ...
@overload
def strict_json(value: list[Any] | tuple[Any, ...]) -> list[Any]: ...
def strict_json(value: Any) -> Any:
    """`value` as strict JSON has it, at any depth: null for numbers that are not finite, texts for the names.

    NumPy's floats become Python's; what is no JSON in any case stays as it is.
    """
    if isinstance(value, Mapping):
        return {str(name): strict_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(each) for each in value]
    if isinstance(value, Real) and not isinstance(value, Integral):
        return float(value) if math.isfinite(value) else None
    return value


def _converted(name: str, value: Any, kinds: tuple[Any, ...], form: Form | None) -> Any:
    texts = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    expected = form.expected if form else texts[kinds[0]]
    optional = types.NoneType in kinds
    if value is None or (optional and isinstance(value, str) and value.lower() in ("none", "null")):
        if optional:
            return None
        raise SettingsError(f"{name} has no value, expected {expected}.")
    try:
        return form.convert(value) if form else _to_kind(kinds[0], value)
    except (TypeError, ValueError, OverflowError):  # OverflowError: a whole number "inf" or 400 digits long
        raise SettingsError(f"{name} is {value!r}, expected {expected}.") from None


def _to_kind(kind: Any, value: Any) -> Any:
    if kind is bool:
        return _to_bool(value)
    if isinstance(value, bool):
        raise TypeError(value)
    if kind is int:
        if float(value) != int(float(value)):
            raise ValueError(value)
        return int(float(value))
    if kind is float:
        return float(value)
    if not isinstance(value, (str, Path)):
        raise TypeError(value)
    return str(value).strip()


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(value)


def _range(rule: Mapping[str, Any]) -> str:
    parts = []
    if rule["at_least"] > -math.inf:
        parts.append(f"of at least {rule['at_least']:g}")
    if rule["above"] > -math.inf:
        parts.append(f"above {rule['above']:g}")
    if rule["at_most"] < math.inf:
        parts.append(f"of at most {rule['at_most']:.10g}")
    return " and ".join(parts) or "that is finite"


def kinds_of(table: type) -> dict[str, tuple[Any, ...]]:
    """Field name -> the types it allows: `int | None` is (int, NoneType), `tuple[int, ...]` is (tuple,)."""
    return {
        name: typing.get_args(hint) if isinstance(hint, types.UnionType) else (typing.get_origin(hint) or hint,)
        for name, hint in typing.get_type_hints(table).items()
    }
