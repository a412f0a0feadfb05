import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from pixelwise.scoring.insight.ranking import PrecisionRecallTally
from tests.scoring.insight.scored import scored


def probabilities(seed, num_classes=4, shape=(40, 50)):
    return (2 * torch.randn(num_classes, *shape, generator=torch.Generator().manual_seed(seed))).softmax(dim=0)


def truth_like(shares, seed):
    """Mostly the likeliest class, sometimes another."""
    generator = np.random.default_rng(seed)
    likeliest = shares.argmax(dim=0).numpy().astype(np.uint8)
    other = generator.integers(0, len(shares), likeliest.shape).astype(np.uint8)
    return np.where(generator.random(likeliest.shape) < 0.4, other, likeliest)


def test_average_precision_agrees_with_scikit_learn():
    counts = PrecisionRecallTally(4)
    truths, shares = [], []
    for seed in range(3):
        share = probabilities(seed)
        truth = truth_like(share, seed)
        truth[:5] = 255
        counts.add(scored(truth, probabilities=share))
        truths.append(truth.ravel())
        shares.append(share.flatten(1).numpy())
    truth, share = np.concatenate(truths), np.concatenate(shares, axis=1)
    labelled = truth != 255
    expected = [average_precision_score(truth[labelled] == i, share[i, labelled]) for i in range(4)]
    result = counts.result()
    assert result.per_class == pytest.approx(expected, abs=1e-3)
    assert result.mean == pytest.approx(np.mean(expected), abs=1e-3)


@pytest.mark.parametrize("sharpness", [0.2, 8.0])
def test_average_precision_holds_for_timid_and_for_very_sure_models(sharpness):
    logits = sharpness * torch.randn(5, 150, 160, generator=torch.Generator().manual_seed(1))
    share = logits.softmax(dim=0)  # at 8 more than a third of the largest are above 0.999
    truth = truth_like(share, 1)
    counts = PrecisionRecallTally(5)
    counts.add(scored(truth, probabilities=share))
    expected = [average_precision_score(truth.ravel() == i, share[i].flatten().numpy()) for i in range(5)]
    assert counts.result().per_class == pytest.approx(expected, abs=1e-3)


def test_probabilities_that_all_tie_have_the_share_of_the_class():
    truth = np.repeat(np.array([0, 1, 1, 1, 255], dtype=np.uint8), 10_000)[None]
    counts = PrecisionRecallTally(2)
    counts.add(scored(truth, probabilities=torch.full((2, *truth.shape), 0.5)))
    assert counts.result().per_class == pytest.approx((0.25, 0.75), abs=1e-4)


def test_a_class_of_which_the_model_is_never_or_always_sure_is_ranked_too():
    share = torch.tensor([[[1.0, 1e-12, 0.0, 1e-9]], [[0.0, 1.0, 1.0, 1.0]]])
    counts = PrecisionRecallTally(2)
    counts.add(scored(np.array([[1, 1, 1, 0]], dtype=np.uint8), probabilities=share))
    # Class 0 ranks 1, 1e-9, 1e-12, 0, and its one pixel is the second.
    assert counts.result().per_class[0] == pytest.approx(1 / 2)


def test_a_model_that_computes_nan_is_ranked_as_sure_of_nothing():
    counts = PrecisionRecallTally(2)
    counts.add(scored(np.array([[0, 1]], dtype=np.uint8), probabilities=torch.full((2, 1, 2), math.nan)))
    assert all(0 <= value <= 1 for value in counts.result().per_class)


def test_a_perfect_ranking_has_1_and_an_absent_class_none():
    truth = np.array([[0, 0, 1, 1]], dtype=np.uint8)
    share = torch.tensor([[[0.9, 0.8, 0.2, 0.1]], [[0.1, 0.2, 0.8, 0.9]], [[0.0, 0.0, 0.0, 0.0]]])
    counts = PrecisionRecallTally(3)
    counts.add(scored(truth, probabilities=share))
    result = counts.result()
    assert result.per_class[:2] == (1.0, 1.0)
    assert math.isnan(result.per_class[2])
    assert result.mean == 1.0
    assert result.to_json()["per_class"] == [1.0, 1.0, None]


def test_a_ranking_by_hand():
    # Ranked by the probability of class 1: right, wrong, right. AP = 1/2 * 1/1 + 1/2 * 2/3.
    truth = np.array([[1, 0, 1]], dtype=np.uint8)
    share = torch.tensor([[[0.1, 0.3, 0.6]], [[0.9, 0.7, 0.4]]])
    counts = PrecisionRecallTally(2)
    counts.add(scored(truth, probabilities=share))
    assert counts.result().per_class[1] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_parts_add_up_and_nothing_is_null():
    whole, first, second = PrecisionRecallTally(4), PrecisionRecallTally(4), PrecisionRecallTally(4)
    for seed in range(4):
        share = probabilities(seed)
        truth = truth_like(share, seed)
        whole.add(scored(truth, probabilities=share))
        (first if seed % 2 else second).add(scored(truth, probabilities=share))
    first += second
    assert first.result() == whole.result()
    assert PrecisionRecallTally(2).result().to_json()["mean_average_precision"] is None
