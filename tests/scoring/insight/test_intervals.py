from dataclasses import replace

import numpy as np
import pytest
import torch

from pixelwise.data.batches import Batch
from pixelwise.labels import LabelTable
from pixelwise.menus import TALLIES
from pixelwise.scoring.bootstrap import effective_number
from pixelwise.scoring.evaluate import Tallies
from pixelwise.scoring.formulas import PER_CLASS
from pixelwise.scoring.insight.id_difference import DifferenceTally
from pixelwise.scoring.insight.intervals import insight_intervals

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
    found = {}
    for name, rows in tallies._of_images().items():
        scores = tallies.tallies[name].scores(rows.sum(axis=0, keepdims=True))
        found |= {score: float(values[0]) for score, values in scores.items()}
    insight = tallies.result().insight
    expected = {
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
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", TALLIES)
def test_scores_of_rows_are_those_of_each_row_alone(name):
    tallies = examined(range(6))
    tally, rows = tallies.tallies[name], tallies._of_images()[name]
    together = tally.scores(rows)
    for i in range(len(rows)):
        alone = tally.scores(rows[i : i + 1])
        assert [values.shape for values in alone.values()] == [(1,)] * len(together)
        assert {score: values[0] for score, values in alone.items()} == pytest.approx(
            {score: values[i] for score, values in together.items()}, nan_ok=True
        )
    assert tally.held(rows).shape in ((6, 1), (6, len(together)))


def test_tallies_and_their_scores_have_names_of_their_own():
    tallies = examined(range(2))
    names = [score for tally in tallies.tallies.values() for score in tally.summary()]
    others = replace(tallies.result(), insight=None).to_json()
    known = [*names, *TALLIES, *PER_CLASS, *others]
    assert len(set(known)) == len(known)


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
        found = insight_intervals({"difference": DifferenceTally(2)}, {"difference": rows}, seed=seed)
        low, high = found["share_differing"]
        covered += low <= 0.3 <= high
    assert 0.93 <= covered / rounds <= 0.97


def test_equally_large_images_count_as_they_are():
    assert effective_number(np.full((40, 1), 7.0))[0] == pytest.approx(40)
