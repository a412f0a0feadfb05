"""What the classes are, and what their pixels, seen together, say is wrong."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import NamedTuple

from pixelwise.data.check.split import Tally
from pixelwise.data.dataset.pairs import Pairs, Split
from pixelwise.data.facts.advice import IMBALANCE_LIMIT, class_weights
from pixelwise.data.facts.statistics import ClassBalance
from pixelwise.data.findings import Finding
from pixelwise.data.repair.survey import Numbers
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.menus import CLASS_WEIGHTS
from pixelwise.phrases import factor, listed, percent

_LISTED = 12
_DRAWN = ("mask-0-255", "mask-spread-gray")  # the ids are not what the values say


class GivenLabels(NamedTuple):
    """The label table that was given, if any, where it comes from, and what is wrong with it."""

    labels: LabelTable | None
    source: str
    findings: list[Finding]

    @property
    def num_classes(self) -> int | None:
        """How many classes there must be; None: the masks say."""
        return None if self.labels is None else self.labels.num_classes


def given_labels(pairs: Mapping[str, Pairs], *, num_classes: int | None, classes_file: Path | None) -> GivenLabels:
    """The label table of a file, of a number, or of the manifests, in this order."""
    findings: list[Finding] = []
    if classes_file is not None:
        try:
            labels = LabelTable.read(classes_file)
            if num_classes in (None, labels.num_classes):
                return GivenLabels(labels, str(classes_file), findings)
            found, remedy = f"names {labels.num_classes} classes", "Correct num_classes or the file."
            findings.append(Finding(classes_file, found, f"num_classes {num_classes}", remedy, "classes-file"))
        except DataError as error:
            found, _, expected = str(error).removeprefix(f"{classes_file}: ").partition(" Expected ")
            expected = expected.rstrip(".") or "names of the classes 0, 1, 2, and so on"
            findings.append(Finding(classes_file, found.rstrip("."), expected, "Correct the file.", "classes-file"))
    if num_classes is not None:
        return GivenLabels(LabelTable.numbered(num_classes), "the setting num_classes", findings)
    named = next((each.labels for each in pairs.values() if each.labels is not None), None)
    return GivenLabels(named, "the manifest", findings)


def resolved_labels(given: GivenLabels, tallies: Mapping[str, Tally]) -> tuple[LabelTable, str]:
    """The table that training uses, and where it comes from as a phrase."""
    if given.labels is not None:
        return given.labels, given.source
    ids = set().union(*(tally.values for tally in tallies.values())) - {IGNORE}
    needed = min(MAX_CLASSES, max(2, 1 + max(ids, default=0)))
    return LabelTable.numbered(needed), "the largest class id in the masks"


def class_findings(
    tallies: Mapping[str, Tally], labels: LabelTable, numbers: Numbers, *, are_given: bool
) -> list[Finding]:
    """Everything that shows only when all masks are seen together; `numbers` are those of masks of every kind."""
    findings: list[Finding] = []
    grays = _grays(numbers, labels, are_given=are_given)
    drawn = _drawn_as_255(numbers, labels, is_one_split="train" not in tallies)
    for name, tally in tallies.items():
        if name in grays:
            findings.append(_drawn_as_grays(tally, numbers.by_split[name], grays[name]))
            continue
        if name in drawn:
            findings.append(_object_as_255(tally, numbers, is_one_split="train" not in tallies))
            continue
        if not tally.values:
            continue
        findings += tally.ignored_values()
        _suggest_counting_from_zero(tally, labels)
        findings += too_few_classes(tally.split, tally.values)
    train = tallies.get("train")
    if train is None or not train.values - {IGNORE} or any(finding.code in _DRAWN for finding in findings):
        return findings
    absent = {i for i in range(labels.num_classes) if not train.pixels[i]}
    if not are_given:
        gaps = {i for i in absent if not any(tally.pixels[i] for tally in tallies.values())}
        if len(train.values - {IGNORE}) > 1:  # of one class the fault tells
            findings += _gaps(tallies, gaps)
        absent -= gaps
    findings += _absent(tallies, sorted(absent), labels)
    imbalance = imbalance_finding(train.split.truth, train.balance(labels.num_classes), labels)
    return findings + ([imbalance] if imbalance else [])


def _grays(numbers: Numbers, labels: LabelTable, *, are_given: bool) -> dict[str, dict[int, int]]:
    """{split: {gray: class id}} of the splits that draw the classes as evenly spread grays.

    A table says so only by its number of classes: one with sources knows what 255 meant.
    """
    if labels.sources or labels.ignored:
        return {}
    drawn = {name: grays for name, grays in numbers.spread().items() if grays[IGNORE] != IGNORE}
    fits = all(max(grays.values()) + 1 == labels.num_classes for grays in drawn.values())
    return drawn if fits or not are_given else {}


def _drawn_as_grays(tally: Tally, values: Set[int], grays: Mapping[int, int]) -> Finding:
    """The fault of a split; it takes the place of faults of ids out of range."""
    tally.findings = [each for each in tally.findings if each.code != "id-out-of-range"]
    shown = listed(map(str, sorted(values)), _LISTED)
    return Finding(
        tally.split.truth, f"holds masks of the values {shown} only", f"class ids ({IGNORE} is ignored)",
        f"If these grays draw {max(grays.values()) + 1} classes, make ids of them, as `--fix` does; as it is, {IGNORE} "
        "would count for nothing.", "mask-spread-gray",
    )  # fmt: skip


def _drawn_as_255(numbers: Numbers, labels: LabelTable, *, is_one_split: bool) -> set[str]:
    """The splits in which 255 must be the object: of two classes only 0 occurs beside it.

    A table with sources comes from a conversion or a repair, which knew what 255 meant. Of a split alone, which is to
    be scored, 0 and 255 are the same whatever the number of classes: everything else would be of one class.
    """
    if labels.sources or labels.ignored or not (is_one_split or labels.num_classes == 2):
        return set()
    return numbers.drawn_as_255()


def _suggest_counting_from_zero(tally: Tally, labels: LabelTable) -> None:
    """Give the faults of ids out of range the remedy that fits masks which count classes from 1."""
    largest = max(tally.values - {IGNORE}, default=0)
    if 0 in tally.values or largest != labels.num_classes:
        return
    remedy = "The masks seem to count classes from 1: subtract 1 from every id but 255."
    for i, finding in enumerate(tally.findings):
        if finding.code == "id-out-of-range":
            tally.findings[i] = finding._replace(remedy=remedy)


def _gaps(tallies: Mapping[str, Tally], gaps: set[int]) -> list[Finding]:
    largest = max(set().union(*(tally.values for tally in tallies.values())) - {IGNORE})
    gaps = {i for i in gaps if i < largest}  # from two classes on a table has them all
    if not gaps:
        return []
    remedy = "Number the classes without gaps, as `--fix` does, or name all of them in classes.json."
    if gaps == {0}:
        remedy = "If the masks count classes from 1, subtract 1 from every id but 255, as `--fix` does."
    where = "no mask of any split has" if len(tallies) > 1 else "no mask has"
    found = f"{where} {listed(sorted(gaps), _LISTED)}, and the largest id is {largest}"
    truth = tallies["train"].split.truth
    return [Finding(truth, found, "ids 0, 1, 2, ... without gaps", remedy, "ids-with-gaps")]


def _absent(tallies: Mapping[str, Tally], absent: list[int], labels: LabelTable) -> list[Finding]:
    validation = tallies.get("validation")
    only_there = [i for i in absent if validation is not None and validation.pixels[i]]
    nowhere = [i for i in absent if i not in only_there]
    findings = []
    for ids, where, code in (
        (only_there, ", which validation has", "class-only-in-validation"),
        (nowhere, "", "class-absent"),
    ):
        if ids:
            named = listed((f"{i} ({labels.names[i]})" for i in ids), _LISTED)
            findings.append(
                Finding(
                    tallies["train"].split.truth, f"no training mask has class {named}{where}",
                    "every class in some mask",
                    "The model will never predict them; label some or leave them out.", code,
                )
            )  # fmt: skip
    return findings


def _object_as_255(tally: Tally, numbers: Numbers, *, is_one_split: bool) -> Finding:
    values = numbers.by_split[tally.split.name]
    found = f"holds masks of the value{'s 0 and' if 0 in values else ''} {IGNORE} only"
    found += ", and of 1 bit" if numbers.bits else ""
    remedy = (
        f"If {IGNORE} draws the object, save it as 1, as `--fix` does; as it is, the object would count for nothing."
    )
    if is_one_split:
        remedy += (
            f' If it is ignored, say so in classes.json: {{"id": {IGNORE}, "name": "ignored", "source": {IGNORE}}}.'
        )
    return Finding(tally.split.truth, found, f"the ids 0 and 1 ({IGNORE} is ignored)", remedy, "mask-0-255")


def too_few_classes(split: Split, ids: Set[int]) -> list[Finding]:
    """The fault of a split whose masks, of which `ids` (IGNORE included) is all that occurs, can teach or tell nothing.

    Validation and test may well show one class.
    """
    classes = ids - {IGNORE}
    if not classes:
        found = f"holds masks of the value {IGNORE} (ignored) only"
        remedy = "Label some pixels or give the right folder."
        return [Finding(split.truth, found, "some pixels of a class", remedy, "nothing-labelled")]
    if split.name != "train" or len(classes) > 1:
        return []
    found = f"holds masks of the class {min(classes)} only"
    remedy = "Export the masks again with every class in them: a model of one class would say it everywhere."
    if IGNORE in ids:
        found += f" and of {IGNORE} (ignored)"
        remedy = f"If {IGNORE} draws a class, save it as an id of its own; else label pixels of another class."
    return [Finding(split.truth, found, "two classes or more", remedy, "one-class")]


def imbalance_finding(file: Path, balance: ClassBalance, labels: LabelTable) -> Finding | None:
    """A warning about `file` (the folder of masks) if the imbalance ratio is above 10, with weights that answer it."""
    ratio = balance.imbalance_ratio
    if not ratio > IMBALANCE_LIMIT:  # NaN, too, is no imbalance
        return None
    largest, smallest = balance.present[0], balance.present[-1]
    shares = [f"{labels.names[i]} has {percent(balance.pixel_shares[i])}" for i in (largest, smallest)]
    floor = ", counted as 0.1 %" if balance.pixel_shares[smallest] < 0.001 else ""
    found = f"{shares[0]} of the labelled pixels, {shares[1]}{floor}: an imbalance ratio of {ratio:.0f}"
    spans = [f"{rule} gives {_span(rule, balance, labels)}" for rule, choice in CLASS_WEIGHTS.items() if choice.home]
    remedy = (
        f"Weigh the classes in the loss with class_weights: {' and '.join(spans)}. Judge by mean IoU, for pixel "
        f"accuracy hardly shows {labels.names[smallest]}."
    )
    return Finding(file, found, f"a ratio of at most {IMBALANCE_LIMIT}", remedy, "class-imbalance")


def _span(rule: str, balance: ClassBalance, labels: LabelTable) -> str:
    weights = class_weights(rule, balance.pixels, balance.pixels_where_present)
    assert weights is not None
    low, high = (pick(balance.present, key=lambda i: weights[i]) for pick in (min, max))
    return f"{factor(weights[low])} ({labels.names[low]}) to {factor(weights[high])} ({labels.names[high]})"
