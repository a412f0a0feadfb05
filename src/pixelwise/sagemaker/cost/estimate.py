"""Hours and money of a training job on a rented instance: from FLOPs, a measured speed and a price list."""

import functools
import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pixelwise.errors import ModelError, SettingsError
from pixelwise.sagemaker.cost.table import Instance, InstanceTable
from pixelwise.settings import Settings

MEASURED_FACTOR = 1.3
"""How far other networks on a measured machine may differ. FCN, PSPNet and DeepLabV3 of MMSegmentation's model zoo
run at 7 to 11 TFLOP/s on one kind of GPU, a V100 in float32: 1.3 to both sides of the middle."""

_BACKWARD = 2  # a backward pass multiplies each activation and each weight once more: twice the forward pass
_BYTES_PER_PARAMETER = 20  # float32: the weight, its gradient, two moments of the optimizer, its average
_USABLE_MEMORY = 0.9


class Range(NamedTuple):
    """A likely value and its bounds."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> "Range":
        """All three times `factor`."""
        return Range(*(value * factor for value in self))


@dataclass(frozen=True, kw_only=True)
class CostedJob:
    """What is to be trained; the defaults are those of the SageMaker algorithm.

    Attributes:
        images: to train on.
        epochs: passes over them.
        algorithm, backbone, crop_size, num_classes, mini_batch_size: as the hyperparameters of these names; the
            network has output stride 8 and an auxiliary head.
        validation_images: looked at after each epoch; None for a quarter of `images`, as a split of 80 : 20 has it.
        validation_size: side of a square with as many pixels as a validated picture; None for the crop.

    Raises:
        SettingsError: a value cannot be used.
    """

    images: int
    epochs: int = 10
    algorithm: str = "fcn"
    backbone: str = "resnet-50"
    crop_size: int = 240
    num_classes: int = 21
    mini_batch_size: int = 16
    validation_images: int | None = None
    validation_size: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("images", 1), ("validation_images", 0), ("validation_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsError(f"{name} is {value}, expected a whole number of at least {least}.")
        Settings(epochs=self.epochs, mini_batch_size=self.mini_batch_size)
        self.network()

    @property
    def validated(self) -> int:
        """Images that are validated after each epoch."""
        return self.images // 4 if self.validation_images is None else self.validation_images

    def network(self) -> Settings:
        """Settings of the network alone."""
        names = ("algorithm", "backbone", "crop_size", "num_classes")
        return Settings(**{name: getattr(self, name) for name in names}, output_stride=8, aux_loss_weight=0.5)


class Work(NamedTuple):
    """What a network costs for one image of its crop size."""

    training_flops: int  # forward and backward, an auxiliary head included; a multiply-add counts 2
    prediction_flops: int  # forward, without an auxiliary head
    kept: dict[str, int]  # bytes kept for the backward pass, by precision
    parameters: int


class Speed(NamedTuple):
    """FLOPs a second of a whole machine; the true value should lie within `factor` to both sides."""

    flops: float
    factor: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a job takes on an instance.

    Attributes:
        instance: the machine.
        speed: what was counted with.
        startup_seconds: start, downloads and saving.
        training_seconds, validation_seconds: likely.
        hours: in all.
        on_demand, spot: in USD; spot with the saving that the table assumes.
        warnings: why it may not run like this, each with what to do.
    """

    instance: Instance
    speed: Speed
    startup_seconds: float
    training_seconds: float
    validation_seconds: float
    hours: Range
    on_demand: Range
    spot: Range
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        nested = {name: getattr(self, name)._asdict() for name in ("speed", "hours", "on_demand", "spot")}
        return {**vars(self), "instance": self.instance.name, "gpu": self.instance.gpu.name, **nested}


def estimate(job: CostedJob, instance: Instance, table: InstanceTable, *, speed: Speed | None = None) -> Estimate:
    """How long `job` takes on `instance`, and what that costs.

    Training and validation go at the speed of the GPUs or of the virtual cores that read the images, whichever is
    slower; the start is added once. Only what is computed is uncertain by the factor of the speed, not the start.

    Args:
        job: what is trained.
        instance: one of the table's.
        table: prices and rates.
        speed: measured on this instance; without it, the table's of its GPU.

    Raises:
        SettingsError: the network of `job` is unknown or cannot be described.
    """
    work = work_of(job.network())
    speed = speed or speed_of(instance, table)
    scale = 1.0 if job.validation_size is None else (job.validation_size / job.crop_size) ** 2
    reading = instance.cpus * table.training_images_per_second_per_cpu
    scoring = instance.cpus * table.validation_images_per_second_per_cpu
    training = job.epochs * job.images * max(work.training_flops / speed.flops, 1 / reading)
    validation = job.epochs * job.validated * max(scale * work.prediction_flops / speed.flops, 1 / scoring)
    busy, start = training + validation, table.startup_seconds
    hours = Range(start + busy / speed.factor, start + busy, start + busy * speed.factor).times(1 / 3600)
    return Estimate(
        instance=instance,
        speed=speed,
        startup_seconds=start,
        training_seconds=training,
        validation_seconds=validation,
        hours=hours,
        on_demand=hours.times(instance.usd_per_hour),
        spot=hours.times(instance.usd_per_hour * (1 - table.spot_saving)),
        warnings=tuple(_warnings(job, instance, work)),
    )


@functools.lru_cache(maxsize=16)
def work_of(settings: Settings) -> Work:
    """What the network of `settings` costs for one crop. Raises SettingsError as `describe` of the models does."""
    from pixelwise.models.description.describe import describe

    network = describe(settings, settings.num_classes or 2)
    forward = sum(row.flops for row in network.rows)
    return Work((1 + _BACKWARD) * forward, network.flops, network.activations._asdict(), network.parameters)


def speed_of(instance: Instance, table: InstanceTable) -> Speed:
    """By the data sheet of the GPU and the fraction of it that training is known to reach."""
    gpu = instance.gpu
    sharing = 1.0 if instance.gpus == 1 else table.multi_gpu_efficiency
    return Speed(instance.gpus * sharing * gpu.fraction * gpu.peak_tflops * 1e12, gpu.factor, gpu.source)


def measured_speed(run: Path) -> Speed:
    """Of the machine that trained the folder `run`: the median over its epochs, the first one aside.

    Raises:
        ModelError: the folder holds no run with a finished epoch.
    """
    path = run / "metrics.jsonl"
    try:
        settings = Settings.of(json.loads((run / "settings.json").read_text(encoding="utf-8")))
        lines = path.read_text(encoding="utf-8").splitlines()
        rates = [float(json.loads(line)["train_images_per_second"]) for line in lines]
    except (OSError, ValueError, TypeError, KeyError, SettingsError) as error:
        raise ModelError(
            f"{run}: is not a run that can be measured ({error}). Expected a folder that `pixelwise train` wrote, "
            "with settings.json and metrics.jsonl."
        ) from None
    rates = [rate for rate in rates[1:] or rates if math.isfinite(rate) and rate > 0]
    if not rates:
        raise ModelError(f"{path}: holds no finished epoch. Train for one at least; two measure better.")
    rate = statistics.median(rates)
    source = f"Measured by {run}: {rate:.3g} images a second of {settings.algorithm} on {settings.backbone}."
    return Speed(rate * work_of(settings).training_flops, MEASURED_FACTOR, source)


def _warnings(job: CostedJob, instance: Instance, work: Work) -> list[str]:
    gpus, gpu = instance.gpus, instance.gpu
    if job.mini_batch_size < 2 * gpus:
        return [
            f"batches of {job.mini_batch_size} leave fewer than 2 images for each of {gpus} GPUs; "
            f"give --mini-batch-size {2 * gpus} or more"
        ]
    each, fixed = work.kept[gpu.precision], _BYTES_PER_PARAMETER * work.parameters
    usable = _USABLE_MEMORY * gpu.memory_gib * 2**30
    needed = math.ceil(job.mini_batch_size / gpus) * each + fixed
    if needed <= usable:
        return []
    most = gpus * int((usable - fixed) / each)
    remedy = f"give --mini-batch-size {most}" if most >= 2 * gpus else "give a smaller --crop-size"
    return [
        f"batches of {job.mini_batch_size} likely do not fit, about {needed / 2**30:.0f} GiB for a GPU of "
        f"{gpu.memory_gib:g} GiB; {remedy}"
    ]
