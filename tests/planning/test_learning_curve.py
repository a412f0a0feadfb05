"""The power law finds itself again, and says how little it is sure of where the curve is noise."""

import numpy as np
import pytest

from pixelwise.planning.curve import LearningCurve


def history(scores, *, every=10.0):
    return [{"seconds": every * (i + 1), "validation_miou": score} for i, score in enumerate(scores)]


def test_twice_the_time_of_a_true_power_law_is_its_own_value():
    seconds = 10.0 * np.arange(1, 20)
    curve = LearningCurve.of(history(0.7 - 0.5 * seconds**-0.5))
    assert curve is not None
    assert curve.score == pytest.approx(0.7 - 0.5 * 190**-0.5, abs=1e-4)
    assert curve.twice == pytest.approx(0.7 - 0.5 * 380**-0.5, abs=1e-4)
    assert curve.error < 1e-4


def test_noise_is_told_as_an_error_at_least_as_large():
    seconds = 10.0 * np.arange(1, 20)
    noise = np.random.default_rng(0).normal(0, 0.02, len(seconds))
    curve = LearningCurve.of(history(0.7 - 0.5 * seconds**-0.5 + noise))
    assert curve is not None
    assert curve.error > 0.01
    assert "less than the law is sure of" in curve.text()


def test_five_validations_are_no_curve_and_epochs_without_one_do_not_count():
    assert LearningCurve.of(history([0.1, 0.2, 0.3, 0.35, 0.36])) is None
    assert LearningCurve.of(history([0.1, None, 0.2, None, 0.3, 0.35, 0.36])) is None
    assert LearningCurve.of(history([0.1, 0.2, 0.3, 0.35, 0.36, 0.37])) is not None
