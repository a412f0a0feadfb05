import json
import math
from pathlib import Path

import numpy as np
import pytest

from pixelwise.data.check.classes import imbalance_finding
from pixelwise.data.facts.advice import (
    FieldOfView,
    advise,
    class_weights,
    covering,
    scale_sentences,
    suggested_crop_size,
)
from pixelwise.data.facts.regions import NO_REGIONS, ClassRegions, RegionSizes
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelMoments
from pixelwise.labels import LabelTable

LABELS = LabelTable.named(["sky", "car", "pole"])
MASKS = Path("data/train_annotation")


def balance(*pixels):
    return ClassBalance(pixels, tuple(int(count > 0) for count in pixels), (sum(pixels),) * len(pixels), 1)


def sized(length_px, thickness_px):
    return ClassRegions(1, 0.1, 0.1, 0.1, length_px, length_px, length_px, thickness_px)


def test_median_frequency_weights_by_hand():
    # Frequencies where present: 80/100, 20/100, 10/50; their median is 0.2. Weights 1/4, 1, 1; the mean over
    # the 110 pixels is (80/4 + 20 + 10) / 110.
    mean = 50 / 110
    weights = class_weights("median_frequency", [80, 20, 10], [100, 100, 50])
    assert weights.tolist() == pytest.approx([0.25 / mean, 1 / mean, 1 / mean])


def test_inverse_square_root_weights_by_hand():
    # Shares 0.64, 0.36: weights 1/0.8, 1/0.6; their mean over the pixels is 0.8 + 0.6. Absent classes keep 1 before it.
    weights = class_weights("inverse_square_root", [64, 36, 0], [100, 100, 0])
    assert weights.tolist() == pytest.approx([1 / 0.8 / 1.4, 1 / 0.6 / 1.4, 1 / 1.4])


def test_no_weight_of_a_rule_is_above_ten_and_the_mean_stays_one():
    # Shares 0.9999, 0.0001: 1/sqrt of them over 0.99995 + 0.01 is 0.990, 99.0. With 10 for the second, the first has
    # (10000 - 10) / 9999.
    weights = class_weights("inverse_square_root", [9999, 1], [10_000, 10_000])
    assert weights.tolist() == pytest.approx([9990 / 9999, 10])


def test_what_the_largest_weight_frees_may_carry_another_class_over_the_limit():
    # 900, 60, 39 and 1 pixels with frequencies of 9/10, 10/1000, 6.5/1000 and 1/1000000: medians over them are in
    # proportion to 1/0.9, 100, 153.8, 10**6. Their mean is that of 1000 + 6000 + 6000 + 10**6, so that the last has 987
    # and the others 0.0011 to 0.15. With 10 for the last, 990 are left for three who have 1000 + 6000 + 6000 shares:
    # 0.0846, 7.62, 11.7. With 10 for the third, 990 - 390 are left for 1000 + 6000: 0.0952, 8.57.
    pixels, where_present = [900, 60, 39, 1], [1000, 6000, 6000, 10**6]
    weights = class_weights("median_frequency", pixels, where_present)
    assert weights.tolist() == pytest.approx([600 / 7000 / 0.9, 600 / 7000 * 100, 10, 10])
    assert sum(a * b for a, b in zip(weights, pixels, strict=True)) == pytest.approx(1000)


def test_weights_that_are_given_are_used_as_given_and_none_means_none():
    assert class_weights((1.0, 2.0), [5, 5], [10, 10]).tolist() == [1.0, 2.0]
    assert class_weights((1.0, 200.0), [99, 1], [100, 100]).tolist() == [1.0, 200.0]
    assert class_weights("none", [5, 5], [10, 10]) is None


@pytest.mark.parametrize("rule", ["inverse_square_root", "median_frequency"])
def test_weights_of_a_split_without_labels_are_all_one(rule):
    assert class_weights(rule, [0, 0, 0], [0, 0, 0]).tolist() == [1.0, 1.0, 1.0]


def test_an_imbalance_is_a_warning_with_the_weights_that_answer_it():
    finding = imbalance_finding(MASKS, balance(81, 18, 1), LABELS)
    assert (finding.file, finding.code, finding.severity) == (MASKS, "class-imbalance", "warning")
    assert finding.found == ("sky has 81.0 % of the labelled pixels, pole has 1.0 %: an imbalance ratio of 81")
    assert finding.expected == "a ratio of at most 10"
    # Shares 0.81, 0.18, 0.01: 1/0.9, 1/sqrt(0.18), 1/0.1 over their mean 0.9 + sqrt(0.18) + 0.1 = 1.4243.
    assert "inverse_square_root gives 0.78 (sky) to 7 (pole)" in finding.remedy
    # 0.18/0.81, 1, 18 over their mean 3 * 0.18 are 0.41, 1.85, 33. The pole has 10; (100 - 10) / (100 - 33.3) = 1.35
    # times as much for the others.
    assert "median_frequency gives 0.56 (sky) to 10 (pole)" in finding.remedy


def test_a_ratio_of_ten_is_no_warning_and_neither_is_an_absent_class():
    assert imbalance_finding(MASKS, balance(10, 0, 1), LABELS) is None
    assert imbalance_finding(MASKS, balance(0, 0, 0), LABELS) is None
    assert imbalance_finding(MASKS, balance(5, 0, 0), LABELS) is None
    assert imbalance_finding(MASKS, balance(101, 0, 10), LABELS) is not None


def test_a_share_below_the_floor_is_said_to_be_counted_as_a_tenth_of_a_percent():
    assert "pole has 0.010 %, counted as 0.1 %" in imbalance_finding(MASKS, balance(9_999, 0, 1), LABELS).found


@pytest.mark.parametrize(
    ("size", "crop"),
    [
        ((1, 1), 64),
        ((50, 70), 64),
        ((64, 64), 64),
        ((256, 256), 256),
        ((480, 360), 352),
        ((512, 700), 512),
        ((550, 825), 512),
        ((2048, 1024), 512),
        ((1920, 1280), 640),
        ((4000, 3000), 1024),
        ((50_000, 50_000), 1024),
    ],
)
def test_the_crop_that_follows_from_a_size(size, crop):
    advice = suggested_crop_size({size: 3})
    assert advice.size_px == crop
    assert advice.reason.startswith(f"crop_size {crop} follows: ")
    assert f"at least {min(size)} px" in advice.reason


def test_three_quarters_of_the_images_fill_the_crop():
    assert suggested_crop_size({(300, 300): 3, (100, 100): 1}).size_px == 288
    assert suggested_crop_size({(300, 300): 5, (100, 100): 2}).size_px == 96


def test_no_images_give_no_crop():
    assert suggested_crop_size({}) is None


def test_the_branch_that_covers_an_object_is_the_narrowest_that_sees_it_whole():
    branches = [FieldOfView("pooling", math.inf), FieldOfView("rate 12", 400), FieldOfView("rate 6", 200)]
    assert covering(200, branches).name == "rate 6"
    assert covering(201, branches).name == "rate 12"
    assert covering(5000, branches).name == "pooling"
    assert covering(5000, branches[1:]) is None


def test_objects_thinner_than_a_cell_and_longer_than_every_branch_are_named():
    regions = [sized(450, 200), sized(60, 16), sized(120, 3.84)]
    thin, long = scale_sentences(
        regions, LABELS, output_stride=16, branches=[FieldOfView("rate 6", 200), FieldOfView("rate 12", 400)]
    )
    assert "(16 px) hold most pixels of pole (3.8 px):" in thin
    assert "(rate 12) sees (400 px) hold most pixels of sky (450 px):" in long


def test_nothing_is_said_of_objects_that_fit_or_of_absent_classes():
    regions = [sized(400, 200), sized(60, 16), NO_REGIONS]
    assert scale_sentences(regions, LABELS, output_stride=16, branches=[FieldOfView("rate 12", 400)]) == ()
    assert scale_sentences(regions, LABELS, output_stride=16) == ()


def test_advice_is_valid_json_and_works_on_nothing():
    sizes = RegionSizes()
    sizes.add(np.array([[0, 0, 1]], dtype=np.uint8))
    facts = Facts(LABELS, balance(2, 1, 0), ImageSizes({(3, 1): 1}), sizes.result(3), PixelMoments().result())
    found = advise(facts, output_stride=32).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["crop_size"]["size"] == 64
    assert len(found["class_weights"]["median_frequency"]) == 3
    assert len(found["scales"]) == 1
    assert advise(facts).scales == ()
    nothing = Facts(LABELS, balance(0, 0, 0), ImageSizes({}), (NO_REGIONS,) * 3, PixelMoments().result())
    assert advise(nothing).to_json()["crop_size"] is None
