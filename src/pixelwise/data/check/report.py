"""What a check found: faults, warnings and facts, for programs and for people."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.dataset.pairs import Pairs
from pixelwise.data.dataset.splits.division import Division
from pixelwise.data.facts.regions import ClassRegions
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelStatistics
from pixelwise.data.findings import CODES, Finding
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.phrases import counted, listed, listed_lines, percent

TRAINING = "Training cannot start"
"""What faults mean for `check` and `train`."""

_SHOWN_PER_CODE = 20
_EXAMPLES = 3
_MANY = 100  # findings of a kind that say as much on one line
_FEW = 5  # are listed, also where they are most of a small dataset


@dataclass(frozen=True)
class SplitFacts:
    """What a split holds; pixels and regions are those of readable masks."""

    pairs: Pairs
    sizes: ImageSizes
    balance: ClassBalance
    regions: tuple[ClassRegions, ...]  # K
    pixel_values: PixelStatistics
    measured: int  # pairs that regions and pixel values were measured on


@dataclass(frozen=True)
class CheckReport:
    """Everything found; `labels` is the table that training would use."""

    findings: tuple[Finding, ...]
    labels: LabelTable
    labels_from: str  # where the number of classes comes from, as a phrase
    splits: dict[str, SplitFacts]
    layout: str | None = None
    """Which folders were taken for the channels, where these have names of their own."""
    bands: Bands = PHOTOGRAPH
    """What of the images a network is given."""
    division: Division | None = None
    """How validation was taken from train, where no validation is given."""

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What stops training or makes it wrong."""
        return self._of("fault")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What makes the model worse."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is worth knowing."""
        return self._of("fact")

    @property
    def sound(self) -> bool:
        """Whether training may start."""
        return not self.faults

    @property
    def pairs(self) -> dict[str, Pairs]:
        """The pairs of each split, sorted by name."""
        return {name: facts.pairs for name, facts in self.splits.items()}

    @property
    def facts(self) -> dict[str, Facts]:
        """The numbers of each split."""
        return {
            name: Facts(self.labels, each.balance, each.sizes, each.regions, each.pixel_values)
            for name, each in self.splits.items()
        }

    def facts_json(self) -> dict[str, Any]:
        """The numbers of each split for programs."""
        return {name: each.to_json() for name, each in self.facts.items()}

    @property
    def basis(self) -> tuple[str, ...]:
        """Sentences on what was understood: where the classes come from, and what `understood` has."""
        return (f"{self.labels.num_classes} classes, from {self.labels_from}.", *self.understood)

    @property
    def understood(self) -> tuple[str, ...]:
        """Sentences on images that are no photographs, on which folders were taken for what, and how many pairs."""
        said = [] if self.bands == PHOTOGRAPH else [f"Images: {self.bands.text()}."]
        said += [f"Taken as it lies: {self.layout}."] if self.layout else []
        said += [self.division.text] if self.division and self.division.validation else []
        return tuple(said)

    @property
    def warnings_in_short(self) -> tuple[str, ...]:
        """One line for each kind of warning."""
        return tuple(_in_short(members, self.num_pairs) for members in by_code(self.warnings).values())

    @property
    def num_pairs(self) -> int:
        """The pairs of all splits."""
        return sum(len(facts.pairs) for facts in self.splits.values())

    def is_common(self, members: Sequence[Finding]) -> bool:
        """Whether findings of one kind, no faults, hold for so many files that one line says more than many."""
        if not members or members[0].severity == "fault":
            return False
        return len(members) > _MANY or (len(members) >= _FEW and 2 * len(members) > self.num_pairs)

    def require_sound(self, consequence: str = TRAINING) -> None:
        """Raise DataError with the report, in words of a door without the flags of `check`, if there is any fault."""
        if self.faults:
            raise DataError(elsewhere(self.text(consequence)))

    def to_json(self) -> dict[str, Any]:
        """Everything, uncut, as JSON has it."""
        return {
            "sound": self.sound,
            "faults": [_finding_json(finding) for finding in self.faults],
            "warnings": [_finding_json(finding) for finding in self.warnings],
            "notes": [_finding_json(finding) for finding in self.notes],
            "labels": self.labels.to_json(),
            "labels_from": self.labels_from,
            "layout": self.layout,
            "bands": self.bands.to_json(),
            "split": self.division.to_json() if self.division else None,
            "splits": {
                name: {"images": len(each.pairs), "measured": each.measured, **self.facts[name].to_json()}
                for name, each in self.splits.items()
            },
        }

    def text(self, consequence: str = TRAINING) -> str:
        """The report for people; of many findings of one code the first are shown. `consequence` is that of faults."""
        lines = list(self.basis)
        lines += [f"{name}: {_facts_text(facts)}" for name, facts in self.splits.items()]
        if self.splits:
            lines += ["", *_class_lines(self.labels, self.splits)]
        for title, findings in (("fault", self.faults), ("warning", self.warnings), ("note", self.notes)):
            if findings:
                lines += ["", counted(len(findings), title), *self._finding_lines(findings)]
        return "\n".join([*lines, "", _verdict(self.faults, consequence)])

    def _finding_lines(self, findings: Iterable[Finding]) -> list[str]:
        """Findings by code: what it means and what to do, then a line for each file; all on one line if common."""
        lines = []
        for members in by_code(findings).values():
            common = self.is_common(members)
            lines += ["", _in_short(members, self.num_pairs)] if common else ["", *_listed_findings(members)]
        return lines

    def _of(self, severity: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == severity)


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "file": str(finding.file),
        "other": None if finding.other is None else str(finding.other),
        "found": finding.found,
        "expected": finding.expected,
        "remedy": finding.remedy,
        "place": finding.place,
    }


def _facts_text(facts: SplitFacts) -> str:
    sizes = [f"{width} x {height}" for (width, height), _ in facts.sizes.most_frequent(1)]
    different = len(facts.sizes.counts)
    shown = f"{sizes[0]} px" if different == 1 else f"{different} sizes, most often {sizes[0]} px" if sizes else ""
    ignored = "" if math.isnan(facts.balance.ignored_share) else f", {percent(facts.balance.ignored_share)} ignored"
    return f"{counted(len(facts.pairs), 'image')}{', ' if shown else ''}{shown}{ignored}"


def _class_lines(labels: LabelTable, splits: Mapping[str, SplitFacts]) -> list[str]:
    """A table: the share of each class in the labelled pixels of each split."""
    width = max(map(len, labels.names))
    lines = [f"{'class':>5}  {'':{width}}" + "".join(f"{name:>12}" for name in splits)]
    for i, name in enumerate(labels.names):
        shares = (percent(each.balance.pixel_shares[i]) for each in splits.values())
        lines.append(f"{i:>5}  {name:{width}}" + "".join(f"{share:>12}" for share in shares))
    return lines


def by_code(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by code, in the order in which the codes come up."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    return groups


def _in_short(members: Sequence[Finding], num_pairs: int) -> str:
    """Findings of one kind on one line: how many, a few of them, and what to do."""
    first = members[0]
    if len(members) == 1:
        return f"{first.code}: {first}"
    files = listed(("/".join(finding.file.parts[-2:]) for finding in members), _EXAMPLES)
    counts = f"{len(members):,} in {counted(num_pairs, 'pair')}, such as {files}"
    return f"{first.code}: {CODES[first.code].meaning} ({counts}). {first.remedy}"


def _listed_findings(members: Sequence[Finding]) -> list[str]:
    lines = [f"{members[0].code}: {CODES[members[0].code].meaning}"]
    answers = {f"Expected {finding.expected}. {finding.remedy}" for finding in members}
    alike = len(answers) == 1
    lines += textwrap.wrap(answers.pop(), 100, initial_indent="  ", subsequent_indent="  ") if alike else []
    told = (f"{finding.file}: {finding.found}." if alike else finding for finding in members)
    return lines + [f"    {line}" for line in listed_lines(told, _SHOWN_PER_CODE, " of this code; --json has all")]


def elsewhere(text: str) -> str:
    """What a finding says, at a door that has no flag `--fix`."""
    return text.replace("`--fix`", "`pixelwise check DATASET --fix OUT`")


def _verdict(faults: tuple[Finding, ...], consequence: str) -> str:
    if not faults:
        return "The dataset is sound."
    return f"{consequence}: correct the {counted(len(faults), 'fault')} above first."
