"""Measure a model on batches, or one folder of masks against another: pixels -> Scores."""

import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data.batches import Batch
from pixelwise.data.pairs import Pair, find_pairs
from pixelwise.data.reading import decode_mask, read_mask
from pixelwise.errors import DataError, SettingsError
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.confusion import ConfusionMatrix, joint_counts
from pixelwise.scoring.metrics import Scores

Criterion = Callable[[Tensor, Tensor], Tensor]
"""logits (N, K, H, W) float32, class_ids (N, H, W) uint8 -> the mean loss of the labelled pixels."""

_FAULTS_SHOWN = 20


@dataclass(frozen=True)
class Evaluation:
    """Scores over all batches of all processes, and the mean loss; NaN where no loss was asked for."""

    scores: Scores
    loss: float = math.nan


def evaluate(
    model: Segmenter,
    batches: Iterable[tuple[Sequence[Pair], Batch]],
    *,
    labels: LabelTable,
    runtime: Runtime,
    tile: int | None = None,
    criterion: Criterion | None = None,
    on_images: Callable[[int], None] | None = None,
) -> Evaluation:
    """Score `model` on `batches` at their native resolution; every process of the runtime must call this.

    Args:
        model: evaluated in eval mode; its mode is restored.
        batches: each process gives its own part; together every image once.
        labels: the classes.
        runtime: device, precision and process group.
        tile: see `class_logits`.
        criterion: a loss to take the mean of over all labelled pixels; batches count by theirs.
        on_images: called after each batch with its number of images.
    """
    matrix = ConfusionMatrix(labels.num_classes)
    loss_and_pixels = torch.zeros(2, dtype=torch.float64, device=runtime.device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for _, batch in batches:
                logits = class_logits(model, batch.images, runtime=runtime, tile=tile)
                matrix.update(batch.class_ids.cpu().numpy(), likeliest(logits).cpu().numpy())
                if criterion is not None:
                    class_ids = batch.class_ids.to(runtime.device)
                    labelled = (class_ids != IGNORE).sum()
                    loss_and_pixels += torch.stack([criterion(logits, class_ids) * labelled, labelled])
                if on_images is not None:
                    on_images(len(batch.images))
    finally:
        model.train(was_training)
    counts = runtime.sum(torch.from_numpy(matrix.counts).to(runtime.device)).cpu().numpy()
    loss, pixels = runtime.sum(loss_and_pixels).tolist()
    scores = Scores(ConfusionMatrix(labels.num_classes, counts), labels)
    return Evaluation(scores, loss / pixels if pixels else math.nan)


def score_folders(
    truth: Path,
    predicted: Path,
    *,
    num_classes: int | None = None,
    classes_file: Path | None = None,
    workers: int | None = None,
) -> Scores:
    """Score a folder of masks from any tool against the truth; files are paired by name without suffix.

    Class names come from `classes_file`. Without it and `num_classes`, the largest id in the masks decides.

    Raises:
        DataError: files without partner, unequal sizes, unreadable masks, ids out of range; all in one.
        SettingsError: `num_classes` contradicts `classes_file`.
    """
    labels = _labels(num_classes, classes_file)
    pairs = _mask_pairs(truth, predicted)
    counts = _count_all(pairs, labels, workers or min(16, os.cpu_count() or 1))
    if labels is None:
        seen = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
        labels = LabelTable.numbered(max(2, int(seen.max(initial=0)) + 1))
    num_classes = labels.num_classes
    return Scores(ConfusionMatrix(num_classes, counts[:num_classes, :num_classes]), labels)


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


def _mask_pairs(truth: Path, predicted: Path) -> list[tuple[Path, Path]]:
    """(true mask, predicted mask) by equal name; every file without partner is named in the error."""
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
    return [(true_masks[name], predicted_masks[name]) for name in sorted(true_masks)]


def _masks(folder: Path, faults: list[str]) -> dict[str, Path]:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder}: {found}. Expected a folder of PNG masks; check the path.")
    pairs, found_faults = find_pairs(folder, None)
    faults += [str(fault) for fault in found_faults if fault.severity == "fault"]
    return {pair.name: pair.image for pair in pairs}


def _count_all(pairs: list[tuple[Path, Path]], labels: LabelTable | None, workers: int) -> NDArray[np.int64]:
    """(254, 254) int64 counts over all pairs; threads decode, one sum is kept, so memory stays flat."""
    total = np.zeros((MAX_CLASSES, MAX_CLASSES), dtype=np.int64)
    faults: dict[Path, str] = {}
    adding = threading.Lock()

    def count(pair: tuple[Path, Path]) -> None:
        try:
            counts = _count(*pair, labels)
        except DataError as error:
            faults[pair[0]] = str(error)
            return
        with adding:
            np.add(total, counts, out=total)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(count, pairs))
    _refuse([faults[path] for path in sorted(faults)])
    return total


def _count(truth: Path, predicted: Path, labels: LabelTable | None) -> NDArray[np.int64]:
    """(254, 254) int64 counts of one pair over the pixels whose truth is not ignored."""
    true_mask = read_mask(truth, labels or LabelTable.numbered(MAX_CLASSES))
    predicted_mask = decode_mask(predicted)
    if true_mask.size != predicted_mask.size:
        raise DataError(
            f"{predicted}: is {predicted_mask.width} x {predicted_mask.height} px but its truth {truth.name} "
            f"is {true_mask.width} x {true_mask.height} px. Expected equal sizes; predict at the full size."
        )
    counts = joint_counts(np.asarray(true_mask), np.asarray(predicted_mask))[:MAX_CLASSES]
    num_classes = labels.num_classes if labels else MAX_CLASSES
    unknown = np.flatnonzero(counts[:, num_classes:].any(axis=0)) + num_classes
    if unknown.size:
        raise DataError(
            f"{predicted}: predicts {', '.join(map(str, unknown[:8]))} where the truth is labelled. Expected "
            f"class ids from 0 to {num_classes - 1}, and no ignored pixels. Correct the mask or the classes."
        )
    return counts[:, :MAX_CLASSES]


def _refuse(faults: Sequence[str]) -> None:
    if len(faults) > _FAULTS_SHOWN:
        faults = [*faults[:_FAULTS_SHOWN], f"... and {len(faults) - _FAULTS_SHOWN} more faults"]
    if faults:
        raise DataError("\n".join(faults))
