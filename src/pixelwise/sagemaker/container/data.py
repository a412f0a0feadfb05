"""The data of a job, checked as leniently as the AWS container does: lone and unreadable files are left out."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.data.check.dataset import CheckReport, check_dataset
from pixelwise.data.check.report import elsewhere
from pixelwise.data.dataset.label_map import find_label_maps
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.findings import CODES, FileFault, Finding
from pixelwise.data.reading import read_mask
from pixelwise.errors import DataError, SettingsError
from pixelwise.phrases import listed_lines
from pixelwise.sagemaker.channels.channels import Channel
from pixelwise.sagemaker.hyperparameters.parse import Hyperparameters
from pixelwise.sagemaker.log_lines import Line, Say, label_map_lines
from pixelwise.sagemaker.root import read_json

UNREADABLE = ("empty-file", "truncated-file", "unreadable-file", "link-broken", "decompression-bomb")
LONE = ("image-without-mask", "mask-without-image")

_REQUIRED = ("train", "validation")
_SHOWN = 20  # lines of one kind; a job with ten thousand lone files would drown its log


def label_maps(channels: Mapping[str, Channel], data: Path) -> dict[str, dict[str, Any] | None]:
    """{split: its label map as the file has it}, None where the default holds: pixel values are class ids.

    Raises:
        SettingsError: the channel comes through a pipe, which has no file names, or a file is no JSON.
    """
    channel = channels.get("label_map")
    if channel is not None and channel.mode == "Pipe":
        raise SettingsError(
            "Channel 'label_map' is in Pipe mode, in which files have no names. Give it with TrainingInputMode File."
        )
    files = find_label_maps(data)
    return {split: read_json(files[split]) if split in files else None for split in _REQUIRED}


def checked_data(data: Path, folders: Mapping[str, Path], hyperparameters: Hyperparameters, *, say: Say) -> CheckReport:
    """Look at every file of a job; what is left has an image and a mask for each pair.

    Args:
        data: `<root>/input/data`, where the label maps lie.
        folders: of the channels; see `channels.collect`.
        hyperparameters: of the job.
        say: takes the warnings.

    Raises:
        DataError: a fault that nothing can be left out for, or nothing remains; it names file, value and remedy.
    """
    dataset = open_dataset(data, channels=dict(folders), required=_REQUIRED)
    report = check_dataset(dataset, num_classes=hyperparameters.num_classes, crop_size=hyperparameters.crop_size)
    report = _with_smoothed_masks(_without_unusable(report, say), say)
    _require_pairs(report)
    if report.faults:
        raise DataError(elsewhere(_faults_text(report)))
    for code, findings in _by_code(report.warnings).items():
        if code == "nested-annotations":  # the channel has said so in the container's own words
            continue
        more = f" ({len(findings)} times)" if len(findings) > 1 else ""
        say(Line(f"{CODES[code].meaning}{more}: {findings[0]}", logging.WARNING))
    return report


def said_label_maps(maps: Mapping[str, dict[str, Any] | None], say: Say) -> None:
    """The container's lines about label maps."""
    for line in label_map_lines(maps):
        say(line)


def _without_unusable(report: CheckReport, say: Say) -> CheckReport:
    by_code = _by_code(report.findings)
    unreadable = [finding for code in UNREADABLE for finding in by_code.get(code, [])]
    told = (f"{finding.file} is not a readable image file: {finding.found}" for finding in unreadable)
    for line in listed_lines(told, _SHOWN, " that are not readable"):
        say(Line(line, logging.WARNING))
    for code in LONE:
        lone = by_code.get(code, [])
        if lone:
            text = f"{len(lone)} files are left out, as {CODES[code].meaning}, such as {lone[0].file}"
            say(Line(text, logging.WARNING))
    left_out = {finding.file for finding in unreadable}
    splits = {
        name: replace(facts, pairs=facts.pairs.without(left_out)) if left_out else facts
        for name, facts in report.splits.items()
    }
    rest = tuple(finding for finding in report.findings if finding.code not in (*UNREADABLE, *LONE))
    return replace(report, findings=rest, splits=splits)


def _with_smoothed_masks(report: CheckReport, say: Say) -> CheckReport:
    """Masks that look smoothed are learned, as the AWS container learns them, where all their values are class ids.

    A class of thin lines between two others looks the same.
    """
    smoothed = {finding.file: finding for finding in report.findings if finding.code == "mask-smoothed"}
    if not smoothed:
        return report
    wrong: list[Finding] = []
    for pair in (pair for pairs in report.pairs.values() for pair in pairs if pair.mask in smoothed):
        assert pair.mask is not None
        try:
            read_mask(pair.mask, report.labels, pair.label_map)
        except FileFault as fault:
            wrong.append(fault.finding)
        else:
            say(Line(str(smoothed[pair.mask]), logging.WARNING))
    rest = [finding for finding in report.findings if finding.code != "mask-smoothed"]
    return replace(report, findings=(*wrong, *rest))


def _require_pairs(report: CheckReport) -> None:
    for split in _REQUIRED:
        if not report.pairs[split]:
            raise DataError(
                f"Channel {split!r}: no image with a mask remains. An image and its mask have equal names, such as "
                f"{split}/0001.jpg and {split}_annotation/0001.png; look at the warnings in the log."
            )


def _faults_text(report: CheckReport) -> str:
    """The first fault in full, how many there are of each kind, then the others: the beginning is what people see."""
    by_code = _by_code(report.faults)
    first = report.faults[0]
    counts = ", ".join(f"{len(findings)} x {CODES[code].meaning}" for code, findings in by_code.items())
    others = "".join(f"\n{finding}" for finding in report.faults[1 : 1 + _SHOWN])
    total = f" In all {len(report.faults)} faults: {counts}." if len(report.faults) > 1 else ""
    return f"{first}{total}{others}"


def _by_code(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    counts = Counter(finding.code for finding in findings)
    return {code: [finding for finding in findings if finding.code == code] for code in counts}
