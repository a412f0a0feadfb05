import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from pixelwise.scoring.formulas import MEANS, PER_CLASS, SUMMARY, Sums, mean, ratio, scores_of


def matrices(number, num_classes, absent):
    """(N, K, K) counts; the classes of `absent` are in neither truth nor prediction, the last one is only predicted."""
    random = np.random.default_rng(2)
    counts = random.integers(0, 50, (number, num_classes, num_classes))
    counts *= random.random(counts.shape) < 0.7
    counts[:, range(num_classes), range(num_classes)] += random.integers(0, 60, (number, num_classes))
    counts[:, [-1, *absent]] = 0
    counts[:, :, absent] = 0
    return counts


def scikit_learns(counts):
    """Every score of one matrix (K, K), from scikit-learn's functions of labels with weights."""
    num_classes = len(counts)
    truth, predicted = (index.ravel() for index in np.indices(counts.shape))
    how = {"labels": range(num_classes), "average": None, "sample_weight": counts.ravel()}
    in_truth, in_prediction = counts.any(axis=1), counts.any(axis=0)
    pairs = (truth, predicted)
    iou = np.where(in_truth | in_prediction, jaccard_score(*pairs, **how, zero_division=0), np.nan)
    dice = np.where(in_truth | in_prediction, f1_score(*pairs, **how, zero_division=0), np.nan)
    accuracy = np.where(in_truth, recall_score(*pairs, **how, zero_division=0), np.nan)
    return {
        "iou": iou,
        "dice": dice,
        "accuracy": accuracy,
        "precision": np.where(in_prediction, precision_score(*pairs, **how, zero_division=0), np.nan),
        "mean_iou": np.nanmean(iou),
        "mean_dice": np.nanmean(dice),
        "mean_accuracy": np.nanmean(accuracy),
        "pixel_accuracy": accuracy_score(*pairs, sample_weight=counts.ravel()),
        "frequency_weighted_iou": jaccard_score(*pairs, **{**how, "average": "weighted"}, zero_division=0),
        "mean_iou_absent_as_zero": np.nansum(iou) / num_classes,
    }


@pytest.mark.parametrize(("num_classes", "absent"), [(2, []), (5, [1]), (23, [0, 4, 5, 17])])
def test_every_score_of_every_row_is_that_of_scikit_learn(num_classes, absent):
    counts = matrices(6, num_classes, absent)
    rows = [Sums.of(each) for each in counts]
    found = scores_of(Sums(*(np.stack(parts) for parts in zip(*rows, strict=True))))
    assert set(found) == {*SUMMARY, *PER_CLASS}
    for row in range(len(counts)):
        expected = scikit_learns(counts[row])
        for name in found:
            assert found[name][row] == pytest.approx(expected[name], nan_ok=True, abs=1e-12), name


def test_a_single_result_is_its_row_to_the_last_bit():
    counts = matrices(6, 23, [0, 4, 5, 17])
    rows = [Sums.of(each) for each in counts]
    together = scores_of(Sums(*(np.stack(parts) for parts in zip(*rows, strict=True))))
    for row, sums in enumerate(rows):
        for name, value in scores_of(sums).items():
            assert_array_equal(value, together[name][row], err_msg=name)


def test_the_sums_of_a_matrix_by_hand():
    sums = Sums.of(np.array([[3, 1, 0], [1, 2, 1], [0, 0, 0]]))
    assert [part.tolist() for part in sums] == [[3, 2, 0], [4, 4, 0], [4, 3, 1]]
    assert sums.union.tolist() == [5, 5, 1]
    assert sums.iou.tolist() == [3 / 5, 2 / 5, 0]


def test_every_mean_is_of_a_score_of_the_classes():
    assert set(MEANS) <= set(SUMMARY)
    assert set(MEANS.values()) <= set(PER_CLASS)


def test_nothing_over_nothing_is_nan_without_a_warning():
    assert_array_equal(ratio([1, 0, 3], [2, 0, 4]), [0.5, math.nan, 0.75])
    assert_array_equal(ratio(np.ones((2, 2)), [[2], [0]]), [[0.5, 0.5], [math.nan, math.nan]])
    assert math.isnan(ratio(0, 0))


def test_a_mean_is_of_what_was_measured_in_its_row():
    nan = math.nan
    assert_array_equal(mean(np.array([[1, nan, 3], [nan, nan, nan], [5, nan, nan]])), [2, nan, 5])
    assert mean(np.array([nan, 0.25, 0.75])) == 0.5
    assert math.isnan(mean(np.array([])))
