"""Lines of a Ground Truth manifest: JSON -> references and colour maps."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.labels import Color

FIRST_WRONG, LAST_WRONG = "2020-06-04", "2020-09-04"
"""The dates between which jobs wrote masks with wrong indices."""

_IMAGE = "source-ref"
_EXAMPLE = 'a line such as {"source-ref": "s3://bucket/a.jpg", "street-ref": "s3://bucket/a.png", ...}'


class MapEntry(NamedTuple):
    """A class of an `internal-color-map`."""

    key: int
    name: str
    color: Color | None


class Label(NamedTuple):
    """One label of a line."""

    mask: str  # a reference
    entries: tuple[MapEntry, ...]
    job: str
    created: str  # the date, "" where the line has none
    failure: str  # why there is no mask, "" where there is

    @property
    def is_suspect(self) -> bool:
        """Whether the mask's indices may be wrong."""
        return FIRST_WRONG <= self.created <= LAST_WRONG


class LabelledLine(NamedTuple):
    """One image with its labels by key."""

    manifest: str
    number: int
    image: str
    labels: Mapping[str, Label]

    def failed(self, key: str) -> str:
        """Why the label cannot be used; "" where it can."""
        label = self.labels.get(key)
        if label is None:
            return f"they have no {key}"
        return f"{key} failed with {label.failure}" if label.failure else ""


def lines_of(source: Source, name: str) -> Iterator[LabelledLine]:
    """Every line of a manifest.

    Raises:
        DataError: a line is no JSON or refers to no image; the message has its number.
    """
    for number, text in enumerate(source.read(name).decode("utf-8-sig", "replace").split("\n"), 1):
        if text.strip():
            yield _line(source, name, number, text)


def _line(source: Source, name: str, number: int, text: str) -> LabelledLine:
    remedy = "Correct the line, remove it or fetch the manifest again."
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise source.fault(name, f"line {number} is no JSON ({error})", expected=_EXAMPLE, remedy=remedy) from None
    if not isinstance(content, dict) or not isinstance(content.get(_IMAGE), str):
        raise source.fault(name, f'line {number} has no "{_IMAGE}"', expected=_EXAMPLE, remedy=remedy)
    labels = {}
    for key, value in content.items():
        metadata = _metadata(content, key)
        if key != _IMAGE and isinstance(value, str) and (key.endswith("-ref") or "internal-color-map" in metadata):
            try:
                labels[key] = _label(value, metadata)
            except ValueError as error:
                raise source.fault(
                    name, f"line {number}: the map of {key} has {error}",
                    expected='"1": {"class-name": "road", "hex-color": "#f28333"}', remedy=remedy,
                ) from None  # fmt: skip
    return LabelledLine(name, number, content[_IMAGE], labels)


def _metadata(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is said of a label; jobs of 2018 left "-ref" out of the key."""
    for name in (f"{key}-metadata", f"{key.removesuffix('-ref')}-metadata"):
        if isinstance(content.get(name), dict):
            found: Mapping[str, Any] = content[name]
            return found
    return {}


def _label(mask: str, metadata: Mapping[str, Any]) -> Label:
    listed = metadata.get("internal-color-map") or {}
    if not isinstance(listed, dict):
        raise ValueError(f"{str(listed)[:40]} for its classes")
    entries = tuple(_entry(key, entry) for key, entry in listed.items())
    created = str(metadata.get("creation-date") or "")[:10]
    return Label(mask, entries, str(metadata.get("job-name") or ""), created, str(metadata.get("failure-reason") or ""))


def _entry(key: str, entry: Any) -> MapEntry:
    name = entry.get("class-name") if isinstance(entry, dict) else None
    if not key.isdecimal() or not isinstance(name, str) or not name.strip():
        raise ValueError(f"the class {key!r}: {str(entry)[:60]}")
    text = entry.get("hex-color")
    if text is None:
        return MapEntry(int(key), name.strip(), None)
    try:
        red, green, blue = bytes.fromhex(str(text).removeprefix("#"))
    except ValueError:
        raise ValueError(f"the colour {text!r}") from None
    return MapEntry(int(key), name.strip(), (red, green, blue))
