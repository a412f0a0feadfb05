"""Score one folder of masks against another, from any tool; no model and no PyTorch is needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.dataset.pairs import find_pairs
from pixelwise.data.reading import decode_mask, read_mask
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.phrases import listed, listed_lines
from pixelwise.scoring.confusion import ConfusionMatrix, joint_counts
from pixelwise.scoring.evaluation import Evaluation
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.metrics import Scores
from pixelwise.workers import in_order

_FAULTS_SHOWN = 20


def score_folders(
    truth: Path,
    predicted: Path,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
) -> Evaluation:
    """Score a folder of masks from any tool against the truth; files are paired by name without suffix.

    Class names come from `classes_file`. Without it and `num_classes`, the largest id in the masks decides.

    Raises:
        DataError: files without partner, unequal sizes, unreadable masks, ids out of range; all in one.
        SettingsError: `num_classes` contradicts `classes_file`.
    """
    labels = _labels(num_classes, classes_file)
    pairs = _mask_pairs(truth, predicted)
    counted = _count_all(pairs, labels)
    if labels is None:
        largest = max((pair.largest for pair in counted), default=0)
        labels = LabelTable.numbered(max(2, largest + 1))
    matrix, counts = ConfusionMatrix(labels.num_classes), ImageCounts(labels.num_classes)
    for pair in counted:
        whole = np.zeros_like(matrix.counts)
        whole[np.ix_(pair.class_ids, pair.class_ids)] = pair.counts
        matrix.counts += whole
        counts.add(pair.name, whole)
    return Evaluation.of(Scores(matrix, labels), counts)


def _labels(num_classes: int | None, classes_file: Path | None) -> LabelTable | None:
    if num_classes is not None and not 2 <= num_classes <= MAX_CLASSES:
        raise SettingsError(f"num_classes is {num_classes}, expected 2 to {MAX_CLASSES}.")
    if classes_file is None:
        return None if num_classes is None else LabelTable.numbered(num_classes)
    labels = LabelTable.read(classes_file)
    if num_classes not in (None, labels.num_classes):
        raise SettingsError(
            f"num_classes is {num_classes} but {classes_file} lists {labels.num_classes} classes. "
            "Leave one of them out."
        )
    return labels


def _mask_pairs(truth: Path, predicted: Path) -> dict[str, tuple[Path, Path]]:
    """{name: (true mask, predicted mask)}; every file without partner is named in the error."""
    faults: list[str] = []
    true_masks, predicted_masks = _masks(truth, faults), _masks(predicted, faults)
    if true_masks and predicted_masks:
        faults += [
            f"{true_masks[name]}: has no prediction. Expected {name}.png in {predicted}; predict it too."
            for name in sorted(true_masks.keys() - predicted_masks.keys())
        ]
        faults += [
            f"{predicted_masks[name]}: has no truth. Expected {name}.png in {truth}; add it or remove this."
            for name in sorted(predicted_masks.keys() - true_masks.keys())
        ]
    _refuse(faults)
    return {name: (true_masks[name], predicted_masks[name]) for name in sorted(true_masks)}


def _masks(folder: Path, faults: list[str]) -> dict[str, Path]:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder}: {found}. Expected a folder of PNG masks; check the path.")
    pairs, found_faults = find_pairs(folder, None)
    faults += [str(fault) for fault in found_faults if fault.severity == "fault"]
    return {pair.name: pair.image for pair in pairs}


class _Counted(NamedTuple):
    """The confusion of one pair among the classes that occur in it."""

    name: str
    class_ids: NDArray[np.intp]  # (k,)
    counts: NDArray[np.int64]  # (k, k)

    @property
    def largest(self) -> int:
        return int(self.class_ids.max(initial=0))


def _count_all(pairs: Mapping[str, tuple[Path, Path]], labels: LabelTable | None) -> list[_Counted]:
    """Every pair, in order; threads decode, and of each pair only its own classes are kept."""
    faults: dict[str, str] = {}

    def count(name: str) -> _Counted | None:
        try:
            counts = _count(*pairs[name], labels)
        except DataError as error:
            faults[name] = str(error)
            return None
        class_ids = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
        return _Counted(name, class_ids, counts[np.ix_(class_ids, class_ids)])

    counted = [each for each in in_order(count, pairs) if each is not None]
    _refuse([faults[name] for name in sorted(faults)])
    return counted


def _count(truth: Path, predicted: Path, labels: LabelTable | None) -> NDArray[np.int64]:
    """(254, 254) int64 counts of one pair over the pixels whose truth is not ignored."""
    true_mask, predicted_mask = decode_mask(truth), decode_mask(predicted)
    if true_mask.size != predicted_mask.size:
        raise DataError(
            f"{predicted}: is {predicted_mask.width} x {predicted_mask.height} px but its truth {truth.name} "
            f"is {true_mask.width} x {true_mask.height} px. Expected equal sizes; predict at the full size."
        )
    every = joint_counts(np.asarray(true_mask), np.asarray(predicted_mask))
    num_classes = labels.num_classes if labels else MAX_CLASSES
    if every[num_classes:IGNORE].any():
        read_mask(truth, LabelTable.numbered(num_classes))  # raises, and says which values are unknown and where
    counts = every[:MAX_CLASSES]
    unknown = np.flatnonzero(counts[:, num_classes:].any(axis=0)) + num_classes
    if unknown.size:
        raise DataError(
            f"{predicted}: predicts {listed(unknown, 8)} where the truth is labelled. Expected "
            f"class ids from 0 to {num_classes - 1}, and no ignored pixels. Correct the mask or the classes."
        )
    return counts[:, :MAX_CLASSES]


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise DataError("\n".join(listed_lines(faults, _FAULTS_SHOWN, " faults")))
