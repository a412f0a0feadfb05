"""Measure a model on batches: pixels -> Scores."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores

Criterion = Callable[[Tensor, Tensor], Tensor]
"""logits (N, K, H, W) float32, class_ids (N, H, W) uint8 -> the mean loss of the labelled pixels."""


@dataclass(frozen=True)
class Validation:
    """Scores over all batches of all processes, and the mean loss; NaN where no loss was asked for."""

    scores: Scores
    loss: float = math.nan


def validate(
    model: Segmenter,
    batches: Iterable[tuple[Sequence[Pair], Batch]],
    *,
    labels: LabelTable,
    runtime: Runtime,
    tile: int | None = None,
    criterion: Criterion | None = None,
    on_images: Callable[[int], None] | None = None,
) -> Validation:
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
    return Validation(scores, loss / pixels if pixels else math.nan)
