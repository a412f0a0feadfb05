"""`pixelwise sagemaker cost`: what a training job will take, in a table for people or as JSON."""

import argparse
import json
from typing import Any

from pixelwise.sagemaker.cost.estimate import CostedJob
from pixelwise.sagemaker.cost.estimates import estimates

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
    job = CostedJob(**{name: value for name in _JOB if (value := getattr(options, name)) is not None})
    found = estimates(job, options.instance or (), table=options.instances, measured_run=options.measured_run)
    print(json.dumps(found.to_json(), indent=2) if options.json else found.text())
    return 0
