"""What a conversion made and what it left out, for a person and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.convert.objects import Objects
from pixelwise.data.findings import Finding
from pixelwise.labels import LabelTable
from pixelwise.phrases import listed_lines

_SHOWN = 20


@dataclass(frozen=True)
class ConversionReport:
    """The result of `convert`."""

    form: str
    source: str  # the name of the folder or archive
    dataset: Path
    images: Mapping[str, int]  # {split: images}
    labels: LabelTable
    notes: tuple[str, ...]
    left_out: tuple[Finding, ...]  # `file` is relative to the source
    settings: Mapping[str, Any]  # what was asked for
    objects: Objects | None = None  # None: the format has masks and no objects

    def text(self) -> str:
        """A few lines for a person."""
        counts = ", ".join(f"{count} {split}" for split, count in self.images.items())
        lines = [f"{self.dataset}: {counts} images; {self.labels.num_classes} classes."]
        lines += [self.objects.summary()] if self.objects is not None else []
        lines += [f"note: {note}" for note in self.notes]
        ending = f", see {self.dataset / 'conversion.json'}."
        lines += [f"left out: {line}" for line in listed_lines(self.left_out, _SHOWN, ending)]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """As DATASET/conversion.json stores it; the same source and settings give the same text."""
        return {
            "format": self.form,
            "source": self.source,
            "settings": dict(self.settings),
            "images": dict(self.images),
            "objects": self.objects and self.objects.to_json(),
            "classes": self.labels.to_json(),
            "notes": list(self.notes),
            "left_out": [_finding_json(finding) for finding in self.left_out],
        }


def _finding_json(finding: Finding) -> dict[str, str]:
    return {
        "file": finding.file.as_posix(),
        "code": finding.code,
        "found": finding.found,
        "expected": finding.expected,
        "remedy": finding.remedy,
    }
