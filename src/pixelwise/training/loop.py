"""fit(): how a segmentation model is trained, from the first batch to the best weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import torch

from pixelwise.data.batches import TrainingBatches
from pixelwise.errors import Interrupted
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.scoring.validate import Validation
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.clock import Clock
from pixelwise.training.interrupt import StopRequest
from pixelwise.training.learner import Learner
from pixelwise.training.optimizer import learning_rate_factor, set_learning_rate
from pixelwise.training.progress import Observer
from pixelwise.training.step import step_within_memory
from pixelwise.values import strict_json

Validate = Callable[[Segmenter], Validation]
KeepBest = Callable[[Segmenter, Validation, TrainingState], None]

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
)
"""The names in a line of metrics.jsonl."""

_VALIDATED = ("loss", "miou", "miou_absent_as_zero", "pixel_accuracy", "images_per_second")


@dataclass(frozen=True)
class Surroundings:
    """What `fit` needs beside the learner and the batches."""

    validate: Validate
    keep_best: KeepBest
    checkpoints: Checkpoints
    observer: Observer
    stop: StopRequest
    validation_images: int


def fit(
    learner: Learner, batches: TrainingBatches, around: Surroundings, *, state: TrainingState, clock: Clock
) -> TrainingState:
    """Train until the epochs or the budget are used up, or validation no longer gains.

    Args:
        learner: the model and its optimizer; changed in place.
        batches: the training images, in an order that only (seed, epoch, position) decide.
        around: validation, files and messages.
        state: where to begin; a fresh one, or one from a checkpoint.
        clock: how much is done.

    Returns:
        The state after the last epoch.

    Raises:
        Interrupted: a stop was asked for; the checkpoint is written.
        TrainingError: the loss is not finite, or one image at a time exceeds the memory.
    """
    settings, runtime = learner.settings, learner.runtime
    saved = time.monotonic()
    if _was_over(settings, state, runtime.from_main(clock.done(state))[0]):
        return state
    while True:
        learner.model.train()
        mark = time.monotonic()
        for batch in batches.of_epoch(state.epoch, first_step=state.step):
            done, stop = runtime.from_main(clock.done(state), float(around.stop.is_made))
            if stop:
                _save_and_stop(learner, around, state, clock)
            if done >= 1:
                break
            set_learning_rate(learner.optimizer, learning_rate_factor(settings, done, state.epoch))
            loss = step_within_memory(learner, batch, state, around.observer)
            mark = _count_step(state, loss, mark)
            saved = _save_now_and_then(learner, around, state, clock, saved)
            _show(around.observer, state, clock, batches, learner)
        trained = _training_row(learner, state)
        around.observer.on_trained(trained)
        done, is_due = runtime.from_main(clock.done(state), float(clock.is_validation_due(clock.done(state))))
        validated = _validated(learner, around, state, clock) if is_due else None
        _finish_epoch(learner, around, state, clock, trained, validated)
        if is_due and (_is_stalled(settings, state, around.observer) or runtime.from_main(clock.done(state))[0] >= 1):
            return state


def _count_step(state: TrainingState, loss: float, mark: float) -> float:
    now = time.monotonic()
    state.step += 1
    state.updates += 1
    state.loss_sum += loss
    state.step_seconds += now - mark
    return now


def _save_now_and_then(
    learner: Learner, around: Surroundings, state: TrainingState, clock: Clock, saved: float
) -> float:
    """Write a checkpoint also within long epochs; return when the last one was written."""
    if time.monotonic() - saved < SECONDS_BETWEEN_CHECKPOINTS:
        return saved
    state.seconds = clock.seconds()
    if learner.runtime.is_main:
        around.checkpoints.save(state, learner.parts())
    return time.monotonic()


def _show(observer: Observer, state: TrainingState, clock: Clock, batches: TrainingBatches, learner: Learner) -> None:
    rate = state.step * learner.settings.mini_batch_size / max(state.step_seconds, 1e-9)
    observer.on_step(
        epoch=state.epoch + 1,
        step=state.step,
        steps=batches.steps_per_epoch,
        loss=state.loss_sum / state.step,
        rate=rate,
        left=clock.left(state),
        learning_rate=_highest_rate(learner),
    )


class _Validated(NamedTuple):
    """A validation and how long it took."""

    evaluation: Validation
    seconds: float


def _validated(learner: Learner, around: Surroundings, state: TrainingState, clock: Clock) -> _Validated:
    started = time.monotonic()
    try:
        evaluation = around.validate(learner.scored)
    except Interrupted:
        _save_and_stop(learner, around, state, clock)
    seconds = time.monotonic() - started
    clock.validated(seconds)
    return _Validated(evaluation, seconds)


def _finish_epoch(  # the books of an epoch have these parts
    learner: Learner,
    around: Surroundings,
    state: TrainingState,
    clock: Clock,
    trained: dict[str, Any],
    validated: _Validated | None,
) -> None:
    """Close the books of an epoch: its row, the best model, the checkpoint."""
    state.seconds = clock.seconds()
    measured = {**trained, **_validation_row(around, validated), "seconds": state.seconds}
    row = {name: measured[name] for name in ROW}
    state.rows.append(row)
    state.epoch, state.step = state.epoch + 1, 0
    state.loss_sum, state.step_seconds, state.counts = 0.0, 0.0, None
    is_best = validated is not None and state.note_score(row["validation_miou"], learner.settings)
    if not learner.runtime.is_main:
        return
    if is_best and validated is not None:
        around.keep_best(learner.scored, validated.evaluation, state)
    around.observer.on_epoch(row, state.rows)
    around.checkpoints.save(state, learner.parts(), is_best=is_best)


def _training_row(learner: Learner, state: TrainingState) -> dict[str, Any]:
    """What an epoch's steps measured, for its line of metrics.jsonl; null where nothing was."""
    runtime, settings = learner.runtime, learner.settings
    train = _training_scores(runtime, state)
    loss = runtime.sum(torch.tensor(state.loss_sum, device=runtime.device)) / runtime.world_size
    measured = {
        "epoch": state.epoch + 1,
        "learning_rate": _highest_rate(learner),
        "train_loss": float(loss) / state.step if state.step else None,
        "train_miou": train.mean_iou if train else None,
        "train_pixel_accuracy": train.pixel_accuracy if train else None,
        "train_images_per_second": settings.mini_batch_size * state.step / max(state.step_seconds, 1e-9),
    }
    return strict_json(measured)


def _validation_row(around: Surroundings, validated: _Validated | None) -> dict[str, Any]:
    """What its validation measured; null where there was none."""
    if validated is None:
        return dict.fromkeys(f"validation_{name}" for name in _VALIDATED)
    scores = validated.evaluation.scores
    found = (
        validated.evaluation.loss,
        scores.mean_iou,
        scores.mean_iou_absent_as_zero,
        scores.pixel_accuracy,
        around.validation_images / max(validated.seconds, 1e-9),
    )
    return strict_json({f"validation_{name}": value for name, value in zip(_VALIDATED, found, strict=True)})


def _training_scores(runtime: Runtime, state: TrainingState) -> Scores | None:
    if state.counts is None:
        return None
    counts = runtime.sum(state.counts.to(runtime.device)).cpu().numpy()
    return Scores(ConfusionMatrix(len(counts), counts), LabelTable.numbered(len(counts)))


def _highest_rate(learner: Learner) -> float:
    return float(max(group["lr"] for group in learner.optimizer.param_groups))


def _was_over(settings: Settings, state: TrainingState, done: float) -> bool:
    """Whether the run was killed between its last epoch and its end: then nothing is left to learn."""
    return bool(state.rows) and state.step == 0 and (done >= 1 or _is_without_gain(settings, state))


def _is_stalled(settings: Settings, state: TrainingState, observer: Observer) -> bool:
    """Whether early stopping ends the run here."""
    is_stalled = _is_without_gain(settings, state)
    if is_stalled:
        observer.say(f"Stopped early: no gain in {state.epochs_without_gain} epochs.")
    return is_stalled


def _is_without_gain(settings: Settings, state: TrainingState) -> bool:
    return (
        settings.early_stopping
        and state.epoch >= settings.early_stopping_min_epochs
        and state.epochs_without_gain > settings.early_stopping_patience
    )


def _save_and_stop(learner: Learner, around: Surroundings, state: TrainingState, clock: Clock) -> NoReturn:
    state.seconds = clock.seconds()
    if learner.runtime.is_main:
        around.checkpoints.save(state, learner.parts())
    raise Interrupted(
        f"Stopped in epoch {state.epoch + 1} after {state.updates} updates; --resume continues from there."
    )
