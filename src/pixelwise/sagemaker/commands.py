"""`pixelwise sagemaker ...`: what the command line offers to people who come from SageMaker."""

import argparse
import json
from pathlib import Path
from typing import Any

from pixelwise.labels import LabelTable
from pixelwise.sagemaker.container.commands import add_serve, add_train
from pixelwise.sagemaker.cost.commands import add_cost
from pixelwise.sagemaker.launch.commands import add_launch


def add_commands(commands: Any, parser_class: type[argparse.ArgumentParser]) -> None:
    """Add the verb `sagemaker` with its own verbs."""
    text = "Jobs, endpoints and models of Amazon SageMaker's Semantic Segmentation algorithm, on this engine."
    example = "Example: pixelwise sagemaker train --root job"
    door = commands.add_parser("sagemaker", help=text, description=text, epilog=example)
    verbs = door.add_subparsers(metavar="COMMAND", required=True, parser_class=parser_class)
    add_train(verbs)
    add_serve(verbs)
    _add_import(verbs)
    add_launch(verbs, parser_class)
    add_cost(verbs)


def _add_import(verbs: Any) -> None:
    text = "Read a trained MXNet artefact and write a model that gives the same masks."
    example = "Example: pixelwise sagemaker import model.tar.gz bundle --classes classes.json"
    parser = verbs.add_parser("import", help=text, description=text, epilog=example)
    parser.add_argument("model", metavar="MODEL", help="model.tar.gz of a training job, or its unpacked folder")
    parser.add_argument("output", metavar="OUT", help="folder of the new bundle")
    parser.add_argument("--classes", metavar="FILE", help="class names and colours, like classes.json")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_import, flags=parser._option_string_actions)


def _import(options: argparse.Namespace) -> int:
    from pixelwise.bundle import load_bundle
    from pixelwise.sagemaker.artefact.convert import import_model

    labels = None if options.classes is None else LabelTable.read(Path(options.classes))
    folder = import_model(Path(options.model), Path(options.output), labels=labels)
    bundle = load_bundle(folder)
    settings, classes = bundle.settings, bundle.labels.num_classes
    facts = {"bundle": str(folder), "algorithm": settings.algorithm, "backbone": settings.backbone, "classes": classes}
    text = f"{folder}: {settings.algorithm} on {settings.backbone}, {classes} classes, ready to predict and evaluate."
    print(json.dumps(facts, indent=2) if options.json else text)
    return 0
