import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.classification import MulticlassCalibrationError

from pixelwise.inference.forward import likeliest
from pixelwise.scoring.insight.calibration import BINS, CalibrationTally, PixelSample
from tests.scoring.insight.scored import scored


def sample(seed=0, num_classes=5, shape=(60, 70), sharpness=2.0):
    """Logits (K, H, W), and a truth drawn from their probabilities."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(num_classes, *shape, generator=generator)
    shares = logits.softmax(dim=0).flatten(1).T
    truth = torch.multinomial(shares, 1, generator=generator)[:, 0].reshape(shape)
    return truth.to(torch.uint8).numpy(), logits


def tally(truth, logits, temperature=1.0):
    counts = CalibrationTally(len(logits), temperature)
    counts.add(scored(truth, logits=logits))
    return counts


@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.5])
@pytest.mark.parametrize(
    ("norm", "score"), [("l1", "expected_calibration_error"), ("max", "maximum_calibration_error")]
)
def test_calibration_errors_agree_with_torchmetrics(temperature, norm, score):
    truth, logits = sample()
    metric = MulticlassCalibrationError(num_classes=5, n_bins=BINS, norm=norm)
    metric.update((logits / temperature).softmax(dim=0).flatten(1).T, torch.from_numpy(truth).flatten().long())
    result = tally(truth, logits, temperature).result()
    assert getattr(result, score) == pytest.approx(float(metric.compute()), abs=1e-5)


def test_brier_score_and_likelihood_agree_with_scikit_learn():
    truth, logits = sample(num_classes=2)
    probabilities = logits.double().softmax(dim=0).flatten(1).numpy()
    result = tally(truth, logits).result()
    # scikit-learn counts one of the two classes, the sum over both is twice that.
    assert result.brier_score == pytest.approx(2 * brier_score_loss(truth.ravel(), probabilities[1]), abs=1e-6)
    assert result.negative_log_likelihood == pytest.approx(log_loss(truth.ravel(), probabilities.T), abs=1e-6)


def test_the_bins_by_hand():
    # Two pixels of two classes: p = 0.5 each (a tie, class 0 chosen), and p = 0.9 for class 1.
    logits = torch.tensor([[[0.0, 0.0]], [[0.0, math.log(9)]]])
    result = tally(np.array([[0, 0]], dtype=np.uint8), logits).result()
    occupied = {i: (n, result.accuracy[i]) for i, n in enumerate(result.pixels) if n}
    assert occupied == {7: (1, 1.0), 13: (1, 0.0)}  # (7/15, 8/15] holds 0.5, (13/15, 14/15] holds 0.9
    assert result.expected_calibration_error == pytest.approx((0.5 + 0.9) / 2)
    assert result.brier_score == pytest.approx((0.5 + 2 * 0.81) / 2)


@pytest.mark.parametrize("planted", [0.5, 1.7, 4.0])
def test_a_planted_temperature_is_recovered_and_mends_the_calibration(planted):
    truth, logits = sample(shape=(200, 200))
    over = logits * planted
    counts = tally(truth, over)
    fitted = counts.fit_temperature()
    assert fitted == pytest.approx(planted, rel=0.05)
    mended = tally(truth, over, fitted).result()
    assert mended.expected_calibration_error < counts.result().expected_calibration_error / 4
    assert mended.negative_log_likelihood < counts.result().negative_log_likelihood


def test_ignored_pixels_count_for_nothing_and_none_is_nan():
    truth, logits = sample()
    part = truth.copy()
    part[:30] = 255
    below = tally(truth[30:], logits[:, 30:]).result()
    assert tally(part, logits).result().expected_calibration_error == below.expected_calibration_error
    nothing = tally(np.full_like(truth, 255), logits)
    assert math.isnan(nothing.result().expected_calibration_error)
    assert nothing.result().to_json()["brier_score"] is None
    assert nothing.fit_temperature() == 1.0


def test_each_class_has_the_calibration_of_the_pixels_it_was_chosen_for():
    truth, logits = sample()
    confidence, chosen = logits.softmax(dim=0).max(dim=0)
    metric = MulticlassCalibrationError(num_classes=5, n_bins=BINS)
    for i, found in enumerate(tally(truth, logits).result().per_class):
        own = chosen == i
        metric.reset()
        metric.update(logits.softmax(dim=0)[:, own].T, torch.from_numpy(truth)[own].long())
        assert found.pixels == own.sum()
        assert found.confidence == pytest.approx(float(confidence[own].mean()), abs=1e-6)
        assert found.accuracy == pytest.approx(float((torch.from_numpy(truth)[own] == i).float().mean()), abs=1e-6)
        assert found.expected_calibration_error == pytest.approx(float(metric.compute()), abs=1e-5)


def test_of_equal_logits_the_first_class_is_chosen_as_in_the_class_map():
    truth, logits = sample()
    coarse = logits.bfloat16().float()  # full of ties
    chosen = likeliest(coarse[None])[0].numpy()
    result = tally(truth, coarse).result()
    assert [found.pixels for found in result.per_class] == np.bincount(chosen.ravel(), minlength=5).tolist()
    right = [count * share for count, share in zip(result.pixels, result.accuracy, strict=True) if count]
    assert sum(right) == pytest.approx((chosen == truth).sum())


def test_logits_of_any_layout_and_a_truth_that_cannot_be_written_give_the_same():
    truth, logits = sample(shape=(150, 160))
    other = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    truth.setflags(write=False)
    assert tally(truth, other).result().to_json() == tally(truth, logits).result().to_json()


def test_parts_add_up():
    images = [sample(seed) for seed in range(3)]
    whole, first, second = CalibrationTally(5), CalibrationTally(5), CalibrationTally(5)
    for i, (truth, logits) in enumerate(images):
        whole.add(scored(truth, logits=logits))
        (second if i == 1 else first).add(scored(truth, logits=logits))
    first += second
    merged, expected = first.result(), whole.result()
    assert merged.pixels == expected.pixels
    assert merged.confidence == pytest.approx(expected.confidence, nan_ok=True)
    assert merged.best_temperature == pytest.approx(expected.best_temperature, rel=1e-3)
    assert merged.brier_score == pytest.approx(expected.brier_score)


def test_a_temperature_is_never_worse_than_1_and_stays_within_its_limits():
    truth, logits = sample()
    assert tally(truth, logits).fit_temperature() == pytest.approx(1.0, rel=0.05)
    right = logits.argmax(dim=0).to(torch.uint8).numpy()
    assert tally(right, logits).fit_temperature() == pytest.approx(0.05, rel=1e-3)  # sure of everything, rightly
    assert tally(truth, torch.zeros_like(logits)).fit_temperature() == 1.0  # where none is better
    with pytest.raises(ValueError, match="temperature is 0"):
        CalibrationTally(5, 0)


def test_a_model_that_computes_nan_has_no_scores():
    truth, logits = sample(shape=(6, 7))
    result = tally(truth, torch.full_like(logits, math.nan)).result()
    assert sum(result.pixels) == 42
    assert result.to_json()["brier_score"] is None
    assert result.best_temperature == 1.0


def sampled(seed, capacity, images, num_classes=3):
    """A sample of `images` (size, mark): all logits of an image are its mark."""
    drawn = PixelSample(num_classes, capacity=capacity, seed=seed)
    for size, mark in images:
        places = torch.arange(size)
        drawn.add(np.full(size, mark, dtype=np.uint8), torch.full((num_classes, size), float(mark)), places)
    return drawn


def test_every_pixel_is_as_likely_to_be_sampled_whatever_the_order_and_the_size_of_its_image():
    images = [(4000, 0)] + [(100, 1)] * 20 + [(4000, 2)]
    kept = np.zeros(3)
    for seed in range(40):
        truth, logits = sampled(seed, 500, images).pixels()
        assert truth.shape == (500,)
        assert np.array_equal(logits, np.repeat(truth[:, None], 3, axis=1))
        kept += np.bincount(truth, minlength=3)
    # 20,000 draws in all; five standard deviations of a binomial count are 0.018.
    assert kept / kept.sum() == pytest.approx([0.4, 0.2, 0.4], abs=0.018)


def test_merged_samples_are_a_sample_of_the_whole():
    kept = np.zeros(2)
    for seed in range(40):
        first, second = sampled(seed, 500, [(3000, 0)]), sampled(1000 + seed, 500, [(1000, 1)])
        first.merge(second)
        truth, _ = first.pixels()
        assert truth.shape == (500,)
        kept += np.bincount(truth, minlength=2)
    assert kept / kept.sum() == pytest.approx([0.75, 0.25], abs=0.018)


def test_what_is_kept_for_fitting_is_bounded():
    truth, logits = sample(shape=(300, 300))
    counts = CalibrationTally(5)
    for _ in range(6):
        counts.add(scored(truth, logits=logits))
    assert counts.sample.pixels()[1].shape == (200_000, 5)
    assert PixelSample(254).capacity * 254 * 4 <= 64 << 20  # bytes
