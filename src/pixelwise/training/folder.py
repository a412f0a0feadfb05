"""The folder of a run: whether it can take one, what it began with, and which data it was."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.dataset.splits.kept import SPLIT_FILE, KeptSplit, write_split
from pixelwise.errors import ModelError, SettingsError
from pixelwise.outputs import write_text
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

PLAN_FILE = "plan.json"
"""What was decided for a run, and why; it lies beside its settings."""

_FILES = {"settings.json", "metrics.jsonl", "log.txt", SPLIT_FILE, PLAN_FILE}
_OURS = {*_FILES, "checkpoints", "model", "report", "tensorboard"}


def prepare_folder(folder: Path, *, resume: bool) -> None:
    """Make sure that `folder` can take a new run, or holds one to resume.

    Raises:
        SettingsError: it holds a run, or something that is not ours, and `resume` is off; it is a file.
        ModelError: there is nothing to resume.
    """
    # A run that failed at its start (no weights, say) left nothing worth keeping: the next may take its place.
    holds_run = (folder / "checkpoints" / "last.pt").exists() or (folder / "model").exists()
    if resume and not (folder / "settings.json").is_file():
        raise ModelError(f"{folder}: holds no run to resume (no settings.json). Train without --resume.")
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: is a file, expected a folder for the run. Give another --output.")
    if resume or not folder.exists():
        return
    if holds_run:
        raise SettingsError(
            f"{folder}: holds a run already. Continue it with --resume, or give another --output folder."
        )
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
    if foreign:
        raise SettingsError(
            f"{folder}: is not empty (it holds {foreign[0]!r}). Give a new --output folder for the run."
        )


def fingerprint(pairs: Sequence[Pair]) -> str:
    """A digest of the names and sizes of the training files: resuming on other data cannot be exact."""
    digest = hashlib.sha256()
    for pair in pairs:
        sizes = [path.stat().st_size for path in (pair.image, pair.mask) if path is not None]
        digest.update(f"{pair.name} {sizes}\n".encode("utf-8", "surrogateescape"))  # of any bytes, as on the disk
    return digest.hexdigest()


def read_run_settings(folder: Path) -> dict[str, Any]:
    """The settings that the run in `folder` began with."""
    path = folder / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read ({error}). Start a new run in another --output folder.") from None


def split_to_resume(folder: Path, split_by: str | None) -> SplitRule:
    """The split that the run in `folder` began with; where it had none of its own, the rule to make one.

    Raises:
        DataError: its split.json cannot be read.
        SettingsError: the run grouped by another pattern than `split_by`.
    """
    path = folder / SPLIT_FILE
    if not path.is_file():
        return SplitRule(split_by)
    kept = KeptSplit.read(path)
    if split_by is not None and split_by != kept.split_by:
        raise SettingsError(
            f"{path}: the run began with split_by = {kept.split_by!r}, now it is {split_by!r}. Resume without it, or "
            "start a new run in another --output folder."
        )
    return SplitRule(kept=kept)


def require_split(rule: SplitRule, report: CheckReport) -> None:
    """Refuse to resume a run with another split than its own.

    Raises:
        SettingsError: the dataset has validation folders by now, or none of the run's pairs.
    """
    if rule.kept is not None and (report.division is None or report.division.source is None):
        found = "validation is given by folders" if report.division is None else "none of its pairs is in the dataset"
        raise SettingsError(
            f"{rule.kept.path}: the run took validation from the training pairs, and now {found}. Restore the dataset, "
            "or start a new run in another --output folder."
        )


def create_folder(
    folder: Path,
    settings: Settings,
    report: CheckReport,
    runtime: Runtime,
    *,
    plan: Mapping[str, Any] | None = None,
) -> None:
    """Make the folder of a run in process 0; the others wait for it.

    It has settings.json, and plan.json and split.json where the settings were planned and the split was made.
    """
    if runtime.is_main:
        write_text(folder / "settings.json", json.dumps(settings.to_json(), indent=2) + "\n")
        if plan is not None:
            write_text(folder / PLAN_FILE, json.dumps(plan, indent=2) + "\n")
        division = report.division
        if division is None:
            (folder / SPLIT_FILE).unlink(missing_ok=True)  # of a run that failed at its start
        elif division.source is None:
            names = (report.pairs["train"].names, report.pairs["validation"].names)
            write_split(folder / SPLIT_FILE, *names, division.to_json())
    runtime.barrier()
