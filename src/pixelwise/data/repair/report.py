"""What a repair changed and what it left out, for programs and for people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.findings import CODES, Finding
from pixelwise.labels import LabelTable, SourceValue, hex_color
from pixelwise.phrases import listed, listed_lines

CHANGES = "changes.jsonl"
"""The log in the repaired copy: one object for each change."""

ORIENTATION = "exif-orientation"
RENAMED = "renamed"
LABEL_MAP = "label-map-applied"

_SHOWN_PER_CODE = 20
_CHANGES = {
    "classes-file": "the table of classes was made from the masks, as the file cannot be used",
    LABEL_MAP: "a label map was applied, so that the copy needs none",
    ORIENTATION: "an image was turned upright and saved as PNG",
    RENAMED: "a file got a name of its own",
    "image-cmyk": "an image in the colours of print became RGB",
    "image-alpha": "an image lost its transparency",
    "image-animated": "an image was reduced to its first frame",
    "image-16-bit": "an image was reduced to 8 bits a channel",
    "size-exif": "a mask was turned as its image is shown",
    "size-scaled": "a mask was resized to its image, each pixel the nearest one",
    "mask-colors": "colours became class ids",
    "mask-format": "a mask in another format became PNG",
    "mask-16-bit": "a mask of 16 bits a pixel became one of 8",
    "mask-alpha": "a mask that was drawn in its transparency became one of class ids",
    "mask-1-bit": "a mask of 1 bit a pixel became one of 8",
    "mask-gray": "a mask with a palette, or of 2 or 4 bits, became 8-bit gray of the same class ids",
    "mask-0-255": "the object, drawn as 255, became class 1",
    "mask-spread-gray": "evenly spread grays became class ids, 255 the last of them",
    "id-out-of-range": "values that are no class id became class ids",
    "ids-with-gaps": "class ids were renumbered without gaps",
}


@dataclass(frozen=True)
class RepairReport:
    """The copy in the folder `output`, whose log `changes.jsonl` lists every change."""

    output: Path
    images: dict[str, int]  # written, by split
    changes: dict[str, int]  # by code
    left_out: tuple[Finding, ...]  # why each file that is not in the copy was left out
    labels: LabelTable
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing could be kept."""
        return not any(self.images.values())

    def to_json(self) -> dict[str, Any]:
        """Everything, uncut, as JSON has it."""
        return {
            "output": str(self.output),
            "images": self.images,
            "changes": self.changes,
            "left_out": [
                {
                    "code": finding.code,
                    "file": str(finding.file),
                    "other": None if finding.other is None else str(finding.other),
                    "found": finding.found,
                    "expected": finding.expected,
                    "remedy": finding.remedy,
                }
                for finding in self.left_out
            ],
            "labels": self.labels.to_json(),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """The report for people; of many files left out for one reason the first are shown."""
        counts = ", ".join(f"{name} {count}" for name, count in self.images.items())
        lines = [f"{self.output}: {sum(self.images.values())} images written ({counts})."]
        if self.is_empty:
            lines.append("Nothing was left to write: nothing here can be repaired without guessing.")
        lines += self.notes
        lines += ["", f"Changes, each listed in {CHANGES}:"] if self.changes else ["", "Nothing was changed."]
        lines += [f"{count:>7}  {code}: {meaning_of(code)}" for code, count in self.changes.items()]
        lines += ["", *_classes(self.labels)]
        if self.left_out:
            lines += ["", "Left out:", *_left_out(self.left_out)]
        return "\n".join(lines)


def meaning_of(code: str) -> str:
    """One line on what a change of this code is."""
    return _CHANGES.get(code) or CODES[code].meaning


def source_text(value: SourceValue) -> str:
    """A value of a mask as people read it: 7 or #87ceeb."""
    return str(value) if isinstance(value, int) else hex_color(value)


def became(ids: Iterable[tuple[SourceValue, int]]) -> str:
    """What each value became: "7 -> 0, 11 -> 1"."""
    return ", ".join(f"{source_text(value)} -> {class_id}" for value, class_id in ids)


def _classes(labels: LabelTable) -> Iterator[str]:
    width = max(map(len, labels.names))
    yield f"{'class':>7}  {'name':{width}}{'  was' if labels.sources else ''}"
    for i, name in enumerate(labels.names):
        values = labels.sources[i] if labels.sources else ()
        yield f"{i:>7}  {name:{width}}  {listed(map(source_text, values), 8)}".rstrip()
    if labels.ignored:
        yield f"ignored: {', '.join(map(source_text, labels.ignored))}"


def _left_out(findings: tuple[Finding, ...]) -> Iterator[str]:
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, members in by_code.items():
        yield f"{code} ({CODES[code].meaning}): {len(members)}"
        yield from (f"  {line}" for line in listed_lines(members, _SHOWN_PER_CODE, " of this code"))
