"""Match the names of a source with patterns such as "masks/{name}/*.png"."""

import re
from collections.abc import Iterable

from pixelwise.errors import SettingsError
from pixelwise.values import unknown_name

PLACEHOLDERS = ("name", "class", "split")

_TOKEN = re.compile(r"(?P<any_folders>\*\*/)|(?P<anything>\*\*)|(?P<part>\*)|\{(?P<placeholder>[^{}/]*)\}|(?P<text>.)")


def match(names: Iterable[str], pattern: str) -> list[tuple[str, dict[str, str]]]:
    """The names that fit `pattern` as a whole, in their order, each with what its placeholders stand for.

    `{name}`, `{class}` and `{split}` stand for one or more characters without "/", and for the same ones where
    they are repeated; `*` is any text without "/", `**` any text and `**/` any number of folders, also none.

    Raises:
        SettingsError: a placeholder is unknown or a brace is open.
    """
    expression = re.compile(_expression(pattern))
    found = ((name, expression.fullmatch(name)) for name in names)
    return [(name, fit.groupdict()) for name, fit in found if fit is not None]


def _expression(pattern: str) -> str:
    parts: list[str] = []
    seen: set[str] = set()
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token.group()
        if kind == "placeholder":
            parts.append(_placeholder(token["placeholder"], pattern, seen))
        elif text in "{}":
            raise SettingsError(f"The pattern {pattern!r} has a lone {text!r}. Placeholders are {_listed()}.")
        else:
            parts.append(
                {"any_folders": "(?:.*/)?", "anything": ".*", "part": "[^/]*"}.get(kind or "", re.escape(text))
            )
    return "".join(parts)


def _placeholder(name: str, pattern: str, seen: set[str]) -> str:
    if name not in PLACEHOLDERS:
        raise SettingsError(f"The pattern {pattern!r}: {unknown_name(name, PLACEHOLDERS, 'placeholder')}")
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>[^/]+)"


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
