"""Masks with thin lines between two classes look smoothed: a job learns them, unless a value is no class id."""

import logging

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError
from pixelwise.sagemaker.container.data import checked_data
from pixelwise.sagemaker.hyperparameters.parse import parse
from tests.conftest import draw_pair

CHANNELS = ("train", "train_annotation", "validation", "validation_annotation")


@pytest.fixture
def data(tmp_path):
    """Two pairs; in one mask each of seven squares of class 9 on class 0 has a contour, one pixel wide, of 1 to 7."""
    for split in ("train", "validation"):
        draw_pair(tmp_path, split, "0000", seed=1, size=(200, 64))
    mask = np.zeros((64, 200), dtype=np.uint8)
    for i in range(7):
        left = 4 + 28 * i
        mask[10:34, left : left + 24] = i + 1
        mask[11:33, left + 1 : left + 23] = 9
    Image.fromarray(mask).save(tmp_path / "train_annotation" / "0000.png")
    return tmp_path


def check(data, num_classes):
    lines = []
    given = parse({"num_classes": str(num_classes), "num_training_samples": "1", "crop_size": "32"})
    return checked_data(data, {name: data / name for name in CHANNELS}, given, say=lines.append), lines


def test_it_is_a_warning_that_names_the_mask(data):
    report, lines = check(data, 10)
    assert report.sound
    (line,) = [line for line in lines if "lie only between two others" in line.text]
    assert line.level == logging.WARNING
    assert str(data / "train_annotation" / "0000.png") in line.text


def test_values_that_are_no_class_end_the_job(data):
    with pytest.raises(DataError, match=r"0000\.png: has the values 9"):
        check(data, 8)
