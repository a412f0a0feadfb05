"""split.json: the names of train and validation of a run, so that they stay what they were."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixelwise.errors import DataError
from pixelwise.outputs import write_text
from pixelwise.phrases import counted, listed

SPLIT_FILE = "split.json"
FORMAT = 1


@dataclass(frozen=True)
class KeptSplit:
    """A split that a run was made with."""

    path: Path
    train: frozenset[str]
    validation: frozenset[str]
    rule: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write_split` wrote.

        Raises:
            DataError: it cannot be read or holds something else, such as a name on both sides.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise ValueError(f"expected an object with format {FORMAT}")
            train, validation = _names(content, "train"), _names(content, "validation")
            both = sorted(set(train) & set(validation))
            if both:
                raise ValueError(f"{both[0]!r} is in train and in validation")
            rule = content.get("rule")
            if not isinstance(rule, dict) or not isinstance(rule.get("split_by"), str | None):
                raise ValueError("expected a rule with split_by")
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(
                f"{path}: cannot be read as the split of a run ({error}). Expected the file that training wrote; "
                "restore it, or remove it to have the split made anew by its rule."
            ) from None
        return cls(path, frozenset(train), frozenset(validation), rule)

    @property
    def split_by(self) -> str | None:
        """The pattern that it was made with."""
        pattern: str | None = self.rule.get("split_by")
        return pattern

    def is_of(self, names: Sequence[str]) -> bool:
        """Whether a dataset with these names is the one that was split, and not quite another."""
        return any(name in self.train or name in self.validation for name in names)

    def require(self, names: Sequence[str]) -> None:
        """Refuse a dataset that lacks some of the names.

        Raises:
            DataError: with examples.
        """
        lost = sorted((self.train | self.validation) - set(names))
        if lost:
            raise DataError(
                f"{self.path}: lists {counted(len(lost), 'pair')} that the dataset lacks: {listed(lost, 3)}. Expected "
                "the pairs that the run began with; restore them, or train a new run in another --output folder."
            )


def write_split(path: Path, train: Sequence[str], validation: Sequence[str], rule: Mapping[str, Any]) -> None:
    """Write the names of both sides and the rule that chose them, whole or not at all."""
    # A manifest may list a pair twice.
    sides = {"train": list(dict.fromkeys(train)), "validation": list(dict.fromkeys(validation))}
    content = {"format": FORMAT, "rule": dict(rule), **sides}
    # Escapes, so that names that are no text come back as they were.
    write_text(path, json.dumps(content, indent=1) + "\n")


def _names(content: Mapping[str, Any], side: str) -> list[str]:
    names = content.get(side)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"expected a list of names at {side!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"{side!r} lists a name twice")
    return names
