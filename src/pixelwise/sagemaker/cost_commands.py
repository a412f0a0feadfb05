"""`pixelwise sagemaker cost`: what a training job will take, in a table for people or as JSON."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.cost import Estimate, Job, Range, Speed, estimate, measured_speed, work_of
from pixelwise.sagemaker.cost_table import INSTANCES, InstanceTable

_JOB = {
    "images": "images to train on",
    "epochs": "passes over them (default: 10)",
    "algorithm": "fcn, psp, deeplab or another head (default: fcn)",
    "backbone": "resnet-50, resnet-101 or another trunk (default: resnet-50)",
    "crop_size": "side of the training crops in pixels (default: 240)",
    "num_classes": "classes, the background included (default: 21)",
    "mini_batch_size": "images per update, over all GPUs (default: 16)",
    "validation_images": "images to validate on after each epoch (default: a quarter of --images)",
    "validation_size": "side of a validated picture when it is not the crop: whole images",
}
_TEXTS = ("algorithm", "backbone")
_COLUMNS = ("instance", "GPUs", "hours", "on demand USD", "spot USD")


def add_cost(verbs: Any) -> None:
    """Add the verb `cost`."""
    text = "Estimate hours and money of a training job, from the network's FLOPs and a price list."
    example = (
        "Example: pixelwise sagemaker cost --images 5000 --epochs 30 --algorithm deeplab --crop-size 480 "
        "--mini-batch-size 8 --instance ml.p3.2xlarge"
    )
    parser = verbs.add_parser("cost", help=text, description=text, epilog=example)
    for name, meaning in _JOB.items():
        is_text = name in _TEXTS
        flag, metavar = f"--{name.replace('_', '-')}", "NAME" if is_text else "N"
        kind = str if is_text else int
        parser.add_argument(flag, type=kind, metavar=metavar, required=name == "images", help=meaning)
    parser.add_argument(
        "--instance", action="append", metavar="NAME", help="such as ml.g5.xlarge; may be repeated (default: all)"
    )
    parser.add_argument("--instances", metavar="FILE", help="an edited copy of the table of instances and prices")
    parser.add_argument(
        "--measured-run", metavar="RUN", help="a run that was trained on the one --instance: count with its speed"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_cost, flags=parser._option_string_actions)


def _cost(options: argparse.Namespace) -> int:
    table = InstanceTable.read(INSTANCES if options.instances is None else Path(options.instances))
    instances = table.chosen(tuple(dict.fromkeys(options.instance or ())))
    job = Job(**{name: value for name in _JOB if (value := getattr(options, name)) is not None})
    speed = None
    if options.measured_run is not None:
        if len(options.instance or ()) != 1:
            raise SettingsError("--measured-run needs the one --instance that the run was trained on.")
        speed = measured_speed(Path(options.measured_run))
    found = sorted(
        (estimate(job, instance, table, speed=speed) for instance in instances), key=lambda one: one.on_demand.likely
    )
    print(json.dumps(_facts(job, table, found), indent=2) if options.json else _text(job, table, found))
    return 0


def _facts(job: Job, table: InstanceTable, found: Sequence[Estimate]) -> dict[str, Any]:
    prices = {name: getattr(table, name) for name in ("date", "region", "source", "spot_saving")}
    return {
        "job": {**vars(job), "validation_images": job.validated},
        "training_flops_per_image": work_of(job.network()).training_flops,
        "prices": {**prices, "file": str(table.path)},
        "estimates": [one.to_json() for one in found],
    }


def _text(job: Job, table: InstanceTable, found: Sequence[Estimate]) -> str:
    flops = work_of(job.network()).training_flops
    title = (
        f"{job.algorithm} on {job.backbone}, crops of {job.crop_size} px: {job.images:,} images x {job.epochs} epochs "
        f"x {flops / 1e12:.3g} TFLOP = {job.images * job.epochs * flops / 1e15:.3g} PFLOP.\n"
        f"{job.validated:,} images are validated after each epoch."
    )
    prices = (
        f"Prices of {table.region}, {table.date}, without storage and transfer; spot assumes "
        f"{100 * table.spot_saving:.0f} % off. Check them and edit a copy of {table.path} for --instances."
    )
    return "\n".join([title, "", *_lines(found), "", *_uncertainty(found), *_warnings(found), prices])


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
