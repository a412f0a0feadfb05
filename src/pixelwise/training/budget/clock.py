"""Clock: how much of the training is done, in steps or in time."""

import math
import time
from dataclasses import dataclass

from pixelwise.phrases import counted
from pixelwise.settings import Settings
from pixelwise.training.budget.examination import SHARE, STEPS, Examination
from pixelwise.training.checkpoint import TrainingState
from pixelwise.values import duration_text

_LEAST_STEPS = 10  # a budget that is proposed has time for so many
_FOR_LAST = 0.8  # of what steps, start and writing leave; the rest is for validations on the way
_MOST_VALIDATING = 0.1  # of the time at most goes to validations on the way
_SPARE = 1.1  # so much longer than measured the examination may take


@dataclass(frozen=True)
class Spent:
    """How a budget was used, in seconds, until training ended."""

    budget: float
    began: float
    """When the job began, by `time.monotonic()`, as if all sessions were one."""
    start: float
    """Until the first step."""
    steps: float

    def seconds(self) -> float:
        """Of the whole job until now."""
        return time.monotonic() - self.began

    def left(self) -> float:
        """Until the budget is over."""
        return self.budget - self.seconds()


class Clock:
    """How much of the training is done: counted in steps, or in time under a budget."""

    def __init__(
        self,
        settings: Settings,
        steps_per_epoch: int,
        seconds_before: float = 0.0,
        *,
        earlier: float = 0.0,
        validation_images: int = 0,
    ) -> None:
        """`seconds_before` this moment were spent, so many of them in `earlier` sessions."""
        # An epoch here takes each image once, whatever an epoch of the run repeats.
        self._budget, self._steps_per_epoch = settings.budget, math.ceil(steps_per_epoch / settings.repeats)
        self._total = settings.epochs * steps_per_epoch
        self._started = time.monotonic() - seconds_before
        self._earlier = earlier
        self.validation_images = validation_images
        self._cost: Examination | None = None
        self._rhythm = _MOST_VALIDATING
        self._validated_at, self._validation_seconds = 0.0, 0.0

    def seconds(self) -> float:
        """Time spent so far, over all sessions."""
        return time.monotonic() - self._started

    def spent(self, state: TrainingState) -> Spent | None:
        """How the budget was used so far; None without one."""
        if self._budget is None:
            return None
        return Spent(self._budget, self._started, state.began, state.trained_seconds)

    def done(self, state: TrainingState) -> float:
        """Share of the training that is over, 0 to 1; under a budget of the time from the first step on."""
        if self._budget is None:
            return min(1.0, state.updates / self._total)
        # Half a step before the end: a step that has begun is finished, and may be long.
        time_for_steps = self._budget - self._reserve() - self._step(state) / 2 - state.began
        return min(1.0, (self.seconds() - state.began) / time_for_steps) if time_for_steps > 0 else 1.0

    def left(self, state: TrainingState) -> float:
        """Seconds until the end, at the pace so far."""
        if self._budget is not None:
            return self._budget - self.seconds()
        return self.seconds() * (self._total - state.updates) / max(state.updates, 1)

    def is_validation_due(self, done: float) -> bool:
        """After every epoch; under a budget while validations leave STEPS of it to steps, and at the end."""
        if self._budget is None or done >= 1:
            return True
        return self._validation_seconds <= self._rhythm * (self.seconds() - self._validated_at)

    def affordable(self, cost: Examination, images: int) -> int:
        """How many of the validation `images` may be examined, so that STEPS of the budget are left to steps."""
        if self._budget is None:
            return images
        return cost.affordable(min(SHARE * self._budget, _FOR_LAST * self._beside_steps(cost)), images)

    def expect(self, cost: Examination, images: int) -> None:
        """Keep the time that examining so many images takes; before the first step of a session."""
        self.validation_images, self._cost = images, cost
        self._validation_seconds = cost.validation(images)
        if self._budget is not None:
            spare = max(0.0, self._beside_steps(cost) - cost.seconds(images))
            self._rhythm = min(_MOST_VALIDATING, spare / self._budget)

    def validated(self, seconds: float) -> None:
        """Note how long one validation took; what comes after the last step is expected to be as slow."""
        self._validated_at, self._validation_seconds = self.seconds(), seconds
        if self._cost is not None:
            expected = self._cost.validation(self.validation_images)
            self._cost = self._cost.slowed(seconds / max(expected, 1e-9))

    def validation_rate(self) -> float:
        """Images a second of the last validation, of all processes."""
        return self.validation_images / max(self._validation_seconds, 1e-9)

    def few_steps(self, state: TrainingState) -> str | None:
        """A warning where a budget ended before every training image was seen; else None."""
        if self._budget is None or state.updates >= self._steps_per_epoch:
            return None
        epoch = self._step(state) * self._steps_per_epoch
        return (
            f"Warning: trained {counted(state.updates, 'step')}, less than one epoch of {self._steps_per_epoch}: not "
            f"every training image was seen. An epoch takes about {epoch:.0f} s here; give more than the budget of "
            f"{duration_text(self._budget)}."
        )

    def no_step(self, state: TrainingState, check_seconds: float) -> str:
        """Why a budget left no time for any step, and which one would."""
        assert self._budget is not None
        rest, step = self._reserve(), self._step(state)
        others = state.began + rest
        needed = max(others / (1 - STEPS), others + _LEAST_STEPS * step)
        # Rounded up, to half minutes and beyond ten minutes to whole ones.
        unit = 30 if needed <= 600 else 60
        return (
            f"The budget of {duration_text(self._budget)} left no time for a single step, so there is no model. "
            f"Starting took {state.began:.0f} s, {check_seconds:.0f} s of them for the check of the data; validation, "
            f"closer look and report are expected to take {rest:.0f} s for {self.validation_images} images, a step "
            f"about {step:.1f} s. Give at least --budget {duration_text(-(-needed // unit) * unit)}."
        )

    def _step(self, state: TrainingState) -> float:
        """Seconds of a step: of those so far, or before there are some as expected."""
        if state.updates:
            return state.trained_seconds / state.updates
        return 0.0 if self._cost is None else self._cost.step

    def _reserve(self) -> float:
        """Seconds that are kept for what comes after the last step; a tenth of the budget until that was measured."""
        if self._cost is None:
            return 0.1 * (self._budget or 0.0)
        return _SPARE * self._cost.seconds(self.validation_images) + self._cost.writing()

    def _beside_steps(self, cost: Examination) -> float:
        """Seconds that are left for validations and the closer look, if STEPS of the budget are to be steps."""
        start = self.seconds() - self._earlier
        return (1 - STEPS) * (self._budget or 0.0) - start - cost.writing()
