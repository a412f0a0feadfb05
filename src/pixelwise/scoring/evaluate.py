"""Look closely at a model on a split: the scores of `evaluate`, and where, how surely and on what it fails."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.inference.forward import class_logits, likeliest, probabilities_of
from pixelwise.inference.views import Views
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.menus import TALLIES
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.augmented import AugmentedPass
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.evaluation import Evaluation, ImageFacts, Insight
from pixelwise.scoring.formulas import Floats
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.insight.boundary import NEAR_BOUNDARY, near_boundary
from pixelwise.scoring.insight.intervals import insight_intervals
from pixelwise.scoring.insight.tally import Scored, ScoreTally
from pixelwise.scoring.metrics import Scores
from pixelwise.workers import in_order

CONFIDENT = 0.9
"""Above this probability a wrong pixel is a confident disagreement with its mask."""

_GRAY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow's mode "L"


def evaluate(  # noqa: PLR0913  # a model, images, and how they are seen
    model: Segmenter,
    batches: Iterable[tuple[Sequence[Pair], Batch]],
    *,
    labels: LabelTable,
    runtime: Runtime,
    bands: Bands = PHOTOGRAPH,
    tile: int | None = None,
    temperature: float = 1.0,
    views: Views | None = None,
    on_images: Callable[[int], None] | None = None,
    is_enough: Callable[[int], bool] | None = None,
) -> Evaluation:
    """Everything about `model` on all images of `batches`, at their native resolution, in one process.

    The class maps are those of `evaluate`; probabilities are softmax(logits / `temperature`). `model` must be in eval
    mode, and the images of its `bands`. Before each batch `is_enough` is asked with the number of images seen; where it
    says so, these are all. With `views` all is of their mean, and the result says what that brings and costs.
    """
    tallies = Tallies(labels, temperature, bands)
    augmented = AugmentedPass(model, labels, views=views, runtime=runtime, tile=tile) if views is not None else None

    def predicted() -> Iterator[tuple[Sequence[Pair], Batch, Tensor]]:
        images = 0
        for pairs, batch in batches:
            if is_enough is not None and is_enough(images):
                return
            if augmented is not None:
                yield pairs, batch, augmented.logits([pair.name for pair in pairs], batch, temperature)
            else:
                yield pairs, batch, class_logits(model, batch.images, runtime=runtime, tile=tile)
            images += len(pairs)

    def count(found: tuple[Sequence[Pair], Batch, Tensor]) -> int:
        pairs, batch, logits = found
        tallies.add([pair.name for pair in pairs], batch, logits, likeliest(logits).cpu().numpy())
        return len(pairs)

    # One worker keeps the order while the network works on the next batch; what is timed has the machine to itself.
    with closing(in_order(count, predicted(), workers=1 if augmented is None else 0, ahead=2)) as counted:
        for num_images in counted:
            if on_images is not None:
                on_images(num_images)
    found = tallies.result()
    return found if augmented is None else dataclasses.replace(found, tta=augmented.gain(tallies.counts))


class Tallies:
    """Sums over the images so far; the counts and a few numbers are kept of each."""

    def __init__(self, labels: LabelTable, temperature: float, bands: Bands = PHOTOGRAPH) -> None:
        num_classes = labels.num_classes
        self.labels, self.temperature, self.bands = labels, temperature, bands
        self.matrix, self.counts = ConfusionMatrix(num_classes), ImageCounts(num_classes)
        self.tallies: dict[str, ScoreTally] = {
            name: choice.built()(num_classes, temperature) for name, choice in TALLIES.items()
        }
        self.images: list[ImageFacts] = []
        self._numbers: dict[str, list[Floats]] = {name: [] for name in self.tallies}

    def add(self, names: Sequence[str], batch: Batch, logits: Tensor, predicted: NDArray[np.uint8]) -> None:
        """Count the images of a batch; `logits` (N, K, H, W), `predicted` (N, H, W)."""
        truths, images = batch.class_ids.cpu().numpy(), batch.images.cpu().numpy()
        with torch.inference_mode():
            for i, name in enumerate(names):
                self._add(name, images[i], truths[i], logits[i].float(), predicted[i])

    def result(self) -> Evaluation:
        """What all images show together."""
        results = {name: tally.result() for name, tally in self.tallies.items()}
        insight = Insight(results, tuple(self.images), insight_intervals(self.tallies, self._of_images()))
        return Evaluation.of(Scores(self.matrix, self.labels), self.counts, insight)

    def _of_images(self) -> dict[str, Floats]:
        """(N, S) for each tally: what each image added to its numbers."""
        width = {name: len(tally.numbers()) for name, tally in self.tallies.items()}
        return {name: np.array(rows).reshape(len(rows), width[name]) for name, rows in self._numbers.items()}

    def _add(
        self,
        name: str,
        image: NDArray[Any],
        truth: NDArray[np.uint8],
        logits: Tensor,
        predicted: NDArray[np.uint8],
    ) -> None:
        own = ConfusionMatrix(self.matrix.num_classes)
        own.update(truth, predicted)
        self.matrix.merge(own)
        self.counts.add(name, own.counts)
        probabilities = probabilities_of(logits[None], self.temperature)[0]
        scored = Scored(truth, predicted, logits, probabilities)
        for each, tally in self.tallies.items():
            before = tally.numbers().copy()  # a tally may go on in the same array
            tally.add(scored)
            self._numbers[each].append(tally.numbers() - before)
        confidence = probabilities.amax(dim=0).cpu().numpy()
        brightness = _brightness(image, self.bands)
        self.images.append(_facts(name, brightness, truth, predicted, confidence, Scores(own, self.labels)))


def _facts(  # an image, what is in it, and what was seen in it
    name: str,
    brightness: float,
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    scores: Scores,
) -> ImageFacts:
    labelled = truth != IGNORE
    wrong = labelled & (truth != predicted)
    pixels, errors = int(np.count_nonzero(labelled)), int(np.count_nonzero(wrong))
    at_boundary = np.count_nonzero(wrong & near_boundary(truth, NEAR_BOUNDARY)) if errors else 0
    return ImageFacts(
        name,
        scores.pixel_accuracy,
        scores.mean_iou,
        brightness,
        float(confidence[labelled].mean()) if pixels else math.nan,
        errors / pixels if pixels else math.nan,
        float(np.count_nonzero(wrong & (confidence > CONFIDENT))) / pixels if pixels else math.nan,
        float(at_boundary) / errors if errors else math.nan,
    )


def _brightness(image: NDArray[Any], bands: Bands) -> float:
    """Mean of an image (C, H, W), from 0 to 1: of its gray version, or of its bands in their ranges."""
    mean = image.mean(axis=(1, 2), dtype=np.float32)
    if bands.is_photograph:
        return float(np.tensordot(_GRAY, mean, axes=1)) / 255
    low, high = np.array(bands.ranges).T
    return float(np.clip((mean - low) / (high - low), 0, 1).mean())
