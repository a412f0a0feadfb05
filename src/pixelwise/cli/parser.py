"""What may be typed: every verb with its arguments and flags."""

import argparse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from pixelwise.cli.flags import Parser, add_settings, menu_lines, unknown_flag
from pixelwise.cli.shared import (
    CLASSES,
    add_classes,
    add_dataset,
    add_json,
    add_machine,
    add_network,
    add_price,
    add_show_bands,
    add_tile,
    add_tta,
)
from pixelwise.cli.verbs import (
    check,
    compare,
    convert,
    demo,
    describe,
    evaluate,
    export,
    plan,
    predict,
    report,
    score,
    serve,
    train,
)
from pixelwise.data.convert.menu import FORMATS
from pixelwise.errors import SettingsError
from pixelwise.menus import PLANS


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The verb and its options; SettingsError with the nearest name for what is not understood."""
    parser = Parser(
        prog="pixelwise",
        description="From a folder of images and masks to a segmentation model a team can trust.",
        epilog="Example: pixelwise demo --output demo",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    data, models = (_add_check, _add_convert, _add_plan), (_add_describe, _add_train, _add_predict)
    use, quality = (_add_export, _add_serve), (_add_evaluate, _add_score, _add_compare, _add_report)
    for add in (_add_demo, *data, *models, *use, *quality):
        add(commands)
    if find_spec("pixelwise.sagemaker"):  # the one door that may be taken away
        from pixelwise.sagemaker.commands import add_commands

        add_commands(commands, Parser)
    options: argparse.Namespace
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise SettingsError(unknown_flag(unknown[0], options.flags))
    return options


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
    add_machine(parser)


def _add_check(commands: Any) -> None:
    parser = _command(commands, check, "my-dataset --output check")
    add_dataset(parser)
    add_classes(parser)
    parser.add_argument(
        "--output", metavar="DIR", help="write index.html, which shows the faulty places, and check.json"
    )
    parser.add_argument("--fix", metavar="OUT", help="write a corrected copy and changes.jsonl to this new folder")
    add_show_bands(parser, "the page of --output")
    add_json(parser)
    add_network(parser, "the training that is meant", ("crop_size", "bands", "value_range"))


def _add_convert(commands: Any) -> None:
    parser = _command(commands, convert, "voc VOCdevkit/VOC2012 my-dataset")
    formats = "\n".join(f"  {name:<14}{form.meaning}" for name, form in FORMATS.items())
    parser.description = f"{convert.__doc__}\n\nformats:\n{formats}"
    parser.add_argument("format", metavar="FORMAT", help="one of the formats above")
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder, .zip, .tar or .tar.gz (hf: or OWNER/NAME); stays as it is"
    )
    parser.add_argument("dataset", metavar="DATASET", help="a new folder; the same one continues after an interruption")
    add_classes(parser)
    pattern = "such as 'images/{name}.jpg'; {name}, {class} and {split} are taken from there"
    parser.add_argument("--images", metavar="PATTERN", help=f"where the images are, {pattern}")
    parser.add_argument("--masks", metavar="PATTERN", help="where the masks are, such as 'masks/{class}/{name}.png'")
    parser.add_argument(
        "--attribute",
        metavar="NAME",
        help="which label of a Ground Truth manifest, variable of a .mat file or attribute of VIA's regions",
    )
    share = "share of the images for validation where the source has none, by class (default: 0.2)"
    parser.add_argument("--validation-share", type=float, default=0.2, metavar="SHARE", help=share)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of that division (default: 0)")
    add_json(parser)


def _add_describe(commands: Any) -> None:
    parser = _command(commands, describe, "--algorithm deeplab --backbone resnet-50 --crop-size 512")
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a run, a bundle or a model.tar.gz; else the settings"
    )
    add_json(parser)
    add_network(parser, "settings", ("crop_size", "input_scale", "num_classes", "aux_loss_weight", "bands"))


def _add_plan(commands: Any) -> None:
    parser = _command(commands, plan, "my-dataset --budget 20m")
    add_dataset(parser)
    parser.add_argument("--config", metavar="FILE", help="settings in a JSON, TOML or YAML file; flags win over it")
    parser.add_argument("--classes", metavar="FILE", help=CLASSES)
    parser.add_argument("--after", metavar="RUN", help="a finished run: its curve says what twice its time would bring")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: the first GPU, else the CPU)")
    add_price(parser)
    add_json(parser)
    add_settings(parser)


def _add_train(commands: Any) -> None:
    parser = _command(commands, train, "my-dataset --output run --epochs 30 --crop-size 480")
    add_dataset(parser)
    parser.add_argument("--output", required=True, metavar="RUN", help="a new folder for the run")
    parser.add_argument("--config", metavar="FILE", help="settings in a JSON, TOML or YAML file; flags win over it")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, exactly")
    parser.add_argument(
        "--start-from",
        metavar="MODEL",
        help="start from a trained model, or from segmentation weights of torchvision or Hugging Face (a file, or a "
        "folder with config.json); its classes may be others",
    )
    parser.add_argument("--classes", metavar="FILE", help=CLASSES)
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: the first GPU, else the CPU)")
    parser.add_argument("--quiet", action="store_true", help="show no progress; RUN/log.txt has it")
    parser.add_argument(
        "--plan",
        default="auto",
        metavar="NAME",
        help="\n".join(["settings that nobody gave (default: auto)", *menu_lines(PLANS)]),
    )
    add_show_bands(parser, "the report")
    add_price(parser)
    add_json(parser)
    add_settings(parser)


def _add_evaluate(commands: Any) -> None:
    parser = _command(commands, evaluate, "run/model my-dataset --split test --output scores")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    add_dataset(parser)
    parser.add_argument("--split", default="validation", help="train, validation or test (default: validation)")
    parser.add_argument("--output", metavar="DIR", help="write scores.json, images.json and report/index.html there")
    parser.add_argument("--classes", metavar="FILE", help=CLASSES)
    add_show_bands(parser, "the report")
    add_tile(parser)
    add_tta(parser)
    add_machine(parser)
    add_json(parser)


def _add_score(commands: Any) -> None:
    parser = _command(commands, score, "my-dataset/test_annotation predictions --classes my-dataset/classes.json")
    parser.add_argument("truth", metavar="TRUTH", help="folder of true masks")
    parser.add_argument("predicted", metavar="PREDICTED", help="folder of predicted masks, of the same names")
    parser.add_argument("--output", metavar="DIR", help="write scores.json and images.json there")
    add_classes(parser)
    add_json(parser)


def _add_compare(commands: Any) -> None:
    parser = _command(commands, compare, "scores-a scores-b")
    parser.add_argument("first", metavar="A", help="a folder that evaluate or score wrote")
    parser.add_argument("second", metavar="B", help="another one, of the same images")
    add_json(parser)


def _add_report(commands: Any) -> None:
    parser = _command(commands, report, "run --figures figures")
    parser.add_argument("run_folder", metavar="RUN", help="a run folder, or a folder that evaluate wrote")
    parser.add_argument("--figures", metavar="DIR", help="also write every figure as PNG there")
    add_json(parser)


def _add_predict(commands: Any) -> None:
    parser = _command(commands, predict, "run/model photos/ --output masks --overlay")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    parser.add_argument("input", nargs="+", metavar="INPUT", help="images, folders of images, or patterns")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the masks")
    parser.add_argument("--overlay", action="store_true", help="also write each mask drawn over its image")
    parser.add_argument("--as-source", action="store_true", help="in the ids or colours before a repair or conversion")
    parser.add_argument("--palette", action="store_true", help="palette PNGs as VOC's, which viewers show in colour")
    parser.add_argument("--probabilities", action="store_true", help="also write .npy files (K, H, W) float16")
    add_show_bands(parser, "an overlay")
    add_tile(parser)
    add_tta(parser)
    add_machine(parser)
    add_json(parser)


def _add_export(commands: Any) -> None:
    parser = _command(commands, export, "run/model --output model.onnx")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    file = "a .onnx or .pt2 file; FILE.json says what was proved"
    parser.add_argument("--output", required=True, metavar="FILE", help=file)
    parser.add_argument("--size", metavar="HxW", help="take images of this size only (default: any size)")
    add_json(parser)


def _add_serve(commands: Any) -> None:
    parser = _command(commands, serve, "run/model --port 8080")
    parser.add_argument("model", metavar="MODEL", help="run folder, bundle folder or model.tar.gz")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for every network (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="0 for any that is free (default: 8080)")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--max-bytes", type=int, metavar="N", help="of a request")
    limits.add_argument("--max-pixels", type=int, metavar="N", help="of an image; memory grows with pixels x classes")
    limits.add_argument("--max-requests", type=int, metavar="N", help="at once; more are asked to come again (503)")
    limits.add_argument("--max-batch", type=int, metavar="N", help="images of one size that are computed together")
    limits.add_argument("--timeout", type=float, dest="timeout_seconds", metavar="SECONDS", help="of a request")
    add_tile(parser)
    add_tta(parser)
    add_machine(parser)


def _version() -> str:
    from importlib.metadata import version

    return f"pixelwise {version('pixelwise')}"
