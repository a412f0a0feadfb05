"""Curves of every kind, drawn by hand: the verdict, the numbers in the evidence, the settings in the advice."""

import math
import random
import re

import pytest

from pixelwise.report.run.learning.diagnosis import diagnose
from pixelwise.settings import FIELDS


def run(train, validation, train_loss=None, validation_loss=None):
    """A history; a loss that is not given is 2 minus twice the mIoU, None where that is."""
    epochs = range(len(train))
    losses = [
        [None if value is None else 2 - 2 * value for value in curve] if given is None else given
        for given, curve in ((train_loss, train), (validation_loss, validation))
    ]
    return [
        {
            "epoch": i + 1, "learning_rate": 0.003 * (1 - i / len(train)), "seconds": 10.0 * i,
            "train_loss": losses[0][i], "validation_loss": losses[1][i],
            "train_miou": train[i], "validation_miou": validation[i],
        }
        for i in epochs
    ]  # fmt: skip


def line(first, last, number=12):
    return [first + (last - first) * i / (number - 1) for i in range(number)]


def towards(first, last, number=12):
    """A curve that has settled by the last third."""
    return [last - (last - first) * math.exp(-8 * i / (number - 1)) for i in range(number)]


def noisy(values, deviation, seed):
    random_numbers = random.Random(seed)
    return [value + random_numbers.gauss(0, deviation) for value in values]


RUNS = {
    "healthy": run(towards(0.1, 0.72), towards(0.1, 0.70)),
    "healthy, training below validation": run(towards(0.1, 0.58), towards(0.1, 0.66)),
    "still improving": run(line(0.1, 0.6), line(0.1, 0.62)),
    "overfitting": run(line(0.2, 0.9), [*line(0.2, 0.6, 6), *line(0.59, 0.5, 6)]),
    "overfitting, standing still": run(line(0.3, 0.9), towards(0.2, 0.6)),
    "overfitting, by the loss": run(
        line(0.4, 0.7), [*line(0.3, 0.6, 5), *[0.6] * 7], line(1, 0.2), [*line(1, 0.5, 5), *line(0.52, 0.8, 7)]
    ),
    "underfitting": run(towards(0.05, 0.2), towards(0.05, 0.22)),
    "underfitting, slowly rising": run(line(0.05, 0.15), line(0.05, 0.15)),
    "diverging": run([*line(0.1, 0.5, 6), *line(0.4, 0.05, 6)], [*line(0.1, 0.5, 6), *line(0.4, 0.05, 6)]),
    "diverging, from the start": run(line(0.08, 0.03), line(0.08, 0.03), line(2, 4), line(2, 4)),
    "too short to say": run(line(0.1, 0.4, 3), line(0.1, 0.4, 3)),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_each_kind_is_told(name):
    assert diagnose(RUNS[name]).verdict == name.partition(",")[0]


@pytest.mark.parametrize("name", RUNS)
def test_evidence_and_advice_are_one_sentence_each_with_numbers_and_with_settings_that_exist(name):
    found = diagnose(RUNS[name])
    for sentence in (found.evidence, found.advice):
        assert re.fullmatch(r"[A-Z0-9].*[^.]\.", sentence)
        assert not re.search(r"[a-z]\. [A-Z]", sentence)
    assert re.search(r"\d", found.evidence)
    named = re.findall(r"`(\w+)`", found.advice)
    assert named
    assert set(named) <= FIELDS.keys()


@pytest.mark.parametrize("name", ["healthy", "still improving", "overfitting", "underfitting", "diverging"])
def test_noise_of_a_hundredth_does_not_change_the_verdict(name):
    verdicts = [
        diagnose(
            run(
                noisy([row["train_miou"] for row in RUNS[name]], 0.005, seed),
                noisy([row["validation_miou"] for row in RUNS[name]], 0.01, -1 - seed),
            )
        ).verdict
        for seed in range(20)
    ]
    assert verdicts.count(name) >= 16


@pytest.mark.parametrize("name", ["healthy", "still improving", "overfitting", "underfitting"])
@pytest.mark.parametrize("epoch", [4, 8, 12])
def test_one_odd_epoch_does_not_change_the_verdict(name, epoch):
    history = [dict(row) for row in RUNS[name]]
    history[epoch - 1]["validation_miou"] = 0.02
    history[epoch - 1]["train_loss"] *= 1.3
    assert diagnose(history).verdict == name


def test_the_evidence_names_the_best_epoch_and_both_ends_of_the_fall():
    history = run([0.3, 0.5, 0.6, 0.7, 0.75, 0.8], [0.3, 0.5, 0.6, 0.58, 0.55, 0.5])
    evidence = diagnose(history).evidence
    # The median of 0.5, 0.6 and 0.58 takes the tip of the curve off.
    assert "from 0.58 in epoch 3 to 0.50 in epoch 6" in evidence
    assert "from 0.60 to 0.80" in evidence


def test_epochs_without_validation_count_for_nothing():
    history = run(line(0.1, 0.4, 14), [None] * 14)
    for epoch, value in ((3, 0.2615), (6, 0.3186), (9, 0.3733), (12, 0.4186), (14, 0.4402)):
        history[epoch - 1] |= {"validation_miou": value, "validation_loss": 2 - 2 * value}
    found = diagnose(history)
    assert found.verdict == "still improving"
    assert "0.37 in epoch 9 to 0.44 in epoch 14" in found.evidence
    assert "`epochs` from 14 to about 21" in found.advice


@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_epochs_are_too_short(number):
    found = diagnose(RUNS["still improving"][:number])
    assert found.verdict == "too short to say"
    assert f"of {number} epochs" in found.evidence


def test_a_run_without_validation_is_not_called_short_for_its_epochs():
    found = diagnose(run(line(0.1, 0.6), [None] * 12))
    assert found.verdict == "too short to say"
    assert found.evidence.startswith("None of 12 epochs was validated")
    assert "validation folder" in found.advice


def test_all_null_and_missing_values_say_nothing():
    assert diagnose(run([None] * 8, [None] * 8)).verdict == "too short to say"
    assert diagnose([{"epoch": 1}, {}]).verdict == "too short to say"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_training_loss_that_is_not_finite_diverges_however_short_the_run(value):
    found = diagnose([{"epoch": 7, "learning_rate": 0.03, "train_loss": value}])
    assert found.verdict == "diverging"
    assert "epoch 7" in found.evidence
    assert "from 0.03 to about 0.01" in found.advice


def test_a_validation_value_of_nan_was_not_measured():
    history = [dict(row) for row in RUNS["healthy"]]
    history[5] |= {"validation_miou": math.nan, "validation_loss": math.nan}
    assert diagnose(history).verdict == "healthy"


def test_a_loss_near_zero_may_double_while_the_scores_stay():
    flat = [0.96] * 12
    assert diagnose(run(flat, flat, [*line(0.1, 0.01, 8), 0.02, 0.02, 0.02, 0.02], [0.05] * 12)).verdict == "healthy"


def test_a_last_epoch_worse_than_the_first_diverges_though_it_is_one():
    history = [dict(row) for row in RUNS["healthy"]]
    history[-1]["train_loss"] = 9.0
    assert diagnose(history).verdict == "diverging"
