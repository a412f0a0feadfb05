"""fit(): how a segmentation model is trained, from the first batch to the best weights."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from pixelwise.bundle import Bundle, provenance, save_bundle
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.errors import Interrupted, TrainingError
from pixelwise.labels import LabelTable
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.scoring.validate import Validation, validate
from pixelwise.training.budget.clock import Clock
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.interrupt import StopRequest
from pixelwise.training.learner import Learner
from pixelwise.training.optimizer import learning_rate_factor, set_learning_rate
from pixelwise.training.progress import Observer
from pixelwise.training.step import step_within_memory
from pixelwise.values import strict_json

SECONDS_BETWEEN_CHECKPOINTS = 300

ROW = (
    "epoch",
    "learning_rate",
    "train_loss",
    "validation_loss",
    "train_miou",
    "validation_miou",
    "train_pixel_accuracy",
    "validation_pixel_accuracy",
    "train_images_per_second",
    "seconds",
    "validation_images_per_second",
    "validation_miou_absent_as_zero",
    "validation_images",
)
"""The names in a line of metrics.jsonl."""


def fit(run: "Run") -> None:
    """Train until the epochs or the budget are used up, or validation no longer gains; `run` is changed in place.

    Raises:
        Interrupted: a stop was asked for; the checkpoint is written.
        TrainingError: the loss is not finite, one image at a time exceeds the memory, or a budget is too short.
    """
    learner, state = run.learner, run.state
    while not run.is_over():
        run.begin_epoch()
        # A resumed epoch goes on at its next step: batches depend on (seed, epoch, position) alone.
        for batch in run.batches.of_epoch(state.epoch, first_step=state.step):
            # Clocks and signals differ between processes: all follow the first, or one would wait for ever.
            done, stop = run.from_main(run.clock.done(state), run.stop.is_made)
            if stop:
                run.save_and_stop()
            # A budget may end within an epoch.
            if done >= 1:
                break
            # From the share done, not from a count of steps: under a budget nobody knows how many there will be.
            set_learning_rate(learner.optimizer, learning_rate_factor(learner.settings, done, state.epoch))
            run.count_step(step_within_memory(learner, batch, state, run.observer))
        run.require_steps()
        trained = run.trained()
        run.close_epoch(trained, run.validated() if run.is_validation_due() else None)


@dataclass(kw_only=True)
class Run:
    """A training under way: who learns from what, how far it is, where it is kept and who is told."""

    learner: Learner
    batches: TrainingBatches
    validation: EvaluationBatches
    state: TrainingState
    clock: Clock
    stop: StopRequest
    observer: Observer
    checkpoints: Checkpoints
    bundle: Path
    """The folder of the best model."""
    data_facts: Mapping[str, Any] = field(default_factory=dict)
    """What its provenance says of the data beside the numbers of images."""
    check_seconds: float = 0.0
    """How long the data were checked before."""
    _step_ended: float = field(init=False, default=0.0)
    _saved: float = field(init=False, default_factory=time.monotonic)

    def from_main(self, *values: float) -> list[float]:
        """`values` as process 0 has them; every process must ask as often as it does."""
        return self.learner.runtime.from_main(*values)

    def is_over(self) -> bool:
        """Whether nothing is left to learn; also noticed when a run resumes that was killed after its last epoch."""
        # Asked first and always, for the other processes ask too.
        done = self.from_main(self.clock.done(self.state))[0]
        return self.state.is_validated() and (done >= 1 or self.state.is_stalled(self.learner.settings))

    def require_steps(self) -> None:
        """Refuse to go on to a validation of weights that were never trained."""
        if not self.state.updates:
            raise TrainingError(self.clock.no_step(self.state, self.check_seconds))

    def begin_epoch(self) -> None:
        """Take the mode of training, which a validation may have changed, and the time."""
        self.learner.model.train()
        self._step_ended = time.monotonic()

    def count_step(self, loss: float) -> None:
        """Count and tell a step; within a long epoch write a checkpoint now and then."""
        state, now = self.state, time.monotonic()
        # From the end of the step before, so that waiting for data counts.
        state.count_step(loss, seconds=now - self._step_ended)
        self._step_ended = now
        if now - self._saved >= SECONDS_BETWEEN_CHECKPOINTS:
            self._save()
        self.observer.on_step(
            epoch=state.epoch + 1,
            step=state.step,
            steps=self.batches.steps_per_epoch,
            loss=state.loss_sum / state.step,
            rate=self._rate(),
            left=self.clock.left(state),
            learning_rate=self.learner.learning_rate,
        )

    def trained(self) -> dict[str, Any]:
        """What an epoch's steps measured, for its line of metrics.jsonl; null where nothing was."""
        state, runtime = self.state, self.learner.runtime
        # The sums are of one process each, and every process waits here for the others'.
        loss = runtime.sum(torch.tensor(state.loss_sum, device=runtime.device)) / runtime.world_size
        train = None if state.counts is None else self._training_scores(state.counts)
        measured = {
            "epoch": state.epoch + 1,
            "learning_rate": self.learner.learning_rate,
            "train_loss": float(loss) / state.step if state.step else None,
            "train_miou": train.mean_iou if train else None,
            "train_pixel_accuracy": train.pixel_accuracy if train else None,
            "train_images_per_second": self._rate(),
        }
        row = strict_json(measured)
        self.observer.on_trained(row)
        return row

    def is_validation_due(self) -> bool:
        """Whether this epoch ends with a validation, as process 0 sees it."""
        return bool(self.from_main(self.clock.is_validation_due(self.clock.done(self.state)))[0])

    def validated(self) -> Validation:
        """Validate the model that is kept, in all processes together."""
        started = time.monotonic()
        evaluation = validate(
            self.learner.scored,
            self.validation,
            labels=self.batches.labels,
            runtime=self.learner.runtime,
            criterion=self.learner.criterion,
            on_images=self._note_validated,
        )
        self.clock.validated(time.monotonic() - started)
        return evaluation

    def close_epoch(self, trained: dict[str, Any], evaluation: Validation | None) -> None:
        """Close the books of an epoch: its row, the best model, the checkpoint."""
        state, settings = self.state, self.learner.settings
        validated = {} if evaluation is None else self._validation_row(evaluation)
        row = {**dict.fromkeys(ROW), **trained, **validated, "seconds": self.clock.seconds()}
        # Before the checkpoint is written: it must say that this epoch is over, or resuming would repeat it.
        state.close_epoch(row)
        # In every process, for all must know when to stop; the bundle first, as the checkpoint will count on it.
        if evaluation is not None and state.note_score(row["validation_miou"], settings):
            self._keep_best(evaluation)
        self.observer.on_epoch(row, state.rows)
        self._save(is_best=state.best_epoch == state.epoch)
        if evaluation is not None and state.is_stalled(settings):
            self.observer.say(f"Stopped early: no gain in {state.epochs_without_gain} epochs.")

    def save_and_stop(self) -> NoReturn:
        """Write a checkpoint and raise Interrupted."""
        self._save()
        raise Interrupted(
            f"Stopped in epoch {self.state.epoch + 1} after {self.state.updates} updates; "
            "--resume continues from there."
        )

    def _save(self, *, is_best: bool = False) -> None:
        # The time spent travels with the state: a resumed run has only the rest of its budget.
        self.state.seconds = self.clock.seconds()
        # All processes hold the same weights, and two writers would spoil one file.
        if self.learner.runtime.is_main:
            self.checkpoints.save(self.state, self.learner.parts(), is_best=is_best)
        self._saved = time.monotonic()

    def _rate(self) -> float:
        """Training images a second in this epoch, of all processes."""
        return self.learner.settings.mini_batch_size * self.state.step / max(self.state.step_seconds, 1e-9)

    def _note_validated(self, images: int) -> None:
        self.observer.on_validation(images * self.learner.runtime.world_size)  # the others are about as far
        # Not agreed upon: the processes' shares differ in length, so they cannot ask each other here.
        if self.stop.is_made:
            self.save_and_stop()

    def _training_scores(self, counts: torch.Tensor) -> Scores:
        runtime = self.learner.runtime
        summed = runtime.sum(counts.to(runtime.device)).cpu().numpy()
        return Scores(ConfusionMatrix(len(summed), summed), LabelTable.numbered(len(summed)))

    def _validation_row(self, evaluation: Validation) -> dict[str, Any]:
        """What a validation measured, for its epoch's line of metrics.jsonl."""
        scores = evaluation.scores
        measured = {
            "validation_loss": evaluation.loss,
            "validation_miou": scores.mean_iou,
            "validation_miou_absent_as_zero": scores.mean_iou_absent_as_zero,
            "validation_pixel_accuracy": scores.pixel_accuracy,
            "validation_images_per_second": self.clock.validation_rate(),
            "validation_images": self.clock.validation_images,
        }
        return strict_json(measured)

    def _keep_best(self, evaluation: Validation) -> None:
        settings, runtime = self.learner.settings, self.learner.runtime
        if not runtime.is_main:
            return
        images = self.clock.validation_images
        facts = {
            "training_images": len(self.batches.pairs),
            "validation_images": images,
            "epoch": self.state.epoch,
            "machine": runtime.describe(),
            **self.data_facts,
        }
        made = provenance(date=time.strftime("%Y-%m-%d", time.gmtime()), data=facts)
        scores = {"split": "validation", "images": images, **evaluation.scores.to_json()}
        weights, model = settings.backbone_weights, self.learner.scored
        # A bundle is for other people: it names the file of weights, not where it lay.
        settings = settings.changed(backbone_weights=Path(weights).name if weights else None)
        labels, bands = self.batches.labels, self.batches.bands
        padding = model.backbone.sides
        save_bundle(
            self.bundle, Bundle(settings, labels, scores, made, model.state_dict(), bands=bands, padding=padding)
        )
        self.observer.on_best(self.bundle)
