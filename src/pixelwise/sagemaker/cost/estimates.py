"""The estimates of a job on one or many instances, cheapest first: the work of `pixelwise sagemaker cost`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.cost.estimate import CostedJob, Estimate, Range, Speed, estimate, measured_speed, work_of
from pixelwise.sagemaker.cost.table import INSTANCES, InstanceTable

_COLUMNS = ("instance", "GPUs", "hours", "on demand USD", "spot USD")


@dataclass(frozen=True)
class Estimates:
    """What a job takes on each instance, the cheapest first."""

    job: CostedJob
    table: InstanceTable
    instances: tuple[Estimate, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        prices = {name: getattr(self.table, name) for name in ("date", "region", "source", "spot_saving")}
        return {
            "job": {**vars(self.job), "validation_images": self.job.validated},
            "training_flops_per_image": work_of(self.job.network()).training_flops,
            "prices": {**prices, "file": str(self.table.path)},
            "estimates": [one.to_json() for one in self.instances],
        }

    def text(self) -> str:
        """A table for people, with what it rests on."""
        job, table, found = self.job, self.table, self.instances
        flops = work_of(job.network()).training_flops
        title = (
            f"{job.algorithm} on {job.backbone}, crops of {job.crop_size} px: {job.images:,} images x {job.epochs} "
            f"epochs x {flops / 1e12:.3g} TFLOP = {job.images * job.epochs * flops / 1e15:.3g} PFLOP.\n"
            f"{job.validated:,} images are validated after each epoch."
        )
        prices = (
            f"Prices of {table.region}, {table.date}, without storage and transfer; spot assumes "
            f"{100 * table.spot_saving:.0f} % off. Check them and edit a copy of {table.path} for --instances."
        )
        return "\n".join([title, "", *_lines(found), "", *_uncertainty(found), *_warnings(found), prices])


def estimates(
    job: CostedJob,
    instances: Sequence[str] = (),
    *,
    table: str | os.PathLike[str] | None = None,
    measured_run: str | os.PathLike[str] | None = None,
) -> Estimates:
    """`estimate` for the `instances` of that name, all by default.

    Args:
        job: what is to be trained.
        instances: names such as ml.g5.xlarge.
        table: an edited copy of the table of instances and prices.
        measured_run: a run that was trained on the one instance: its speed is counted with.

    Raises:
        SettingsError: an instance is unknown, the table cannot be used, or the network cannot be described.
    """
    prices = InstanceTable.read(INSTANCES if table is None else Path(table))
    chosen = prices.chosen(tuple(dict.fromkeys(instances)))
    speed = None
    if measured_run is not None:
        if len(instances) != 1:
            raise SettingsError("--measured-run needs the one --instance that the run was trained on.")
        speed = measured_speed(Path(measured_run))
    found = (estimate(job, instance, prices, speed=speed) for instance in chosen)
    return Estimates(job, prices, tuple(sorted(found, key=lambda one: one.on_demand.likely)))


def _lines(found: Sequence[Estimate]) -> list[str]:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for one in found:
        gpus = f"{one.instance.gpus} x {one.instance.gpu.name}"
        rows.append((one.instance.name, gpus, *map(_short, (one.hours, one.on_demand, one.spot))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _short(value: Range) -> str:
    likely, low, high = (f"{number:.2f}" for number in (value.likely, value.low, value.high))
    return f"{likely} ({low} to {high})"


def _uncertainty(found: Sequence[Estimate]) -> list[str]:
    """A sentence for each speed that was counted with."""
    kinds: dict[str, tuple[str, Speed]] = {}
    for one in found:
        kinds.setdefault(one.instance.gpu.name, (f"{one.speed.flops / one.instance.gpus / 1e12:.3g}", one.speed))
    return [
        f"{gpu}: {each} TFLOP/s each, right within a factor of {speed.factor:g}. {speed.source}"
        for gpu, (each, speed) in kinds.items()
    ]


def _warnings(found: Sequence[Estimate]) -> list[str]:
    """Each warning once, with the instances that it is about."""
    names: dict[str, list[str]] = {}
    for one in found:
        for warning in one.warnings:
            names.setdefault(warning, []).append(one.instance.name)
    return [f"{', '.join(about)}: {warning}." for warning, about in names.items()]
