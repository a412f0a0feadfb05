import math

import numpy as np
import pytest

from pixelwise.data.facts.regions import regions
from pixelwise.scoring.insight.object_size import LIMITS, ObjectRecall
from tests.scoring.insight.scored import scored


def recall(truth, predicted, num_classes=2):
    counts = ObjectRecall(num_classes)
    counts.add(scored(truth, predicted))
    return counts.result()


def test_regions_are_found_by_size_by_hand():
    truth = np.zeros((100, 100), dtype=np.uint8)
    truth[0:3, 0:3] = 1  # 9 px of 10,000: small
    truth[10:12, 10:12] = 1  # 4 px: small
    truth[20:28, 20:28] = 1  # 64 px: medium
    truth[40:60, 40:60] = 1  # 400 px: large
    predicted = truth.copy()
    predicted[10:12, 10:12] = 0  # missed
    predicted[20:28, 20:24] = 0  # half of it
    small, medium, large = recall(truth, predicted).per_class[1]
    assert (small.regions, small.mean_recall, small.pixel_recall) == (2, 0.5, pytest.approx(9 / 13))
    assert (medium.regions, medium.mean_recall, medium.pixel_recall) == (1, 0.5, 0.5)
    assert (large.regions, large.mean_recall) == (1, 1.0)
    overall = recall(truth, predicted).overall
    assert [size.regions for size in overall] == [2, 1, 2]  # the background is a large region


def test_the_limits_belong_to_the_larger_size():
    truth = np.zeros((100, 100), dtype=np.uint8)
    truth[0, 0:10] = 1  # exactly 0.1 %
    truth[50:60, 50:60] = 1  # exactly 1 %
    assert [size.regions for size in recall(truth, truth).per_class[1]] == [0, 1, 1]


def test_diagonal_neighbours_are_one_region():
    truth = np.zeros((50, 50), dtype=np.uint8)
    truth[10, 10] = truth[11, 11] = 1
    assert recall(truth, truth).per_class[1][0].regions == 1


def test_ignored_pixels_are_no_region_and_absent_sizes_are_null():
    truth = np.full((20, 20), 255, dtype=np.uint8)
    truth[0:10] = 0
    result = recall(truth, np.zeros_like(truth))
    assert [size.regions for size in result.overall] == [0, 0, 1]
    assert math.isnan(result.overall[0].mean_recall)
    assert result.to_json()["overall"]["small"] == {"regions": 0, "mean_recall": None, "pixel_recall": None}


def test_parts_add_up():
    generator = np.random.default_rng(0)
    pairs = [generator.integers(0, 3, (2, 40, 40)).astype(np.uint8) for _ in range(4)]
    whole, first, second = ObjectRecall(3), ObjectRecall(3), ObjectRecall(3)
    for i, pair in enumerate(pairs):
        whole.add(scored(*pair))
        (first if i < 2 else second).add(scored(*pair))
    first += second
    assert first.result().to_json()["overall"]["small"]["mean_recall"] == pytest.approx(
        whole.result().to_json()["overall"]["small"]["mean_recall"]
    )


def test_the_regions_are_those_that_the_facts_of_a_dataset_count():
    generator = np.random.default_rng(1)
    truth = np.kron(generator.integers(0, 5, (30, 40)), np.ones((4, 3))).astype(np.uint8)
    truth[generator.random(truth.shape) < 0.02] = 255
    found = regions(truth)
    for i, sizes in enumerate(recall(truth, truth, 5).per_class):
        shares = found.area[found.class_id == i] / truth.size
        expected = np.bincount(np.digitize(shares, LIMITS), minlength=3)
        assert [size.regions for size in sizes] == expected.tolist()
        assert all(size.mean_recall == size.pixel_recall == 1 for size in sizes if size.regions)


def test_the_recall_over_pixels_of_all_sizes_is_that_of_the_class():
    generator = np.random.default_rng(2)
    truth, predicted = generator.integers(0, 3, (2, 50, 60)).astype(np.uint8)
    for i, sizes in enumerate(recall(truth, predicted, 3).per_class):
        pixels = np.array([np.nan_to_num(size.pixel_recall) for size in sizes])
        areas = regions(truth)
        shares = np.digitize(areas.area / truth.size, LIMITS)
        weights = np.bincount(shares[areas.class_id == i], areas.area[areas.class_id == i], minlength=3)
        own = truth == i
        assert (pixels * weights).sum() / weights.sum() == pytest.approx((predicted[own] == i).mean())
