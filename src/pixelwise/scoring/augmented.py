"""A pass with test-time augmentation that also counts what the image as it is gives, and times both."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data.batches import Batch
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.inference.views import Views, averaged_logits
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.comparison.compare import Counted, compare
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.gain import Gain
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.metrics import Scores


class AugmentedPass:
    """The logits of all `views`; the plain ones, the first of them, are counted and timed on the way.

    Call it where nothing else computes, or the seconds are of that too.
    """

    def __init__(
        self, model: Segmenter, labels: LabelTable, *, views: Views, runtime: Runtime, tile: int | None = None
    ) -> None:
        self.model, self.labels, self.views, self.runtime, self.tile = model, labels, views, runtime, tile
        self._matrix, self._counts = ConfusionMatrix(labels.num_classes), ImageCounts(labels.num_classes)
        self._plain_seconds = self._seconds = 0.0

    def logits(self, names: Sequence[str], batch: Batch, temperature: float) -> Tensor:
        """Those of `averaged_logits` for a batch whose images have these names."""
        if not len(self._counts):  # whoever comes first waits for the machine to get ready
            class_logits(self.model, batch.images, runtime=self.runtime, tile=self.tile)
        plain: list[NDArray[np.uint8]] = []
        started = self._moment()

        def note(logits: Tensor) -> None:
            plain.append(likeliest(logits).cpu().numpy())
            self._plain_seconds += self._moment() - started

        logits = averaged_logits(
            self.model,
            batch.images,
            views=self.views,
            temperature=temperature,
            runtime=self.runtime,
            tile=self.tile,
            on_plain=note,
        )
        self._seconds += self._moment() - started
        self._count(names, batch.class_ids.cpu().numpy(), plain[0])
        return logits

    def gain(self, counts: ImageCounts) -> Gain:
        """Beside the `counts` of the same images with all views."""
        plain, augmented = (Counted(name, each, self.labels) for name, each in (("A", self._counts), ("B", counts)))
        number = len(counts)
        return Gain(
            views=self.views.names(),
            num_images=number,
            plain=Scores(self._matrix, self.labels),
            mean_iou=compare(plain, augmented).mean_iou,
            plain_seconds=self._plain_seconds / number,
            seconds=self._seconds / number,
        )

    def _moment(self) -> float:
        """Now, when the device has done what it was given."""
        if self.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.runtime.device)
        return time.perf_counter()

    def _count(self, names: Sequence[str], truths: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        for name, truth, class_ids in zip(names, truths, predicted, strict=True):
            own = ConfusionMatrix(self.labels.num_classes)
            own.update(truth, class_ids)
            self._matrix.merge(own)
            self._counts.add(name, own.counts)
