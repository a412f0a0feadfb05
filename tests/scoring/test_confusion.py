import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from pixelwise.labels import IGNORE
from pixelwise.scoring.confusion import ConfusionMatrix, joint_counts


def array(*values):
    return np.array(values, dtype=np.uint8)


def test_rows_are_the_truth_and_columns_the_prediction():
    matrix = ConfusionMatrix(3)
    matrix.update(array(0, 0, 1, 2), array(0, 1, 1, 0))
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_ignored_pixels_count_for_nothing():
    matrix = ConfusionMatrix(2)
    matrix.update(array([0, IGNORE], [IGNORE, 1]), array([0, 0], [1, 0]))
    assert matrix.counts.tolist() == [[1, 0], [1, 0]]


def test_the_counts_are_those_of_scikit_learn_on_random_masks_with_ignored_pixels():
    random = np.random.default_rng(0)
    matrix = ConfusionMatrix(21)
    truth = random.integers(0, 21, (3, 700, 900), dtype=np.uint8)  # more pixels than one slice takes
    truth[random.random(truth.shape) < 0.2] = IGNORE
    predicted = random.integers(0, 21, truth.shape, dtype=np.uint8)
    matrix.update(truth, predicted)
    counted = truth != IGNORE
    expected = confusion_matrix(truth[counted], predicted[counted], labels=range(21))
    assert np.array_equal(matrix.counts, expected)


def patches(random, shape, side):
    """Masks of square patches, ignored ones among them, as masks are: runs of equal pixels."""
    coarse = random.choice([0, 1, 7, 200, 253, IGNORE], [-(-length // side) for length in shape])
    return np.kron(coarse, np.ones((side, side)))[: shape[0], : shape[1]].astype(np.uint8)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 40, 2000])  # from a run for every pixel to one across all slices
def test_patches_of_any_size_are_counted_as_scikit_learn_counts_their_pixels(side):
    random = np.random.default_rng(side)
    truth, predicted = patches(random, (1100, 1300), side), np.roll(patches(random, (1100, 1300), side), 7, axis=1)
    expected = confusion_matrix(truth.ravel(), predicted.ravel(), labels=range(256))
    assert np.array_equal(joint_counts(truth, predicted), expected)


@pytest.mark.parametrize("shape", [(0,), (1,), (1, 1), (3, 0)])
def test_hardly_any_pixel_is_counted_too(shape):
    counts = joint_counts(np.full(shape, 3, dtype=np.uint8), np.full(shape, 5, dtype=np.uint8))
    assert counts.sum() == counts[3, 5] == np.prod(shape)


def test_arrays_that_are_not_contiguous_are_counted_alike():
    matrix = ConfusionMatrix(2)
    matrix.update(array([0, 1], [0, 1]).T, array([0, 0], [0, 1]))  # truth is 0 0 / 1 1
    assert matrix.counts.tolist() == [[2, 0], [1, 1]]


def test_counts_stay_exact_beyond_what_float32_can_count():
    matrix = ConfusionMatrix(2, np.full((2, 2), 2**24, dtype=np.int64))
    matrix.update(array(0, 1, 1), array(0, 1, 0))
    assert matrix.counts.tolist() == [[2**24 + 1, 2**24], [2**24 + 1, 2**24 + 1]]


def test_parts_merge_to_the_whole_exactly_even_beyond_2_to_the_53():
    matrix, other = ConfusionMatrix(2), ConfusionMatrix(2, np.array([[2**53, 1], [0, 3]], dtype=np.int64))
    matrix.update(array(0), array(0))
    matrix.merge(other)
    assert matrix == ConfusionMatrix(2, np.array([[2**53 + 1, 1], [0, 3]], dtype=np.int64))


@pytest.mark.parametrize(
    ("truth", "predicted", "what"),
    [
        (array(0), array(2), "prediction holds"),
        (array(IGNORE), array(IGNORE), "prediction holds"),
        (array(2), array(0), "truth holds"),
        (array(0, 1), array(0), "one shape"),
        (array(0).astype(np.int64), array(0), "uint8"),
    ],
)
def test_a_programming_error_is_refused_and_counts_nothing(truth, predicted, what):
    matrix = ConfusionMatrix(2)
    with pytest.raises(ValueError, match=what):
        matrix.update(truth, predicted)
    assert not matrix.counts.any()
