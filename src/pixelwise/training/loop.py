"""fit(): how a segmentation model is trained, from the first batch to the best weights."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from pixelwise.bundle import Bundle, provenance, save_bundle
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.errors import Interrupted, TrainingError
from pixelwise.labels import LabelTable
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import Segmenter
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.scoring.validate import validate
from pixelwise.training.budget.clock import Clock
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.interrupt import StopRequest
from pixelwise.training.learner import Candidate, Learner
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
    "class_weights_undone",
    "validated_weights",
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
        run.close_epoch(trained, run.validated() if run.is_validation_due() else ())


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
    prior: Prior | None = None
    """The class weights of the criterion, which every validation tries to undo; None where there are none."""
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

    def validated(self) -> list[Candidate]:
        """Validate the weights that are kept, in all processes together; when training ends with them, two candidates.

        The first is the average, if there is one. Early in training, and so at the end of a short one, an average may
        lag behind the weights as they stand: these are the second.
        """
        learner = self.learner
        started = time.monotonic()
        usual = self._candidate(learner.scored, self._note_validated)
        self.clock.validated(time.monotonic() - started)
        if learner.average is None or not self._ends_with(usual.score):
            return [usual]
        # Not told to observers, to whom an epoch has one validation.
        return [usual, self._candidate(learner.model, lambda _images: self._heed_stop())]

    def close_epoch(self, trained: dict[str, Any], candidates: Sequence[Candidate]) -> None:
        """Close the books of an epoch: its row, the best model, the checkpoint."""
        state, settings = self.state, self.learner.settings
        kept = self._kept(candidates)
        validated = {} if kept is None else self._validation_row(kept)
        row = {**dict.fromkeys(ROW), **trained, **validated, "seconds": self.clock.seconds()}
        # Before the checkpoint is written: it must say that this epoch is over, or resuming would repeat it.
        state.close_epoch(row)
        # In every process, for all must know when to stop; the bundle first, as the checkpoint will count on it.
        if kept is not None and state.note_score(candidates[0].score, settings, kept=kept.score):
            self._keep_best(kept)
        self.observer.on_epoch(row, state.rows)
        self._save(is_best=state.best_epoch == state.epoch)
        if kept is not None and state.is_stalled(settings):
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
        self._heed_stop()

    def _heed_stop(self) -> None:
        # Not agreed upon: the processes' shares differ in length, so they cannot ask each other here.
        if self.stop.is_made:
            self.save_and_stop()

    def _candidate(self, model: Segmenter, on_images: Callable[[int], None]) -> Candidate:
        learner = self.learner
        found = validate(
            model,
            self.validation,
            labels=self.batches.labels,
            runtime=learner.runtime,
            criterion=learner.criterion,
            prior=self.prior,
            on_images=on_images,
        )
        return Candidate(model, "raw" if model is learner.model else "averaged", found)

    def _ends_with(self, score: float) -> bool:
        """Whether nothing is left to learn after a validation with this mean IoU; every process must ask."""
        done = self.from_main(self.clock.done(self.state))[0]
        return done >= 1 or self.state.would_stall(score, self.learner.settings)

    def _kept(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """The first candidate, or the second where it is better, and better than the best so far."""
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        averaged, raw = candidates
        if raw.score <= max(averaged.score, self.state.best_miou):
            return averaged
        scores = f"mean IoU {raw.score:.4f} against {averaged.score:.4f}"
        self.observer.say(f"The weights as they stand are kept in place of their average: {scores} on validation.")
        return raw

    def _training_scores(self, counts: torch.Tensor) -> Scores:
        runtime = self.learner.runtime
        summed = runtime.sum(counts.to(runtime.device)).cpu().numpy()
        return Scores(ConfusionMatrix(len(summed), summed), LabelTable.numbered(len(summed)))

    def _validation_row(self, kept: Candidate) -> dict[str, Any]:
        """What a validation measured, for its epoch's line of metrics.jsonl."""
        scores, prior = kept.validation.scores, kept.validation.prior
        measured = {
            "validation_loss": kept.validation.loss,
            "validation_miou": scores.mean_iou,
            "validation_miou_absent_as_zero": scores.mean_iou_absent_as_zero,
            "validation_pixel_accuracy": scores.pixel_accuracy,
            "validation_images_per_second": self.clock.validation_rate(),
            "validation_images": self.clock.validation_images,
            "class_weights_undone": 0.0 if prior is None else prior.strength,
            "validated_weights": kept.weights,
        }
        return strict_json(measured)

    def _keep_best(self, kept: Candidate) -> None:
        settings, runtime = self.learner.settings, self.learner.runtime
        if not runtime.is_main:
            return
        images = self.clock.validation_images
        facts = {
            "training_images": len(self.batches.pairs),
            "validation_images": images,
            "epoch": self.state.epoch,
            "weights": kept.weights,
            "machine": runtime.describe(),
            **self.data_facts,
        }
        made = provenance(date=time.strftime("%Y-%m-%d", time.gmtime()), data=facts)
        scores = {"split": "validation", "images": images, **kept.validation.scores.to_json()}
        weights, prior = settings.backbone_weights, kept.validation.prior
        # A bundle is for other people: it names the file of weights, not where it lay.
        settings = settings.changed(backbone_weights=Path(weights).name if weights else None)
        labels, bands = self.batches.labels, self.batches.bands
        state, padding = kept.model.state_dict(), kept.model.backbone.sides
        bundle = Bundle(settings, labels, scores, made, state, bands=bands, padding=padding, prior=prior)
        save_bundle(self.bundle, bundle)
        self.observer.on_best(self.bundle)
