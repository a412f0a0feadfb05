"""Images per second in training on this machine: ours, torchvision's float32 loop, GluonCV on MXNet.

    python benchmarks/training_speed.py [--mxnet-python mx/bin/python] [--profile]

`fcn` and `deeplab` on ResNet-50 at output stride 8 with the auxiliary head, crop 240, batch 4, on one ready
batch of random pixels, so that only the step is timed. Ours is the step of the training loop with its default
optimizer, averaging and precision. All take turns in rounds of a few steps; the figure is the median round. How
to make the interpreter for MXNet stands in peers/gluoncv_speed.py.
"""

import argparse
import statistics
import subprocess
import time
from pathlib import Path

import torch
from machine import facts
from torch import nn
from torchvision import models

from pixelwise.data.batches import Batch
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import started
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.step import train_step

NUM_CLASSES = 11
TORCHVISION = {"fcn": "fcn_resnet50", "deeplab": "deeplabv3_resnet50"}
GLUONCV = Path(__file__).with_name("peers") / "gluoncv_speed.py"
KINDS = {
    "convolution, backward": ("convolution_backward",),
    "convolution, forward": ("convolution", "conv2d"),
    "matrix products": ("mm", "matmul", "linear"),
    "normalisation": ("batch_norm",),
    "upsampling": ("upsample",),
    "loss": ("softmax", "nll_loss"),
    "optimizer and averaging": ("_foreach", "_fused", "lerp", "addcdiv", "addcmul"),
    "copies and layout": ("copy_", "contiguous", "clone", "fill_", "zero_"),
    "activations": ("relu", "threshold"),
}


def ours(algorithm, crop, batch_size, runtime):
    """A function that takes a number of steps and runs them."""
    settings = Settings(
        algorithm=algorithm,
        backbone="resnet-50",
        output_stride=8,
        aux_loss_weight=0.5,
        crop_size=crop,
        mini_batch_size=batch_size,
        pretrained=False,
        num_classes=NUM_CLASSES,
    )
    model = build_segmenter(settings, NUM_CLASSES).train()
    learner = Learner(model, build_criterion(settings, None), settings, runtime)
    state = TrainingState()
    shape = (batch_size, 3, crop, crop)
    batch = Batch(
        torch.randint(0, 256, shape, dtype=torch.uint8),
        torch.randint(0, NUM_CLASSES, (batch_size, crop, crop), dtype=torch.uint8),
    )

    def run(steps):
        for _ in range(steps):
            train_step(learner, batch, state)

    return run


def torchvision(algorithm, crop, batch_size, runtime):
    """The plain loop: float32, contiguous, SGD."""
    device = runtime.device
    model = models.get_model(
        TORCHVISION[algorithm], weights=None, weights_backbone=None, num_classes=NUM_CLASSES, aux_loss=True
    )
    model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    images = torch.randn(batch_size, 3, crop, crop, device=device)
    class_ids = torch.randint(0, NUM_CLASSES, (batch_size, crop, crop), device=device)

    def run(steps):
        for _ in range(steps):
            outputs = model(images)
            loss = nn.functional.cross_entropy(outputs["out"], class_ids)
            loss = loss + 0.5 * nn.functional.cross_entropy(outputs["aux"], class_ids)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    return run


class GluonCV:
    """A process under another interpreter that runs as many steps as it is told."""

    def __init__(self, python, algorithm, crop, batch_size):
        command = [python, GLUONCV, algorithm, "--crop", crop, "--batch", batch_size]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, steps):
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise SystemExit(f"{GLUONCV} ended with {self._process.wait()}; run it by hand to see why.")

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def race(runners, *, steps, rounds, batch_size):
    """Median images per second of each runner, taking turns."""
    for run in runners.values():
        run(1)
    speeds = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            begin = time.perf_counter()
            run(steps)
            speeds[name].append(steps * batch_size / (time.perf_counter() - begin))
    return {name: statistics.median(values) for name, values in speeds.items()}


def kind_of(operator):
    name = operator.removeprefix("aten::")
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "other")


def shares(run):
    """Kind of operator -> share of the time of two steps, largest first."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        run(2)
    spent = {}
    for event in profile.key_averages():
        is_cuda = torch.cuda.is_available()
        own = event.self_device_time_total if is_cuda else event.self_cpu_time_total
        spent[kind_of(event.key)] = spent.get(kind_of(event.key), 0) + own
    total = sum(spent.values())
    return sorted(((kind, own / total) for kind, own in spent.items()), key=lambda item: -item[1])


def report(algorithm, speeds):
    mine = speeds["pixelwise"]
    for name, speed in speeds.items():
        ratio = "" if name == "pixelwise" else f"   ours is {mine / speed:.2f} times as fast"
        print(f"{algorithm:<8} {name:<22} {speed:7.2f} images/s{ratio}", flush=True)


def measure(algorithm, arguments, runtime):
    size = (arguments.crop, arguments.batch)
    runners = {
        "pixelwise": ours(algorithm, *size, runtime),
        "torchvision, float32": torchvision(algorithm, *size, runtime),
    }
    if arguments.mxnet_python:
        runners["GluonCV on MXNet"] = GluonCV(arguments.mxnet_python, algorithm, *size)
    try:
        speeds = race(runners, steps=arguments.steps, rounds=arguments.rounds, batch_size=arguments.batch)
        report(algorithm, speeds)
        if arguments.profile:
            for kind, share in shares(runners["pixelwise"]):
                print(f"{algorithm:<8}   {kind:<26} {share:6.1%}")
    finally:
        if arguments.mxnet_python:
            runners["GluonCV on MXNet"].close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithms", nargs="+", choices=[*TORCHVISION], default=[*TORCHVISION])
    parser.add_argument("--crop", type=int, default=240)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mxnet-python", type=Path, help="interpreter that has mxnet and gluoncv")
    parser.add_argument("--profile", action="store_true", help="also our time by kind of operator")
    arguments = parser.parse_args()
    with started("cpu" if arguments.mxnet_python else None) as runtime:
        print(f"{facts()}; ours on {runtime.describe()}; crop {arguments.crop}, batch {arguments.batch}")
        for algorithm in arguments.algorithms:
            measure(algorithm, arguments, runtime)


if __name__ == "__main__":
    main()
