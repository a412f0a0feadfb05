"""What the container is called with: `train`, `serve`, or nothing, which means a job if there is one."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.sagemaker.root import CONTAINER_ROOT, Root
from pixelwise.values import unknown_name


def main(arguments: Sequence[str], *, root: Path = CONTAINER_ROOT) -> int:
    """Run the container's command; return the exit code.

    Local mode of the SageMaker SDK starts a container without a word: then it trains, if there is a job, and else
    shows its help.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pixelwise.sagemaker",
        description="Train a SageMaker job or serve its model.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(metavar="COMMAND")
    add_train(verbs, default=root)
    add_serve(verbs, default=root)
    known = tuple(verbs.choices)
    _add_work(verbs)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in verbs.choices:
        parser.error(unknown_name(arguments[0], known, "command"))
    if not arguments and Root(root).config.is_dir():
        arguments = ["train"]
    options, _ignored = parser.parse_known_args(list(arguments))  # platforms add words of their own
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    code: int = options.run(options)
    return code


def add_train(verbs: Any, *, default: Path = CONTAINER_ROOT) -> None:
    """The verb `train`."""
    text = "Run a training job as the container does: hyperparameters, channels, log lines, artefacts, exit codes."
    example = "Example: pixelwise sagemaker train --root job"
    parser = verbs.add_parser("train", help=text, description=text, epilog=example)
    _add_root(parser, "with input/config and input/data", default)
    parser.set_defaults(run=_train, flags=parser._option_string_actions)


def add_serve(verbs: Any, *, default: Path = CONTAINER_ROOT) -> None:
    """The verb `serve`."""
    text = "Serve a job's model as the container does, on port 8080 or SAGEMAKER_BIND_TO_PORT."
    example = "Example: pixelwise sagemaker serve --root job"
    parser = verbs.add_parser("serve", help=text, description=text, epilog=example)
    _add_root(parser, "with model/, ours or the old image's", default)
    parser.set_defaults(run=_serve, flags=parser._option_string_actions)


def _add_root(parser: argparse.ArgumentParser, what: str, default: Path) -> None:
    parser.add_argument(
        "--root", default=str(default), metavar="DIR", help=f"the folder {what} (default: {CONTAINER_ROOT})"
    )


def _add_work(verbs: Any) -> None:
    parser = verbs.add_parser("work")  # one of several processes; `train` starts them
    parser.add_argument("--root", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--folders", required=True)
    parser.add_argument("--processes", type=int, required=True)
    parser.set_defaults(run=_work)


def _train(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.container.container import train

    return train(Path(options.root))


def _serve(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.container.container import serve

    return serve(Path(options.root))


def _work(options: argparse.Namespace) -> int:
    from pixelwise.sagemaker.container.container import work

    return work(Path(options.root), Path(options.scratch), json.loads(options.folders), options.processes)
