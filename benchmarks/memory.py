"""Peak memory of training, as it is predicted before and as it is reached: five networks, each in its own process.

    python benchmarks/memory.py [--device cuda] [--only NAME ...]

Each trains on drawn street scenes, batches ahead, validation, checkpoints and the bundle included. On a CPU the peak is
that of the whole process, as the system counts it; beside it stands what the training adds to the process that
was there when the prediction was made, Python and PyTorch, which small networks need less than. On a GPU it is that of
tensors. A ratio is predicted / reached; it should lie between 0.8 and 1.25.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import facts

NETWORKS = {
    "resnet18 deeplabv3plus": {"crop_size": 256, "mini_batch_size": 8},
    "resnet-50 fcn": {"backbone": "resnet-50", "algorithm": "fcn", "crop_size": 192, "mini_batch_size": 4},
    "mobilenetv2_100 deeplabv3plus": {"backbone": "mobilenetv2_100", "crop_size": 256, "mini_batch_size": 4},
    "convnext_atto deeplabv3plus": {"backbone": "convnext_atto", "crop_size": 256, "mini_batch_size": 4},
    "vit_tiny fcn": {
        "backbone": "vit_tiny_patch16_224",
        "algorithm": "fcn",
        "crop_size": 224,
        "mini_batch_size": 8,
    },
}
STEPS, EPOCHS = 3, 2
SIZE = (320, 240)


def train(dataset, name, device):
    """Train one network in this process and print what was predicted and reached, in bytes."""
    import pixelwise
    from pixelwise.planning.memory import ImageLoad, training_memory
    from pixelwise.runtime import alone
    from pixelwise.settings import Settings
    from pixelwise.training.run import TrainingRequest, train_run

    settings = Settings(pretrained=False, epochs=EPOCHS, **NETWORKS[name])
    report = pixelwise.check(dataset)
    runtime = alone(device, settings.precision)
    images = ImageLoad(
        report.labels.num_classes,
        report.bands,
        training_pixels=len(report.pairs["train"]) * SIZE[0] * SIZE[1],
        validation_size=SIZE[::-1],
    )
    predicted = training_memory(settings, images, runtime)
    print(predicted.text(), file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        train_run(TrainingRequest(report, settings, Path(folder) / "run", device=device, is_quiet=True))
    row = {"predicted": predicted.peak, "reached": runtime.peak_memory(), "baseline": predicted.baseline}
    print(json.dumps(row), flush=True)


def measure(name, device):
    """The row of a network, from a process of its own."""
    from pixelwise.data.synthetic.dataset import draw_dataset

    with tempfile.TemporaryDirectory() as folder:
        images = STEPS * NETWORKS[name]["mini_batch_size"]
        draw_dataset(Path(folder), num_train=images, num_validation=4, num_test=0, size=SIZE, seed=0)
        command = [sys.executable, __file__, "--alone", folder, "--only", name]
        command += ["--device", device] if device else []
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="cpu or cuda; the first GPU, if there is one, by default")
    parser.add_argument("--only", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        train(arguments.alone, arguments.only[0], arguments.device)
        return
    print(facts())
    print(f"{'network':<30} {'predicted':>10} {'reached':>10} {'ratio':>6}   without the process before")
    for name in arguments.only:
        row = measure(name, arguments.device)
        whole, added = ([row[key] - less for key in ("predicted", "reached")] for less in (0, row["baseline"]))
        cells = [f"{pair[0] / 1e6:7.0f} MB {pair[1] / 1e6:7.0f} MB {pair[0] / pair[1]:6.2f}" for pair in (whole, added)]
        print(f"{name:<30} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
