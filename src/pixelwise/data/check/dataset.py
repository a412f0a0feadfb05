"""Look at every file before any training: all faults and the facts of a dataset in one report."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from pixelwise.data.bands import Bands
from pixelwise.data.check.classes import GivenLabels, class_findings, given_labels, resolved_labels
from pixelwise.data.check.depth import resolved_bands
from pixelwise.data.check.dividing import Dividing, kept_division
from pixelwise.data.check.meaning import MaskMeaning
from pixelwise.data.check.naming import other_names
from pixelwise.data.check.pair import Look, look_at
from pixelwise.data.check.report import CheckReport, SplitFacts
from pixelwise.data.check.split import Tally, shared_pictures
from pixelwise.data.dataset.channels import SPLITS
from pixelwise.data.dataset.pairs import Dataset, Pair, Pairs, find_pairs
from pixelwise.data.dataset.splits.division import Division
from pixelwise.data.findings import Finding
from pixelwise.settings import Settings
from pixelwise.workers import Progress, in_order

__all__ = ["CheckReport", "SplitFacts", "check_dataset"]

MEASURED = (32, 256)
"""Regions and pixel values are measured on an eighth of a split's pairs, a fixed random choice of so many at least and
at most: a look at those takes three times as long."""


def check_dataset(  # noqa: PLR0913  # what the doors may ask of the one check
    dataset: Dataset,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
    crop_size: int | None = None,
    meant: Settings | Bands | None = None,
    workers: int | None = None,
    only: str | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Decode every mask and every image and collect all findings.

    The number of classes is `num_classes`, else that of `classes_file` or of a file beside the data, else that
    of its manifests, else the largest class id in the masks plus one. Of images far smaller than `crop_size` the
    report warns. `meant` are the settings of the training that is meant, or the bands of a model that is there: they
    say what of the images a network is given. `progress` is called with (pairs done, pairs in all). Of each pair only
    numbers are kept.

    Where the dataset has a rule for it, train is divided into train and validation by what the looks showed; each file
    is looked at once. `only` names a split that alone is asked for; the others are then looked at as far as the
    division takes it.

    Raises:
        DataError: pairs of a kept split are missing; there is a file for each channel of an image.
        SettingsError: the pattern of the rule does not fit the names, or `meant` not the images.
    """
    pairs, findings, division = _found(dataset)
    if only is not None and only in pairs:
        pairs = {only: pairs[only]}
    dividing = Dividing(pairs["train"], dataset.rule) if dataset.rule and division is None else None
    given = given_labels(pairs, num_classes=num_classes, classes_file=classes_file or dataset.classes_file)
    findings += given.findings
    if classes_file is None and given.labels is not None:
        findings += other_names(dataset.class_files, given.labels)
    looks = _Looks(given, crop_size, workers, progress, sum(map(len, pairs.values())))
    tallies, made = _all_tallied(dataset, pairs, dividing, looks)
    by_user = num_classes is not None or classes_file is not None
    bands = resolved_bands({name: tally.depths for name, tally in tallies.items()}, meant)
    for tally in tallies.values():
        findings += tally.depth_findings(bands, is_given=isinstance(meant, Settings) and meant.value_range != "data")
    report = _report(tallies, findings, given, MaskMeaning.of(tallies, given, by_user=by_user), bands)
    return replace(report, layout=dataset.layout, division=division or made)


def _all_tallied(
    dataset: Dataset, pairs: dict[str, Pairs], dividing: Dividing | None, looks: "_Looks"
) -> tuple[dict[str, Tally], Division | None]:
    """What the pairs of each split showed; and how train was divided, if it was."""
    tallies: dict[str, Tally] = {}
    division: Division | None = None
    for name, members in pairs.items():
        if name == "train" and dividing is not None:
            division, divided = _divided(dataset, dividing, list(looks.at(members, dividing.likely())))
            tallies |= divided
        else:
            tallies[name] = _tallied(Tally(dataset.splits[name], members), looks.at(members, [range(len(members))]))
    return {name: tallies[name] for name in SPLITS if name in tallies}, division


def _found(dataset: Dataset) -> tuple[dict[str, Pairs], list[Finding], Division | None]:
    """The pairs of each split and what is wrong with the others; validation is missing where it is still to be made."""
    findings: list[Finding] = []
    pairs: dict[str, Pairs] = {}
    for split in dataset.splits.values():
        if split.name == "validation" and dataset.rule is not None:
            continue  # lies where train lies
        pairs[split.name], found = find_pairs(split.images, split.masks, label_map=split.label_map, root=dataset.root)
        findings += found
    if dataset.rule is None:
        return pairs, findings, None
    kept = kept_division(pairs["train"], dataset.rule)
    if kept is not None:
        return pairs | kept[1], findings, kept[0]
    if len(pairs["train"]) == 1:
        findings.append(_single(dataset.splits["train"].images))
    return pairs, findings, None


def _single(folder: Path) -> Finding:
    return Finding(
        folder, "holds one pair, so that none is left for validation", "two pairs or more, or a validation split",
        "Add pairs, or give --validation and --validation-annotation.", "empty-channel",
    )  # fmt: skip


def _divided(dataset: Dataset, dividing: Dividing, looks: list[Look]) -> tuple[Division, dict[str, Tally]]:
    """Train and validation of what was looked at as one."""
    division, positions = dividing.made(looks)
    tallies = {}
    for name, chosen in positions.items():
        members = dividing.pairs.only({dividing.names[i] for i in chosen})
        tallies[name] = _tallied(Tally(dataset.splits[name], members), (looks[i] for i in chosen))
    return division, tallies


def _tallied(tally: Tally, looks: Iterable[Look]) -> Tally:
    for look in looks:
        tally.add(look)
    return tally


def _report(
    tallies: dict[str, Tally], findings: list[Finding], given: GivenLabels, meaning: MaskMeaning, bands: Bands
) -> CheckReport:
    labels, labels_from = resolved_labels(given, tallies)
    of_classes = class_findings(tallies, labels, meaning.numbers, are_given=given.labels is not None)
    of_classes += meaning.findings(tallies)
    for tally in tallies.values():
        findings += tally.findings
    findings += of_classes
    for first, second in combinations(tallies.values(), 2):
        findings += shared_pictures(first, second)
    facts = {name: tally.facts(labels.num_classes, bands) for name, tally in tallies.items()}
    return CheckReport(tuple(findings), labels, labels_from, facts, bands=bands)


class _Looks:
    """Looks at pairs, counted over all splits."""

    def __init__(
        self, given: GivenLabels, crop_size: int | None, workers: int | None, progress: Progress | None, total: int
    ) -> None:
        self.given, self.crop_size, self.workers, self.progress = given, crop_size, workers, progress
        self.done, self.total = 0, total

    def at(self, pairs: Pairs, parts: Iterable[Sequence[int]]) -> Iterator[Look]:
        """A look at every pair, in order; closely at some of each of the `parts`, which are positions."""
        closely = {part[i] for part in parts for i in _chosen(len(part))}
        num_classes, crop_size = self.given.num_classes, self.crop_size

        def look(numbered: tuple[int, Pair]) -> Look:
            i, pair = numbered
            return look_at(pair, num_classes=num_classes, crop_size=crop_size, closely=i in closely)

        # Decoding releases the interpreter lock: threads do, and Pillow's histogram counts a mask in no time.
        for each in in_order(look, enumerate(pairs), workers=self.workers):
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
            yield each


def _chosen(count: int) -> set[int]:
    """The positions of the pairs that are measured."""
    fewest, most = MEASURED
    return set(np.random.default_rng(0).permutation(count)[: min(max(fewest, count // 8), most)].tolist())
