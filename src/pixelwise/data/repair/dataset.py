"""Write a corrected copy of a dataset and a log of every change; what would take a guess is left out and listed."""

import functools
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from pixelwise.data.check.classes import too_few_classes
from pixelwise.data.check.report import CheckReport
from pixelwise.data.dataset.pairs import Dataset, Pairs, Split
from pixelwise.data.findings import Finding
from pixelwise.data.repair.pair import Change, Examined, Known, LeftOut, Outcome, Task, examine, repair_pair
from pixelwise.data.repair.plan import Plan, make_plan
from pixelwise.data.repair.report import CHANGES, RepairReport
from pixelwise.data.repair.survey import Values
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.outputs import whole, write_text
from pixelwise.workers import Progress, in_order

__all__ = ["RepairReport", "repair"]

_NOT_PAIRED = {
    "empty-channel",
    "image-without-mask",
    "mask-without-image",
    "duplicate-stem",
    "nested-annotations",
    "stray-file",
    "link-broken",
    "manifest",
}

_SMOOTHED = "mask-smoothed"


def repair(
    dataset: Dataset,
    report: CheckReport,
    output: Path,
    *,
    classes: LabelTable | None = None,
    progress: Progress | None = None,
) -> RepairReport:
    """Write a copy of `dataset` to `output` in which every fault of `report`, its check, is repaired or left out.

    The masks are read twice: first to see what values they hold together, then to write them. The copy has the
    folders of a dataset, `classes.json`, whose `source` entries say what each class was, and `changes.jsonl`. These
    two are written last: a copy without classes.json was interrupted.

    Args:
        dataset: what was checked; nothing in it is changed.
        report: what the check found; it says which files cannot be used.
        output: a folder that does not exist or is empty, apart from the dataset.
        classes: the classes, with the values or colours that they have in the masks as `sources`; else the
            dataset's own classes, and where there are none they are made from the masks.
        progress: called with (files done, files in all); each pair counts twice.

    Raises:
        SettingsError: `output` is not empty, lies in the dataset or the other way round, or cannot be written.
    """
    _require_apart(output, dataset)
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise SettingsError(
                f"{output}: is not empty. Expected a new folder for the repaired copy; give another, or remove what "
                "is there (without classes.json it is a repair that was interrupted)."
            )
        return _Repair(dataset, report, output, classes).run(progress)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or output}: cannot be written or copied ({error.strerror or error}). Expected a folder "
            f"that may be written and has room; free space or give another than {output}."
        ) from None


class _Repair:
    """The work on one copy: survey, plan, write."""

    def __init__(self, dataset: Dataset, report: CheckReport, output: Path, classes: LabelTable | None) -> None:
        self.dataset, self.pairs, self.output = dataset, report.pairs, output
        self.known = Known.of(report)
        self.understood = report.understood
        self.left_out = [finding for finding in report.findings if finding.code in _NOT_PAIRED]
        self.changes: Counter[str] = Counter()
        self.images = dict.fromkeys(self.pairs, 0)
        self.given = classes is not None
        self.dataset_changes: list[Change] = []
        self.table = classes or self._own_table()
        self.num_classes = None if self.table is None else self.table.num_classes

    def run(self, progress: Progress | None) -> RepairReport:
        """Everything; the log grows while pairs are written and gets its name at the end."""
        advance = _counter(progress, 2 * sum(map(len, self.pairs.values())))
        with whole(self.output / CHANGES) as temporary, temporary.open("w", encoding="utf-8") as log:
            plan = make_plan(self._survey(advance), self.pairs, self.table, given=self.given)
            self._note(log, self.dataset_changes)
            for split in self.pairs:
                self._write_split(split, plan, log, advance)
        write_text(self.output / "classes.json", json.dumps(plan.labels.to_json(), indent=1, ensure_ascii=False) + "\n")
        left_out = tuple(dict.fromkeys(self.left_out))
        changes = {code: count for code, count in sorted(self.changes.items()) if count}
        notes = self.understood + plan.notes
        if self.table is None and "ids-with-gaps" in changes and any(each.code == _SMOOTHED for each in left_out):
            notes += ("Some masks were smoothed and left out; rare values of the others may be strays, not classes.",)
        return RepairReport(self.output, self.images, changes, left_out, plan.labels, notes)

    def _own_table(self) -> LabelTable | None:
        """The classes that the dataset names itself."""
        path = self.dataset.classes_file
        if path is not None:
            try:
                return LabelTable.read(path)
            except DataError as error:
                text = f"replaced by a table made from the masks, as it cannot be used ({error})"
                self.dataset_changes.append(Change(path, self.output / "classes.json", "classes-file", text))
        return next((pairs.labels for pairs in self.pairs.values() if pairs.labels is not None), None)

    def _survey(self, advance: Callable[[], None]) -> Values:
        """What the masks hold that will be written."""
        survey = Values()
        for split, pairs in self.pairs.items():
            label_map = self.dataset.splits[split].label_map
            if label_map is not None:
                survey.add_map(label_map.resolved(self.num_classes))
            for examined in in_order(self._examine, _tasks(self.dataset.splits[split], pairs, self.output)):
                if examined is not None and examined.raw is not None:
                    survey.add(split, examined.raw)
                advance()
        return survey

    def _examine(self, task: Task) -> Examined | None:
        try:
            return examine(task.pair, self.known, self.num_classes)
        except LeftOut:
            return None  # comes up again when it would be written

    def _write_split(self, name: str, plan: Plan, log: IO[str], advance: Callable[[], None]) -> None:
        """Write the pairs of a split; all of them are withdrawn if together they would be at fault."""
        split = self.dataset.splits[name]
        begin, changes_before, ids = log.tell(), self.changes.copy(), set[int]()
        write = functools.partial(repair_pair, plan=plan, known=self.known, num_classes=self.num_classes)
        for outcome in in_order(write, _tasks(split, self.pairs[name], self.output)):
            self._take(name, outcome, log)
            ids |= outcome.ids
            advance()
        finding = _fault_of_all(split, ids, plan.labels)
        if finding is not None:
            shutil.rmtree(self.output / name)
            shutil.rmtree(self.output / f"{name}_annotation")
            log.seek(begin)
            log.truncate()
            self.changes, self.images[name] = changes_before, 0
            self.left_out.append(finding)

    def _take(self, split: str, outcome: Outcome, log: IO[str]) -> None:
        self._note(log, outcome.changes)
        self.left_out += outcome.left_out
        self.images[split] += not outcome.left_out

    def _note(self, log: IO[str], changes: Iterable[Change]) -> None:
        for change in changes:
            self.changes[change.code] += 1
            line = {
                "file": _relative(change.file, self.dataset.root),
                "written": _relative(change.written, self.output),
                "code": change.code,
                "change": change.change,
            }
            log.write(json.dumps(line, ensure_ascii=False) + "\n")


def _require_apart(output: Path, dataset: Dataset) -> None:
    if output.exists() and not output.is_dir():
        raise SettingsError(f"{output}: is a file. Expected a new folder for the repaired copy; give another.")
    folders = {dataset.root} if dataset.root is not None else set()
    for split in dataset.splits.values():
        folders |= {split.images.parent if split.is_manifest else split.images, split.masks or split.images}
    here = output.resolve()
    for folder in sorted(folders):
        there = folder.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise SettingsError(
                f"{output}: lies in the dataset, or {folder} lies in it. Expected a folder apart from the dataset, "
                "so that nothing in it is changed; give another."
            )


def _tasks(split: Split, pairs: Pairs, output: Path) -> Iterator[Task]:
    """Each pair with its place in the copy, always in the same order."""
    images, masks = output / split.name, output / f"{split.name}_annotation"
    if not split.is_manifest:
        for pair in pairs:
            yield Task(split.name, pair, images / pair.name, masks / f"{pair.name}.png")
        return
    # A manifest may list files from anywhere, even two of one name: the folder they share is left off.
    folders = {os.path.abspath(pair.image.parent) for pair in pairs}
    shared = os.path.commonpath(folders) if folders else ""
    taken: Counter[str] = Counter()
    for pair in pairs:
        name = Path(os.path.relpath(os.path.abspath(pair.image), shared)).with_suffix("").as_posix()
        while taken[name]:
            taken[name] += 1
            name = f"{name}_{taken[name]}"
        taken[name] = 1
        yield Task(split.name, pair, images / name, masks / f"{name}.png")


def _fault_of_all(split: Split, ids: set[int], labels: LabelTable) -> Finding | None:
    """What would still be wrong with the masks of a split taken together."""
    if ids == {0, IGNORE} and labels.num_classes == 2:
        found = f"holds masks of the values 0 and {IGNORE} only, and nothing says that {IGNORE} draws the object"
        remedy = f"Save the object as 1 if {IGNORE} draws it."
        return Finding(split.truth, found, "masks of the ids 0 and 1", remedy, "mask-0-255")
    return next(iter(too_few_classes(split, ids)), None) if ids else None


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return advance


def _relative(path: Path, folder: Path | None) -> str:
    """`path` below `folder` where it lies there, with `/`."""
    inside = folder is not None and path.is_relative_to(folder)
    return (path.relative_to(folder) if inside and folder is not None else path).as_posix()
