"""Clock: how much of the training is done, in steps or in time."""

import time

from pixelwise.settings import Settings
from pixelwise.training.checkpoint import TrainingState

EXAMINED = 500
"""So many validation images at most are looked at closely for the report after training."""

_SECONDS_PER_EXAMINED_IMAGE = 0.1  # of half a megapixel or less on one core


class Clock:
    """How much of the training is done: counted in steps, or in time under a budget."""

    def __init__(
        self, settings: Settings, steps_per_epoch: int, seconds_before: float = 0.0, *, validation_images: int = 0
    ) -> None:
        self._budget = settings.budget
        # In the end averaged weights are validated and those as they stand, too.
        self._last_passes = 2 if settings.ema_decay else 1
        self._total = settings.epochs * steps_per_epoch
        self._started = time.monotonic() - seconds_before
        self.validation_images = validation_images
        # Until a validation was timed, keep a tenth of the budget for the last one and for writing.
        self._reserve = 0.1 * (settings.budget or 0.0)
        self._validated_at, self._validation_seconds = 0.0, 0.0

    def seconds(self) -> float:
        """Time spent so far, over all sessions."""
        return time.monotonic() - self._started

    def done(self, state: TrainingState) -> float:
        """Share of the training that is over, 0 to 1."""
        if self._budget is None:
            return min(1.0, state.updates / self._total)
        return min(1.0, self.seconds() / max(self._budget - self._reserve, 1e-3))

    def left(self, state: TrainingState) -> float:
        """Seconds until the end, at the pace so far."""
        if self._budget is not None:
            return self._budget - self.seconds()
        return self.seconds() * (self._total - state.updates) / max(state.updates, 1)

    def is_validation_due(self, done: float) -> bool:
        """After every epoch; under a budget while validation takes at most a tenth of the time, and at the end."""
        if self._budget is None or done >= 1:
            return True
        return self._validation_seconds <= 0.1 * (self.seconds() - self._validated_at)

    def expect_validation(self, seconds: float) -> None:
        """Keep that much time, and some more, for the last validation, the report's closer look and writing."""
        self._validation_seconds = seconds
        self._reserve = 1.15 * seconds * self._last_passes + self._closer_look(seconds) + 3.0

    def validated(self, seconds: float) -> None:
        """Note how long a validation took."""
        self._validated_at = self.seconds()
        self.expect_validation(seconds)

    def validation_rate(self) -> float:
        """Images a second of the last validation, of all processes."""
        return self.validation_images / max(self._validation_seconds, 1e-9)

    def _closer_look(self, validation_seconds: float) -> float:
        """What the report will take: another pass over at most EXAMINED images, and counting in each."""
        images = min(self.validation_images, EXAMINED)
        return images * (validation_seconds / max(self.validation_images, 1) + _SECONDS_PER_EXAMINED_IMAGE)
