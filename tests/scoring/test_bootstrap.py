import json

import numpy as np
import pytest
from scipy import stats

from pixelwise.labels import LabelTable
from pixelwise.scoring.bootstrap import Interval, expanded_percentiles, intervals, resampled
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.formulas import PER_CLASS, SUMMARY
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.metrics import Scores


def counts_of(matrices):
    counts = ImageCounts(len(matrices[0]))
    for i, matrix in enumerate(matrices):
        counts.add(f"{i:05d}", np.asarray(matrix, dtype=np.int64))
    return counts


def scores_of_all(matrices):
    total = np.sum(matrices, axis=0, dtype=np.int64)
    return Scores(ConfusionMatrix(len(total), total), LabelTable.numbered(max(2, len(total))))


def drawn_images(num_images, presence):
    """(N, K, K) confusion matrices: images that are easy or hard, classes large or rare, found well or badly."""
    random = np.random.default_rng(0)
    num_classes = len(presence)
    present = random.random((num_images, num_classes)) < presence
    sizes = random.gamma(1.5, np.linspace(2, 0.5, num_classes), present.shape) * present
    truth = (40_000 * sizes / sizes.sum(axis=1, keepdims=True)).astype(np.int64)
    ease = random.normal(0, 0.7, (num_images, 1)) + random.normal(np.linspace(2, 0.3, num_classes), 0.7, present.shape)
    found = (truth / (1 + np.exp(-ease))).astype(np.int64)
    taken_for = random.dirichlet(np.full(num_classes, 0.5), num_images)[:, None, :]
    matrices = ((truth - found)[:, :, None] * taken_for).astype(np.int64)
    matrices[:, range(num_classes), range(num_classes)] += found
    return matrices


def test_the_intervals_cover_the_known_truth_in_93_to_97_of_100_data_sets():
    # All images there are: 20,000. A data set is 200 of them, and its intervals should hold the score of all.
    matrices = drawn_images(20_000, presence=(1.0, 1.0, 0.8, 0.5, 0.3))
    population, truth = counts_of(matrices), scores_of_all(matrices)
    names, random = np.array(population.names), np.random.default_rng(1)
    covered = {name: [] for name in (*SUMMARY, *PER_CLASS)}
    for i in range(1000):
        sample = population.ordered(random.choice(names, 200, replace=False).tolist())
        found = intervals(sample, resamples=500, seed=i)
        for name in SUMMARY:
            covered[name].append(found[name].low <= getattr(truth, name) <= found[name].high)
        for name in PER_CLASS:
            true_values = zip(found[name], getattr(truth, name), strict=True)
            covered[name].append([interval.low <= value <= interval.high for interval, value in true_values])
    shares = np.concatenate([np.atleast_1d(np.mean(flags, axis=0)) for flags in covered.values()])
    assert shares.min() >= 0.93
    assert shares.max() <= 0.97


def test_with_many_images_the_intervals_are_the_percentiles_that_scipy_finds():
    matrices = drawn_images(800, presence=(1.0, 0.6))
    hits, pixels = matrices.trace(axis1=1, axis2=2), matrices.sum(axis=(1, 2))
    expected = stats.bootstrap(
        (hits, pixels),
        lambda part, whole, axis: part.sum(axis=axis) / whole.sum(axis=axis),
        paired=True, vectorized=True, n_resamples=5000, method="percentile", random_state=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    found = intervals(counts_of(matrices), resamples=5000)["pixel_accuracy"]
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.05 * width)


def test_a_resample_draws_as_many_images_as_there_are():
    weights = next(resampled(5, 8, seed=4))
    assert weights.shape == (8, 5)
    assert weights.sum(axis=1).tolist() == [5] * 8
    assert (weights > 1).any()


def test_percentiles_are_expanded_for_few_images():
    # Five images: sqrt(5 / 4) times 2.776, Student's 97.5 % point at four degrees, is 3.104; the normal
    # distribution leaves 0.00095 beyond it. With very many images 0.025 are left.
    values = np.repeat(np.linspace(0, 1, 100_001)[:, None], 3, axis=1)
    five, many, none = expanded_percentiles(values, np.array([5.0, 1e9, np.nan]))
    assert five == pytest.approx((0.00095, 0.99905), abs=1e-5)
    assert many == pytest.approx((0.025, 0.975), abs=1e-5)
    assert none is None


def test_equal_seeds_give_equal_intervals_in_whatever_order_images_were_counted():
    counts = counts_of(drawn_images(30, presence=(1.0, 0.5)))
    shuffled = counts.ordered(reversed(counts.names))
    assert intervals(shuffled, resamples=200) == intervals(counts, resamples=200)
    assert intervals(counts, resamples=200, seed=1) != intervals(counts, resamples=200)


def test_many_images_are_resampled_in_pieces_that_stay_small():
    pieces = [piece.shape for piece in resampled(400_000, 5, seed=0)]
    assert pieces == [(2, 400_000), (2, 400_000), (1, 400_000)]


def test_a_class_that_fewer_than_two_images_hold_has_no_interval():
    images = [[[9, 1, 0], [0, 0, 0], [0, 0, 0]], [[5, 0, 0], [0, 5, 0], [0, 0, 0]], [[7, 0, 0], [0, 0, 0], [0, 0, 0]]]
    found = intervals(counts_of(images), resamples=200)
    assert found["iou"][2] is found["dice"][2] is found["accuracy"][2] is found["precision"][2] is None
    assert found["accuracy"][1] is None  # one image holds it in the truth
    assert found["iou"][1] is not None  # another predicts it
    assert found["iou"][0].low < 21 / 22 <= found["iou"][0].high
    assert all(isinstance(found[name], Interval) for name in SUMMARY)


def test_a_perfect_prediction_has_an_interval_without_width():
    found = intervals(counts_of([np.diag([3, 4]), np.diag([8, 1])]), resamples=100)
    assert found["mean_iou"] == (1, 1)
    assert found["dice"] == [(1, 1), (1, 1)]


@pytest.mark.parametrize("images", [[], [[[5, 1], [0, 6]]], [np.zeros((2, 2))] * 3])
def test_no_image_or_one_or_only_unlabelled_ones_allow_no_interval(images):
    counts = counts_of(images) if images else ImageCounts(2)
    found = intervals(counts, resamples=50)
    assert found == {**dict.fromkeys(SUMMARY), **{name: [None, None] for name in PER_CLASS}}


def test_intervals_are_strict_json_as_they_are():
    found = intervals(counts_of([np.diag([i, 3, 0]) + np.eye(3, k=1, dtype=int) for i in range(9)]), resamples=100)
    content = json.loads(json.dumps(found, allow_nan=False))
    assert content["mean_iou"] == list(found["mean_iou"])
    assert content["iou"][0] == list(found["iou"][0])
    assert content["accuracy"][2] is None
