"""Look at every file before any training: all faults and the facts of a dataset in one report."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from pixelwise.data.check.classes import GivenLabels, class_findings, given_labels, resolved_labels
from pixelwise.data.check.meaning import MaskMeaning
from pixelwise.data.check.pair import Look, look_at
from pixelwise.data.check.report import CheckReport, SplitFacts
from pixelwise.data.check.split import Tally, shared_pictures
from pixelwise.data.dataset.pairs import Dataset, Pair, Pairs, find_pairs
from pixelwise.data.findings import Finding
from pixelwise.data.repair.survey import Values
from pixelwise.workers import Progress, in_order

__all__ = ["CheckReport", "SplitFacts", "check_dataset"]

MEASURED = (32, 256)
"""Regions and pixel values are measured on an eighth of a split's pairs, a fixed random choice of so many at least and
at most: a look at those takes three times as long."""


def check_dataset(
    dataset: Dataset,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
    crop_size: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Decode every mask and every image and collect all findings.

    The number of classes is `num_classes`, else that of `classes_file` or of the dataset's classes.json, else that
    of its manifests, else the largest class id in the masks plus one. Of images far smaller than `crop_size` the
    report warns. `progress` is called with (pairs done, pairs in all). Of each pair only numbers are kept.
    """
    findings: list[Finding] = []
    pairs: dict[str, Pairs] = {}
    for split in dataset.splits.values():
        pairs[split.name], found = find_pairs(split.images, split.masks, label_map=split.label_map, root=dataset.root)
        findings += found
    given = given_labels(pairs, num_classes=num_classes, classes_file=classes_file or dataset.classes_file)
    findings += given.findings
    tallies = {name: Tally(dataset.splits[name], pairs[name]) for name in pairs}
    survey = Values()
    done, total = 0, sum(map(len, pairs.values()))
    for name, tally in tallies.items():
        for look in _looks(pairs[name], given, crop_size, workers):
            tally.add(look)
            if look.raw is not None:
                survey.add(name, look.raw)
            done += 1
            if progress is not None:
                progress(done, total)
    by_user = num_classes is not None or classes_file is not None
    meaning = MaskMeaning.of(survey, tallies, given, by_user=by_user)
    return replace(_report(tallies, findings, given, meaning), layout=dataset.layout)


def _report(
    tallies: dict[str, Tally], findings: list[Finding], given: GivenLabels, meaning: MaskMeaning
) -> CheckReport:
    labels, labels_from = resolved_labels(given, tallies)
    of_classes = class_findings(tallies, labels, meaning.numbers, are_given=given.labels is not None)
    of_classes += meaning.findings(tallies)
    for tally in tallies.values():
        findings += tally.findings
    findings += of_classes
    for first, second in combinations(tallies.values(), 2):
        findings += shared_pictures(first, second)
    facts = {name: tally.facts(labels.num_classes) for name, tally in tallies.items()}
    return CheckReport(tuple(findings), labels, labels_from, facts)


def _looks(pairs: Pairs, given: GivenLabels, crop_size: int | None, workers: int | None) -> Iterator[Look]:
    """A look at every pair, in order."""
    closely = _chosen(len(pairs))

    def look(numbered: tuple[int, Pair]) -> Look:
        i, pair = numbered
        return look_at(pair, num_classes=given.num_classes, crop_size=crop_size, closely=i in closely)

    # Decoding releases the interpreter lock: threads do, and Pillow's histogram counts a mask in no time.
    yield from in_order(look, enumerate(pairs), workers=workers)


def _chosen(count: int) -> set[int]:
    """The positions of the pairs that are measured."""
    fewest, most = MEASURED
    return set(np.random.default_rng(0).permutation(count)[: min(max(fewest, count // 8), most)].tolist())
