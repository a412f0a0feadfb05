"""Timing: how many steps fit into what is left of a budget."""

import math
from dataclasses import dataclass

TRAINED = 2 / 3
"""At least this share of a budget are steps, where the start leaves so much of it."""

AFTER = 1 / 4
"""At most this share goes to validation, the closer look and the report."""


@dataclass(frozen=True)
class Timing:
    """Seconds for a pixel of a training crop, and seconds that are there for steps; None where nobody asked."""

    images_per_process: int
    pace: float | None = None
    seconds: float | None = None

    @staticmethod
    def seconds_of(budget: float, spent: float) -> float:
        """What of a budget is left for steps when `spent` seconds of it are over."""
        return max(0.0, budget - spent - AFTER * budget)

    def seconds_per_step(self, crop_size: int) -> float | None:
        """Of a step with crops of this side."""
        return None if self.pace is None else self.pace * self.images_per_process * crop_size**2

    def steps_with(self, crop_size: int) -> int:
        """Steps with crops of this side within the seconds that there are; 0 where these are not known."""
        each = self.seconds_per_step(crop_size)
        return 0 if each is None or self.seconds is None else math.floor(self.seconds / each)
