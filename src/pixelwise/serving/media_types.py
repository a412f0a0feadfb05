"""What a client sends and what it would like back: Content-Type and Accept, with their parameters."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

_NONE: Mapping[str, str] = MappingProxyType({})


class MediaType(NamedTuple):
    """`image/png; overlay=true` taken apart; names are in lower case."""

    name: str
    parameters: Mapping[str, str] = _NONE

    def switch(self, name: str) -> bool:
        """Whether a parameter is on: present and not false."""
        return self.parameters.get(name, "false").casefold() not in ("false", "0", "no", "off")


def parse_media_type(text: str) -> MediaType:
    """A media type and the parameters after `;`; one without a value is "true"."""
    name, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest if part.strip())
    parameters = {key.strip().lower(): value.strip().strip('"') if sign else "true" for key, sign, value in pairs}
    return MediaType(name.strip().lower(), parameters)


def wanted(accept: str, available: Sequence[str], *, default: MediaType) -> MediaType | None:
    """What to answer with, or None when nothing that is available is acceptable (RFC 9110, 12.5.1).

    The highest quality wins, then the more exact of two names, then the earlier. `default` answers an empty header
    and `*/*`; another wildcard takes the first match of `available`.
    """
    ranges = [parse_media_type(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return default
    qualities = [_quality(each) for each in ranges]
    unwanted = {each.name for each, quality in zip(ranges, qualities, strict=True) if quality == 0}
    order = sorted(range(len(ranges)), key=lambda i: (-qualities[i], ranges[i].name.count("*"), i))
    for i in order:
        if qualities[i] > 0:
            match = _match(ranges[i], [name for name in available if name not in unwanted], default)
            if match is not None:
                return match
    return None


def _match(asked: MediaType, available: Iterable[str], default: MediaType) -> MediaType | None:
    names = list(available)
    if asked.name in ("*/*", "*"):
        if default.name in names:
            return default
        return MediaType(names[0]) if names else None
    kind, _, subtype = asked.name.partition("/")
    if subtype != "*":
        return asked if asked.name in names else None
    if default.name in names and default.name.startswith(f"{kind}/"):
        return default
    return next((MediaType(name, asked.parameters) for name in names if name.startswith(f"{kind}/")), None)


def _quality(asked: MediaType) -> float:
    try:
        return min(1.0, max(0.0, float(asked.parameters.get("q", "1"))))
    except ValueError:
        return 1.0
