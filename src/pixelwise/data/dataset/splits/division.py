"""How validation is taken from train, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.dataset.splits.kept import KeptSplit
from pixelwise.data.dataset.splits.sides import SHARE
from pixelwise.phrases import counted, listed, percent


@dataclass(frozen=True)
class SplitRule:
    """What was asked for: a pattern of names that groups pairs (see `pattern.pattern_of`), or a split made before."""

    split_by: str | None = None
    kept: KeptSplit | None = None
    is_own: bool = False  # the pattern is that of a model's training: where it does not fit, names alone count


@dataclass(frozen=True)
class Division:
    """What is train and what validation, and how that came about."""

    train: int
    validation: int
    split_by: str | None = None
    groups: int | None = None  # that had to stay on one side each; None: a kept split does not say
    united: int = 0  # pairs that share their group with others
    note: str = ""  # what was done in place of the rule, and why
    source: Path | None = None  # the split.json that said it
    left_out: tuple[str, ...] = ()  # names of pairs that it does not list

    @property
    def how(self) -> str:
        """The rule in words, without a full stop."""
        if self.note:
            return self.note
        rule, together = "about a fifth by a hash of the names", "near-duplicates and frames of one video stay together"
        if self.split_by is not None:
            rule = f"whole groups of {self.split_by!r}, about a fifth, by a hash of what stands at {{}}"
            together = "near-duplicates stay together"
        return f"{rule}; {together}, and every class is on both sides where it can be"

    @property
    def text(self) -> str:
        """What was understood, for people."""
        total = self.train + self.validation
        share = percent(self.validation / total) if total else "none"
        said = f"{self.validation:,} of {counted(total, 'pair')} ({share}) are validation"
        if self.source is None:
            return f"{said}, as none is given: {self.how}. {self.grouped}"
        new = f" New since then and left out: {counted(len(self.left_out), 'pair')}, {listed(self.left_out, 3)}."
        return f"{said}, by {self.source}.{new if self.left_out else ''}"

    @property
    def grouped(self) -> str:
        """How many groups there were."""
        return f"{counted(self.groups or 0, 'group')}, {self.united:,} pairs in groups of several."

    def to_json(self) -> dict[str, Any]:
        """The rule and the counts, as JSON has it."""
        kept = {} if self.source is None else {"source": str(self.source), "left_out": list(self.left_out)}
        return {
            "train": self.train,
            "validation": self.validation,
            "share": SHARE,
            "split_by": self.split_by,
            "groups": self.groups,
            "united": self.united,
            "how": self.how,
            **kept,
        }
