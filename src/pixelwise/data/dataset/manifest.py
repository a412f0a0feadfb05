"""SageMaker's augmented manifests, read from disk: JSON lines -> images, masks and the names of the classes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pixelwise.data.findings import Finding
from pixelwise.errors import DataError
from pixelwise.labels import MAX_CLASSES, Color, LabelTable

_IMAGE = "source-ref"
_EXAMPLE = '{"source-ref": "s3://bucket/images/a.jpg", "street-ref": "s3://bucket/masks/a.png"}'


class ManifestLine(NamedTuple):
    """What one line refers to, as files that exist; `mask` is None in a manifest without labels."""

    image: Path
    mask: Path | None


@dataclass(frozen=True)
class Manifest:
    """A manifest's usable lines and what is wrong with the others; either all lines have masks or none has.

    `attribute` is the key of the masks, None where there are none. `labels` holds the classes that Ground Truth's
    `internal-color-map` names, None where it names none.
    """

    path: Path
    attribute: str | None
    lines: tuple[ManifestLine, ...]
    labels: LabelTable | None
    findings: tuple[Finding, ...]


def read_manifest(path: Path, *, attribute: str | None = None) -> Manifest:
    """Read a manifest in JSON Lines; `attribute` ("street-ref" or "street") chooses among several labels.

    A line is an object with "source-ref", "<label>-ref" and perhaps "<label>-ref-metadata", after the SageMaker
    developer guide on augmented manifests and on Ground Truth's output. A reference is a path, a relative one to
    the manifest's folder, a file:// address, or an s3:// address whose file was copied beside the manifest with
    any part of its folders: s3://bucket/a/b/c.jpg is a/b/c.jpg, b/c.jpg or c.jpg, the first that exists. For a
    manifest in Ground Truth's `manifests/output/`, the job's folder and the one above are searched as well.

    Raises:
        DataError: the file cannot be read, none of its lines is of a manifest, or it is open which labels are
            meant. All other faults are findings with the code "manifest" and the number of the line.
    """
    reader = _Reader(path, attribute)
    try:
        with path.open("rb") as file:
            for number, content in enumerate(file, 1):
                if content.strip():
                    reader.take(number, content.removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Give a manifest in JSON Lines.") from None
    return reader.finish()


class _LineFault(Exception):
    """One line cannot be used; `args` are what was found, what was expected and the remedy."""


class _Reader:
    """What the lines so far have brought."""

    def __init__(self, path: Path, attribute: str | None) -> None:
        self.path = path
        self.chosen = attribute is not None
        self.attribute = f"{attribute.removesuffix('-ref')}-ref" if attribute else None
        self.parsed = 0
        self.attributes: set[str] = set()
        self.files = _Files(path.parent)
        self.classes = _Classes()
        self.lines: list[ManifestLine] = []
        self.without_mask: list[tuple[int, ManifestLine]] = []
        self.findings: list[Finding] = []

    def take(self, number: int, content: bytes) -> None:
        """Add one line, or the finding that says why it cannot be used."""
        try:
            line = _parsed(content)
            self.parsed += 1
            attribute = self.attribute_of(line, number)
            metadata = line.get(f"{attribute}-metadata")
            _refuse_failed(metadata, attribute)
            image = self.files.find(line[_IMAGE], number)
            if attribute is None or attribute not in line:
                self.without_mask.append((number, ManifestLine(image, None)))
                return
            mask = self.files.find(line[attribute], number)
            if mask == image:
                raise _LineFault(f"leads to one file, {image}, for image and mask", "a file of its own for each")
            self.classes.add(metadata)
            self.lines.append(ManifestLine(image, mask))
        except _LineFault as fault:
            self.note(number, *fault.args)

    def attribute_of(self, line: Mapping[str, Any], number: int) -> str | None:
        """The key of the masks: the one asked for, else that of the first line that has one."""
        keys = {key.removesuffix("-metadata") for key in line}
        present = sorted(key for key in keys if key.endswith("-ref") and key != _IMAGE)
        self.attributes.update(present)
        if len(present) > 1 and not self.chosen:
            raise DataError(
                f"{self.path}: line {number} has several labels: {', '.join(present)}. Say which to read; those of "
                "an adjustment job replace those that it began with."
            )
        self.attribute = self.attribute or (present[0] if present else None)
        return self.attribute

    def finish(self) -> Manifest:
        """Everything together, once all lines are known."""
        if not self.parsed:
            found = self.findings[0].found if self.findings else "the file is empty"
            raise DataError(f"{self.path}: is no manifest ({found}). Expected lines such as {_EXAMPLE}.")
        if self.attribute is None:
            lines = [line for _, line in self.without_mask]
        elif self.attribute not in self.attributes:
            found = ", ".join(sorted(self.attributes)) or "none"
            raise DataError(f"{self.path}: no line has labels named {self.attribute!r}. Found: {found}.")
        else:
            lines = self.lines
            for number, _ in self.without_mask:
                self.note(number, f'has no "{self.attribute}"', "a mask for every image")
        self.findings.sort(key=lambda finding: int(finding.found.split()[1]))
        return Manifest(self.path, self.attribute, tuple(lines), self.classes.labels(), tuple(self.findings))

    def note(self, number: int, found: str, expected: str, remedy: str = "Correct the line or remove it.") -> None:
        """Keep the fault of one line."""
        self.findings.append(Finding(self.path, f"line {number} {found}", expected, remedy, "manifest"))


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        line = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _LineFault(f"is no JSON ({error})", f"an object such as {_EXAMPLE}") from None
    if not isinstance(line, dict):
        raise _LineFault(f"is {type(line).__name__}", f"an object such as {_EXAMPLE}")
    if _IMAGE not in line:
        raise _LineFault(f'has no "{_IMAGE}"', f"an object such as {_EXAMPLE}")
    return line


def _refuse_failed(metadata: Any, attribute: str | None) -> None:
    reason = metadata.get("failure-reason") if isinstance(metadata, dict) else None
    if reason:
        remedy = "Label the image again or remove the line."
        raise _LineFault(f"was not labelled: {attribute} failed with {reason!r}", "a labelled image", remedy)


class _Files:
    """Finds the file that a reference means, and sees to it that two references are not one file."""

    def __init__(self, folder: Path) -> None:
        self.folders = [folder]
        # Ground Truth writes JOB/manifests/output/output.manifest beside JOB/annotations/.
        if folder.parts[-2:] == ("manifests", "output"):
            self.folders += [folder.parents[1], folder.parents[1].parent]
        self.referred: dict[Path, tuple[str, int]] = {}

    def find(self, reference: Any, number: int) -> Path:
        """The file, which exists; a _LineFault that lists the places otherwise."""
        if not isinstance(reference, str) or not reference.strip():
            raise _LineFault(f"has the reference {reference!r}", "a path or an s3:// address")
        names = _names(reference.strip())
        places = [folder / name for name in names for folder in self.folders]
        file = next((place for place in places if os.path.isfile(place)), None)
        if file is None:
            where = ", ".join(str(folder) for folder in self.folders)
            raise _LineFault(
                f"refers to {reference}, which was not found",
                f"one of {', '.join(names)} in {where}",
                "Copy the file there, or correct or remove the line.",
            )
        other, first = self.referred.setdefault(file, (reference, number))
        if other != reference:
            raise _LineFault(
                f"refers to {reference} and line {first} to {other}, which both lead to {file}",
                "a file of its own for each",
                "Keep as much of the folders of the address as tells them apart.",
            )
        return file


def _names(reference: str) -> list[str]:
    """The paths under which a reference may be found, the fullest first; relative ones stay relative."""
    scheme, separator, rest = reference.partition("://")
    if not separator:
        return [reference]
    if scheme.lower() == "file":
        from urllib.request import url2pathname  # late: it brings a client for HTTP, and few manifests need it

        return [url2pathname(urlsplit(reference).path)]
    if scheme.lower() != "s3":
        raise _LineFault(f"refers to {reference}, which is not fetched", "a path or an s3:// address")
    # A key may hold "..", which must not lead out of the folder.
    parts = [part for part in rest.split("/")[1:] if part not in ("", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))] or [reference]


class _Classes:
    """The classes that the `internal-color-map` of the lines names; a line may list only those in its image."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.colors: dict[int, Color] = {}

    def add(self, metadata: Any) -> None:
        """Take in one line's map; a _LineFault when it contradicts itself or the lines before."""
        listed = metadata.get("internal-color-map") if isinstance(metadata, dict) else None
        for key, entry in listed.items() if isinstance(listed, dict) else ():
            name = entry.get("class-name") if isinstance(entry, dict) else None
            if not str(key).isdecimal() or int(key) >= MAX_CLASSES or not isinstance(name, str) or not name.strip():
                raise _LineFault(f"has the class {key!r}: {entry!r}", f"an id below {MAX_CLASSES} and a class-name")
            self.name(int(key), name.strip())
            color = _color(entry.get("hex-color"))
            if color is not None:
                self.colors.setdefault(int(key), color)

    def name(self, class_id: int, name: str) -> None:
        """Call a class by its name, which must be its own."""
        known = self.names.get(class_id)
        if known == name:
            return
        if known is not None:
            raise _LineFault(f"calls class {class_id} {name!r}", f"{known!r} as in the lines before")
        if name in self.names.values():
            raise _LineFault(f"calls class {class_id} {name!r}", "one class of that name; another id has it already")
        self.names[class_id] = name

    def labels(self) -> LabelTable | None:
        """The table of classes 0, 1, 2, ...; None unless two or more are known, numbers for those not named."""
        if max(self.names, default=0) < 1:
            return None
        names = [self.names.get(i, f"class {i}") for i in range(max(self.names) + 1)]
        return LabelTable.named(names, self.colors)


def _color(value: Any) -> Color | None:
    try:
        red, green, blue = bytes.fromhex(value.removeprefix("#"))
    except (AttributeError, ValueError):  # colours are for show; ours take their place
        return None
    return (red, green, blue)
