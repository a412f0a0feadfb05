"""What a run is asked for, what it gives, and what it asks of a plan; `pixelwise.planning` makes one."""

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pixelwise.data.check.dataset import CheckReport
from pixelwise.runtime import Runtime
from pixelwise.scoring.metrics import Scores
from pixelwise.settings import Settings
from pixelwise.training.budget.clock import Spent
from pixelwise.training.initial import Initial
from pixelwise.training.progress import Observer


class PlannedSettings(Protocol):
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


class SettingsSource(Protocol):
    """What finds the settings as soon as the machine is known."""

    def __call__(self, runtime: Runtime, *, spent: float) -> PlannedSettings:
        """The plan; all processes call this together. `spent` are the seconds of a budget that are over."""
        ...


@dataclass(frozen=True)
class TrainingRequest:
    """What a run is given: a dataset that was checked and found sound, settings, and the folder to write to."""

    report: CheckReport
    """Of the dataset, with its pairs and labels."""
    settings: Settings
    """With `num_classes` None or equal to the report's."""
    folder: Path
    """See `folder.prepare_folder`."""
    _: KW_ONLY
    resume: bool = False
    """Go on from the last checkpoint, if there is one."""
    device: str | None = None
    """See `runtime.started`."""
    is_quiet: bool = False
    """Say nothing on the terminal."""
    started: float = field(default_factory=time.monotonic)
    """`time.monotonic()` when the job began, for the budget."""
    check_seconds: float = 0.0
    """How long it took to check the dataset."""
    remarks: Sequence[str] = ()
    """Sentences about the request that are said when the run begins."""
    initial: Initial | None = None
    """A trained model to start from; see `training.initial`."""
    listeners: Sequence[Observer] = ()
    """Are told what the run tells, in process 0."""
    planner: SettingsSource | None = None
    """What finds the settings of a new run that nobody gave; without one they are `settings`."""


@dataclass(frozen=True)
class TrainingResult:
    """What a run gave: its folder, the folder of the best bundle, its validation scores, where they arose."""

    folder: Path
    bundle: Path
    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float
    validation_images: int = 0
    """How many images, evenly spread over those of validation, the scores are of."""
    warnings: tuple[str, ...] = ()
    """What must be known of the model before it is used."""
    spent: Spent | None = None
    """How a budget was used so far; None without one."""
