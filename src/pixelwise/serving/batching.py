"""Batcher: one thread that takes waiting images, those of equal size together, through the network."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
import torch

from pixelwise.data.decoders.deep import PixelArray
from pixelwise.inference.forward import WHOLE_PIXELS
from pixelwise.inference.predictor import Prediction, Predictor
from pixelwise.serving.limits import Refusal
from pixelwise.serving.metrics import Metrics

# On a CPU, where two images of 480 x 360 px take 45 ms each, eight take 60 ms each: their logits leave the caches.
_CPU_BATCH, _GPU_BATCH = 2, 8
_CLOSING_SECONDS = 5.0


class Waiting(NamedTuple):
    """An image that waits for its class map."""

    pixels: PixelArray  # (H, W, C) in the depth that the model takes; RGB of 8 bits as a rule
    needs_probabilities: bool
    answer: Future[Prediction]
    since: float  # time.monotonic()


class Batcher:
    """Predicts in the order of arrival; whoever waits behind with an image of equal size comes along.

    Nobody waits for a batch to fill: alone in the queue, an image goes at once.
    """

    def __init__(self, predictor: Predictor, *, max_batch: int | None = None, metrics: Metrics | None = None) -> None:
        self.predictor, self.metrics = predictor, metrics or Metrics()
        self.max_batch = max_batch or (_CPU_BATCH if predictor.runtime.device.type == "cpu" else _GPU_BATCH)
        self._jobs: deque[Waiting] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, pixels: PixelArray, *, probabilities: bool = False) -> Future[Prediction]:
        """Queue an image (H, W, C); a future that is cancelled before its turn costs nothing.

        Raises:
            Refusal: 503, the endpoint is closing.
        """
        job = Waiting(pixels, probabilities, Future(), time.monotonic())
        with self._change:
            if self._is_closed:
                raise _closing()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pixelwise-batcher", daemon=True)
                self._thread.start()
            self._jobs.append(job)
            self._change.notify()
        return job.answer

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return len(self._jobs)

    @property
    def is_healthy(self) -> bool:
        """Whether images are taken: not closed, and the thread did not die."""
        return not self._is_closed and (self._thread is None or self._thread.is_alive())

    def close(self) -> None:
        """Finish the batch at work and refuse what waits."""
        with self._change:
            self._is_closed = True
            for job in self._jobs:
                if job.answer.set_running_or_notify_cancel():
                    job.answer.set_exception(_closing())
            self._jobs.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        while batch := self._next():
            self._answer(batch)
            del batch  # or the last images would stay in memory until others come

    def _next(self) -> list[Waiting]:
        """The oldest image and those that go with it; none when the batcher is closed."""
        with self._change:
            while True:
                self._change.wait_for(lambda: self._jobs or self._is_closed)
                if self._is_closed:
                    return []
                batch = self._take()
                if batch:
                    return batch

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        left: deque[Waiting] = deque()
        room = self.max_batch
        for job in self._jobs:
            if batch and (len(batch) >= room or not _goes_with(job, batch[0])):
                left.append(job)
            elif job.answer.set_running_or_notify_cancel():
                height, width = job.pixels.shape[:2]
                # Larger batches would go through image by image anyway, with the memory of all their logits.
                room = min(self.max_batch, max(1, WHOLE_PIXELS // (height * width)))
                batch.append(job)
        self._jobs = left
        return batch

    def _answer(self, batch: Sequence[Waiting]) -> None:
        started = time.monotonic()
        try:
            pixels, asked = np.stack([job.pixels for job in batch]), [job.needs_probabilities for job in batch]
            predictions = self.predictor.predict_batch(pixels, probabilities=asked)
        except Exception as error:
            if len(batch) > 1:  # one image's trouble, or that of so many at once, is not that of the others
                for job in batch:
                    self._answer([job])
            else:
                batch[0].answer.set_exception(_refusal(error, batch[0]))
            return
        self._count(batch, started)
        for job, prediction in zip(batch, predictions, strict=True):
            job.answer.set_result(prediction)

    def _count(self, batch: Sequence[Waiting], started: float) -> None:
        self.metrics.computing.observe(time.monotonic() - started)
        self.metrics.batches.observe(len(batch))
        self.metrics.images.inc(len(batch))
        self.metrics.pixels.inc(sum(job.pixels.shape[0] * job.pixels.shape[1] for job in batch))
        for job in batch:
            self.metrics.waiting.observe(started - job.since)


def _goes_with(job: Waiting, other: Waiting) -> bool:
    return job.pixels.shape == other.pixels.shape and job.pixels.dtype == other.pixels.dtype


def _closing() -> Refusal:
    return Refusal(503, "The endpoint is shutting down. Try again.", {"Retry-After": "1"})


def _refusal(error: Exception, job: Waiting) -> Exception:
    """Memory that does not suffice is the image's size at fault; anything else is ours."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error):
        height, width = job.pixels.shape[:2]
        return Refusal(413, f"Memory does not suffice for an image of {width} x {height} px. Send a smaller one.")
    return error
