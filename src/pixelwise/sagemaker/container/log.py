"""What a training job prints: the AWS container's lines, told from what the run tells."""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.sagemaker.hyperparameters.parse import Hyperparameters, printed_learning_rate
from pixelwise.sagemaker.log_lines import (
    EpochMetrics,
    Line,
    epoch_record,
    finished_lines,
    log_formatter,
    training_lines,
    training_notice,
    validation_notice,
)
from pixelwise.settings import Settings
from pixelwise.training.progress import Observer

Publish = Callable[[Path], Path]
"""Copies a bundle to where the platform takes it from; returns the file of its weights."""

_LOGGER = "pixelwise.sagemaker"


def start_log() -> Callable[[Line], None]:
    """Print lines on stdout from now on, in the container's format; return what prints one."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(log_formatter())
    logger = logging.getLogger(_LOGGER)
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)

    def say(line: Line) -> None:
        if line.bare:
            print(line.text, flush=True)
        else:
            logger.log(line.level, "%s", line.text)

    return say


class JobLog(Observer):
    """Tells a run as the container tells it; epochs and iterations are counted as there, epochs from 0 on."""

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        settings: Settings,
        *,
        host: str,
        publish: Publish,
        say: Callable[[Line], None],
    ) -> None:
        self._hyperparameters, self._settings, self._host = hyperparameters, settings, host
        self._publish, self._say = publish, say
        self._epoch_started = time.time()
        self._steps = self._epoch = 0
        self._best: Path | None = None
        self._validated, self._validation_started = 0, 0.0

    def say(self, text: str) -> None:
        """A line of the run's own, such as the network's size."""
        self._say(Line(text))

    def on_step(  # the six numbers of a step
        self, *, epoch: int, step: int, steps: int, loss: float, rate: float, left: float, learning_rate: float
    ) -> None:
        """A notice every twenty steps."""
        self._steps = steps
        if step % self._hyperparameters.logging_frequency == 0:
            shown = printed_learning_rate(self._hyperparameters, self._settings, learning_rate)
            self._say(training_notice(epoch - 1, step, rate, shown))

    def on_trained(self, row: Mapping[str, Any]) -> None:
        """The epoch's training, before its validation."""
        for line in training_lines(self._metrics(row)):
            self._say(line)
        self._epoch = int(row["epoch"]) - 1
        self._validated, self._validation_started = 0, time.monotonic()

    def on_validation(self, images: int) -> None:
        """A notice every twenty batches of validation_mini_batch_size."""
        each = self._hyperparameters.validation_mini_batch_size * self._hyperparameters.logging_frequency
        notices = self._validated // each
        self._validated += images
        if self._validated // each > notices:
            speed = self._validated / max(time.monotonic() - self._validation_started, 1e-9)
            batches = self._validated // self._hyperparameters.validation_mini_batch_size
            self._say(validation_notice(self._epoch, batches, speed))

    def on_best(self, bundle: Path) -> None:
        """The best model so far goes where the platform takes it from: a job that is stopped has it too."""
        self._best = self._publish(bundle)

    def on_epoch(self, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """The epoch's validation, what was saved, how much of the job is over, and the record for programs."""
        metrics, now = self._metrics(row), time.time()
        images = self._steps * self._settings.mini_batch_size
        record = epoch_record(metrics, batches=self._steps, images=images, start=self._epoch_started, end=now)
        best = None if self._best is None else str(self._best)
        for line in finished_lines(metrics, best_model=best, record=record):
            self._say(line)
        self._best = None
        self._epoch_started = now

    def _metrics(self, row: Mapping[str, Any]) -> EpochMetrics:
        return EpochMetrics(
            host=self._host,
            epoch=int(row["epoch"]) - 1,
            epochs=self._settings.epochs,
            train_loss=row["train_loss"],
            train_throughput=row["train_images_per_second"],
            train_pixel_accuracy=row["train_pixel_accuracy"],
            train_miou=row["train_miou"],
            validation_loss=row.get("validation_loss"),
            validation_pixel_accuracy=row.get("validation_pixel_accuracy"),
            validation_miou=row.get("validation_miou_absent_as_zero"),
            validation_miou_present=row.get("validation_miou"),
            validation_throughput=row.get("validation_images_per_second"),
        )
