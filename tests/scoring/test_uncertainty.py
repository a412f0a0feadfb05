import numpy as np
import pytest
import torch

from pixelwise.data.batches import Batch
from pixelwise.labels import LabelTable
from pixelwise.scoring.bootstrap import effective_number
from pixelwise.scoring.examine import Tallies
from pixelwise.scoring.uncertainty import _scores, insight_intervals

LABELS = LabelTable.numbered(3)


def examined(seeds, shape=(24, 30)):
    """Images of blocks of three classes, predicted with noise."""
    tallies = Tallies(LABELS, 1.0)
    for seed in seeds:
        generator = np.random.default_rng(seed)
        truth = np.kron(generator.integers(0, 3, (4, 5)), np.ones((6, 6))).astype(np.uint8)
        logits = 3.0 * np.eye(3)[truth].transpose(2, 0, 1) + generator.normal(0, 2, (3, *shape))
        logits = torch.from_numpy(logits).float()[None]
        batch = Batch(torch.zeros(1, 3, *shape, dtype=torch.uint8), torch.from_numpy(truth)[None])
        tallies.add([f"{seed}"], batch, logits, logits.argmax(dim=1).to(torch.uint8).numpy())
    return tallies


def test_the_sums_over_the_images_give_the_scores_of_the_tallies():
    tallies = examined(range(6))
    numbers = {name: np.array(rows).sum(axis=0, keepdims=True) for name, rows in tallies._numbers.items()}
    found = {name: float(values[0]) for name, values in _scores(numbers, 3).items()}
    insight = tallies.result().insight
    assert found == pytest.approx(
        {
            "mean_boundary_iou": insight.boundary.mean_boundary_iou,
            "errors_at_boundary": insight.boundary.errors_at_boundary,
            "interior_accuracy": insight.boundary.interior_accuracy,
            "small_object_recall": insight.objects.overall[0].mean_recall,
            "medium_object_recall": insight.objects.overall[1].mean_recall,
            "large_object_recall": insight.objects.overall[2].mean_recall,
            "expected_calibration_error": insight.calibration.expected_calibration_error,
            "brier_score": insight.calibration.brier_score,
            "negative_log_likelihood": insight.calibration.negative_log_likelihood,
            "mean_absolute_difference": insight.difference.mean_absolute_difference,
            "share_differing": insight.difference.share_differing,
        },
        nan_ok=True,
    )


def test_an_interval_holds_its_score_and_narrows_with_more_images():
    few, many = (examined(range(count)).result().insight for count in (8, 64))
    low, high = many.intervals["brier_score"]
    assert low < many.calibration.brier_score < high
    assert high - low < few.intervals["brier_score"].high - few.intervals["brier_score"].low


def test_one_image_has_no_interval_and_no_image_no_score():
    assert set(examined([0]).result().insight.intervals.values()) == {None}
    assert set(examined([]).result().insight.intervals.values()) == {None}


def test_intervals_of_a_ratio_cover_the_truth_in_93_to_97_of_100():
    # Images of unlike difficulty: each adds pixels, and of these a share that differs, drawn around 0.3.
    generator = np.random.default_rng(1)
    covered, rounds = 0, 600
    for seed in range(rounds):
        pixels = generator.integers(500, 1500, 100).astype(float)
        differing = np.round(pixels * generator.beta(3, 7, 100))
        rows = np.stack([differing, differing, pixels], axis=1)
        nothing = {"boundary": np.zeros((100, 3 * 2 + 14)), "objects": np.zeros((100, 6))}
        numbers = {**nothing, "calibration": np.zeros((100, 47)), "difference": rows}
        low, high = insight_intervals(numbers, 2, seed=seed)["share_differing"]
        covered += low <= 0.3 <= high
    assert 0.93 <= covered / rounds <= 0.97


def test_equally_large_images_count_as_they_are():
    assert effective_number(np.full((40, 1), 7.0))[0] == pytest.approx(40)
