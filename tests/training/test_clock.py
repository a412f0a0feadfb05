import pytest

import pixelwise.training.clock as clock_module
from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.clock import Clock


@pytest.fixture
def now(monkeypatch):
    """The time, as a list of one number that a test may change."""
    moment = [1000.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: moment[0])
    return moment


def test_without_a_budget_updates_are_counted(now):
    clock = Clock(Settings(epochs=10), steps_per_epoch=4)
    assert clock.done(TrainingState(updates=10)) == 0.25
    assert clock.done(TrainingState(updates=40)) == 1
    now[0] += 30
    assert clock.left(TrainingState(updates=10)) == pytest.approx(90)


def test_under_a_budget_the_share_is_that_of_the_time_less_the_last_validation(now):
    clock = Clock(Settings(budget=100, ema_decay=0), steps_per_epoch=4)
    clock.expect_validation(20)  # and 3 seconds and 15 % more
    now[0] += 37
    assert clock.done(TrainingState()) == pytest.approx(37 / 74)
    now[0] += 37
    assert clock.done(TrainingState()) == 1


def test_where_weights_are_averaged_two_validations_are_kept_back_for_the_end(now):
    clock = Clock(Settings(budget=100, ema_decay=0.9), steps_per_epoch=4)
    clock.expect_validation(20)  # twice, with 15 % more, and 3 seconds
    now[0] += 51
    assert clock.done(TrainingState()) == 1
    now[0] -= 1
    assert clock.done(TrainingState()) < 1


def test_earlier_sessions_count(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4, seconds_before=50)
    assert clock.seconds() == 50


def test_under_a_budget_validation_takes_at_most_a_tenth_of_the_time(now):
    clock = Clock(Settings(budget=1000), steps_per_epoch=4)
    now[0] += 50
    clock.validated(10)
    assert not clock.is_validation_due(0.1)
    now[0] += 99
    assert not clock.is_validation_due(0.2)
    now[0] += 2
    assert clock.is_validation_due(0.2)
    assert Clock(Settings(), steps_per_epoch=4).is_validation_due(0.1)
    clock.validated(10)
    assert clock.is_validation_due(1.0)
