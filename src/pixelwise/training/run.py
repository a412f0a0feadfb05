"""A run: a checked dataset and settings -> RUN with checkpoints, metrics, log and the best bundle."""

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.bundle import FACTS_FILE, Bundle
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.data.facts.advice import class_weights
from pixelwise.errors import SettingsError
from pixelwise.models.prior import Prior
from pixelwise.models.pyramid import has_pyramid
from pixelwise.models.reached import freeze_unreached
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.phrases import memory_size
from pixelwise.runtime import Runtime, started
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.budget.clock import Clock
from pixelwise.training.budget.examination import evenly_spread, measured
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.folder import create_folder, fingerprint
from pixelwise.training.freezing import require_weights_to_freeze
from pixelwise.training.initial import start_from
from pixelwise.training.interrupt import StopRequest, listen
from pixelwise.training.learner import Learner
from pixelwise.training.loop import Run, fit
from pixelwise.training.losses import build_criterion
from pixelwise.training.progress import Audience, Observer, RunLog
from pixelwise.training.request import TrainingRequest, TrainingResult

__all__ = ["TrainingRequest", "TrainingResult", "train_run"]


def train_run(request: TrainingRequest) -> TrainingResult:
    """Train as `request` says; write everything below its folder.

    Raises:
        PixelwiseError: its children say what went wrong; what was written before stays usable.
    """
    settings = request.settings
    seed, deterministic = settings.seed, settings.deterministic
    with (
        started(request.device, settings.precision, seed=seed, deterministic=deterministic) as runtime,
        listen() as stop,
    ):
        request = _resolved(request, runtime)
        with _observer(request, runtime) as observer:
            run = _begun(request, runtime, observer=observer, stop=stop)
            try:
                fit(run)
                return _result(run, request.folder)
            finally:
                # A traceback, or the caller, may keep the run longer than the group of processes lives.
                run.learner.leave_group()


def _resolved(request: TrainingRequest, runtime: Runtime) -> TrainingRequest:
    """The request with all settings as they will be, which its folder then has too."""
    if request.planner is None:
        settings = request.settings.changed(num_classes=request.report.labels.num_classes)
        create_folder(request.folder, settings, request.report, runtime)
        return replace(request, settings=settings)
    plan = request.planner(runtime, spent=time.monotonic() - request.started)
    create_folder(request.folder, plan.settings, request.report, runtime, plan=plan.to_json())
    return replace(request, settings=plan.settings, remarks=(*request.remarks, *plan.lines()))


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
    batches = _batches(request, runtime)
    checkpoints = Checkpoints(
        request.folder / "checkpoints", settings, fingerprint(pairs["train"]), request.report.bands.to_json()
    )
    resumes = request.resume and checkpoints.last.is_file()
    state, parts = checkpoints.load(runtime.device) if resumes else (TrainingState(settings.gradient_accumulation), {})
    model = _model(request, observer, parts)
    weights = _class_weights(request)
    on_device = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=runtime.device)
    learner = Learner(model, build_criterion(settings, on_device), settings, runtime)
    if resumes:
        learner.restore(parts)
    _refuse_single_samples(learner, state.pieces)
    spent, images = time.monotonic() - request.started + state.seconds, len(pairs["validation"])
    run = Run(
        learner=learner,
        batches=batches,
        validation=_validation(request, runtime, images),
        state=state,
        clock=Clock(settings, batches.steps_per_epoch, spent, earlier=state.seconds, validation_images=images),
        stop=stop,
        observer=observer,
        checkpoints=checkpoints,
        bundle=request.folder / "model",
        data_facts={"split": request.report.division.to_json()} if request.report.division else {},
        check_seconds=request.check_seconds,
        prior=None if weights is None else _prior(request, weights),
    )
    _say_what_is_known(request, observer, resumes=resumes)
    _introduce(run)
    if settings.budget is not None:
        _keep_time(run, request, resumes=resumes)
    if not state.updates:
        state.began = run.clock.seconds()
    return run


def _say_what_is_known(request: TrainingRequest, observer: Observer, *, resumes: bool) -> None:
    # What is trained on was not named so by the user.
    for sentence in (*request.remarks, *request.report.understood):
        observer.say(sentence)
    if not request.listeners and not resumes:  # who listens has said them in words of its own
        for line in request.report.warnings_in_short:
            observer.say(f"Warning: {line}")


def _keep_time(run: Run, request: TrainingRequest, *, resumes: bool) -> None:
    """Measure what validating takes, choose how many images that is done with, and keep the time for it."""
    report, learner, state = request.report, run.learner, run.state
    pairs = report.pairs["validation"]
    cost = measured(
        learner.scored, pairs, report.labels, report.bands, settings=learner.settings, runtime=learner.runtime
    )
    if not resumes:  # a run that goes on keeps its images, so that its scores can be compared
        # Clocks differ between processes: all follow the first.
        state.validation_images = int(run.from_main(run.clock.affordable(cost, len(pairs)))[0])
    images = min(len(pairs), state.validation_images or len(pairs))
    run.clock.expect(cost, images)
    if images == len(pairs):
        return
    run.validation = _validation(request, learner.runtime, images)
    run.data_facts = {**run.data_facts, "validation_images_in_all": len(pairs)}
    run.observer.say(
        f"Validation uses {images} of {len(pairs)} images, evenly spread, to leave two thirds of the budget to "
        "training."
    )


def _batches(request: TrainingRequest, runtime: Runtime) -> TrainingBatches:
    report, train = request.report, request.report.splits["train"]
    seen: dict[str, Any] = {"bands": report.bands, "class_pixels": train.balance.pixels}
    share: dict[str, Any] = {"rank": runtime.rank, "world_size": runtime.world_size}
    return TrainingBatches(train.pairs, report.labels, request.settings, **seen, **share)


def _validation(request: TrainingRequest, runtime: Runtime, images: int) -> EvaluationBatches:
    """So many of the validation images, evenly spread."""
    settings, report = request.settings, request.report
    return EvaluationBatches(
        evenly_spread(report.pairs["validation"], images),
        report.labels,
        bands=report.bands,
        crop_size=settings.validation_crop_size,
        num_workers=settings.num_workers,
        rank=runtime.rank,
        world_size=runtime.world_size,
    )


def _model(request: TrainingRequest, observer: Observer, parts: Mapping[str, Any]) -> Segmenter:
    """The network, with the weights that a new run starts from; the parts of a checkpoint bring their own."""
    settings, report = request.settings, request.report
    initial = None if parts else request.initial
    require_weights_to_freeze(settings, has_model=bool(parts) or initial is not None)
    known = initial.state if isinstance(initial, Bundle) else parts.get("model")
    model = build_segmenter(
        settings,
        report.labels.num_classes,
        load_weights=not parts and initial is None,
        bands=report.bands,
        pyramid=known is None or has_pyramid(known),
    )
    if initial is not None:
        observer.say(start_from(model, initial, settings, report.bands))
    idle = freeze_unreached(model)
    if idle is not None:
        observer.say(f"Backbone {settings.backbone!r}: {idle}")
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
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    learning, parameters = sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)
    frozen = "" if learning == parameters else f" of which {learning / 1e6:.1f} M learn"
    run.observer.say(
        f"{settings.algorithm} on {settings.backbone}, {parameters / 1e6:.1f} M parameters{frozen}, "
        f"{run.batches.labels.num_classes} classes, {run.learner.runtime.describe()}"
    )
    if model.backbone.note:
        run.observer.say(f"{'Warning: ' if model.backbone.is_costly else ''}{model.backbone.note}")
    often = f", which takes each image {settings.repeats} times" if settings.repeats > 1 else ""
    run.observer.say(
        f"{len(run.batches.pairs)} training and {run.clock.validation_images} validation images, "
        f"{run.batches.steps_per_epoch} steps of {settings.mini_batch_size} an epoch{often}"
    )
    if state.updates:
        run.observer.say(f"Resuming in epoch {state.epoch + 1} after {state.updates} updates")


def _result(run: Run, folder: Path) -> TrainingResult:
    state, clock = run.state, run.clock
    strength = state.rows[state.best_epoch - 1].get("class_weights_undone")  # of a run from before there was one: None
    undone = f", with {strength:g} of the class weights undone" if strength else ""
    run.observer.say(
        f"Best validation mIoU {state.best_miou:.4f} in epoch {state.best_epoch} of {state.epoch}{undone}, "
        f"after {state.seconds / 60:.1f} minutes."
    )
    peak = run.learner.runtime.peak_memory()
    if peak is not None:
        run.observer.say(f"Peak memory {memory_size(peak)}")
    few = clock.few_steps(state)
    if few is not None:
        run.observer.say(few)
    return TrainingResult(
        folder,
        run.bundle,
        _best_scores(run),
        state.best_epoch,
        state.epoch,
        state.seconds,
        validation_images=clock.validation_images,
        warnings=() if few is None else (few,),
        spent=clock.spent(state),
    )


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
