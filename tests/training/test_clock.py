"""How much of a training is done, how often it is validated and how much time is kept, on a clock that tests set."""

import dataclasses

import pytest

import pixelwise.training.budget.clock as clock_module
from pixelwise.settings import Settings
from pixelwise.training.budget.clock import Clock
from pixelwise.training.budget.examination import Examination
from pixelwise.training.checkpoint import TrainingState


@pytest.fixture
def now(monkeypatch):
    """The time, as a list of one number that a test may change."""
    moment = [1000.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: moment[0])
    return moment


def cost_of(network, counting=0.0, **more):
    return Examination(network=network, counting=counting, **{"saving": 0.0, **more})


def test_without_a_budget_updates_are_counted(now):
    clock = Clock(Settings(epochs=10), steps_per_epoch=4)
    assert clock.done(TrainingState(updates=10)) == 0.25
    assert clock.done(TrainingState(updates=40)) == 1
    now[0] += 30
    assert clock.left(TrainingState(updates=10)) == pytest.approx(90)


def test_under_a_budget_the_share_is_that_of_the_time_less_what_comes_after(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4)
    # 10 images: validated 10 s, looked at closely 10 + 5 s, pictured 10 s; a tenth more, and 2 s of writing: 40.5 s.
    clock.expect(cost_of(1.0, 0.5), 10)
    now[0] += 29.75
    assert clock.done(TrainingState()) == pytest.approx(0.5)
    now[0] += 29.75
    assert clock.done(TrainingState()) == 1


def test_under_a_budget_the_share_counts_from_the_first_step(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4, seconds_before=19)
    clock.expect(cost_of(0.0), 10)  # 2 s of writing
    assert clock.done(TrainingState(began=19)) == 0
    now[0] += 79 / 2
    assert clock.done(TrainingState(began=19)) == pytest.approx(0.5)


def test_under_a_budget_the_last_step_ends_about_with_the_time_for_steps(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4)
    clock.expect(cost_of(0.0), 10)
    state = TrainingState(updates=2, trained_seconds=20)  # steps of 10 s: from 98 s on none may end, on average
    now[0] += 92
    assert clock.done(state) < 1
    now[0] += 1
    assert clock.done(state) == 1


def test_a_budget_without_time_for_what_comes_after_is_over_at_once(now):
    clock = Clock(Settings(budget=10), steps_per_epoch=4)
    clock.expect(cost_of(3.0), 4)
    assert clock.done(TrainingState()) == 1


def test_where_weights_are_averaged_two_validations_are_kept_back_for_the_end(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4)
    # Validated twice 10 s, looked at closely 10 s, pictured 10 s; a tenth more, and 2 s of writing: 46 s.
    clock.expect(dataclasses.replace(cost_of(1.0), passes=2), 10)
    now[0] += 53.9
    assert clock.done(TrainingState()) < 1
    now[0] += 0.2
    assert clock.done(TrainingState()) == 1


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


def test_validations_on_the_way_are_fewer_where_the_start_took_much_of_what_steps_leave(now):
    # A third of 300 s is 100 s. After 70 s of start and 2 s of writing 28 s are left; the examination takes 22 s of
    # them, so that 6 s of 300 s, a fiftieth, are for validations on the way: one of 5 s after 250 s.
    clock = Clock(Settings(budget=300), steps_per_epoch=4, seconds_before=70)
    clock.expect(cost_of(1.0, 1.4), 5)
    now[0] += 170
    assert not clock.is_validation_due(0.5)
    now[0] += 20
    assert clock.is_validation_due(0.6)


def test_images_are_chosen_so_that_two_thirds_of_the_budget_are_left(now):
    clock = Clock(Settings(budget=90), steps_per_epoch=4, seconds_before=10)
    # 30 s less 10 s of start and 2 s of writing; four fifths of 18 s are 14.4 s. An image takes 0.1 + 0.31 s, and 24 of
    # them 0.1 s more for their pictures: 12 / 0.41 = 29.3.
    assert clock.affordable(cost_of(0.1, 0.21), 240) == 29
    assert clock.affordable(cost_of(0.1, 0.21), 20) == 20
    assert clock.affordable(cost_of(5.0), 240) == 4  # never fewer
    assert clock.affordable(cost_of(5.0), 3) == 3
    assert Clock(Settings(), steps_per_epoch=4).affordable(cost_of(5.0), 240) == 240


def test_a_resumed_run_has_no_longer_start_than_that_of_its_session(now):
    clock = Clock(Settings(budget=90), steps_per_epoch=4, seconds_before=70, earlier=60)
    assert clock.affordable(cost_of(0.1, 0.21), 240) == 29


def test_the_time_that_is_kept_grows_with_a_slow_validation(now):
    clock = Clock(Settings(budget=100), steps_per_epoch=4)
    clock.expect(cost_of(0.5, 0.5), 10)  # 5 + 10 + 5 s
    now[0] += 10
    assert clock.done(TrainingState()) == pytest.approx(10 / (100 - 22 - 2))
    clock.validated(10)  # twice as slow as expected
    assert clock.done(TrainingState()) == pytest.approx(10 / (100 - 44 - 2))


def test_fewer_steps_than_an_epoch_are_a_warning_only_under_a_budget(now):
    state = TrainingState(updates=31, trained_seconds=62)
    text = Clock(Settings(budget=180), steps_per_epoch=45).few_steps(state)
    assert text is not None
    assert "trained 31 steps, less than one epoch of 45" in text
    assert "about 90 s" in text
    assert "budget of 3m" in text
    assert Clock(Settings(budget=180), steps_per_epoch=31).few_steps(state) is None
    assert Clock(Settings(), steps_per_epoch=45).few_steps(state) is None


def test_a_budget_without_a_step_says_what_took_the_time_and_what_would_do(now):
    clock = Clock(Settings(budget=60), steps_per_epoch=45, seconds_before=50)
    clock.expect(cost_of(1.0, 1.0, step=2.0), 4)  # 4 + 8 + 4 s, a tenth more and 2 s: 19.6 s
    text = clock.no_step(TrainingState(began=50), check_seconds=41.4)
    assert "budget of 1m " in text
    assert "Starting took 50 s, 41 s of them for the check" in text
    assert "20 s for 4 images, a step about 2.0 s" in text
    # Three times 69.6 s are 208.8 s: the next half minute is 3m30s.
    assert "--budget 3m30s." in text
