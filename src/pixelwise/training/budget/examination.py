"""Examination: what comes after the last step, in seconds, and how many images a budget has time for."""

import bisect
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from pixelwise.data.bands import Bands
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.dataset.pairs import Pair
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.evaluate import Tallies
from pixelwise.settings import Settings

STEPS = 2 / 3
"""So much of a budget is for training steps, where that is possible."""

SHARE = 1 / 4
"""So much of a budget at most is for the last validation, the closer look and its pictures."""

EXAMINED = 500
"""So many validation images at most are looked at closely for the report after training."""

FEWEST = 4
"""So many images are validated and looked at closely, whatever it takes."""

PICTURED = 24
"""So many images the report shows as pictures, for which they go through the network again."""

WRITING = 2.0
"""Seconds for reading the best model back, its temperature and the page of the report."""

_SAVING = 1e-7  # seconds for each parameter: a checkpoint with its copy, and two bundles
_MOST_MEASURED = 9  # images
_MEASURING = 0.02  # of the budget, after which no further image is measured
_BACKWARD = 3  # a step costs an image so many times its way through the network: forward, and twice that back
_GOLDEN = 0.6180339887498949

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What comes after the last step, in wall seconds, so that other load is counted in.

    Attributes:
        network: for an image in one process: read, put through the network, compared with its mask.
        counting: for an image, what the closer look counts in it besides.
        saving: for the checkpoint and the model, whatever the number of images.
        step: for a step of training, from what an image takes.
        passes: validations after the last step, one for each kind of weights that may be kept.
        processes: that share a validation; the closer look is the work of one.
    """

    network: float
    counting: float
    saving: float
    step: float = 0.0
    passes: int = 1
    processes: int = 1

    def validation(self, images: int) -> float:
        """Of one validation."""
        return self.network * images / self.processes

    def seconds(self, images: int) -> float:
        """Of everything that takes longer with more images: the last validation, the closer look, its pictures."""
        examined = min(images, EXAMINED) * (self.network + self.counting)
        return self.passes * self.validation(images) + examined + min(images, PICTURED) * self.network

    def writing(self) -> float:
        """Of what is written, whatever the number of images."""
        return WRITING + self.saving

    def affordable(self, seconds: float, most: int) -> int:
        """How many images, up to `most`, can be examined in so many seconds; FEWEST if there are as many."""
        return min(most, max(FEWEST, bisect.bisect_right(range(1, most + 1), seconds, key=self.seconds)))

    def slowed(self, factor: float) -> Self:
        """The same where an image takes `factor` times as long, because of other load, say."""
        times = {name: getattr(self, name) * factor for name in ("network", "counting", "saving", "step")}
        return replace(self, **times)


def measured(
    model: Segmenter,
    pairs: Sequence[Pair],
    labels: LabelTable,
    bands: Bands,
    *,
    settings: Settings,
    runtime: Runtime,
) -> Examination:
    """What an examination takes with `model` on this machine as it is now, by a few of the validation `pairs`."""
    tallies = Tallies(labels, 1.0, bands)
    network, counting, pixels = [], [], []
    model.eval()
    began = then = time.monotonic()
    for seen, batch in EvaluationBatches(evenly_spread(pairs, _MOST_MEASURED), labels, bands=bands, batch_size=1):
        logits = class_logits(model, batch.images, runtime=runtime)
        # To the CPU, for a GPU's work is done only when its result is there.
        predicted = likeliest(logits).cpu().numpy()
        between = time.monotonic()
        tallies.add([pair.name for pair in seen], batch, logits, predicted)
        now = time.monotonic()
        network.append(between - then)
        counting.append(now - between)
        pixels.append(batch.class_ids.numel())
        if len(network) > 1 and now - began > _MEASURING * (settings.budget or 0.0):
            break
        then = now
    # The first image warms the machine up.
    each = statistics.fmean(network[1:] or network)
    crops = settings.mini_batch_size * settings.crop_size**2 / statistics.fmean(pixels[1:] or pixels)
    return Examination(
        network=each,
        counting=statistics.fmean(counting[1:] or counting),
        saving=_SAVING * sum(parameter.numel() for parameter in model.parameters()),
        step=_BACKWARD * each * crops / runtime.world_size,
        passes=2 if settings.ema_decay else 1,
        processes=runtime.world_size,
    )


def evenly_spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, in their order: neighbours in a video do not crowd out the rest."""
    number = min(len(items), most)
    return [items[i * len(items) // number] for i in range(number)]


def scattered(items: Sequence[Item]) -> list[Item]:
    """All items in an order of which every beginning is about evenly spread over `items`.

    The fractions of i times the golden ratio lie below any bound at places i whose distances are of two or three
    lengths (the three-gap theorem; V. T. Sós, 1958).
    """
    return [items[i] for i in sorted(range(len(items)), key=lambda i: i * _GOLDEN % 1)]
