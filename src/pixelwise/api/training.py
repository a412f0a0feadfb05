"""The verb `train`, and the one way a run ends, whoever started it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.api.budget import with_time_for_money
from pixelwise.api.closer_look import finish
from pixelwise.api.datasets import checked
from pixelwise.api.plans import planner_of, require_plan
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.display import Display, shown_bands
from pixelwise.errors import SettingsError
from pixelwise.runtime import rank_here
from pixelwise.settings import Settings
from pixelwise.training.folder import prepare_folder, read_run_settings, require_split, split_to_resume
from pixelwise.training.freezing import require_weights_to_freeze
from pixelwise.training.initial import Initial, load_initial, network_of
from pixelwise.training.progress import Audience, LineLog
from pixelwise.training.run import TrainingRequest, TrainingResult, train_run


def train(  # noqa: PLR0913  # the door lists what one may ask for
    dataset: PathLike | None = None,
    *,
    output: PathLike,
    config: PathLike | None = None,
    resume: bool = False,
    start_from: PathLike | None = None,
    device: str | None = None,
    classes: PathLike | None = None,
    channels: Mapping[str, PathLike | None] | None = None,
    split_by: str | None = None,
    quiet: bool = False,
    show_bands: Sequence[int] | str | None = None,
    price: float | None = None,
    plan: str = "auto",
    started: float | None = None,
    **settings: Any,
) -> TrainingResult:
    """Check a dataset, train on it and keep the best model in `output`/model.

    Args:
        dataset: as in `check`.
        output: a new folder for the run; with `resume`, the folder of the run to go on with.
        config: a JSON, TOML or YAML file of settings; keyword arguments win over it.
        resume: go on from the last checkpoint with the settings the run began with.
        start_from: a trained model, or published weights of torchvision or Hugging Face; see `training.initial`.
        device: "cpu", "cuda", "cuda:1"; the first GPU, if there is one, by default.
        classes: as in `check`.
        channels: as in `check`.
        split_by: as in `check`; a resumed run keeps its split.
        show_bands: as in `check`; the report shows them.
        quiet: show nothing; the log is written all the same.
        price: USD an hour of the machine, for a `budget` in money such as "3usd".
        plan: "auto" finds what nobody gave from data and machine, as `plan` shows it; "fixed" takes plain defaults.
        started: `time.monotonic()` when a `budget` began; by default this call.
        settings: any of `pixelwise.Settings`.

    Raises:
        PixelwiseError: its children say what went wrong; Interrupted is resumable.
    """
    started = time.monotonic() if started is None else started
    told = {"device": device, "is_quiet": quiet, "started": started, "resume": resume}
    asked = _Asked(Path(output), config, settings, price, plan, start_from, split_by, show_bands, told)
    return train_checked(_request(asked, dataset, classes=classes, channels=channels), show_bands=show_bands)


@dataclass(frozen=True)
class _Asked:
    """What `train` was asked for, beside the data."""

    folder: Path
    config: PathLike | None
    settings: Mapping[str, Any]
    price: float | None
    plan: str
    start_from: PathLike | None
    split_by: str | None
    show_bands: Sequence[int] | str | None
    told: Mapping[str, Any]  # what the run is told as it is, by the names of `TrainingRequest`


def _request(asked: _Asked, dataset: PathLike | None, **of_data: Any) -> TrainingRequest:
    """The run that was asked for, on a dataset that is sound."""
    resume, config = asked.told["resume"], asked.config
    initial = None if asked.start_from is None else load_initial(Path(asked.start_from))
    _prepare(asked.folder, asked.show_bands, resume=resume)
    bought = with_time_for_money(path_of(config), asked.settings, asked.price)
    given = _given(config, bought.settings, initial)
    source = "settings" if config is None else str(config)
    chosen = Settings.of({**read_run_settings(asked.folder), **given} if resume else given, source=source)
    require_weights_to_freeze(chosen, has_model=resume or initial is not None)
    is_planned = require_plan(asked.plan) and not resume
    rule = split_to_resume(asked.folder, asked.split_by) if resume else SplitRule(asked.split_by)
    crop = None if is_planned and "crop_size" not in given else chosen.crop_size
    report, seconds = _sound(dataset, rule, chosen, asked.show_bands, crop_size=crop, **of_data)
    planner = planner_of(report, given, initial) if is_planned else None
    found: dict[str, Any] = {"check_seconds": seconds, "remarks": bought.remarks, "initial": initial}
    return TrainingRequest(report, chosen, asked.folder, planner=planner, **found, **asked.told)


def _sound(
    dataset: PathLike | None, rule: SplitRule, chosen: Settings, show_bands: Sequence[int] | str | None, **of_data: Any
) -> tuple[CheckReport, float]:
    """The dataset looked at, sound, divided as `rule` wants, with the bands that the report shows; seconds it took."""
    began = time.monotonic()
    report = checked(dataset, rule, num_classes=chosen.num_classes, meant=chosen, **of_data)
    require_split(rule, report)
    report.require_sound()
    Display.of(report.bands, show_bands)
    return report, time.monotonic() - began


def train_checked(request: TrainingRequest, *, show_bands: Sequence[int] | str | None = None) -> TrainingResult:
    """`train_run` to its end: the best model has its temperature, and the run its report, which shows `show_bands`.

    Every process of a group must call this; the first of them writes.
    """
    result = train_run(request)
    if rank_here() == 0:
        with LineLog(request.folder, is_quiet=request.is_quiet) as log:
            finish(result, request, show_bands, Audience(log, *request.listeners).say)
    return result


def _prepare(folder: Path, show_bands: Sequence[int] | str | None, *, resume: bool) -> None:
    if show_bands is not None:
        shown_bands(show_bands)
    if rank_here() == 0:
        prepare_folder(folder, resume=resume)


def _given(config: PathLike | None, settings: Mapping[str, Any], initial: Initial | None) -> dict[str, Any]:
    """What the user said by keyword or in a file, and what a model to start from says of the network, by name."""
    if initial is not None and settings.get("backbone_weights") is not None:
        raise SettingsError("backbone_weights and start_from are both given; a model brings its own trunk. Give one.")
    file = {} if config is None else Settings.values_of(Path(config))
    return {**({} if initial is None else network_of(initial)), **file, **settings}
