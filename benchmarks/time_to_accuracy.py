"""Validation mIoU after the same minutes on the same cores: our defaults against torchvision's recipe.

    python benchmarks/time_to_accuracy.py DATASET --minutes 10 [--backbone-weights FILE]

Runs one after the other: our defaults from random weights, torchvision's recipe from random weights, and
(with `--backbone-weights`) our defaults on a pretrained trunk. Our minutes hold everything from start to
the written, evaluated model; torchvision's hold the training alone. Both are scored at the masks' own
size over the whole validation split, each by its own code.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import facts

PIXELWISE = Path(sys.executable).with_name("pixelwise")
REFERENCE = Path(__file__).with_name("peers") / "torchvision_reference.py"


def output_of(*command):
    """Standard output of a command whose messages go to the terminal; a failure ends the benchmark."""
    print("$", *command, file=sys.stderr, flush=True)
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def ours(dataset, minutes, output, *options):
    """Scores of our defaults; `seconds` is the wall time from the command's start to its end."""
    start = time.perf_counter()
    output_of(PIXELWISE, "train", dataset, "--output", output, "--budget", f"{minutes}m", *options)
    seconds = time.perf_counter() - start
    scores = json.loads(output_of(PIXELWISE, "evaluate", output / "model", dataset, "--json"))
    return {"mean_iou": scores["mean_iou"], "pixel_accuracy": scores["pixel_accuracy"], "seconds": seconds}


def torchvision(dataset, minutes, model):
    """Scores of torchvision's recipe, from its last line."""
    command = (sys.executable, REFERENCE, dataset, "--minutes", minutes, "--model", model)
    return json.loads(output_of(*command).splitlines()[-1])


def report(rows):
    print(f"{'':<40} {'mIoU':>7} {'pixel accuracy':>15} {'seconds':>8}")
    for name, row in rows.items():
        print(f"{name:<40} {row['mean_iou']:7.4f} {row['pixel_accuracy']:15.4f} {row['seconds']:8.0f}")
    peer = next(row["mean_iou"] for name, row in rows.items() if name.startswith("torchvision"))
    for name, row in rows.items():
        if name.startswith("pixelwise"):
            gap = 100 * (row["mean_iou"] - peer)
            print(f"{name}: {gap:+.1f} points of mIoU on torchvision, ratio {row['mean_iou'] / peer:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--torchvision-model", default="lraspp_mobilenet_v3_large")
    parser.add_argument("--backbone-weights", type=Path, help="also train ours on these trunk weights")
    parser.add_argument("--backbone", default="mobilenetv2_100", help="the trunk of those weights")
    parser.add_argument("--output", type=Path, help="keep our runs in this folder")
    parser.add_argument("--ours-args", nargs=argparse.REMAINDER, default=[], help="last: options for train")
    arguments = parser.parse_args()

    dataset, minutes, options = arguments.dataset, arguments.minutes, arguments.ours_args
    print(facts(), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or Path(temporary)
        rows = {
            "pixelwise, random weights": ours(dataset, minutes, folder / "scratch", "--no-pretrained", *options),
            f"torchvision {arguments.torchvision_model}": torchvision(dataset, minutes, arguments.torchvision_model),
        }
        if arguments.backbone_weights:
            trunk = ("--backbone", arguments.backbone, "--backbone-weights", arguments.backbone_weights)
            rows["pixelwise, pretrained trunk"] = ours(dataset, minutes, folder / "pretrained", *trunk, *options)
    report(rows)


if __name__ == "__main__":
    main()
