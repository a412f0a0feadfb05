"""The verb `plan`, and what `train` plans with."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.api.budget import with_time_for_money
from pixelwise.api.datasets import checked
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.errors import SettingsError
from pixelwise.menus import PLANS
from pixelwise.models.trunks import can_be_had
from pixelwise.planning.curve import FEWEST, LearningCurve
from pixelwise.planning.plan import TrainingPlan
from pixelwise.planning.planner import Planner
from pixelwise.report.run.gather import read_history
from pixelwise.runtime import started as runtime_started
from pixelwise.settings import Settings
from pixelwise.training.initial import Initial
from pixelwise.values import unknown_choice


def plan(  # noqa: PLR0913  # the door lists what one may ask for
    dataset: PathLike | None = None,
    *,
    config: PathLike | None = None,
    after: PathLike | None = None,
    device: str | None = None,
    classes: PathLike | None = None,
    channels: Mapping[str, PathLike | None] | None = None,
    split_by: str | None = None,
    price: float | None = None,
    **settings: Any,
) -> TrainingPlan:
    """What `train` would do with a dataset on this machine: every setting with its reason, steps, time and memory.

    A few steps are timed; nothing is trained, fetched or written.

    Args:
        dataset: as in `check`.
        config: as in `train`.
        after: the folder of a finished run on this dataset, whose curve says what twice its time would bring.
        device: as in `train`.
        classes: as in `check`.
        channels: as in `check`.
        split_by: as in `check`.
        price: as in `train`.
        settings: any of `pixelwise.Settings`; they win over the plan.

    Raises:
        DataError: the dataset has faults, all in the message; SettingsError: a setting cannot be used.
        ModelError: `after` is no run.
    """
    began = time.monotonic()
    bought = with_time_for_money(path_of(config), settings, price)
    given = {**({} if config is None else Settings.values_of(Path(config))), **bought.settings}
    chosen = Settings.of(given)
    crop = chosen.crop_size if "crop_size" in given else None
    how = {"num_classes": chosen.num_classes, "crop_size": crop, "meant": chosen}
    report = checked(dataset, SplitRule(split_by), classes=classes, channels=channels, **how)
    report.require_sound()
    planner = planner_of(report, given, None, is_timed=True)
    with runtime_started(device, chosen.precision, seed=chosen.seed) as runtime:
        found = planner(runtime, spent=time.monotonic() - began)
    notes = [*found.notes, *bought.remarks, *_outlook(after)]
    return dataclasses.replace(found, notes=tuple(notes))


def planner_of(
    report: CheckReport, given: Mapping[str, Any], initial: Initial | None, *, is_timed: bool = False
) -> Planner:
    """The planner of a training on a sound dataset."""
    starts = initial is not None or given.get("backbone_weights") is not None
    return Planner(report, given, starts=starts, unavailable=can_be_had, is_timed=is_timed)


def require_plan(name: str) -> bool:
    """Whether settings are planned. Raises SettingsError where `name` is no entry of `menus.PLANS`."""
    if name not in PLANS:
        raise SettingsError(unknown_choice("plan", name, PLANS))
    return name == "auto"


def _outlook(after: PathLike | None) -> list[str]:
    """What the curve of a finished run says of a longer one."""
    if after is None:
        return []
    history = read_history(Path(after))
    curve = LearningCurve.of(history)
    if curve is None:
        return [f"{after}: has too few validations to say what more time would bring; {FEWEST} or more are needed."]
    return [f"After {after}: {curve.text()}"]
