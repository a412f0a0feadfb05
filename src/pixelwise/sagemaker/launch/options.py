"""Flags that describe a job or a model that is to be launched, and what they say."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.inputs import Input, channel_inputs, folder_inputs, manifest_inputs, model_input
from pixelwise.sagemaker.launch.job import LaunchedJob
from pixelwise.sagemaker.launch.serving import SERVING_INSTANCE, Model
from pixelwise.values import parse_duration


def add_job(parser: argparse.ArgumentParser) -> None:
    """What a training job is made of."""
    _add_container(parser)
    group = parser.add_argument_group("data in S3: a folder, or channels, or manifests")
    group.add_argument("--data", metavar="S3", help="folder with train/, train_annotation/, validation/ and so on")
    group.add_argument("--label-map", action="store_true", help="the folder of --data has label_map/ too")
    group.add_argument("--channel", action="append", metavar="NAME=S3", help="one channel; to be repeated")
    group.add_argument("--train-manifest", metavar="S3", help="augmented manifest of the training images")
    group.add_argument("--validation-manifest", metavar="S3", help="augmented manifest of the validation images")
    group.add_argument("--label", metavar="NAME-ref", help="attribute of the manifests with the masks")
    group.add_argument("--validation-label", metavar="NAME-ref", help="the same of the validation, if it differs")
    group.add_argument(
        "--input-mode", default="File", help="File copies the data first, FastFile reads on (default: File)"
    )
    group.add_argument("--model", metavar="S3", help="model.tar.gz of an earlier job, to train on from")
    group.add_argument("--output", required=True, metavar="S3", help="folder for the model")
    group = parser.add_argument_group("hyperparameters")
    group.add_argument("--hyperparameter", action="append", metavar="NAME=VALUE", help="one of them; may be repeated")
    group.add_argument("--hyperparameters", metavar="FILE", help="a JSON object of them; --hyperparameter wins over it")
    group = parser.add_argument_group("machine")
    text = "with all its GPUs (default: ml.g5.2xlarge)"
    group.add_argument("--instance-type", default="ml.g5.2xlarge", metavar="TYPE", help=text)
    group.add_argument("--volume-gb", type=int, default=50, metavar="GB", help="of the disk (default: 50)")
    group.add_argument("--max-run", default="24h", metavar="TIME", help="stop then, such as 90m (default: 24h)")
    group.add_argument("--spot", action="store_true", help="on spare capacity, which may be taken away for a while")
    text = "waiting and running together, with --spot (default: twice --max-run)"
    group.add_argument("--max-wait", metavar="TIME", help=text)


def add_model(parser: argparse.ArgumentParser) -> None:
    """What a served model is made of."""
    _add_container(parser)
    parser.add_argument("--model", required=True, metavar="S3", help="model.tar.gz of a training job")


def add_instance(parser: argparse.ArgumentParser) -> None:
    """Machines that predict."""
    group = parser.add_argument_group("machines")
    text = f"default: {SERVING_INSTANCE}"
    group.add_argument("--instance-type", default=SERVING_INSTANCE, metavar="TYPE", help=text)
    group.add_argument("--instance-count", type=int, default=1, metavar="N", help="how many (default: 1)")


def add_sending(parser: argparse.ArgumentParser) -> None:
    """Whether and where the requests are sent."""
    group = parser.add_argument_group("sending")
    group.add_argument("--send", action="store_true", help="send it to AWS, which costs money; otherwise it is printed")
    group.add_argument("--region", help="such as eu-central-1 (default: of your AWS settings)")


def job_of(options: argparse.Namespace, name: str) -> LaunchedJob:
    """The job that the flags of `add_job` describe."""
    return LaunchedJob(
        name=name,
        image_uri=options.image_uri,
        role=options.role,
        inputs=_inputs(options),
        output=options.output,
        hyperparameters=_hyperparameters(options),
        instance_type=options.instance_type,
        volume_gb=options.volume_gb,
        max_run=_seconds("--max-run", options.max_run),
        spot=options.spot,
        max_wait=None if options.max_wait is None else _seconds("--max-wait", options.max_wait),
        checkpoints=options.checkpoints,
        is_isolated=options.network_isolation,
    )


def model_of(options: argparse.Namespace, name: str) -> Model:
    """The model that the flags of `add_model` describe."""
    return Model(
        name=name,
        image_uri=options.image_uri,
        role=options.role,
        data=options.model,
        is_isolated=options.network_isolation,
    )


def _add_container(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image-uri", required=True, metavar="URI", help="the image in a registry of yours")
    parser.add_argument("--role", required=True, metavar="ARN", help="the role that the container runs under")
    parser.add_argument("--name", help="letters, digits, hyphens (default: pixelwise- and the time)")
    parser.add_argument("--network-isolation", action="store_true", help="the container reaches no network")


def _inputs(options: argparse.Namespace) -> tuple[Input, ...]:
    """The channels of the one way in which the data was given, and the earlier model."""
    ways = {
        "--data": options.data,
        "--channel": options.channel,
        "--train-manifest": options.train_manifest or options.validation_manifest,
    }
    given = [flag for flag, value in ways.items() if value]
    if len(given) != 1:
        raise SettingsError(f"data: found {' and '.join(given) or 'none'}, expected one of {', '.join(ways)}.")
    if options.label_map and not options.data:
        raise SettingsError("--label-map belongs to --data. Give the folder as --channel label_map=S3 here.")
    if options.data:
        inputs = folder_inputs(options.data, label_map=options.label_map, mode=options.input_mode)
    elif options.channel:
        inputs = channel_inputs(_pairs("--channel", options.channel), mode=options.input_mode)
    else:
        inputs = _manifests(options)
    return inputs if options.model is None else (*inputs, model_input(options.model))


def _manifests(options: argparse.Namespace) -> tuple[Input, ...]:
    train, validation, label = options.train_manifest, options.validation_manifest, options.label
    if not (train and validation and label):
        raise SettingsError("manifests: expected --train-manifest, --validation-manifest and --label together.")
    return manifest_inputs(train, validation, label, validation_label=options.validation_label)


def _hyperparameters(options: argparse.Namespace) -> dict[str, Any]:
    """Those of the file, and over them those of the flags."""
    content: Any = {}
    if options.hyperparameters is not None:
        path = Path(options.hyperparameters)
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(f"{path}: cannot be read as JSON ({error}). Expected names and values.") from None
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: holds {type(content).__name__}, expected an object of names and values.")
    return {**content, **_pairs("--hyperparameter", options.hyperparameter or ())}


def _pairs(flag: str, texts: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in pairs:
            raise SettingsError(f"{flag} {text!r}: expected NAME=VALUE, and each name once.")
        pairs[name] = value
    return pairs


def _seconds(flag: str, text: str) -> int:
    try:
        return int(parse_duration(text))
    except ValueError:
        raise SettingsError(f"{flag} is {text!r}, expected a time such as 90m, 12h or 3600.") from None
