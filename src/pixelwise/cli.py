"""The command line: one short function per verb; everything else is in the API."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pixelwise.errors import PixelwiseError, SettingsError
from pixelwise.settings import FIELDS, KINDS
from pixelwise.values import unknown_name

CHANNELS = ("train", "train_annotation", "validation", "validation_annotation", "test", "test_annotation")
INTERRUPTED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 data or model, 2 usage, 3 interrupted."""
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        code: int = options.run(options)
        return code
    except PixelwiseError as error:
        print(f"pixelwise: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("pixelwise: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nothing is left to say.
        sys.stderr.close()
        return 1
    except OSError as error:
        print(f"pixelwise: {_os_error(error)}", file=sys.stderr)
        return 1


def check(options: argparse.Namespace) -> int:
    """Look at every file of a dataset."""
    from pixelwise import api

    report = api.check(
        options.dataset, num_classes=options.num_classes, classes=options.classes, channels=_channels(options)
    )
    _print(options, report.to_json, report.text)
    return 0 if report.sound else 1


def train(options: argparse.Namespace) -> int:
    """Train a model."""
    from pixelwise import api

    result = api.train(
        options.dataset,
        output=options.output,
        config=options.config,
        resume=options.resume,
        device=options.device,
        classes=options.classes,
        channels=_channels(options),
        quiet=options.quiet,
        **_settings(options),
    )
    facts = {"run": str(result.folder), "model": str(result.bundle), "best_epoch": result.best_epoch}
    _print(options, lambda: {**facts, "scores": result.scores.to_json()}, result.scores.table)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a model."""
    from pixelwise import api

    scores = api.evaluate(
        options.model,
        options.dataset,
        split=options.split,
        channels=_channels(options),
        tile=options.tile,
        device=options.device,
        precision=options.precision,
    )
    return _report_scores(options, scores)


def score(options: argparse.Namespace) -> int:
    """Score masks against masks."""
    from pixelwise import api

    scores = api.score(options.truth, options.predicted, num_classes=options.num_classes, classes=options.classes)
    return _report_scores(options, scores)


def predict(options: argparse.Namespace) -> int:
    """Write masks for images."""
    from pixelwise import api

    report = api.predict(
        options.model,
        options.input,
        output=options.output,
        overlay=options.overlay,
        probabilities=options.probabilities,
        tile=options.tile,
        device=options.device,
        precision=options.precision,
    )
    _print(options, report.to_json, report.text)
    return 1 if report.failed else 0


def demo(options: argparse.Namespace) -> int:
    """The whole trip on drawn street scenes."""
    from pixelwise.demo import run_demo

    run_demo(options.output, device=options.device, precision=options.precision)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="pixelwise",
        description="From a folder of images and masks to a segmentation model a team can trust.",
        epilog="Example: pixelwise demo --output demo",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_demo(commands)
    _add_check(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_score(commands)
    _add_predict(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        flags = [flag for flag in options.flags if not flag.startswith("--no-")]
        raise SettingsError(unknown_name(unknown[0].split("=")[0], flags, "argument"))
    return options


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses like the rest of Pixelwise and knows no abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}. See `{self.prog} --help`.")


def _command(commands: Any, run: Callable[[argparse.Namespace], int], example: str) -> argparse.ArgumentParser:
    """A subcommand named after `run`, with --json."""
    parser: argparse.ArgumentParser = commands.add_parser(
        run.__name__,
        help=run.__doc__,
        description=run.__doc__,
        epilog=f"Example: pixelwise {run.__name__} {example}",
    )
    parser.set_defaults(run=run, flags=parser._option_string_actions)
    return parser


def _add_demo(commands: Any) -> None:
    parser = _command(commands, demo, "--output demo")
    parser.add_argument("--output", default="demo", metavar="DIR", help="a new folder for all of it (default: demo)")
    _add_machine(parser)


def _add_check(commands: Any) -> None:
    parser = _command(commands, check, "my-dataset")
    _add_dataset(parser)
    _add_classes(parser)
    _add_json(parser)


def _add_train(commands: Any) -> None:
    parser = _command(commands, train, "my-dataset --output run --epochs 30 --crop-size 480")
    _add_dataset(parser)
    parser.add_argument("--output", required=True, metavar="RUN", help="a new folder for the run")
    parser.add_argument("--config", metavar="FILE", help="settings in a JSON, TOML or YAML file; flags win over it")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, exactly")
    parser.add_argument("--classes", metavar="FILE", help="class names and colours, if not DATASET/classes.json")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: the first GPU, else the CPU)")
    parser.add_argument("--quiet", action="store_true", help="show no progress; RUN/log.txt has it")
    _add_json(parser)
    group = parser.add_argument_group("settings")
    for name, field in FIELDS.items():
        _add_setting(group, name, field)


def _add_evaluate(commands: Any) -> None:
    parser = _command(commands, evaluate, "run/model my-dataset --split test --output scores")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    _add_dataset(parser)
    parser.add_argument("--split", default="validation", help="train, validation or test (default: validation)")
    parser.add_argument("--output", metavar="DIR", help="write scores.json there")
    _add_tile(parser)
    _add_machine(parser)
    _add_json(parser)


def _add_score(commands: Any) -> None:
    parser = _command(commands, score, "my-dataset/test_annotation predictions --classes my-dataset/classes.json")
    parser.add_argument("truth", metavar="TRUTH", help="folder of true masks")
    parser.add_argument("predicted", metavar="PREDICTED", help="folder of predicted masks, of the same names")
    parser.add_argument("--output", metavar="DIR", help="write scores.json there")
    _add_classes(parser)
    _add_json(parser)


def _add_predict(commands: Any) -> None:
    parser = _command(commands, predict, "run/model photos/ --output masks --overlay")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    parser.add_argument("input", nargs="+", metavar="INPUT", help="images, folders of images, or patterns")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the masks")
    parser.add_argument("--overlay", action="store_true", help="also write each mask drawn over its image")
    parser.add_argument("--probabilities", action="store_true", help="also write .npy files (K, H, W) float16")
    _add_tile(parser)
    _add_machine(parser)
    _add_json(parser)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET",
        help="folder with train/, train_annotation/, validation/, validation_annotation/",
    )
    group = parser.add_argument_group("folders that lie elsewhere")
    for name in CHANNELS:
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"channel_{name}", metavar="DIR")


def _add_classes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--num-classes", type=int, metavar="K", help="number of classes")
    parser.add_argument("--classes", metavar="FILE", help="class names and colours, like classes.json")


def _add_tile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tile", type=int, metavar="PIXELS", help="side of the tiles that larger images go through")


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: the first GPU, else the CPU)")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), help="default: the machine's fastest")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_setting(group: Any, name: str, field: Any) -> None:
    """A flag for a setting; its value is checked by Settings, not here, so that every door refuses alike."""
    flag = f"--{name.replace('_', '-')}"
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    text = f"{field.metadata['meaning']} (default: {'none' if default in (None, '') else default})"
    text = text.replace("%", "%%")
    if KINDS[name][0] is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
    else:
        group.add_argument(flag, default=argparse.SUPPRESS, metavar="VALUE", help=text)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in FIELDS if hasattr(options, name)}


def _channels(options: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(options, f"channel_{name}") for name in CHANNELS}


def _report_scores(options: argparse.Namespace, scores: Any) -> int:
    if options.output:
        from pixelwise.scoring.metrics import write_scores

        write_scores(scores, Path(options.output))
    _print(options, scores.to_json, scores.table)
    return 0


def _print(options: argparse.Namespace, as_json: Callable[[], Any], as_text: Callable[[], str]) -> None:
    print(json.dumps(as_json(), indent=2) if options.json else as_text())


def _version() -> str:
    from importlib.metadata import version

    return f"pixelwise {version('pixelwise')}"


def _os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}. Check the path, its permissions and the free space."


if __name__ == "__main__":
    sys.exit(main())
