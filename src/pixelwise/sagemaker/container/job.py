"""A training job: what the platform says and brings -> a trained model where the platform takes it from."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.api.evaluations import evaluate
from pixelwise.api.training import train_checked
from pixelwise.bundle import FACTS_FILE, WEIGHTS_FILE, Bundle
from pixelwise.data.batches import steps_per_epoch
from pixelwise.data.check.dataset import CheckReport
from pixelwise.errors import DataError, ModelError, SettingsError, WeightsUnavailable
from pixelwise.outputs import made_folder, whole, write_text
from pixelwise.runtime import rank_here
from pixelwise.sagemaker.channels.channels import Channel
from pixelwise.sagemaker.container.log import JobLog
from pixelwise.sagemaker.container.models import packed_weights, read_model, weights_file
from pixelwise.sagemaker.hyperparameters.parse import Hyperparameters, sample_count_warning, to_settings
from pixelwise.sagemaker.log_lines import NO_TEST_DATA, Line, Say, final_record, schedule_line, serializing_line
from pixelwise.sagemaker.root import Resources, Root
from pixelwise.settings import Settings
from pixelwise.training.run import TrainingRequest, TrainingResult
from pixelwise.workers import available_cores

_NOT_EXTRA = ("checkpoints", "model", "*.tmp")


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What every process of a job knows."""

    root: Root
    hyperparameters: Hyperparameters
    channels: Mapping[str, Channel]
    folders: Mapping[str, Path]  # of images and masks, by channel
    report: CheckReport  # on the data, from `data.checked_data`
    resources: Resources
    scratch: Path  # shared by the processes of a host, gone after the job
    processes: int = 1  # of all hosts

    @property
    def run_folder(self) -> Path:
        """Where the run is kept: with the checkpoints, if the job has some, so that everything can be continued."""
        return (self.root.checkpoints if self.root.checkpoints.is_dir() else self.scratch) / "run"


def train_job(job: TrainingJob, say: Say) -> None:
    """Train, and leave the model in `<root>/model` and everything else in `<root>/output/data`.

    Every process of a job must call this; the first of them writes.

    Raises:
        PixelwiseError: its children say what went wrong; the best model so far is in place.
    """
    started = time.time()
    is_main = rank_here() == 0
    report, initial = job.report, _initial(job)
    settings = _settings(job, report, initial, say)
    log = JobLog(job.hyperparameters, settings, host=job.resources.host, publish=_publisher(job), say=say)
    training = time.time()
    try:
        result = _trained(job, report, settings, initial, log)
        if is_main:
            say(serializing_line(str(_publish(job, result.bundle))))
    finally:
        if is_main:
            _keep_extras(job)
    if is_main:
        _test(job, result, say)
        epochs = result.epochs
        say(final_record(host=job.resources.host, epochs=epochs, start=started, training=training, end=time.time()))


def _initial(job: TrainingJob) -> Bundle | None:
    """The model of an earlier job to go on from."""
    if "model" not in job.channels:
        return None
    if job.channels["model"].mode == "Pipe":
        raise SettingsError("Channel 'model' is in Pipe mode. Give it with TrainingInputMode File.")
    return read_model(job.root.data / "model", job.scratch / f"model-{rank_here()}")


def _settings(job: TrainingJob, report: CheckReport, initial: Bundle | None, say: Say) -> Settings:
    """Our settings for the job, and the lines that say what the schedule counts with."""
    hyperparameters, images = job.hyperparameters, len(report.pairs["train"])
    warning = sample_count_warning(hyperparameters, images)
    if warning:
        say(Line(warning))
    if initial is not None:  # its trunk has learned, whatever the job says of ImageNet
        hyperparameters = replace(hyperparameters, use_pretrained_model=True)
    settings = to_settings(hyperparameters, num_training_images=images, num_gpus=job.processes)
    if initial is not None:
        settings = settings.changed(align_corners=initial.settings.align_corners)
    elif settings.pretrained:
        weights = packed_weights(settings.backbone)
        settings = settings.changed(backbone_weights=None if weights is None else str(weights))
    each_host = job.processes // len(job.resources.hosts)
    if each_host > 1 and settings.num_workers is None:  # the processes of a host share its cores
        settings = settings.changed(num_workers=max(1, available_cores() // each_host))
    say(schedule_line(steps_per_epoch(images, settings), settings.epochs))
    return settings


def _trained(
    job: TrainingJob, report: CheckReport, settings: Settings, initial: Bundle | None, log: JobLog
) -> TrainingResult:
    folder = job.run_folder
    resumes = (folder / "checkpoints" / "last.pt").is_file()
    if resumes and (folder / "model" / FACTS_FILE).is_file() and rank_here() == 0:
        _publish(job, folder / "model")  # a job that is stopped again before it gets better has this one
    request = TrainingRequest(report, settings, folder, resume=resumes, is_quiet=True, initial=initial, listeners=[log])
    try:
        return train_checked(request)
    except WeightsUnavailable as error:
        raise ModelError(
            f"{error.found} The image has no {weights_file(settings.backbone)}: build it with that file, or give the "
            "job use_pretrained_model=False."
        ) from None
    except SettingsError as error:
        if resumes:
            hint = "A job that starts anew needs a checkpoint location (checkpoint_s3_uri) of its own."
            raise SettingsError(f"{error} {hint}") from None
        raise


def _publisher(job: TrainingJob) -> Callable[[Path], Path]:
    def publish(bundle: Path) -> Path:
        return _publish(job, bundle)

    return publish


def _publish(job: TrainingJob, bundle: Path) -> Path:
    """Copy a bundle's files to `<root>/model`, which may be a mount and cannot be replaced as a folder."""
    target = made_folder(job.root.model)
    write_text(target / "hyperparams.json", json.dumps(job.hyperparameters.to_texts(), indent=2) + "\n")
    with whole(target / WEIGHTS_FILE) as weights, whole(target / FACTS_FILE) as facts:
        shutil.copyfile(bundle / WEIGHTS_FILE, weights)
        shutil.copyfile(bundle / FACTS_FILE, facts)
    return target / WEIGHTS_FILE


def _keep_extras(job: TrainingJob) -> None:
    """Curves, log, settings and report go to `<root>/output/data`."""
    if job.run_folder.is_dir():
        ignored = shutil.ignore_patterns(*_NOT_EXTRA)
        shutil.copytree(job.run_folder, made_folder(job.root.extras), ignore=ignored, dirs_exist_ok=True)


def _test(job: TrainingJob, result: TrainingResult, say: Say) -> None:
    """Score the best model on the channel `test`, if it has masks."""
    if "test_annotation" not in job.folders:
        say(Line(NO_TEST_DATA))
        return
    folder, channels = job.root.extras / "test", dict(job.folders)
    try:
        scores = evaluate(result.bundle, job.root.data, split="test", channels=channels, output=folder).scores
    except DataError as error:  # the model is trained and in place: a fault of the test images does not undo it
        say(Line(f"The channel 'test' is not scored: {error}", logging.WARNING))
        return
    head = f"#test_score. host: {job.resources.host}"
    say(Line(f"{head}, test pixel_accuracy: {scores.pixel_accuracy!r} ."))
    say(Line(f"{head}, test mIOU: {scores.mean_iou_absent_as_zero!r} ."))
