"""Which pairs `evaluate` scores: those of a folder, or those that the run of the model kept for validation."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from pixelwise.api.arguments import PathLike, path_of, paths_of
from pixelwise.bundle import FACTS_FILE, Bundle
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.dataset.channels import SPLITS
from pixelwise.data.dataset.pairs import Dataset, open_dataset
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.dataset.splits.kept import SPLIT_FILE, KeptSplit
from pixelwise.errors import SettingsError


def split_of(model: Path, bundle: Bundle, split_by: str | None) -> SplitRule:
    """The split of the run that made a model, from `split.json` in the run folder, else the rule that made it.

    Raises:
        DataError: `split.json` cannot be read.
        SettingsError: the run grouped by another pattern than `split_by`.
    """
    is_inside = model.is_file() or (model / FACTS_FILE).is_file()
    path = (model.resolve().parent if is_inside else model) / SPLIT_FILE
    data = bundle.provenance.get("data")
    made = data.get("split") if isinstance(data, Mapping) else None
    own = made.get("split_by") if isinstance(made, Mapping) else None
    if not path.is_file():
        is_own = split_by is None and isinstance(own, str)
        return SplitRule(own if is_own else split_by, is_own=is_own)
    kept = KeptSplit.read(path)
    if split_by is not None and split_by != kept.split_by:
        raise SettingsError(
            f"split_by is {split_by!r}, but the run made its split with {kept.split_by or 'no pattern'} ({path}). "
            "Leave it out: the pairs of the run are scored."
        )
    return SplitRule(split_by, kept)


def open_split(
    dataset: PathLike | None,
    split: str,
    channels: Mapping[str, PathLike | None] | None,
    rule: SplitRule,
    *,
    classes_file: Path | None = None,
) -> Dataset:
    """The dataset, which has at least `split` or can be divided by `rule` to have it.

    Raises:
        DataError: it has not.
        SettingsError: there is no such split.
    """
    if split not in SPLITS:
        raise SettingsError(f"split is {split!r}, expected one of {', '.join(SPLITS)}.")
    if split == "test" and rule.split_by is not None and not rule.is_own:
        raise SettingsError("split_by divides train and validation, and split is 'test'. Leave one of them out.")
    return open_dataset(
        path_of(dataset),
        classes_file=classes_file,
        required=(split, f"{split}_annotation"),
        channels=paths_of(channels),
        rule=None if split == "test" else rule,
    )


def of_split(report: CheckReport, split: str) -> CheckReport:
    """The part of a check that is about one split: the others were looked at to find out what belongs to it."""
    others = [pair for name, pairs in report.pairs.items() if name != split for pair in pairs]
    files = {file for pair in others for file in (pair.image, pair.mask)}
    findings = tuple(finding for finding in report.findings if finding.file not in files)
    return dataclasses.replace(report, findings=findings, splits={split: report.splits[split]})


def said_of(report: CheckReport, rule: SplitRule) -> tuple[str, ...]:
    """Sentences on what was scored, where it is no folder of the split's name."""
    division = report.division
    if division is None or division.source is not None:
        return report.understood
    found = f"{rule.kept.path} lists none of these pairs" if rule.kept else f"no {SPLIT_FILE} lies beside the model"
    every = "To score every pair, give the folders as --test and --test-annotation, with --split test."
    return (*report.understood, f"The split was made anew, as {found}. {every}")
