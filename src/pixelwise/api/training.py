"""The verb `train`, and the one way a run ends, whoever started it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.api.budget import with_time_for_money
from pixelwise.api.closer_look import finish
from pixelwise.api.datasets import checked
from pixelwise.bundle import Bundle, load_bundle
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.display import Display, shown_bands
from pixelwise.errors import SettingsError
from pixelwise.runtime import rank_here
from pixelwise.settings import Settings
from pixelwise.training.folder import prepare_folder, read_run_settings, require_split, split_to_resume
from pixelwise.training.initial import network_of
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
    started: float | None = None,
    **settings: Any,
) -> TrainingResult:
    """Check a dataset, train on it and keep the best model in `output`/model.

    Args:
        dataset: as in `check`.
        output: a new folder for the run; with `resume`, the folder of the run to go on with.
        config: a JSON, TOML or YAML file of settings; keyword arguments win over it.
        resume: go on from the last checkpoint with the settings the run began with.
        start_from: a trained model; with other classes its classifier starts anew.
        device: "cpu", "cuda", "cuda:1"; the first GPU, if there is one, by default.
        classes: as in `check`.
        channels: as in `check`.
        split_by: as in `check`; a resumed run keeps its split.
        quiet: show nothing; the log is written all the same.
        show_bands: as in `check`; the report shows them.
        price: USD an hour of the machine, for a `budget` in money such as "3usd".
        started: `time.monotonic()` from when on a `budget` counts; by default this call.
        settings: any of `pixelwise.Settings`.

    Raises:
        PixelwiseError: its children say what was wrong of data, settings, loss, memory or time; Interrupted can resume.
    """
    started = time.monotonic() if started is None else started
    folder, initial = Path(output), None if start_from is None else load_bundle(Path(start_from))
    rule = _prepared(folder, split_by, show_bands, resume=resume)
    chosen, told = _settings(folder, config, settings, price, resume=resume, initial=initial)
    told |= _sound(dataset, rule, chosen, show_bands, classes=classes, channels=channels)
    told |= {"device": device, "is_quiet": quiet, "started": started, "initial": initial, "resume": resume}
    return train_checked(TrainingRequest(settings=chosen, folder=folder, **told), show_bands=show_bands)


def _sound(
    dataset: PathLike | None, rule: SplitRule, chosen: Settings, show_bands: Sequence[int] | str | None, **of_data: Any
) -> dict[str, Any]:
    """Of a request, the dataset: looked at, sound, divided as `rule` wants, with the bands that the report shows."""
    began = time.monotonic()
    seen: dict[str, Any] = {"num_classes": chosen.num_classes, "crop_size": chosen.crop_size, "meant": chosen}
    report = checked(dataset, rule, **seen, **of_data)
    require_split(rule, report)
    report.require_sound()
    Display.of(report.bands, show_bands)
    return {"report": report, "check_seconds": time.monotonic() - began}


def train_checked(request: TrainingRequest, *, show_bands: Sequence[int] | str | None = None) -> TrainingResult:
    """`train_run` to its end: the best model has its temperature, and the run its report, which shows `show_bands`.

    Every process of a group must call this; the first of them writes.
    """
    result = train_run(request)
    if rank_here() == 0:
        with LineLog(request.folder, is_quiet=request.is_quiet) as log:
            finish(result, request, show_bands, Audience(log, *request.listeners).say)
    return result


def _prepared(folder: Path, split_by: str | None, show_bands: Sequence[int] | str | None, *, resume: bool) -> SplitRule:
    """The split that a run in `folder`, which can take it, has or is to have."""
    if show_bands is not None:
        shown_bands(show_bands)
    if rank_here() == 0:
        prepare_folder(folder, resume=resume)
    return split_to_resume(folder, split_by) if resume else SplitRule(split_by)


def _settings(
    folder: Path,
    config: PathLike | None,
    given: Mapping[str, Any],
    price: float | None,
    *,
    resume: bool,
    initial: Bundle | None,
) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run; and of its request, what is to be said of them."""
    defaults = {} if initial is None else network_of(initial)
    if initial is not None and given.get("backbone_weights") is not None:
        raise SettingsError("backbone_weights and start_from are both given; a model brings its own trunk. Give one.")
    given, remarks = with_time_for_money(path_of(config), given, price)
    if config is not None:
        given = Settings.read(Path(config), given, defaults=defaults).to_json()
    chosen = Settings.of({**defaults, **(read_run_settings(folder) if resume else {}), **given})
    return chosen, {"remarks": remarks}
