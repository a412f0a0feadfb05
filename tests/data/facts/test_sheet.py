import math

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.facts.advice import FieldOfView, advise
from pixelwise.data.facts.regions import RegionSizes
from pixelwise.data.facts.sheet import COLUMNS, facts_text
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelMoments
from pixelwise.labels import LabelTable


def facts_of(*masks, names=("sky", "car", "pole"), sizes=None):
    """The facts of a few masks, with a grey image for each."""
    labels = LabelTable.named(names)
    counts = [np.bincount(mask.ravel(), minlength=256) for mask in masks] or [np.zeros(256, dtype=int)]
    of_class = np.array(counts)[:, : labels.num_classes]
    regions, moments = RegionSizes(), PixelMoments()
    for mask in masks:
        regions.add(mask)
        moments.add(Image.new("RGB", (2, 2), (51, 102, 153)))
    balance = ClassBalance(
        tuple(of_class.sum(0).tolist()),
        tuple((of_class > 0).sum(0).tolist()),
        tuple(((of_class > 0) * of_class.sum(1, keepdims=True)).sum(0).tolist()),
        len(masks),
        sum(int(count[255]) for count in counts),
    )
    sizes = {mask.shape[::-1]: len(masks) for mask in masks} if sizes is None else sizes
    return Facts(labels, balance, ImageSizes(sizes), regions.result(labels.num_classes), moments.result())


def text_of(facts, *, branches=()):
    return facts_text(facts, advise(facts, output_stride=16, branches=branches), branches=branches)


def line_of(text, start, *, block=0):
    return [line for line in text.splitlines() if line.strip().startswith(start)][block]


@pytest.fixture
def street():
    mask = np.zeros((40, 60), dtype=np.uint8)  # 2,400 pixels
    mask[20:, :] = 255
    mask[10:20, :40] = 1  # 400 of 1,200 labelled
    mask[0:12, 50:51] = 2  # 12 of them: 1 %
    return facts_of(mask, mask)


def test_the_class_table_shows_shares_of_pixels_and_images_as_bars(street):
    text = text_of(street)
    assert line_of(text, "0 sky").split() == ["0", "sky", "65.7", "%", "#" * 20, "100.0", "%", "#" * 20]
    assert line_of(text, "1 car").split()[2:5] == ["33.3", "%", "#" * 10]
    assert line_of(text, "2 pole").split()[2:5] == ["1.0", "%", "#"]
    assert "50.0 % of all pixels are ignored" in text


def test_an_imbalance_is_followed_by_the_weights(street):
    text = text_of(street)
    assert "Imbalance ratio 65.7" in text
    assert "Warning: above 10" in text
    # Shares 788/1200, 1/3, 1/100; the median frequency 1/3 over them is 0.508, 1, 33 of the mean 1. The pole has 10:
    # 1200 - 12 * 10 is left for the others, who have 800 of it.
    assert line_of(text, "0 sky", block=1).split()[-1] == "0.69"
    assert line_of(text, "1 car", block=1).split()[-1] == "1.4"
    assert line_of(text, "2 pole", block=1).split()[-1] == "10"


def test_a_balanced_split_has_no_warning():
    text = text_of(facts_of(np.array([[0, 1, 2]], dtype=np.uint8)))
    assert "Imbalance ratio 1.0" in text
    assert "Warning" not in text


def test_the_region_table_stands_next_to_what_the_head_sees(street):
    text = text_of(
        street, branches=[FieldOfView("1x1", 30), FieldOfView("rate 6", 50), FieldOfView("pooling", math.inf)]
    )
    # The car is 40 x 10 of 2,400 pixels.
    car = ["1", "car", "2", "16.7", "%", "16.7", "%", "16.7", "%", "40", "px", "10", "px", "rate", "6"]
    assert line_of(text, "1 car", block=2).split() == car
    assert line_of(text, "0 sky", block=2).endswith("pooling")
    assert "Seen of the image: 1x1 30 px, rate 6 50 px, pooling all." in text


def test_objects_that_no_branch_sees_whole_say_so(street):
    text = text_of(street, branches=[FieldOfView("1x1", 30)])
    assert line_of(text, "1 car", block=2).endswith("none")
    assert "Objects longer than the widest branch (1x1)" in text


def test_sizes_and_pixels_are_told(street):
    text = text_of(street)
    assert line_of(text, "60 x 40").split() == ["60", "x", "40", "2", "100.0", "%", "#" * 20]
    assert "crop_size 64 follows" in text
    assert "mean 0.200, 0.400, 0.600" in text
    assert "standard deviation 0.000, 0.000, 0.000" in text


def test_of_many_sizes_the_most_frequent_are_shown():
    sizes = {(100 + i, 80): 20 - i for i in range(12)}
    text = text_of(facts_of(np.zeros((2, 2), dtype=np.uint8), sizes=sizes))
    assert "12 sizes:" in text
    assert "107 x 80" in text
    assert "108 x 80" not in text
    assert "42  of 4 other sizes" in text  # 12 + 11 + 10 + 9


@pytest.mark.parametrize(
    "facts",
    [
        facts_of(),
        facts_of(np.full((3, 4), 255, dtype=np.uint8)),
        facts_of(np.zeros((1, 1), dtype=np.uint8)),
        facts_of(np.zeros((0, 0), dtype=np.uint8), sizes={}),
        facts_of(
            np.arange(252, dtype=np.uint8).reshape(2, 126), names=[f"a class of a long name {i}" for i in range(254)]
        ),
    ],
    ids=["no masks", "all ignored", "one pixel", "empty mask", "254 classes"],
)
def test_odd_splits_have_a_text_that_fits(facts):
    text = text_of(facts, branches=[FieldOfView("image pooling", math.inf)])
    assert text
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert "nan" not in text
    assert text.isascii()
