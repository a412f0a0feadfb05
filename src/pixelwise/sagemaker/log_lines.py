"""The log of a training job, line by line as the AWS container writes it, and the expressions that read it.

The formats follow a public log of `semantic-segmentation:1`; its dashboards, tuning jobs and scripts search these
lines. What that container does not measure has lines of ours, which no expression for its metrics matches.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

ALGORITHM = "AWS/Semantic Segmentation"
CHECKPOINTS_DISABLED = "Checkpoint loading and saving are disabled."
NO_LABEL_MAPS = "label maps not provided, using defaults."
NO_TEST_DATA = "Test data is not provided."

_QUALITY = r"#quality_metric\. host: \S+, epoch: \d+, "
_THROUGHPUT = r"#throughput_metric\. host: \S+, epoch: \d+, "
_SHARE = r"([0-9.eE+-]+|nan) \."
_LOSS = r"([0-9.eE+-]+|nan|inf) \."
_RATE = r"([0-9.eE+-]+) samples/sec"

# The container's five, then ours, then other spellings of both that notebooks look for.
_EXPRESSIONS = {
    "train:loss": f"{_QUALITY}train loss: {_LOSS}",
    "validation:mIOU": f"{_QUALITY}validation mIOU: {_SHARE}",
    "validation:pixel_accuracy": f"{_QUALITY}validation pixel_accuracy: {_SHARE}",
    "train:throughput": f"{_THROUGHPUT}train throughput: {_RATE}",
    "validation:throughput": f"{_THROUGHPUT}validation throughput: {_RATE}",
    "validation:loss": f"{_QUALITY}validation loss: {_LOSS}",
    "validation:mIOU_present": f"{_QUALITY}validation mIOU_present: {_SHARE}",
    "train:mIOU": f"{_QUALITY}train mIOU: {_SHARE}",
    "train:pixel_accuracy": f"{_QUALITY}train pixel_accuracy: {_SHARE}",
    "train:mIoU": f"{_QUALITY}train mIOU: {_SHARE}",
    "train:pixacc": f"{_QUALITY}train pixel_accuracy: {_SHARE}",
    "validation:mIoU": f"{_QUALITY}validation mIOU: {_SHARE}",
    "validation:pixacc": f"{_QUALITY}validation pixel_accuracy: {_SHARE}",
}


class Line(NamedTuple):
    """A message and its level; `bare` lines are printed without time, level and thread."""

    text: str
    level: int = logging.INFO
    bare: bool = False


Say = Callable[[Line], None]
"""What takes the lines of a job."""


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """What an epoch measured; None where nothing was, and then there is no line.

    Attributes:
        host: as resourceconfig.json calls it, such as algo-1.
        epoch: from 0 on.
        epochs: of the whole job.
        train_loss, validation_loss: in nats.
        train_throughput, validation_throughput: images per second.
        validation_miou: mean over all classes, absent ones as 0, which is what AWS calls mIOU.
        validation_miou_present: mean over the classes in truth or prediction.
        train_miou, pixel accuracies: in 0..1.
    """

    host: str
    epoch: int
    epochs: int
    train_loss: float | None = None
    train_throughput: float | None = None
    train_pixel_accuracy: float | None = None
    train_miou: float | None = None
    validation_loss: float | None = None
    validation_pixel_accuracy: float | None = None
    validation_miou: float | None = None
    validation_miou_present: float | None = None
    validation_throughput: float | None = None


def metric_definitions() -> list[dict[str, str]]:
    """`MetricDefinitions` for a job or a tuner: the same list as metric_definitions.json beside this file."""
    return [{"Name": name, "Regex": regex} for name, regex in _EXPRESSIONS.items()]


def log_formatter() -> logging.Formatter:
    """`[04/16/2020 22:06:15 INFO 140103637968704] message`."""
    return logging.Formatter("[%(asctime)s %(levelname)s %(thread)d] %(message)s", datefmt="%m/%d/%Y %H:%M:%S")


def configuration_lines(
    defaults: Mapping[str, str], default_path: str, given: Mapping[str, str], given_path: str, final: Mapping[str, str]
) -> list[Line]:
    """The three lines that tell where each hyperparameter comes from."""
    return [
        Line(f"Reading default configuration from {default_path}: {dict(defaults)}"),
        Line(f"Merging with provided configuration from {given_path}: {dict(given)}"),
        Line(f"Final configuration: {dict(final)}"),
    ]


def label_map_lines(label_maps: Mapping[str, Mapping[str, Any] | None]) -> list[Line]:
    """Per split the label map in use; None is the default, said once before them."""
    lines = []
    if any(label_map is None for label_map in label_maps.values()):
        lines.append(Line(NO_LABEL_MAPS, logging.WARNING))
    for split, label_map in label_maps.items():
        used = {"scale": 1} if label_map is None else dict(label_map)
        lines.append(Line(f"#label_map {split} :{used}"))
    return lines


def gpus_line(number: int) -> Line:
    """How many GPUs share the batches; 0 is the CPU."""
    return Line(f"Number of GPUs being used: {number}")


def schedule_line(iterations: int, epochs: int) -> Line:
    """What the learning rate's schedule counts with."""
    return Line(f"LRScheduler setup: iters per epoch: {iterations}, num_epochs {epochs}")


def training_notice(epoch: int, iterations: int, speed: float, learning_rate: float) -> Line:
    """Every so many iterations of training: `speed` in images per second, over the epoch so far."""
    notice = validation_notice(epoch, iterations, speed).text
    return Line(f"{notice} learning_rate: {learning_rate:.6f}")


def validation_notice(epoch: int, iterations: int, speed: float) -> Line:
    """Every so many iterations of validation."""
    return Line(f"#progress_notice. epoch: {epoch}, iterations: {iterations} speed: {_short(speed)} samples/sec")


def training_lines(epoch: EpochMetrics) -> list[Line]:
    """After an epoch's training: the container's lines, then ours."""
    ours = {"train pixel_accuracy": epoch.train_pixel_accuracy, "train mIOU": epoch.train_miou}
    return [
        *_quality(epoch, {"train loss": epoch.train_loss}),
        *_throughput(epoch, "train", epoch.train_throughput),
        *_quality(epoch, ours),
    ]


def validation_lines(epoch: EpochMetrics) -> list[Line]:
    """After an epoch's validation: the container's lines, then ours."""
    theirs = {
        "validation pixel_accuracy": epoch.validation_pixel_accuracy,
        "validation mIOU": epoch.validation_miou,
    }
    ours = {"validation loss": epoch.validation_loss, "validation mIOU_present": epoch.validation_miou_present}
    return [
        *_quality(epoch, theirs),
        *_throughput(epoch, "validation", epoch.validation_throughput),
        *_quality(epoch, ours),
    ]


def serializing_line(path: str) -> Line:
    """A model file is written: model_best.params after a better epoch, model_algo-1 at the end."""
    return Line(f"Serializing model to {path}")


def progress_line(host: str, epochs_done: int, epochs: int) -> Line:
    """How much of the job is over."""
    return Line(f"#progress_metric: host={host}, completed {100 * epochs_done // epochs} % of epochs")


def finished_lines(epoch: EpochMetrics, *, best_model: str | None = None, record: Line | None = None) -> list[Line]:
    """The lines at the end of an epoch, after those of its training, in the container's order.

    Args:
        epoch: what it measured.
        best_model: the file that was written because this epoch is the best so far.
        record: the epoch's `metrics_record`.
    """
    saved = [] if best_model is None else [serializing_line(best_model)]
    records = [] if record is None else [record]
    return [*validation_lines(epoch), *saved, progress_line(epoch.host, epoch.epoch + 1, epoch.epochs), *records]


def metrics_record(
    metrics: Mapping[str, float], *, host: str, start: float, end: float, epoch: int | None = None
) -> Line:
    """A `#metrics` line: one value per name, as its own count, maximum, sum and minimum.

    Args:
        metrics: such as {"Total Records Seen": 1456} of an epoch, or those of `final_record`.
        host: such as algo-1.
        start: seconds since 1970.
        end: the same.
        epoch: from 0 on; None for the job as a whole.
    """
    values = {name: {"count": 1, "max": value, "sum": float(value), "min": value} for name, value in metrics.items()}
    dimensions: dict[str, Any] = {"Host": host}
    if epoch is not None:
        dimensions["Meta"] = "training_data_iter"
    dimensions.update({"Operation": "training", "Algorithm": ALGORITHM})
    if epoch is not None:
        dimensions["epoch"] = epoch
    record = {"Metrics": values, "EndTime": end, "Dimensions": dimensions, "StartTime": start}
    return Line(f"#metrics {json.dumps(record)}", bare=True)


def epoch_record(epoch: EpochMetrics, *, batches: int, images: int, start: float, end: float) -> Line:
    """The `#metrics` line of an epoch of `batches` batches with `images` images in all."""
    metrics = {
        "Max Batches Seen Between Resets": batches,
        "Number of Batches Since Last Reset": batches,
        "Number of Records Since Last Reset": images,
        "Total Batches Seen": batches * (epoch.epoch + 1),
        "Total Records Seen": images * (epoch.epoch + 1),
        "Max Records Seen Between Resets": images,
        "Reset Count": epoch.epoch + 1,
    }
    return metrics_record(metrics, host=epoch.host, start=start, end=end, epoch=epoch.epoch)


def final_record(*, host: str, epochs: int, start: float, training: float, end: float) -> Line:
    """The last `#metrics` line; training began at `training` of the job's `start` to `end`, in seconds."""
    metrics = {"epochs": epochs, "totaltime": (end - start) * 1000, "setuptime": (training - start) * 1000}
    return metrics_record(metrics, host=host, start=start, end=end)


def _quality(epoch: EpochMetrics, measured: Mapping[str, float | None]) -> list[Line]:
    head = f"#quality_metric. host: {epoch.host}, epoch: {epoch.epoch}"
    return [Line(f"{head}, {name}: {float(value)!r} .") for name, value in measured.items() if value is not None]


def _throughput(epoch: EpochMetrics, split: str, rate: float | None) -> list[Line]:
    if rate is None:
        return []
    head = f"#throughput_metric. host: {epoch.host}, epoch: {epoch.epoch}"
    return [Line(f"{head}, {split} throughput: {_short(rate)} samples/sec.")]


def _short(value: float) -> str:
    """Twelve digits and always a point, as Python 2 prints a float, in which the container was written."""
    text = f"{value:.12g}"
    return text if not math.isfinite(value) or "." in text or "e" in text else f"{text}.0"
