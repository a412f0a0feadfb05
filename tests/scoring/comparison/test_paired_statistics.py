import numpy as np
import pytest

from pixelwise.scoring.comparison.statistics import PairedCounts, holm
from pixelwise.scoring.image_counts import ImageCounts


def five_images(matrix):
    counts = ImageCounts(len(matrix))
    for i in range(5):
        counts.add(f"image{i}", np.array(matrix, dtype=np.int64))
    return counts


def test_the_totals_are_the_sums_of_either_side():
    a, b = PairedCounts(five_images([[50, 10], [20, 20]]), five_images([[52, 8], [15, 25]])).totals()
    assert [part.tolist() for part in a] == [[[250, 100]], [[300, 200]], [[350, 150]]]
    assert [part.tolist() for part in b] == [[[260, 125]], [[300, 200]], [[335, 165]]]


def test_equal_images_leave_the_difference_no_spread():
    found = PairedCounts(five_images([[50, 10], [20, 20]]), five_images([[52, 8], [15, 25]])).intervals(100, seed=0)
    difference = (52 / 75 - 50 / 80, 25 / 48 - 20 / 50)
    assert found["iou"] == [pytest.approx((each, each)) for each in difference]
    assert found["mean_iou"] == [pytest.approx((sum(difference) / 2,) * 2)]
    assert found["pixel_accuracy"] == [pytest.approx((7 / 100, 7 / 100))]


def test_exchanging_few_images_gives_the_p_value_of_all_exchanges():
    # B finds more in each of five images: of the 32 exchanges only none and all reach the difference, 1 in 16.
    counts = PairedCounts(five_images([[50, 10], [20, 20]]), five_images([[52, 8], [15, 25]]))
    found = counts.p_values(20_000, seed=0)
    assert found["mean_iou"] == pytest.approx([1 / 16], abs=0.006)
    assert found["iou"] == pytest.approx([1 / 16] * 2, abs=0.006)


def test_holms_correction_multiplies_the_smallest_by_the_number_of_tests_and_so_on_down():
    # by hand: 0.01 x 4, 0.02 x 3, 0.022 x 2 but not below the one before, 0.9 x 1
    assert holm([0.02, None, 0.01, 0.9, 0.022]) == pytest.approx([0.06, None, 0.04, 0.9, 0.06])
    assert holm([None, None]) == [None, None]
    assert holm([0.6, 0.7]) == [1, 1]
