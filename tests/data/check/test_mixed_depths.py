"""Datasets in which not all images are alike: which kind counts, and what is said of the others."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.settings import Settings


def add(root, number, values, split="train", **options):
    """A pair of 12 x 10 px; `values` (H, W) or (H, W, C) are written as PNG where that keeps them."""
    for folder in (root / split, root / f"{split}_annotation"):
        folder.mkdir(parents=True, exist_ok=True)
    if values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] == 3:
        Image.fromarray(values).save(root / split / f"{number}.png")
    else:
        tifffile.imwrite(root / split / f"{number}.tif", values, **{"photometric": "minisblack", **options})
    mask = np.zeros((10, 12), dtype=np.uint8)
    mask[:, number % 6 :] = 1
    Image.fromarray(mask).save(root / f"{split}_annotation" / f"{number}.png")


def noise(number, depth="uint8", bands=3, below=256):
    shape = (10, 12) if bands == 1 else (10, 12, bands)
    return np.random.default_rng(number).integers(0, below, shape).astype(depth)


def checked(root, **options):
    return check_dataset(open_dataset(root, required=("train", "train_annotation")), **options)


def told(report, code):
    return {finding.file.name: finding.found for finding in report.findings if finding.code == code}


def test_a_few_16_bit_images_among_photographs_are_reduced_and_their_levels_counted(tmp_path):
    for number in range(4):
        add(tmp_path, number, noise(number))
    twelve = np.repeat(np.arange(12, dtype=np.uint16)[None] * 257, 10, axis=0)  # 12 of the 256 levels of 8 bits
    add(tmp_path, 4, twelve)
    report = checked(tmp_path)
    assert report.sound
    assert report.bands == PHOTOGRAPH
    assert told(report, "image-16-bit") == {
        "4.tif": "has more than 8 bits a channel, of which 12 of 256 levels are left"
    }


def test_a_few_photographs_among_16_bit_images_are_faults(tmp_path):
    for number in range(4):
        add(tmp_path, number, noise(number, "uint16", 1, 4096))
    add(tmp_path, 4, noise(4))
    report = checked(tmp_path)
    assert report.bands.kind == ("uint16", 1, False)
    assert told(report, "image-depth") == {"4.png": "has 3 bands of uint8"}
    assert report.faults[0].expected == "1 band of uint16"


def test_one_image_with_near_infrared_among_photographs_is_a_fault(tmp_path):
    for number in range(3):
        add(tmp_path, number, noise(number))
    add(tmp_path, 3, noise(3, bands=4), photometric="rgb", extrasamples=["unspecified"])
    report = checked(tmp_path)
    assert told(report, "image-bands") == {"3.tif": "has 4 bands of uint8"}


def test_gray_beside_colours_of_16_bits_stands_for_all_three(tmp_path):
    for number in range(2):
        add(tmp_path, number, noise(number, "uint16", 3, 4096), photometric="rgb")
    for number in range(2, 5):  # more of them, and still these are read as colours
        add(tmp_path, number, noise(number, "uint16", 1, 4096))
    report = checked(tmp_path)
    assert report.sound
    assert report.bands.kind == ("uint16", 3, True)


def test_values_that_are_no_numbers_are_a_warning_with_their_share(tmp_path):
    for number in range(3):
        values = noise(number, "float32", 1, 100) / np.float32(100)
        if number == 1:
            values[:5] = np.nan  # half of them
        add(tmp_path, number, values)
    report = checked(tmp_path)
    assert report.sound
    assert told(report, "image-not-finite") == {"1.tif": "holds 50.0 % of values that are no numbers"}
    low, high = report.bands.ranges[0]
    assert 0 <= low < high <= 1


def test_many_values_outside_a_given_range_are_a_warning_for_each_split(tmp_path):
    for number in range(2):
        add(tmp_path, number, np.repeat(np.arange(0, 1200, 100, dtype=np.uint16)[None], 10, axis=0))
    report = checked(tmp_path, meant=Settings(value_range=(0.0, 899.0)))
    # of 0, 100, ..., 1100 the last three
    assert told(report, "value-range") == {"train": "has 25.0 % of the values of band 1 outside 0 to 899"}


@pytest.mark.parametrize(
    ("bands", "text"),
    [
        (
            Bands("uint16", 2, (1, 2), ((312.0, 4071.0), (280.0, 3900.0)), is_color=False),
            "2 bands of uint16, all used; the network gets as 0 to 1: band 1 from 312 to 4071, band 2 from 280 to 3900 "
            "(values outside become 0 or 1)",
        ),
        (
            Bands("uint8", 4, (4, 3, 2), ((0.0, 255.0),) * 3),
            "4 bands of uint8, of which 4, 3, 2 are used, in this order; the network gets 0 to 255 as 0 to 1",
        ),
        (
            Bands("float32", 1, (1,), ((0.0, 1.5),), is_color=False),
            "1 band of float32; the network gets 0 to 1.5 as 0 to 1 (values outside become 0 or 1)",
        ),
    ],
)
def test_what_the_network_gets_is_said_for_every_band(bands, text):
    assert bands.text() == text
