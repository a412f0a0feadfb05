"""Score one folder of masks against another, from any tool; no model and no PyTorch is needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.masks.judging import ignoring
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.phrases import listed
from pixelwise.scoring.confusion import ConfusionMatrix, joint_counts
from pixelwise.scoring.evaluation import Evaluation
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.mask_pairs import MaskPair, mask_pairs, refuse
from pixelwise.scoring.mask_values import ValueMeanings, meaning_of, read_values
from pixelwise.scoring.metrics import Scores
from pixelwise.workers import in_order

_MOST_VALUES = 256


def score_folders(
    truth: Path,
    predicted: Path,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
) -> Evaluation:
    """Score a folder of masks from any tool against the truth; files are paired by name, as `mask_pairs` says.

    Class names come from `classes_file`, whose `source` entries say what values and colours mean that are no ids.
    Without it and `num_classes`, the largest id in the masks decides.

    Raises:
        DataError: files without partner, unequal sizes, unreadable masks, ids out of range, all in one; or a truth
            that draws a class as 255 where the predictions do not.
        SettingsError: `num_classes` contradicts `classes_file`.
    """
    labels = _labels(num_classes, classes_file)
    pairs, notes = mask_pairs(truth, predicted)
    counted, faults = _count_all(pairs, labels)
    if not counted:
        refuse(faults)
    true_values = {value for pair in counted for value in pair.true_values.tolist()}
    values = {value for pair in counted for value in pair.values.tolist()}
    meaning = meaning_of(truth, true_values, values, labels)
    labels = meaning.labels
    of_ids, more = _of_all(counted, pairs, meaning, labels.num_classes if labels else MAX_CLASSES)
    refuse([*faults, *more])
    if labels is None:
        largest = max((int(ids.max(initial=0)) for _name, ids, _counts in of_ids), default=0)
        labels = LabelTable.numbered(max(2, largest + 1))
    matrix, counts = ConfusionMatrix(labels.num_classes), ImageCounts(labels.num_classes)
    for name, ids, among in of_ids:
        whole = np.zeros_like(matrix.counts)
        whole[np.ix_(ids, ids)] = among
        matrix.counts += whole
        counts.add(name, whole)
    return Evaluation.of(Scores(matrix, labels), counts, notes=(*notes, *meaning.notes))


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


class _Counted(NamedTuple):
    """How often each value of a true mask meets each value of its prediction."""

    name: str
    true_values: npt.NDArray[np.int64]  # (t,)
    values: npt.NDArray[np.int64]  # (p,)
    counts: npt.NDArray[np.int64]  # (t, p)


_OfIds = tuple[str, npt.NDArray[np.intp], npt.NDArray[np.int64]]
"""The name of a pair, the k class ids in it, and its confusion among these, (k, k)."""


def _count_all(pairs: Mapping[str, MaskPair], labels: LabelTable | None) -> tuple[list[_Counted], list[str]]:
    """Every pair, in order, and faults; threads decode, and of each pair only its own values are kept."""
    faults: dict[str, str] = {}

    def count(name: str) -> _Counted | None:
        try:
            return _count(name, pairs[name], labels)
        except DataError as error:
            faults[name] = str(error)
            return None

    counted = [each for each in in_order(count, pairs) if each is not None]
    return counted, [faults[name] for name in sorted(faults)]


def _count(name: str, pair: MaskPair, labels: LabelTable | None) -> _Counted:
    planes = [read_values(path, labels) for path in pair]
    (height, width), (other_height, other_width) = (plane.shape for plane in planes)
    if planes[0].shape != planes[1].shape:
        raise DataError(
            f"{pair.predicted}: is {other_width} x {other_height} px but its truth {pair.truth.name} "
            f"is {width} x {height} px. Expected equal sizes; predict at the full size."
        )
    (true_codes, true_values), (codes, values) = (_coded(plane, path) for plane, path in zip(planes, pair, strict=True))
    counts = joint_counts(true_codes, codes)
    rows, columns = np.flatnonzero(counts.any(axis=1)), np.flatnonzero(counts.any(axis=0))
    return _Counted(name, true_values[rows], values[columns], counts[np.ix_(rows, columns)])


def _coded(plane: npt.NDArray[np.generic], path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """A plane as uint8 positions in a list of its values, and this list."""
    if plane.dtype == np.uint8:
        return plane.astype(np.uint8, copy=False), np.arange(_MOST_VALUES)
    values, places = np.unique(plane, return_inverse=True)
    if len(values) > _MOST_VALUES:
        raise DataError(
            f"{path}: has {len(values)} different values. Expected class ids, at most {MAX_CLASSES}; they may number "
            "instances: export the classes."
        )
    return places.reshape(plane.shape).astype(np.uint8), values.astype(np.int64)


def _of_all(
    counted: list[_Counted], pairs: Mapping[str, MaskPair], meaning: ValueMeanings, num_classes: int
) -> tuple[list[_OfIds], list[str]]:
    faults, found = [], []
    for each in counted:
        try:
            found.append(_of_ids(each, pairs[each.name], meaning, num_classes))
        except DataError as error:
            faults.append(str(error))
    return found, faults


def _of_ids(counted: _Counted, pair: MaskPair, meaning: ValueMeanings, num_classes: int) -> _OfIds:
    """The pixels whose truth is not ignored, by class id."""
    true_ids = np.array([meaning.truth.get(value, value) for value in counted.true_values.tolist()], dtype=np.intp)
    ids = np.array([meaning.predicted.get(value, value) for value in counted.values.tolist()], dtype=np.intp)
    unknown = ((true_ids >= num_classes) & (true_ids != IGNORE)) | (true_ids < 0)
    if unknown.any():
        pixels = counted.counts.sum(axis=1)
        shown = (f"{counted.true_values[i]} ({pixels[i]} px)" for i in np.flatnonzero(unknown))
        raise DataError(
            f"{pair.truth}: has the values {listed(shown, 8)}. Expected 0 to {num_classes - 1} or {IGNORE} (ignored). "
            f"Correct the mask, or give --num-classes or --classes with every class{_ignoring(true_ids)}."
        )
    labelled = true_ids != IGNORE
    counts, true_ids = counted.counts[labelled], true_ids[labelled]
    met = counts.any(axis=0)
    counts, ids, values = counts[:, met], ids[met], counted.values[met]
    unknown = (ids >= num_classes) | (ids < 0)
    if unknown.any():
        raise DataError(
            f"{pair.predicted}: predicts {listed(values[unknown], 8)} where the truth is labelled. Expected "
            f"class ids from 0 to {num_classes - 1}, and no ignored pixels. Correct the mask or the classes."
        )
    known = np.union1d(true_ids, ids)
    among = np.zeros((len(known), len(known)), dtype=np.int64)
    places = np.ix_(np.searchsorted(known, true_ids), np.searchsorted(known, ids))
    np.add.at(among, places, counts)  # several values may be one class
    return counted.name, known, among


def _ignoring(ids: npt.NDArray[np.intp]) -> str:
    """What to write where values are negative; nothing where none is."""
    negative = ids[ids < 0].tolist()
    return f", and with {ignoring(negative)} if they are no data" if negative else ""
