"""A run: a checked dataset and settings -> RUN with checkpoints, metrics, log and the best bundle."""

import hashlib
import itertools
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import pixelwise.runtime as machine
from pixelwise.bundle import Bundle, provenance, save_bundle
from pixelwise.data.advice import class_weights
from pixelwise.data.batches import EvaluationBatches, TrainingBatches
from pixelwise.data.check import CheckReport
from pixelwise.data.pairs import Pair
from pixelwise.errors import Interrupted, ModelError, SettingsError
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter, build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.evaluate import Evaluation, evaluate
from pixelwise.scoring.metrics import Scores
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import Checkpoints, TrainingState
from pixelwise.training.clock import Clock
from pixelwise.training.initial import start_from
from pixelwise.training.interrupt import StopRequest, listen
from pixelwise.training.learner import Learner
from pixelwise.training.loop import Surroundings, fit
from pixelwise.training.losses import Criterion, build_criterion
from pixelwise.training.progress import Observer, RunLog

_OURS = {"settings.json", "metrics.jsonl", "checkpoints", "model", "report", "log.txt", "tensorboard"}


@dataclass(frozen=True)
class TrainingResult:
    """What a run gave: its folder, the folder of the best bundle, its validation scores, where they arose."""

    folder: Path
    bundle: Path
    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float


def prepare_folder(folder: Path, *, resume: bool) -> None:
    """Make sure that `folder` can take a new run, or holds one to resume.

    Raises:
        SettingsError: it holds a run, or something that is not ours, and `resume` is off; it is a file.
        ModelError: there is nothing to resume.
    """
    # A run that failed at its start (no weights, say) left nothing worth keeping: the next may take its place.
    holds_run = (folder / "checkpoints" / "last.pt").exists() or (folder / "model").exists()
    if resume and not (folder / "settings.json").is_file():
        raise ModelError(f"{folder}: holds no run to resume (no settings.json). Train without --resume.")
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: is a file, expected a folder for the run. Give another --output.")
    if resume or not folder.exists():
        return
    if holds_run:
        raise SettingsError(
            f"{folder}: holds a run already. Continue it with --resume, or give another --output folder."
        )
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
    if foreign:
        raise SettingsError(
            f"{folder}: is not empty (it holds {foreign[0]!r}). Give a new --output folder for the run."
        )


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
        folder: see `prepare_folder`.
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
        _create(folder, settings, runtime)
        told = listener if runtime.is_main else None
        with RunLog(folder, settings, is_quiet=is_quiet or not runtime.is_main, listener=told) as log:
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
        log: RunLog,
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

    def _validate(self, model: Segmenter) -> Evaluation:
        def tell(images: int) -> None:
            self.log.on_validation(images)
            if self.stop.is_made:
                raise Interrupted("Stopped while validating.")

        return evaluate(
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

    def _keep_best(self, model: Segmenter, evaluation: Evaluation, state: TrainingState) -> None:
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
        self.runtime.barrier()
        scores = self.best or _stored_scores(self.bundle, self.labels)
        minutes = state.seconds / 60
        self.log.say(
            f"Best validation mIoU {state.best_miou:.4f} in epoch {state.best_epoch} of {state.epoch}, "
            f"after {minutes:.1f} minutes. The model: {self.bundle}"
        )
        return TrainingResult(self.folder, self.bundle, scores, state.best_epoch, state.epoch, state.seconds)


def fingerprint(pairs: Sequence[Pair]) -> str:
    """A digest of the names and sizes of the training files: resuming on other data cannot be exact."""
    digest = hashlib.sha256()
    for pair in pairs:
        sizes = [path.stat().st_size for path in (pair.image, pair.mask) if path is not None]
        digest.update(f"{pair.name} {sizes}\n".encode())
    return digest.hexdigest()


def read_run_settings(folder: Path) -> dict[str, Any]:
    """The settings that the run in `folder` began with."""
    path = folder / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read ({error}). Start a new run in another --output folder.") from None


def _create(folder: Path, settings: Settings, runtime: Runtime) -> None:
    if runtime.is_main:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / "settings.json.tmp"
            temporary.write_text(json.dumps(settings.to_json(), indent=2) + "\n", encoding="utf-8")
            os.replace(temporary, folder / "settings.json")
        except OSError as error:
            raise SettingsError(f"{folder}: cannot be written ({error.strerror}). Give another --output.") from None
    runtime.barrier()


def _stored_scores(bundle: Path, labels: LabelTable) -> Scores:
    """Scores of a bundle written before a resume, or by process 0."""
    content = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    return Scores.from_json(content["scores"], source=str(bundle / "model.json"))
