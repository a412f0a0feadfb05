"""Which attribute of VIA's regions is the class, and which class a region has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.phrases import listed, shortened

_LONGEST = 40
_UNSET = "undefined"  # what some versions write where nobody chose


class Attribute(NamedTuple):
    """The attribute that is the class; `name` is None where regions have none and are all of one class."""

    name: str | None
    options: Mapping[str, str]  # {option: its description}; empty where classes are typed

    def class_of(self, values: Mapping[str, Any]) -> str | None:
        """The class of a region by its attributes; None: it has none, or several boxes of it are checked."""
        if self.name is None:
            return ""
        chosen = _chosen(values.get(self.name), self.options)
        return self.shown(chosen[0]) if len(chosen) == 1 else None

    def shown(self, option: str) -> str:
        """What a class is called: its option, or the description of an option that is a mere number."""
        return self.options.get(option, "") or option if option.isdecimal() else option

    def amiss(self, values: Mapping[str, Any]) -> str:
        """Why `class_of` is None, for a message."""
        chosen = _chosen(values.get(self.name or ""), self.options)
        return f"whose {self.name!r} is {listed(chosen, 4)}" if chosen else f"which has no {self.name!r}"


def _chosen(value: Any, options: Mapping[str, str]) -> list[str]:
    """The options that a value has: of a text or a number itself, of boxes those that are checked."""
    if isinstance(value, dict):
        return [str(key).strip() for key, checked in value.items() if checked is True or checked == "true"]
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return [text] if text and (text != _UNSET or text in options) else []


def chosen_attribute(
    source: Source, wanted: str | None, regions: Sequence[Mapping[str, Any]], known: Iterable[Mapping[str, Any]]
) -> Attribute:
    """The attribute that `wanted` names, else the only one that regions have.

    `regions` are the attributes of every region, `known` those that projects list.

    Raises:
        DataError: there are several, or `wanted` is none of them.
    """
    kinds: dict[str, dict[str, str]] = {}
    for attributes in known:
        for name, kind in attributes.items():
            kinds.setdefault(name, {}).update(_options(kind))
    used = _used(regions, kinds)
    if wanted is not None:
        if wanted not in used and wanted not in kinds:
            raise DataError(
                f"{source.path}: no region has the attribute {wanted!r}. {_told(used)} Choose one with --attribute."
            )
        return Attribute(wanted, kinds.get(wanted, {}))
    if len(used) > 1:
        raise DataError(
            f"{source.path}: its regions have several attributes, and one is the class. {_told(used)} Choose one with "
            "--attribute."
        )
    only = next(iter([*used, *kinds]), None)
    return Attribute(only, kinds.get(only, {}) if only is not None else {})


def _used(regions: Iterable[Mapping[str, Any]], kinds: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """{attribute that a region has: the first class}."""
    used: dict[str, str] = {}
    for values in regions:
        for name, value in values.items():
            for chosen in _chosen(value, kinds.get(name, {}))[:1]:
                used.setdefault(name, chosen)
    return used


def _told(used: Mapping[str, str]) -> str:
    if not used:
        return "They have none."
    examples = listed((f"{name} (such as {shortened(value, _LONGEST)!r})" for name, value in used.items()), 8)
    return f"They have {examples}."


def _options(kind: Any) -> dict[str, str]:
    """{option: description} of an attribute that a project lists."""
    options = kind.get("options") if isinstance(kind, dict) else None
    if not isinstance(options, dict):
        return {}
    texts = {str(key).strip(): text.strip() if isinstance(text, str) else "" for key, text in options.items()}
    return {key: text for key, text in texts.items() if key}
