"""A call of a class that may not be installed: shown as Python source, or made with the real classes."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A class by name with its keyword arguments, which may be calls again, or lists and dictionaries of them."""

    name: str
    arguments: Mapping[str, Any]


def source(value: Any) -> str:
    """`value` as Python source; calls and dictionaries have one argument a line."""
    match value:
        case Call(name, arguments):
            return _block(f"{name}(", [f"{key}={source(each)}" for key, each in arguments.items()], ")")
        case Mapping():
            return _block("{", [f"{source(key)}: {source(each)}" for key, each in value.items()], "}")
        case list():
            return _block("[", [source(each) for each in value], "]")
        case str():
            return json.dumps(value, ensure_ascii=False)  # with double quotes; these escapes are Python's too
        case _:
            return repr(value)


def made(value: Any, classes: Mapping[str, Any]) -> Any:
    """`value` with every call made, from the inside, by the class of its name in `classes`."""
    match value:
        case Call(name, arguments):
            return classes[name](**{key: made(each, classes) for key, each in arguments.items()})
        case Mapping():
            return {key: made(each, classes) for key, each in value.items()}
        case list():
            return [made(each, classes) for each in value]
        case _:
            return value


def names(value: Any) -> set[str]:
    """The classes that `value` calls."""
    match value:
        case Call(name, arguments):
            return {name}.union(*map(names, arguments.values()))
        case Mapping():
            return set().union(*map(names, value.values()))
        case list():
            return set().union(*map(names, value))
        case _:
            return set()


def _block(opening: str, lines: list[str], closing: str) -> str:
    if not lines:
        return opening + closing
    return f"{opening}\n{textwrap.indent(''.join(f'{line},{chr(10)}' for line in lines), '    ')}{closing}"
