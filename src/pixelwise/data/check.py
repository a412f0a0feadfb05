"""Look at every file before any training: all faults and the facts of a dataset in one report."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pixelwise.data.check_report import CheckReport, SplitFacts
from pixelwise.data.pairs import Dataset, Fault, FileFault, Pair, Split, find_pairs
from pixelwise.data.reading import count_ids, decode_mask, image_size, unequal_sizes, unknown_ids
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable

__all__ = ["CheckReport", "SplitFacts", "check_dataset"]


def check_dataset(
    dataset: Dataset,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
    workers: int | None = None,
) -> CheckReport:
    """Decode every mask and every image and collect all faults.

    The number of classes is `num_classes`, else that of `classes_file` or of the dataset's classes.json,
    else the largest class id in the masks plus one.
    """
    faults: list[Fault] = []
    looks: dict[str, list[_Look]] = {}
    # Decoding releases the interpreter lock: threads do, and Pillow's histogram counts a mask in no time.
    with ThreadPoolExecutor(workers) as pool:
        for split in dataset.splits.values():
            pairs, found = find_pairs(split.images, split.masks)
            looks[split.name] = list(pool.map(_look, pairs))
            faults += found
    faults += [fault for split_looks in looks.values() for look in split_looks for fault in look.faults]
    labels, labels_from, label_faults = _resolve_labels(
        looks, num_classes=num_classes, classes_file=classes_file or dataset.classes_file
    )
    faults += label_faults
    facts = {name: _facts_of(split_looks, labels) for name, split_looks in looks.items()}
    for name, split in dataset.splits.items():
        faults += _content_faults(split, looks[name], facts[name], labels)
    return CheckReport(
        tuple(fault for fault in faults if fault.severity == "fault"),
        tuple(fault for fault in faults if fault.severity != "fault"),
        labels,
        labels_from,
        facts,
    )


class _Look(NamedTuple):
    """What one pair showed; sizes are None and counts empty where the file cannot be read."""

    pair: Pair
    size: tuple[int, int] | None
    counts: dict[int, int]
    faults: list[Fault]


def _look(pair: Pair) -> _Look:
    faults: list[Fault] = []
    size: tuple[int, int] | None = None
    counts: dict[int, int] = {}
    try:
        size = image_size(pair.image)
    except FileFault as error:
        faults.append(error.fault)
    if pair.mask is None:
        return _Look(pair, size, counts, faults)
    try:
        mask = decode_mask(pair.mask)
        counts = count_ids(mask)
        if size is not None and size != mask.size:
            faults.append(unequal_sizes(pair, size, mask.size))
    except FileFault as error:
        faults.append(error.fault)
    return _Look(pair, size, counts, faults)


def _resolve_labels(
    looks: Mapping[str, list[_Look]], *, num_classes: int | None, classes_file: Path | None
) -> tuple[LabelTable, str, list[Fault]]:
    """The label table, where it is from, and what is wrong with it."""
    faults: list[Fault] = []
    if classes_file is not None:
        try:
            labels = LabelTable.read(classes_file)
            if num_classes in (None, labels.num_classes):
                return labels, str(classes_file), faults
            found, remedy = f"names {labels.num_classes} classes", "Correct num_classes or the file."
            faults.append(Fault(classes_file, found, f"num_classes {num_classes}", remedy, "class names"))
        except DataError as error:
            found, _, expected = str(error).removeprefix(f"{classes_file}: ").partition(" Expected ")
            expected = expected.rstrip(".") or "names of the classes 0, 1, 2, and so on"
            faults.append(Fault(classes_file, found.rstrip("."), expected, "Correct the file.", "class names"))
    if num_classes is not None:
        return LabelTable.numbered(num_classes), "the setting num_classes", faults
    ids = {value for split in looks.values() for look in split for value in look.counts if value != IGNORE}
    needed = min(MAX_CLASSES, max(2, 1 + max(ids, default=0)))
    return LabelTable.numbered(needed), "the largest class id in the masks", faults


def _facts_of(looks: Iterable[_Look], labels: LabelTable) -> SplitFacts:
    pixels, pixels_where_present = [0] * 256, [0] * 256
    for look in looks:
        labelled = sum(look.counts.values()) - look.counts.get(IGNORE, 0)
        for value, count in look.counts.items():
            pixels[value] += count
            pixels_where_present[value] += labelled
    return SplitFacts(
        tuple(look.pair for look in looks),
        dict(Counter(look.size for look in looks if look.size is not None).most_common()),
        tuple(pixels[: labels.num_classes]),
        tuple(pixels_where_present[: labels.num_classes]),
        pixels[IGNORE],
    )


def _content_faults(split: Split, looks: list[_Look], facts: SplitFacts, labels: LabelTable) -> list[Fault]:
    """What the class ids of a split show, seen together."""
    if split.masks is None:
        return []
    values = set().union(*(look.counts for look in looks)) if looks else set()
    num_classes = labels.num_classes
    if values == {0, IGNORE} and num_classes == 2:
        return [_drawn_as_255(split.masks)]
    unknown = [unknown_ids(look.pair.mask or look.pair.image, look.counts, num_classes) for look in looks]
    faults = [fault for fault in unknown if fault is not None]
    if faults and 0 not in values and max(values - {IGNORE}) == num_classes:
        remedy = "The masks seem to count classes from 1: subtract 1 from every id but 255."
        faults = [fault._replace(remedy=remedy) for fault in faults]
    if split.name != "train" or not values:
        return faults
    if values == {IGNORE}:
        return [*faults, _nothing_labelled(split.masks)]
    absent = [i for i in range(num_classes) if not facts.pixels[i]]
    return faults + ([_absent(split.masks, absent, labels)] if absent else [])


def _drawn_as_255(masks: Path) -> Fault:
    return Fault(
        masks, f"holds masks of the values 0 and {IGNORE} only", f"the ids 0 and 1 ({IGNORE} is ignored)",
        f"If {IGNORE} draws the object, save it as 1; as it is, the object would count for nothing.",
        "object drawn as 255",
    )  # fmt: skip


def _nothing_labelled(masks: Path) -> Fault:
    return Fault(
        masks, f"holds masks of the value {IGNORE} (ignored) only", "some pixels of a class",
        "Label some pixels or give the right folder.", "nothing labelled",
    )  # fmt: skip


def _absent(masks: Path, absent: list[int], labels: LabelTable) -> Fault:
    listed = ", ".join(f"{i} ({labels.names[i]})" for i in absent[:12])
    more = f" and {len(absent) - 12} more" if len(absent) > 12 else ""
    remedy = "The model will never predict them; label some or leave them out."
    if absent == [0]:
        remedy = "If the masks count classes from 1, subtract 1 from every id but 255."
    return Fault(
        masks, f"no training mask has class {listed}{more}", "every class in some mask",
        remedy, "class without pixels", "warning",
    )  # fmt: skip
