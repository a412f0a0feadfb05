"""Arguments that several verbs have."""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec

from pixelwise.cli.flags import add_setting_flags
from pixelwise.data.dataset.channels import CHANNELS
from pixelwise.menus import PRECISIONS

CLASSES = "class names: classes.json, .csv, .txt, data.yaml, ... (default: such a file beside the data)"


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """The dataset, its division and folders that lie elsewhere."""
    parser.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET",
        help="folder with images and masks, such as images/ and masks/, with or without folders of splits",
    )
    parser.add_argument(
        "--split-by",
        metavar="PATTERN",
        help="where no validation is given, keep pairs with the same text at {} on one side, such as '{}_*' or '{}/*'",
    )
    group = parser.add_argument_group("folders that lie elsewhere")
    for name in CHANNELS:
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"channel_{name}", metavar="DIR")


def add_classes(parser: argparse.ArgumentParser) -> None:
    """How many classes there are and their names."""
    parser.add_argument("--num-classes", type=int, metavar="K", help="number of classes")
    parser.add_argument("--classes", metavar="FILE", help=CLASSES)


def add_network(parser: argparse.ArgumentParser, title: str, more: Sequence[str]) -> None:
    """The settings that shape a network, and a file for them."""
    group = parser.add_argument_group(title)
    group.add_argument("--config", metavar="FILE", help="settings in a JSON, TOML or YAML file; flags win over it")
    add_setting_flags(group, ("algorithm", "backbone", "output_stride", *more))


def add_show_bands(parser: argparse.ArgumentParser, where: str) -> None:
    """Which bands `where` shows."""
    text = f"bands of the images, one or three from 1 on, that {where} shows, such as 4,3,2 (default: the first chosen)"
    parser.add_argument("--show-bands", metavar="VALUE", help=text)


def add_price(parser: argparse.ArgumentParser) -> None:
    """What makes time of a budget in money."""
    parser.add_argument(
        "--price", type=float, metavar="USD", help="of the machine an hour, for a --budget in money such as 3usd"
    )
    if find_spec("pixelwise.sagemaker"):
        text = "a machine such as ml.g4dn.xlarge: its price by the table of `pixelwise sagemaker cost`"
        parser.add_argument("--instance", metavar="NAME", help=text)


def add_tile(parser: argparse.ArgumentParser) -> None:
    """How large images go through the network."""
    parser.add_argument("--tile", type=int, metavar="PIXELS", help="side of the tiles that larger images go through")


def add_tta(parser: argparse.ArgumentParser) -> None:
    """Test-time augmentation."""
    text = "test-time augmentation: the mean over the flips, turns and scales of the training, each a pass of its own"
    parser.add_argument("--tta", action="store_true", help=text)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Where a model runs."""
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (default: the first GPU, else the CPU)")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), help="default: the machine's fastest")


def add_json(parser: argparse.ArgumentParser) -> None:
    """A result for programs."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
