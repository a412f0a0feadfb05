"""`pixelwise sagemaker launch ...`: print the requests that start a job or an endpoint, or send them."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from pixelwise.sagemaker.launch.options import (
    add_instance,
    add_job,
    add_model,
    add_sending,
    job_of,
    model_of,
)

_SCRIPTS = ("sdk2", "sdk3")


def add_launch(verbs: Any, parser_class: type[argparse.ArgumentParser]) -> None:
    """Add the verb `launch` with its own verbs."""
    text = "Start a training job, a tuning, an endpoint or a batch transform on SageMaker with your copy of the image."
    example = f"Example: {_TRAIN_EXAMPLE}"
    door = verbs.add_parser("launch", help=text, description=text, epilog=example)
    kinds = door.add_subparsers(metavar="COMMAND", required=True, parser_class=parser_class)
    for add in (_add_train, _add_tune, _add_endpoint, _add_transform):
        add(kinds)


_ROLE = "--role arn:aws:iam::123456789012:role/SageMaker"
_TRAIN_EXAMPLE = (
    f"pixelwise sagemaker launch train --image-uri IMAGE_URI {_ROLE} --data s3://bucket/streets "
    "--output s3://bucket/models --hyperparameter num_classes=21 --hyperparameter num_training_samples=1464"
)


def _verb(kinds: Any, name: str, *, text: str, example: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=text, description=text, epilog=f"Example: {example}")
    parser.set_defaults(run=run, flags=parser._option_string_actions)
    return parser


def _add_train(kinds: Any) -> None:
    parser = _verb(kinds, "train", text="Train a model.", example=_TRAIN_EXAMPLE, run=_train)
    add_job(parser)
    text = "folder to keep checkpoints in and to go on from (default: in --output, with --spot)"
    parser.add_argument("--checkpoints", metavar="S3", help=text)
    add_sending(parser)
    parser.add_argument(
        "--format",
        choices=("boto3", *_SCRIPTS),
        default="boto3",
        help="print the request (boto3), or a Python program for version 2 or 3 of the SageMaker SDK",
    )


def _add_tune(kinds: Any) -> None:
    example = (
        f"{_TRAIN_EXAMPLE.replace('launch train', 'launch tune')} --range learning_rate --range momentum=0.8..0.99"
    )
    parser = _verb(kinds, "tune", text="Search good hyperparameters with many jobs.", example=example, run=_tune)
    add_job(parser)
    parser.set_defaults(checkpoints=None)  # jobs of a tuning must not take up each other's training
    group = parser.add_argument_group("search")
    text = "learning_rate for its recommended range, momentum=0.8..0.99 or optimizer=sgd,nag; may be repeated "
    group.add_argument("--range", action="append", metavar="NAME[=RANGE]", help=f"{text}(default: all recommended)")
    text = "validation:mIOU or validation:pixel_accuracy (default: validation:mIOU)"
    group.add_argument("--objective", default="validation:mIOU", metavar="METRIC", help=text)
    group.add_argument("--max-jobs", type=int, default=20, metavar="N", help="in all (default: 20)")
    group.add_argument("--max-parallel-jobs", type=int, default=2, metavar="N", help="at a time (default: 2)")
    add_sending(parser)


def _add_endpoint(kinds: Any) -> None:
    model = "--model s3://bucket/models/streets/output/model.tar.gz"
    example = f"pixelwise sagemaker launch endpoint --image-uri IMAGE_URI {_ROLE} {model}"
    parser = _verb(kinds, "endpoint", text="Serve a model.", example=example, run=_endpoint)
    add_model(parser)
    add_instance(parser)
    add_sending(parser)


def _add_transform(kinds: Any) -> None:
    model = (
        "--model s3://bucket/models/streets/output/model.tar.gz --images s3://bucket/photos --output s3://bucket/masks"
    )
    example = f"pixelwise sagemaker launch transform --image-uri IMAGE_URI {_ROLE} {model}"
    parser = _verb(kinds, "transform", text="Predict a folder of images in S3.", example=example, run=_transform)
    add_model(parser)
    group = parser.add_argument_group("images and masks")
    group.add_argument("--images", required=True, metavar="S3", help="folder with images of one type")
    group.add_argument("--output", required=True, metavar="S3", help="folder for the masks, IMAGE.out each")
    group.add_argument("--content-type", default="image/jpeg", metavar="TYPE", help="of images (default: image/jpeg)")
    group.add_argument("--accept", default="image/png", metavar="TYPE", help="of what is made (default: image/png)")
    group.add_argument("--max-payload-mb", type=int, default=20, metavar="MB", help="the largest image (default: 20)")
    group.add_argument("--max-concurrent", type=int, default=4, metavar="N", help="images at once (default: 4)")
    add_instance(parser)
    add_sending(parser)


def _train(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.launch.job import training_request
    from pixelwise.sagemaker.launch.sdk2 import estimator_script
    from pixelwise.sagemaker.launch.sdk3 import trainer_script

    job = job_of(options, _name(options))
    if options.format in _SCRIPTS:
        _refuse_sending_a_script(options)
        print((estimator_script if options.format == "sdk2" else trainer_script)(job), end="")
        return 0
    return _print_or_send(options, {"create_training_job": training_request(job)})


def _tune(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.launch.tuning import RANGES, parse_ranges, tuning_request

    request = tuning_request(
        job_of(options, _name(options)),
        ranges=RANGES if options.range is None else parse_ranges(options.range),
        objective=options.objective,
        max_jobs=options.max_jobs,
        max_parallel_jobs=options.max_parallel_jobs,
    )
    return _print_or_send(options, {"create_hyper_parameter_tuning_job": request})


def _endpoint(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.launch.serving import endpoint_requests

    model = model_of(options, _name(options))
    instances = {"instance_type": options.instance_type, "instance_count": options.instance_count}
    return _print_or_send(options, endpoint_requests(model, **instances))


def _transform(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.launch.transform import Transform, transform_requests

    transform = Transform(
        images=options.images,
        output=options.output,
        content_type=options.content_type,
        accept=options.accept,
        instance_type=options.instance_type,
        instance_count=options.instance_count,
        max_payload_mb=options.max_payload_mb,
        max_concurrent=options.max_concurrent,
    )
    return _print_or_send(options, transform_requests(model_of(options, _name(options)), transform))


def _name(options: argparse.Namespace) -> str:
    """The given name, or one with the time, as names may be used once; short enough for a tuning job too."""
    return options.name or time.strftime("pixelwise-%Y%m%d-%H%M%S")


def _print_or_send(options: argparse.Namespace, requests: Mapping[str, Mapping[str, Any]]) -> int:
    """The requests as JSON with a word that nothing was sent; or the ARNs of what was made."""
    from pixelwise.errors import PixelwiseError
    from pixelwise.sagemaker.launch.sending import send

    text = json.dumps(requests, indent=2)
    if not options.send:
        print(text)
        print("Nothing was sent. Add --send to send it to AWS with your credentials.", file=sys.stderr)
        return 0
    try:
        arns = send(requests, region=options.region)
    except PixelwiseError:
        print(text)  # so that it can be sent another way
        raise
    print("\n".join(arns))
    return 0


def _refuse_sending_a_script(options: argparse.Namespace) -> None:
    from pixelwise.errors import SettingsError

    if options.send:
        raise SettingsError(f"--format {options.format} prints a program and sends nothing. Leave out --send, run it.")
