"""The verb `train`, and the one way a run ends, whoever started it."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike
from pixelwise.api.datasets import checked
from pixelwise.bundle import load_bundle, save_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.display import Display, shown_bands
from pixelwise.errors import SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.report.run.gather import Report, read_history, write_report_of
from pixelwise.runtime import alone, rank_here
from pixelwise.scoring.evaluate import evaluate as evaluate_pairs
from pixelwise.settings import Settings
from pixelwise.training.clock import EXAMINED
from pixelwise.training.folder import prepare_folder, read_run_settings, require_split, split_to_resume
from pixelwise.training.freezing import require_weights_to_freeze
from pixelwise.training.initial import Initial, load_initial, network_of
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
    **settings: Any,
) -> TrainingResult:
    """Check a dataset, train on it and keep the best model in `output`/model.

    Args:
        dataset: as in `check`.
        output: a new folder for the run; with `resume`, the folder of the run to go on with.
        config: a JSON, TOML or YAML file of settings; keyword arguments win over it.
        resume: go on from the last checkpoint with the settings the run began with.
        start_from: a trained model, or published segmentation weights of torchvision or Hugging Face (a file or a
            folder with config.json); with other classes the classifier starts anew.
        device: "cpu", "cuda", "cuda:1"; the first GPU, if there is one, by default.
        classes: as in `check`.
        channels: as in `check`.
        split_by: as in `check`; a resumed run keeps its split.
        quiet: show nothing; the log is written all the same.
        show_bands: as in `check`; the report shows them.
        settings: any of `pixelwise.Settings`.

    Raises:
        DataError: the dataset has faults, all in the message; SettingsError: a setting cannot be used.
        TrainingError: the loss is not finite, or memory does not suffice; Interrupted: a signal, resumable.
    """
    started = time.monotonic()
    folder, initial = Path(output), None if start_from is None else load_initial(Path(start_from))
    _prepare(folder, show_bands, resume=resume)
    chosen = _settings(folder, config, settings, resume=resume, initial=initial)
    rule = split_to_resume(folder, split_by) if resume else SplitRule(split_by)
    report = _sound(dataset, rule, chosen, show_bands, classes=classes, channels=channels)
    told: dict[str, Any] = {"device": device, "is_quiet": quiet, "started": started, "initial": initial}
    return train_checked(TrainingRequest(report, chosen, folder, resume=resume, **told), show_bands=show_bands)


def _sound(
    dataset: PathLike | None, rule: SplitRule, chosen: Settings, show_bands: Sequence[int] | str | None, **of_data: Any
) -> CheckReport:
    """The dataset looked at, sound and divided as `rule` wants; its images have the bands that the report shows."""
    seen: dict[str, Any] = {"num_classes": chosen.num_classes, "crop_size": chosen.crop_size, "meant": chosen}
    report = checked(dataset, rule, **seen, **of_data)
    require_split(rule, report)
    report.require_sound()
    Display.of(report.bands, show_bands)
    return report


def train_checked(request: TrainingRequest, *, show_bands: Sequence[int] | str | None = None) -> TrainingResult:
    """`train_run` to its end: the best model has its temperature, and the run its report, which shows `show_bands`.

    Every process of a group must call this; the first of them writes.
    """
    result = train_run(request)
    if rank_here() == 0:
        _finish(result, request.report, request.device, show_bands)
    return result


def _prepare(folder: Path, show_bands: Sequence[int] | str | None, *, resume: bool) -> None:
    if show_bands is not None:
        shown_bands(show_bands)
    if rank_here() == 0:
        prepare_folder(folder, resume=resume)


def _finish(
    result: TrainingResult, report: CheckReport, device: str | None, show_bands: Sequence[int] | str | None
) -> None:
    """Fit the temperature of the trained model on validation, keep it in the bundle, and write RUN/report."""
    bundle = load_bundle(result.bundle)
    pairs = report.pairs["validation"]
    # Evenly spaced, so that neighbours in a video do not crowd out the rest.
    examined = [pairs[i * len(pairs) // min(len(pairs), EXAMINED)] for i in range(min(len(pairs), EXAMINED))]
    # A group has ended by now: what is left is the work of one process.
    runtime = alone(device, bundle.settings.precision)
    predictor = Predictor(bundle, runtime)
    evaluation = evaluate_pairs(
        predictor.model,
        EvaluationBatches(examined, bundle.labels, bands=bundle.bands),
        labels=bundle.labels,
        runtime=runtime,
        bands=bundle.bands,
    )
    assert evaluation.insight is not None
    calibrated = dataclasses.replace(bundle, temperature=evaluation.insight.calibration.best_temperature)
    save_bundle(result.bundle, calibrated)
    title = f"{result.folder.resolve().name} on validation"
    source = Report(title, evaluation, examined, report.facts_json(), read_history(result.folder), show_bands)
    # The temperature changes the probabilities alone, so that the predictor need not be built again.
    predictor.temperature = calibrated.temperature
    write_report_of(source, calibrated, predictor, result.folder / "report")


def _settings(
    folder: Path, config: PathLike | None, given: Mapping[str, Any], *, resume: bool, initial: Initial | None
) -> Settings:
    defaults = {} if initial is None else network_of(initial)
    if initial is not None and given.get("backbone_weights") is not None:
        raise SettingsError("backbone_weights and start_from are both given; a model brings its own trunk. Give one.")
    if config is not None:
        given = Settings.read(Path(config), given, defaults=defaults).to_json()
    chosen = Settings.of({**defaults, **(read_run_settings(folder) if resume else {}), **given})
    require_weights_to_freeze(chosen, has_model=resume or initial is not None)
    return chosen
