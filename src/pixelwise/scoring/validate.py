"""Measure a model on batches: pixels -> Scores, with as much of the class weights undone as suits it best."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores

_LOGITS_AT_ONCE = 1 << 20

Criterion = Callable[[Tensor, Tensor], Tensor]
"""logits (N, K, H, W) float32, class_ids (N, H, W) uint8 -> the mean loss of the labelled pixels."""


@dataclass(frozen=True)
class Validation:
    """Scores over all batches of all processes, and the mean loss; NaN where no loss was asked for.

    `prior` has the strength at which class weights are undone in `scores`; None where there were none. The loss is that
    of the logits as the network gave them.
    """

    scores: Scores
    loss: float = math.nan
    prior: Prior | None = None


def validate(
    model: Segmenter,
    batches: Iterable[tuple[Sequence[Pair], Batch]],
    *,
    labels: LabelTable,
    runtime: Runtime,
    criterion: Criterion | None = None,
    prior: Prior | None = None,
    on_images: Callable[[int], None] | None = None,
) -> Validation:
    """Score `model` on `batches` at their native resolution; every process of the runtime must call this.

    Args:
        model: evaluated in eval mode; its mode is restored.
        batches: each process gives its own part; together every image once.
        labels: the classes.
        runtime: device, precision and process group.
        criterion: a loss to take the mean of over all labelled pixels; batches count by theirs.
        prior: the class weights of the training; each of `prior.STRENGTHS` is tried, in one forward pass, and the one
            with the highest mean IoU is chosen, of equal ones the smallest.
        on_images: called after each batch with its number of images.
    """
    counts = _Counts(labels.num_classes, prior)
    loss_and_pixels = torch.zeros(2, dtype=torch.float64, device=runtime.device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for _, batch in batches:
                logits = class_logits(model, batch.images, runtime=runtime)
                if criterion is not None:
                    class_ids = batch.class_ids.to(runtime.device)
                    labelled = (class_ids != IGNORE).sum()
                    loss_and_pixels += torch.stack([criterion(logits, class_ids) * labelled, labelled])
                counts.update(batch.class_ids.cpu().numpy(), logits)
                if on_images is not None:
                    on_images(len(batch.images))
    finally:
        model.train(was_training)
    loss, pixels = runtime.sum(loss_and_pixels).tolist()
    summed = runtime.sum(torch.from_numpy(counts.of_each()).to(runtime.device)).cpu().numpy()
    scores = [Scores(ConfusionMatrix(labels.num_classes, each), labels) for each in summed]
    # The first of the best; NaN, of a split without labels, is not above anything.
    best = max(range(len(scores)), key=lambda i: np.nan_to_num(scores[i].mean_iou, nan=-1))
    return Validation(scores[best], loss / pixels if pixels else math.nan, counts.candidates[best])


class _Counts:
    """Confusion matrices of the same pixels, one for each strength at which class weights may be undone."""

    def __init__(self, num_classes: int, prior: Prior | None) -> None:
        self.candidates: list[Prior | None] = [None] if prior is None else list(prior.candidates())
        # What all say alike is counted once; beside it, what each says of the other pixels.
        self._shared = ConfusionMatrix(num_classes)
        self._own = [ConfusionMatrix(num_classes) for _ in self.candidates]
        # (S, K), from nothing to everything undone.
        self._shifts = None if prior is None else torch.stack([each.shift() for each in prior.candidates()])

    def update(self, truth: NDArray[np.uint8], logits: Tensor) -> None:
        """Count class ids (N, H, W) against logits (N, K, H, W)."""
        first = _array(likeliest(logits))
        if self._shifts is None:
            self._shared.update(truth, first)
            return
        shifts = self._shifts.to(logits.device)
        last = _array(_likeliest_shifted(logits, shifts[-1]))
        # A pixel's logits are linear in the strength: a class that is likeliest at both ends is so between them.
        places = np.nonzero((last != first) & (truth != IGNORE))
        agreed, contested = truth.copy(), truth[places]
        agreed[places] = IGNORE
        self._shared.update(agreed, first)
        image, row, column = (torch.from_numpy(axis).to(logits.device) for axis in places)
        pixels = logits[image, :, row, column]
        between = [_array(likeliest(pixels + shift)) for shift in shifts[1:-1]]
        for matrix, chosen in zip(self._own, [first[places], *between, last[places]], strict=True):
            matrix.update(contested, chosen)

    def of_each(self) -> NDArray[np.int64]:
        """The counts (S, K, K) of all candidates."""
        return np.stack([self._shared.counts + matrix.counts for matrix in self._own])


def _likeliest_shifted(logits: Tensor, shift: Tensor) -> Tensor:
    """`likeliest` of logits (N, K, H, W) plus shift (K,), without a second copy of what may be gigabytes."""
    added = shift.to(logits.device)[:, None, None]
    rows = max(1, _LOGITS_AT_ONCE * logits.shape[2] // logits.numel())
    return torch.cat([likeliest(piece + added) for piece in torch.split(logits, rows, dim=2)], dim=1)


def _array(class_ids: Tensor) -> NDArray[np.uint8]:
    return np.asarray(class_ids.cpu().numpy())
