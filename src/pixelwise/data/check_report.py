"""What a check found: faults, warnings and facts, for programs and for people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.data.pairs import Fault, Pair
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

_SHOWN_PER_KIND = 20


@dataclass(frozen=True)
class SplitFacts:
    """What a split holds; pixels are those of readable masks."""

    pairs: tuple[Pair, ...]
    sizes: dict[tuple[int, int], int]  # {(width, height): images}
    pixels: tuple[int, ...]  # K numbers
    pixels_where_present: tuple[int, ...]  # K numbers: labelled pixels of the masks that have the class
    ignored_pixels: int


@dataclass(frozen=True)
class CheckReport:
    """Everything found; `labels` is the table that training would use."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    labels: LabelTable
    labels_from: str  # where the number of classes comes from, as a phrase
    facts: dict[str, SplitFacts]  # by split

    @property
    def sound(self) -> bool:
        """Whether training may start."""
        return not self.faults

    @property
    def pairs(self) -> dict[str, tuple[Pair, ...]]:
        """The pairs of each split, sorted by name."""
        return {name: facts.pairs for name, facts in self.facts.items()}

    def require_sound(self) -> None:
        """Raise DataError with the report if there is any fault."""
        if self.faults:
            raise DataError(self.text())

    def to_json(self) -> dict[str, Any]:
        """Everything, uncut, as JSON has it."""
        return {
            "sound": self.sound,
            "faults": [_fault_json(fault) for fault in self.faults],
            "warnings": [_fault_json(fault) for fault in self.warnings],
            "labels": self.labels.to_json(),
            "labels_from": self.labels_from,
            "splits": {name: _facts_json(facts) for name, facts in self.facts.items()},
        }

    def text(self) -> str:
        """The report for people; of many findings of one kind the first are shown."""
        lines = [f"{self.labels.num_classes} classes, from {self.labels_from}."]
        lines += [f"{name}: {_facts_text(facts)}" for name, facts in self.facts.items()]
        if self.facts:
            lines += ["", *_class_lines(self.labels, self.facts)]
        for title, findings in (("fault", self.faults), ("warning", self.warnings)):
            if findings:
                lines += [
                    "",
                    f"{len(findings)} {title}{'s' if len(findings) > 1 else ''}",
                    *_listed(findings),
                ]
        return "\n".join([*lines, "", _verdict(self.faults)])


def _fault_json(fault: Fault) -> dict[str, str]:
    return {name: str(value) for name, value in fault._asdict().items()}


def _facts_json(facts: SplitFacts) -> dict[str, Any]:
    return {
        "images": len(facts.pairs),
        "sizes": [{"width": w, "height": h, "images": count} for (w, h), count in facts.sizes.items()],
        "class_pixels": list(facts.pixels),
        "ignored_pixels": facts.ignored_pixels,
    }


def _facts_text(facts: SplitFacts) -> str:
    sizes = [f"{width} x {height}" for width, height in facts.sizes]
    shown = f"{sizes[0]} px" if len(sizes) == 1 else f"{len(sizes)} sizes, most often {sizes[0]} px" if sizes else ""
    pixels = sum(facts.pixels) + facts.ignored_pixels
    ignored = f", {facts.ignored_pixels / pixels:.1%} ignored" if pixels else ""
    return f"{len(facts.pairs)} images{', ' if shown else ''}{shown}{ignored}"


def _class_lines(labels: LabelTable, splits: Mapping[str, SplitFacts]) -> list[str]:
    """A table: the share of each class in the labelled pixels of each split."""
    width = max(map(len, labels.names))
    lines = [f"{'class':>5}  {'':{width}}" + "".join(f"{name:>12}" for name in splits)]
    for i, name in enumerate(labels.names):
        shares = [facts.pixels[i] / max(1, sum(facts.pixels)) for facts in splits.values()]
        lines.append(f"{i:>5}  {name:{width}}" + "".join(f"{share:>12.2%}" for share in shares))
    return lines


def _listed(findings: Iterable[Fault]) -> list[str]:
    kinds: dict[str, list[Fault]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    lines = []
    for kind, members in kinds.items():
        lines.append(f"{kind}: {len(members)}")
        lines += [f"  {finding}" for finding in members[:_SHOWN_PER_KIND]]
        if len(members) > _SHOWN_PER_KIND:
            lines.append(f"  ... and {len(members) - _SHOWN_PER_KIND} more of this kind")
    return lines


def _verdict(faults: tuple[Fault, ...]) -> str:
    if not faults:
        return "The dataset is sound."
    return f"Training cannot start: correct the {len(faults)} fault{'s' if len(faults) > 1 else ''} above first."
