"""The verbs about models: describe, train, evaluate, score, predict, load."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pixelwise.runtime as machine
from pixelwise.api.arguments import PathLike, path_of, paths_of
from pixelwise.api.datasets import check
from pixelwise.bundle import Bundle, load_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.check import check_dataset
from pixelwise.data.pairs import SPLITS, Dataset, open_dataset
from pixelwise.errors import DataError, SettingsError
from pixelwise.inference.files import PredictionReport, predict_files
from pixelwise.inference.predictor import Predictor
from pixelwise.labels import LabelTable
from pixelwise.models.describe import describe as describe_network
from pixelwise.models.description import Description
from pixelwise.scoring.evaluate import evaluate as evaluate_model
from pixelwise.scoring.evaluate import score_folders
from pixelwise.scoring.metrics import Scores
from pixelwise.settings import Settings
from pixelwise.training.run import TrainingResult, prepare_folder, read_run_settings, train_run

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
        device: "cpu", "cuda", "cuda:1"; the first GPU, if there is one, by default.
        classes: as in `check`.
        channels: as in `check`.
        quiet: show nothing; the log is written all the same.
        settings: any of `pixelwise.Settings`.

    Raises:
        DataError: the dataset has faults; all of them are in the message.
        SettingsError: a setting cannot be used.
        TrainingError: the loss is not finite, or memory does not suffice.
        Interrupted: stopped by a signal; resumable.
    """
    started = time.monotonic()
    folder = Path(output)
    if os.environ.get("RANK", "0") == "0":
        prepare_folder(folder, resume=resume)
    chosen = _settings(folder, config, settings, resume=resume)
    report = check(
        dataset, num_classes=chosen.num_classes, classes=classes, channels=channels, crop_size=chosen.crop_size
    )
    report.require_sound()
    return train_run(report, chosen, folder, resume=resume, device=device, is_quiet=quiet, started=started)


def evaluate(
    model: PathLike,
    dataset: PathLike | None = None,
    *,
    split: str = "validation",
    channels: Mapping[str, PathLike | None] | None = None,
    tile: int | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Scores:
    """Score a model on a split of a dataset, at the native resolution of its masks.

    Args:
        model: a run folder, a bundle folder or a model.tar.gz.
        dataset: as in `check`; only `split` is looked at.
        split: "train", "validation" or "test".
        channels: as in `check`.
        tile: images longer than this many pixels go through overlapping tiles.
        device: as in `train`.
        precision: "bfloat16" or "float32"; by default that of the training.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: the split is missing or has faults.
    """
    if split not in SPLITS:
        raise SettingsError(f"split is {split!r}, expected one of {', '.join(SPLITS)}.")
    bundle = load_bundle(Path(model))
    opened = open_dataset(path_of(dataset), required=(split, f"{split}_annotation"), channels=paths_of(channels))
    _require_same_classes(opened.classes_file, bundle.labels)
    only = Dataset({split: opened.splits[split]}, None)
    report = check_dataset(only, num_classes=bundle.labels.num_classes)
    report.require_sound()
    with machine.start(device, precision or bundle.settings.precision) as runtime:
        network = Predictor(bundle, runtime).model
        batches = EvaluationBatches(
            report.pairs[split], bundle.labels, rank=runtime.rank, world_size=runtime.world_size
        )
        return evaluate_model(network, batches, labels=bundle.labels, runtime=runtime, tile=tile).scores


def score(
    truth: PathLike, predicted: PathLike, *, num_classes: int | None = None, classes: PathLike | None = None
) -> Scores:
    """Score a folder of masks from any tool against the folder of true masks; files are paired by stem."""
    return score_folders(Path(truth), Path(predicted), num_classes=num_classes, classes_file=path_of(classes))


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


def _settings(folder: Path, config: PathLike | None, given: Mapping[str, Any], *, resume: bool) -> Settings:
    if config is not None:
        given = Settings.read(Path(config), given).to_json()
    return Settings.of({**(read_run_settings(folder) if resume else {}), **given})


def _require_same_classes(classes_file: Path | None, labels: LabelTable) -> None:
    """Refuse to score a model on a dataset that numbers the classes differently."""
    if classes_file is None:
        return
    names = LabelTable.read(classes_file).names
    if names != labels.names and labels.names != LabelTable.numbered(labels.num_classes).names:
        raise DataError(
            f"{classes_file}: the classes are {', '.join(names)}, but the model was trained for "
            f"{', '.join(labels.names)}. Scores would compare different things; take the dataset or the model "
            "that fits, or correct the names."
        )
