"""The verbs about a model at hand: describe, predict, load."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.bundle import load_bundle
from pixelwise.data.bands import chosen_bands
from pixelwise.data.display import Display
from pixelwise.errors import SettingsError
from pixelwise.inference.files import PredictionReport, predict_files
from pixelwise.inference.predictor import Predictor
from pixelwise.models.description.describe import describe as describe_network
from pixelwise.models.description.text import Description
from pixelwise.runtime import alone
from pixelwise.settings import Settings

PASCAL_VOC_CLASSES = 21
"""What `describe` takes where nobody said how many classes there are."""


def describe(
    model: PathLike | None = None,
    *,
    config: PathLike | None = None,
    **settings: Any,
) -> Description:
    """The network of a model, or of settings: sizes, strides, dilations, receptive fields, parameters, FLOPs.

    Nothing is downloaded or computed. Settings given beside a model (such as crop_size) win over the model's. Images
    have the bands of the model, or as many as the setting `bands` names, else three.
    """
    if model is None:
        chosen = Settings.chosen(path_of(config), settings)
        return describe_network(chosen, chosen.num_classes or PASCAL_VOC_CLASSES)
    bundle = load_bundle(Path(model))
    chosen = Settings.of({**bundle.settings.to_json(), **settings})
    same = chosen.bands == bundle.settings.bands
    bands = bundle.bands if same else chosen_bands(bundle.bands.kind, chosen)
    found = describe_network(chosen, bundle.labels.num_classes, bands=bands)
    return replace(found, class_weights=bundle.prior.sentence(bundle.labels.names)) if bundle.prior else found


def predict(  # noqa: PLR0913  # the door lists what one may ask for
    model: PathLike,
    inputs: Sequence[PathLike] | PathLike,
    *,
    output: PathLike,
    overlay: bool = False,
    as_source: bool = False,
    palette: bool = False,
    probabilities: bool = False,
    show_bands: Sequence[int] | str | None = None,
    tile: int | None = None,
    tta: bool = False,
    device: str | None = None,
    precision: str | None = None,
) -> PredictionReport:
    """Write a mask for every image of `inputs` (files, folders, globs) below `output`: an 8-bit gray PNG of class ids.

    A file that cannot be read, or whose format is not, is named in the report; the others are written. With
    `as_source` the masks hold the ids or colours that the classes had before their dataset was repaired or converted.
    With `palette` they are palette PNGs of class ids, in the classes' colours for viewers. `show_bands` are bands of
    the image, one or three counted from 1, that an `overlay` shows, such as (4, 3, 2). `tta` is as in `load`.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: an input does not exist, or two would give the same mask.
        SettingsError: `output` cannot be written, or `as_source` cannot be had or is asked for beside `palette`;
            or `show_bands` without `overlay`, or of bands that the images do not have; or `tta` cannot be had.
    """
    if show_bands is not None and not overlay:
        raise SettingsError("show_bands says what overlays show, and none are asked for. Ask for an overlay too.")
    chosen = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    predictor = load(model, device=device, precision=precision, tile=tile, tta=tta)
    display = Display.of(predictor.bands, show_bands)
    report = predict_files(
        predictor,
        [os.fspath(name) for name in chosen],
        Path(output),
        overlays=display if overlay else None,
        as_source=as_source,
        palette=palette,
        probabilities=probabilities,
    )
    report.tta = predictor.views.names() if predictor.views is not None else ()
    return report


def load(
    model: PathLike,
    *,
    device: str | None = None,
    precision: str | None = None,
    tile: int | None = None,
    tta: bool = False,
) -> Predictor:
    """A model ready to predict: `pixelwise.load("RUN/model").predict("photo.jpg").class_ids`.

    With `tta` (test-time augmentation) a prediction is the mean over the flips, turns and scales that the model was
    trained with, at the cost of a pass for each: `views.names()` of the result says which.

    Raises:
        ModelError: `model` is not a run, a bundle folder or a model.tar.gz, or it is damaged.
        SettingsError: `tta` of a model that was trained without flips, turns and scales.
    """
    bundle = load_bundle(Path(model))
    return Predictor(bundle, alone(device, precision or bundle.settings.precision), tile=tile, tta=tta)
