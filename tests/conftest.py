"""What many tests need: a tiny dataset, settings that train on it in a second, the command line in-process."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.cli import main

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Photographs and masks of public datasets, beside the checkout; what needs them is skipped where they are not."""

TINY_FLAGS = ["--no-pretrained", "--backbone", "mobilenetv2_035", "--algorithm", "fcn", "--crop-size", "32"]
TINY_FLAGS += ["--mini-batch-size", "4", "--epochs", "2", "--precision", "float32"]


def draw_pair(folder: Path, split: str, name: str, seed: int, *, size=(64, 48)) -> None:
    """A bright square (class 1) on dark ground (class 0) with a border of ignored pixels."""
    generator = np.random.default_rng(seed)
    width, height = size
    image = generator.integers(0, 60, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), dtype=np.uint8)
    left, top = int(generator.integers(4, width - 24)), int(generator.integers(4, height - 24))
    image[top : top + 16, left : left + 16] += 180
    mask[top : top + 16, left : left + 16] = 1
    mask[:, 0] = 255
    for channel, pixels in ((split, image), (f"{split}_annotation", mask)):
        (folder / channel).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / channel / f"{name}.png")


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Eight training, four validation and two test pairs of 64 x 48 pixels, two named classes."""
    folder = tmp_path / "dataset"
    for split, count in (("train", 8), ("validation", 4), ("test", 2)):
        for i in range(count):
            draw_pair(folder, split, f"{split}{i}", seed=100 * count + i)
    (folder / "classes.json").write_text(json.dumps({"0": "ground", "1": "square"}))
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run folder of a short training, for tests that need some model."""
    folder = tmp_path_factory.mktemp("trained")
    for split, count in (("train", 8), ("validation", 4)):
        for i in range(count):
            draw_pair(folder / "dataset", split, f"{split}{i}", seed=100 * count + i)
    (folder / "dataset" / "classes.json").write_text(json.dumps({"0": "ground", "1": "square"}))
    code = main(
        ["train", str(folder / "dataset"), "--output", str(folder / "run"), "--quiet", "--plan", "fixed", *TINY_FLAGS]
    )
    assert code == 0
    return folder / "run"


@pytest.fixture
def run(capsys):
    """Run the command line in this process: `code, out, err = run("check", folder)`."""

    def call(*arguments):
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's own --help and --version
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
