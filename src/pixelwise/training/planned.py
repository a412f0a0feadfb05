"""What training asks of a plan; `pixelwise.planning` makes one."""

from collections.abc import Sequence
from typing import Any, Protocol

from pixelwise.runtime import Runtime
from pixelwise.settings import Settings


class Planned(Protocol):
    """Settings with the reasons for them."""

    @property
    def settings(self) -> Settings:
        """All of them, with the number of classes."""
        ...

    def lines(self) -> Sequence[str]:
        """What the log says of it."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What RUN/plan.json has."""
        ...


class Planner(Protocol):
    """What finds the settings as soon as the machine is known."""

    def __call__(self, runtime: Runtime, *, spent: float) -> Planned:
        """The plan; all processes call this together. `spent` are the seconds of a budget that are over."""
        ...
