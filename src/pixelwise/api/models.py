"""The verbs about models: describe, train, predict, load."""

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pixelwise.runtime as machine
from pixelwise.api.arguments import PathLike, path_of
from pixelwise.api.datasets import check
from pixelwise.api.reporting import Report, read_history, write_report_of
from pixelwise.bundle import Bundle, load_bundle, save_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.check import CheckReport
from pixelwise.errors import SettingsError
from pixelwise.inference.files import PredictionReport, predict_files
from pixelwise.inference.predictor import Predictor
from pixelwise.models.describe import describe as describe_network
from pixelwise.models.description import Description
from pixelwise.scoring.examine import examine
from pixelwise.settings import Settings
from pixelwise.training.clock import EXAMINED
from pixelwise.training.folder import prepare_folder, read_run_settings
from pixelwise.training.initial import network_of
from pixelwise.training.run import TrainingResult, train_run

PASCAL_VOC_CLASSES = 21
"""What `describe` takes where nobody said how many classes there are."""


def describe(
    model: PathLike | None = None,
    *,
    config: PathLike | None = None,
    **settings: Any,
) -> Description:
    """The network of a model, or of settings: sizes, strides, dilations, receptive fields, parameters, FLOPs.

    Nothing is downloaded or computed. Settings given beside a model (such as crop_size) win over the model's.
    """
    if model is None:
        chosen = Settings.chosen(path_of(config), settings)
        return describe_network(chosen, chosen.num_classes or PASCAL_VOC_CLASSES)
    bundle = load_bundle(Path(model))
    chosen = Settings.of({**bundle.settings.to_json(), **settings})
    return describe_network(chosen, bundle.labels.num_classes)


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
    quiet: bool = False,
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
        quiet: show nothing; the log is written all the same.
        settings: any of `pixelwise.Settings`.

    Raises:
        DataError: the dataset has faults; all of them are in the message.
        SettingsError: a setting cannot be used.
        TrainingError: the loss is not finite, or memory does not suffice; Interrupted: a signal, resumable.
    """
    started = time.monotonic()
    folder, initial = Path(output), None if start_from is None else load_bundle(Path(start_from))
    if is_main := os.environ.get("RANK", "0") == "0":
        prepare_folder(folder, resume=resume)
    chosen = _settings(folder, config, settings, resume=resume, initial=initial)
    data: dict[str, Any] = {"classes": classes, "channels": channels}
    report = check(dataset, num_classes=chosen.num_classes, crop_size=chosen.crop_size, **data)
    report.require_sound()
    told: dict[str, Any] = {"device": device, "is_quiet": quiet, "started": started, "initial": initial}
    result = train_run(report, chosen, folder, resume=resume, **told)
    if is_main:
        look_closely(result, report, device=device)
    return result


def predict(  # noqa: PLR0913  # the door lists what one may ask for
    model: PathLike,
    inputs: Sequence[PathLike] | PathLike,
    *,
    output: PathLike,
    overlay: bool = False,
    as_source: bool = False,
    probabilities: bool = False,
    tile: int | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> PredictionReport:
    """Write a mask for every image of `inputs` (files, folders, globs) below `output`.

    A file that cannot be read is left out and named in the report; the others are written. With `as_source` the
    masks hold the ids or colours that the classes had before their dataset was repaired or converted.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: an input does not exist, or two would give the same mask.
    """
    chosen = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    predictor = load(model, device=device, precision=precision, tile=tile)
    return predict_files(
        predictor,
        [os.fspath(name) for name in chosen],
        Path(output),
        overlays=overlay,
        as_source=as_source,
        probabilities=probabilities,
    )


def load(
    model: PathLike, *, device: str | None = None, precision: str | None = None, tile: int | None = None
) -> Predictor:
    """A model ready to predict: `pixelwise.load("RUN/model").predict("photo.jpg").class_ids`.

    Raises:
        ModelError: `model` is not a run, a bundle folder or a model.tar.gz, or it is damaged.
    """
    bundle: Bundle = load_bundle(Path(model))
    chosen = machine.choose_device(device)
    arithmetic = machine.choose_precision(precision or bundle.settings.precision, chosen)
    return Predictor(bundle, machine.Runtime(chosen, arithmetic), tile=tile)


def _settings(
    folder: Path, config: PathLike | None, given: Mapping[str, Any], *, resume: bool, initial: Bundle | None
) -> Settings:
    defaults = {} if initial is None else network_of(initial)
    if initial is not None and given.get("backbone_weights") is not None:
        raise SettingsError("backbone_weights and start_from are both given; a model brings its own trunk. Give one.")
    if config is not None:
        given = Settings.read(Path(config), given, defaults=defaults).to_json()
    return Settings.of({**defaults, **(read_run_settings(folder) if resume else {}), **given})


def look_closely(result: TrainingResult, report: CheckReport, *, device: str | None) -> None:
    """Fit the temperature of the trained model on validation, keep it in the bundle, and write RUN/report."""
    bundle = load_bundle(result.bundle)
    pairs = report.pairs["validation"]
    # Evenly spaced, so that neighbours in a video do not crowd out the rest.
    examined = [pairs[i * len(pairs) // min(len(pairs), EXAMINED)] for i in range(min(len(pairs), EXAMINED))]
    runtime = machine.Runtime(
        machine.choose_device(device),
        machine.choose_precision(bundle.settings.precision, machine.choose_device(device)),
    )
    predictor = Predictor(bundle, runtime)
    examination = examine(
        predictor.model, EvaluationBatches(examined, bundle.labels), labels=bundle.labels, runtime=runtime
    )
    assert examination.insight is not None
    calibrated = dataclasses.replace(bundle, temperature=examination.insight.calibration.best_temperature)
    save_bundle(result.bundle, calibrated)
    facts = {name: each.to_json() for name, each in report.facts.items()}
    title = f"{result.folder.resolve().name} on validation"
    source = Report(title, examination, examined, facts, read_history(result.folder))
    write_report_of(source, calibrated, Predictor(calibrated, runtime), result.folder / "report")
