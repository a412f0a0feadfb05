"""A run: a checked dataset and settings -> RUN with checkpoints, metrics, log and the best bundle."""

import contextlib
import itertools
import json
import math
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

import pixelwise.runtime as machine
from pixelwise.bundle import Bundle, provenance, save_bundle
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.facts.advice import class_weights
from pixelwise.errors import Interrupted, SettingsError
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores
from pixelwise.scoring.validate import Criterion, Validation, validate
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.clock import Clock
from pixelwise.training.folder import create_folder, fingerprint
from pixelwise.training.initial import start_from
from pixelwise.training.interrupt import StopRequest, listen
from pixelwise.training.learner import Learner
from pixelwise.training.loop import Surroundings, fit
from pixelwise.training.losses import build_criterion
from pixelwise.training.progress import Observer, RunLog


@dataclass(frozen=True)
class TrainingResult:
    """What a run gave: its folder, the folder of the best bundle, its validation scores, where they arose."""

    folder: Path
    bundle: Path
    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float


def train_run(  # noqa: PLR0913  # what a run may be given
    report: CheckReport,
    settings: Settings,
    folder: Path,
    *,
    resume: bool = False,
    device: str | None = None,
    is_quiet: bool = False,
    started: float | None = None,
    initial: Bundle | None = None,
    listener: Observer | None = None,
) -> TrainingResult:
    """Train on a dataset that was checked and found sound; write everything below `folder`.

    Args:
        report: of the dataset, with its pairs and labels.
        settings: with `num_classes` None or equal to the report's.
        folder: see `folder.prepare_folder`.
        resume: go on from the last checkpoint.
        device: see `runtime.start`.
        is_quiet: say nothing on the terminal.
        started: `time.monotonic()` when the job began, for the budget.
        initial: a trained model of the same network to start from; see `training.initial`.
        listener: is told what the run tells, in process 0.

    Raises:
        PixelwiseError: its children say what went wrong; what was written before stays usable.
    """
    settings = settings.changed(num_classes=report.labels.num_classes)
    seed, deterministic = settings.seed, settings.deterministic
    with (
        machine.start(device, settings.precision, seed=seed, deterministic=deterministic) as runtime,
        listen() as stop,
    ):
        create_folder(folder, settings, runtime)
        with _log(folder, settings, runtime, is_quiet=is_quiet, listener=listener) as log:
            return _Run(report, settings, folder, runtime, stop, log).train(
                resume=resume, started=time.monotonic() if started is None else started, initial=initial
            )


class _Run:
    """The parts of a run, put together."""

    def __init__(
        self,
        report: CheckReport,
        settings: Settings,
        folder: Path,
        runtime: Runtime,
        stop: StopRequest,
        log: Observer,
    ) -> None:
        self.settings, self.folder, self.runtime, self.stop, self.log = settings, folder, runtime, stop, log
        self.report, self.labels = report, report.labels
        pairs = report.pairs["train"]
        share = {"rank": runtime.rank, "world_size": runtime.world_size}
        self.batches = TrainingBatches(pairs, self.labels, settings, **share)
        self.validation = EvaluationBatches(
            report.pairs["validation"],
            self.labels,
            crop_size=settings.validation_crop_size,
            num_workers=settings.num_workers,
            **share,
        )
        self.checkpoints = Checkpoints(folder / "checkpoints", settings, fingerprint(pairs))
        self.bundle = folder / "model"
        self.best: Scores | None = None

    def train(self, *, resume: bool, started: float, initial: Bundle | None) -> TrainingResult:
        resumes = resume and self.checkpoints.last.is_file()
        needs_weights = not resumes and initial is None
        model = build_segmenter(self.settings, self.labels.num_classes, load_weights=needs_weights)
        if initial is not None and not resumes:
            self.log.say(start_from(model, initial, self.settings))
        weights = self._class_weights()
        self.criterion: Criterion = build_criterion(self.settings, weights)
        learner = Learner(model, self.criterion, self.settings, self.runtime)
        state = TrainingState(pieces=self.settings.gradient_accumulation)
        if resumes:
            state, parts = self.checkpoints.load(self.runtime.device)
            learner.restore(parts)
        self._refuse_single_samples(model, state)
        self._introduce(model, state)
        seconds_before = time.monotonic() - started + state.seconds
        images = len(self.report.pairs["validation"])
        clock = Clock(self.settings, self.batches.steps_per_epoch, seconds_before, validation_images=images)
        if self.settings.budget is not None:
            clock.expect_validation(self._seconds_of_validation(learner.scored))
        around = Surroundings(self._validate, self._keep_best, self.checkpoints, self.log, self.stop, images)
        state = fit(learner, self.batches, around, state=state, clock=clock)
        return self._result(state)

    def _class_weights(self) -> torch.Tensor | None:
        facts = self.report.splits["train"]
        weights = class_weights(self.settings.class_weights, facts.balance.pixels, facts.balance.pixels_where_present)
        if weights is not None and len(weights) != self.labels.num_classes:
            raise SettingsError(
                f"class_weights has {len(weights)} numbers but the dataset has {self.labels.num_classes} "
                "classes. Give one per class."
            )
        return None if weights is None else torch.tensor(weights, dtype=torch.float32, device=self.runtime.device)

    def _refuse_single_samples(self, model: Segmenter, state: TrainingState) -> None:
        processes = 1 if self.settings.sync_bn else self.runtime.world_size
        refuse_single_samples(model, math.ceil(self.settings.mini_batch_size / processes / state.pieces))

    def _introduce(self, model: Segmenter, state: TrainingState) -> None:
        parameters = sum(parameter.numel() for parameter in model.parameters())
        s = self.settings
        self.log.say(
            f"{s.algorithm} on {s.backbone}, {parameters / 1e6:.1f} M parameters, "
            f"{self.labels.num_classes} classes, {self.runtime.describe()}"
        )
        if model.backbone.note:
            self.log.say(str(model.backbone.note))
        self.log.say(
            f"{len(self.batches.pairs)} training and {len(self.report.pairs['validation'])} validation images, "
            f"{self.batches.steps_per_epoch} steps of {s.mini_batch_size} an epoch"
        )
        if state.updates:
            self.log.say(f"Resuming in epoch {state.epoch + 1} after {state.updates} updates")

    def _validate(self, model: Segmenter) -> Validation:
        def tell(images: int) -> None:
            self.log.on_validation(images * self.runtime.world_size)  # the others are about as far
            if self.stop.is_made:
                raise Interrupted("Stopped while validating.")

        return validate(
            model,
            self.validation,
            labels=self.labels,
            runtime=self.runtime,
            criterion=self.criterion,
            on_images=tell,
        )

    def _seconds_of_validation(self, model: Segmenter) -> float:
        """What validating will take, by the second of two batches; the first warms the machine up."""
        started = images = 0.0
        for _, batch in itertools.islice(self.validation, 2):
            started, images = time.monotonic(), len(batch.images)
            model.eval()
            likeliest(class_logits(model, batch.images, runtime=self.runtime)).cpu()
        return (time.monotonic() - started) * len(self.validation) / max(images, 1)

    def _keep_best(self, model: Segmenter, evaluation: Validation, state: TrainingState) -> None:
        self.best = evaluation.scores
        facts = {
            "training_images": len(self.batches.pairs),
            "validation_images": len(self.report.pairs["validation"]),
            "epoch": state.epoch,
            "machine": self.runtime.describe(),
        }
        made = provenance(date=time.strftime("%Y-%m-%d", time.gmtime()), data=facts)
        scores = {"split": "validation", **evaluation.scores.to_json()}
        weights = self.settings.backbone_weights
        # A bundle is for other people: it names the file of weights, not where it lay.
        settings = self.settings.changed(backbone_weights=Path(weights).name if weights else None)
        save_bundle(self.bundle, Bundle(settings, self.labels, scores, made, model.state_dict()))
        self.log.on_best(self.bundle)

    def _result(self, state: TrainingState) -> TrainingResult:
        scores = self._best_scores()
        minutes = state.seconds / 60
        self.log.say(
            f"Best validation mIoU {state.best_miou:.4f} in epoch {state.best_epoch} of {state.epoch}, "
            f"after {minutes:.1f} minutes."
        )
        return TrainingResult(self.folder, self.bundle, scores, state.best_epoch, state.epoch, state.seconds)

    def _best_scores(self) -> Scores:
        """Those of the bundle, in every process, though only the first one may see the folder."""
        classes = self.labels.num_classes
        counts = torch.zeros((classes, classes), dtype=torch.int64)
        if self.runtime.is_main:
            scores = self.best or _stored_scores(self.bundle, self.labels)
            counts += torch.from_numpy(scores.confusion.counts)
        shared = self.runtime.sum(counts.to(self.runtime.device)).cpu().numpy()
        return Scores(ConfusionMatrix(classes, shared), self.labels)


def _log(
    folder: Path, settings: Settings, runtime: Runtime, *, is_quiet: bool, listener: Observer | None
) -> AbstractContextManager[Observer]:
    """What writes and tells in process 0; the others are on machines that may not see the folder."""
    if not runtime.is_main:
        return contextlib.nullcontext(Observer())
    return RunLog(folder, settings, is_quiet=is_quiet, listener=listener)


def _stored_scores(bundle: Path, labels: LabelTable) -> Scores:
    """Scores of a bundle written before a resume, or by process 0."""
    content = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    return Scores.from_json(content["scores"], source=str(bundle / "model.json"))
