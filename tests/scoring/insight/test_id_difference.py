import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error

from pixelwise.scoring.insight.id_difference import DifferenceTally, absolute_difference
from tests.scoring.insight.scored import scored


def test_the_difference_by_hand():
    truth = np.array([[0, 4, 2, 255]], dtype=np.uint8)
    predicted = np.array([[4, 4, 1, 3]], dtype=np.uint8)
    counts = DifferenceTally(5)
    counts.add(scored(truth, predicted))
    result = counts.result()
    assert result.mean_absolute_difference == pytest.approx((4 + 0 + 1) / 4 / 3)
    assert result.share_differing == pytest.approx(2 / 3)
    assert absolute_difference(truth, predicted, 5).tolist() == [[1.0, 0.0, 0.25, 0.0]]


def test_equal_maps_differ_by_0_and_the_farthest_by_1():
    truth, far = np.zeros((3, 3), dtype=np.uint8), np.full((3, 3), 19, dtype=np.uint8)
    for predicted, expected in ((truth, 0.0), (far, 1.0)):
        counts = DifferenceTally(20)
        counts.add(scored(truth, predicted))
        assert counts.result().mean_absolute_difference == expected


def test_without_labels_there_is_nothing_to_say():
    counts = DifferenceTally(3)
    counts.add(scored(np.full((2, 2), 255, dtype=np.uint8), np.zeros((2, 2), dtype=np.uint8)))
    assert math.isnan(counts.result().mean_absolute_difference)
    assert counts.result().to_json()["share_differing"] is None


def test_parts_add_up_and_the_share_is_the_rest_of_the_pixel_accuracy():
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 4, (2, 6, 50, 60)).astype(np.uint8)
    first, second = DifferenceTally(4), DifferenceTally(4)
    for i in range(6):
        (first if i % 2 else second).add(scored(truth[i], predicted[i]))
    first += second
    result = first.result()
    assert result.share_differing == pytest.approx(1 - accuracy_score(truth.ravel(), predicted.ravel()))
    assert result.mean_absolute_difference == pytest.approx(mean_absolute_error(truth.ravel(), predicted.ravel()) / 3)
