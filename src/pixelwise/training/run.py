"""A run: a checked dataset and settings -> RUN with checkpoints, metrics, log and the best bundle."""

import contextlib
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.bundle import FACTS_FILE, Bundle
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.facts.advice import class_weights
from pixelwise.errors import SettingsError
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.runtime import Runtime, started
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.clock import Clock
from pixelwise.training.folder import create_folder, fingerprint
from pixelwise.training.initial import start_from
from pixelwise.training.interrupt import StopRequest, listen
from pixelwise.training.learner import Learner
from pixelwise.training.loop import Run, fit
from pixelwise.training.losses import build_criterion
from pixelwise.training.progress import Audience, Observer, RunLog


@dataclass(frozen=True)
class TrainingRequest:
    """What a run is given: a dataset that was checked and found sound, settings, and the folder to write to."""

    report: CheckReport
    """Of the dataset, with its pairs and labels."""
    settings: Settings
    """With `num_classes` None or equal to the report's."""
    folder: Path
    """See `folder.prepare_folder`."""
    _: KW_ONLY
    resume: bool = False
    """Go on from the last checkpoint, if there is one."""
    device: str | None = None
    """See `runtime.started`."""
    is_quiet: bool = False
    """Say nothing on the terminal."""
    started: float = field(default_factory=time.monotonic)
    """`time.monotonic()` when the job began, for the budget."""
    initial: Bundle | None = None
    """A trained model of the same network to start from; see `training.initial`."""
    listeners: Sequence[Observer] = ()
    """Are told what the run tells, in process 0."""


@dataclass(frozen=True)
class TrainingResult:
    """What a run gave: its folder, the folder of the best bundle, its validation scores, where they arose."""

    folder: Path
    bundle: Path
    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float


def train_run(request: TrainingRequest) -> TrainingResult:
    """Train as `request` says; write everything below its folder.

    Raises:
        PixelwiseError: its children say what went wrong; what was written before stays usable.
    """
    settings = request.settings.changed(num_classes=request.report.labels.num_classes)
    request = replace(request, settings=settings)
    seed, deterministic = settings.seed, settings.deterministic
    with (
        started(request.device, settings.precision, seed=seed, deterministic=deterministic) as runtime,
        listen() as stop,
    ):
        create_folder(request.folder, settings, request.report, runtime)
        with _observer(request, runtime) as observer:
            run = _begun(request, runtime, observer=observer, stop=stop)
            try:
                fit(run)
                return _result(run, request.folder)
            finally:
                # A traceback, or the caller, may keep the run longer than the group of processes lives.
                run.learner.leave_group()


@contextlib.contextmanager
def _observer(request: TrainingRequest, runtime: Runtime) -> Iterator[Observer]:
    """What writes and tells in process 0; the others are on machines that may not see the folder."""
    if not runtime.is_main:
        yield Observer()
        return
    with RunLog(request.folder, request.settings, is_quiet=request.is_quiet) as log:
        yield Audience(log, *request.listeners)


def _begun(request: TrainingRequest, runtime: Runtime, *, observer: Observer, stop: StopRequest) -> Run:
    """The parts of a run, put together: new ones, or as its last checkpoint has them."""
    settings, pairs = request.settings, request.report.pairs
    batches, validation = _batches(request, runtime)
    checkpoints = Checkpoints(
        request.folder / "checkpoints", settings, fingerprint(pairs["train"]), request.report.bands.to_json()
    )
    resumes = request.resume and checkpoints.last.is_file()
    model = _model(request, observer, resumes=resumes)
    weights = _class_weights(request)
    on_device = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=runtime.device)
    learner = Learner(model, build_criterion(settings, on_device), settings, runtime)
    state = TrainingState(pieces=settings.gradient_accumulation)
    if resumes:
        state, parts = checkpoints.load(runtime.device)
        learner.restore(parts)
    _refuse_single_samples(learner, state.pieces)
    spent = time.monotonic() - request.started + state.seconds
    run = Run(
        learner=learner,
        batches=batches,
        validation=validation,
        state=state,
        clock=Clock(settings, batches.steps_per_epoch, spent, validation_images=len(pairs["validation"])),
        stop=stop,
        observer=observer,
        checkpoints=checkpoints,
        bundle=request.folder / "model",
        data_facts={"split": request.report.division.to_json()} if request.report.division else {},
        prior=None if weights is None else _prior(request, weights),
    )
    for sentence in request.report.understood:  # what is trained on was not named so by the user
        observer.say(sentence)
    if not request.listeners and not resumes:  # who listens has said them in words of its own
        for line in request.report.warnings_in_short:
            observer.say(f"Warning: {line}")
    _introduce(run)
    if settings.budget is not None:
        run.clock.expect_validation(_seconds_of_validation(run))
    return run


def _batches(request: TrainingRequest, runtime: Runtime) -> tuple[TrainingBatches, EvaluationBatches]:
    settings, report = request.settings, request.report
    share = {"rank": runtime.rank, "world_size": runtime.world_size}
    bands = report.bands
    validation = EvaluationBatches(
        report.pairs["validation"],
        report.labels,
        bands=bands,
        crop_size=settings.validation_crop_size,
        num_workers=settings.num_workers,
        **share,
    )
    return TrainingBatches(report.pairs["train"], report.labels, settings, bands=bands, **share), validation


def _model(request: TrainingRequest, observer: Observer, *, resumes: bool) -> Segmenter:
    """The network, with the weights that a new run starts from; a checkpoint brings its own."""
    settings, initial = request.settings, None if resumes else request.initial
    needs_weights = not resumes and initial is None
    model = build_segmenter(
        settings, request.report.labels.num_classes, load_weights=needs_weights, bands=request.report.bands
    )
    if initial is not None:
        observer.say(start_from(model, initial, settings, request.report.bands))
    return model


def _class_weights(request: TrainingRequest) -> NDArray[np.float64] | None:
    balance, classes = request.report.splits["train"].balance, request.report.labels.num_classes
    weights = class_weights(request.settings.class_weights, balance.pixels, balance.pixels_where_present)
    if weights is not None and len(weights) != classes:
        raise SettingsError(
            f"class_weights has {len(weights)} numbers but the dataset has {classes} classes. Give one per class."
        )
    return weights


def _prior(request: TrainingRequest, weights: NDArray[np.float64]) -> Prior:
    """What the weights did to the network: nothing for a class without training pixels, whatever its weight."""
    pixels = request.report.splits["train"].balance.pixels
    return Prior(tuple(weight if count else 0.0 for weight, count in zip(weights.tolist(), pixels, strict=True)))


def _refuse_single_samples(learner: Learner, pieces: int) -> None:
    settings = learner.settings
    # Synchronised, BatchNorm sees what all processes see.
    processes = 1 if settings.sync_bn else learner.runtime.world_size
    refuse_single_samples(learner.model, math.ceil(settings.mini_batch_size / processes / pieces))


def _introduce(run: Run) -> None:
    model, settings, state = run.learner.model, run.learner.settings, run.state
    parameters = sum(parameter.numel() for parameter in model.parameters())
    run.observer.say(
        f"{settings.algorithm} on {settings.backbone}, {parameters / 1e6:.1f} M parameters, "
        f"{run.batches.labels.num_classes} classes, {run.learner.runtime.describe()}"
    )
    if model.backbone.note:
        run.observer.say(str(model.backbone.note))
    run.observer.say(
        f"{len(run.batches.pairs)} training and {run.clock.validation_images} validation images, "
        f"{run.batches.steps_per_epoch} steps of {settings.mini_batch_size} an epoch"
    )
    if state.updates:
        run.observer.say(f"Resuming in epoch {state.epoch + 1} after {state.updates} updates")


def _seconds_of_validation(run: Run) -> float:
    """What validating will take, by the second of two batches; the first warms the machine up."""
    model = run.learner.scored
    began = images = 0.0
    for _, batch in itertools.islice(run.validation, 2):
        began, images = time.monotonic(), len(batch.images)
        model.eval()
        # To the CPU, for a GPU's work is done only when its result is there.
        likeliest(class_logits(model, batch.images, runtime=run.learner.runtime)).cpu()
    return (time.monotonic() - began) * len(run.validation) / max(images, 1)


def _result(run: Run, folder: Path) -> TrainingResult:
    state = run.state
    strength = state.rows[state.best_epoch - 1].get("class_weights_undone")  # of a run from before there was one: None
    undone = f", with {strength:g} of the class weights undone" if strength else ""
    run.observer.say(
        f"Best validation mIoU {state.best_miou:.4f} in epoch {state.best_epoch} of {state.epoch}{undone}, "
        f"after {state.seconds / 60:.1f} minutes."
    )
    return TrainingResult(folder, run.bundle, _best_scores(run), state.best_epoch, state.epoch, state.seconds)


def _best_scores(run: Run) -> Scores:
    """Those of the bundle, in every process, though only the first one may see the folder."""
    labels, runtime = run.batches.labels, run.learner.runtime
    counts = torch.zeros((labels.num_classes, labels.num_classes), dtype=torch.int64)
    if runtime.is_main:
        # From the file: the best epoch may have been that of a process before this one.
        facts = run.bundle / FACTS_FILE
        content = json.loads(facts.read_text(encoding="utf-8"))
        counts += torch.from_numpy(Scores.from_json(content["scores"], source=str(facts)).confusion.counts)
    # All terms but that of process 0 are zeros: the sum brings its counts to every process.
    shared = runtime.sum(counts.to(runtime.device)).cpu().numpy()
    return Scores(ConfusionMatrix(labels.num_classes, shared), labels)
