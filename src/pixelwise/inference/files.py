"""Masks for many images: files, folders and patterns in, one PNG each out, whatever single files do."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.data.decoders.formats import PROBABILITIES
from pixelwise.data.display import Display
from pixelwise.errors import DataError, MissingExtra, SettingsError
from pixelwise.inference.inputs import find_images
from pixelwise.inference.pictures import open_picture
from pixelwise.inference.predictor import Prediction, Predictor
from pixelwise.inference.render import overlay, save_png, save_source, source_mask, source_suffix
from pixelwise.labels import LabelTable
from pixelwise.outputs import whole
from pixelwise.phrases import counted


@dataclass
class PredictionReport:
    """What became of each image."""

    written: list[Path] = field(default_factory=list)
    """Masks, in the order of the images."""
    failed: list[str] = field(default_factory=list)
    """What is wrong with each image that could not be read."""
    left_out: list[str] = field(default_factory=list)
    """Images in formats that are not read, and in folders and patterns those under names of other kinds, and why."""
    passed_over: int = 0
    """How many other files the folders and patterns hold."""
    notes: list[str] = field(default_factory=list)
    """What of single images was left out: frames behind the first, levels, transparency."""
    meaning: str = ""
    """What the masks hold and how to look at them."""
    tta: tuple[str, ...] = ()
    """The views that each prediction is the mean of; empty without test-time augmentation."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "written": [str(path) for path in self.written],
            "failed": self.failed,
            "left_out": self.left_out,
            "passed_over": self.passed_over,
            "notes": self.notes,
            **({"tta": list(self.tta)} if self.tta else {}),
        }

    @property
    def complete(self) -> bool:
        """Whether every image has its mask."""
        return not (self.failed or self.left_out)

    def text(self) -> str:
        """For people."""
        folder = f" in {os.path.commonpath([path.parent for path in self.written])}" if self.written else ""
        lines = [f"{counted(len(self.written), 'mask')} written{folder}"]
        if self.failed:
            lines += [f"{counted(len(self.failed), 'image')} could not be read:", *self.failed]
        if self.left_out:
            lines += [f"{counted(len(self.left_out), 'image')} left out:", *self.left_out]
        lines += self.notes
        if self.written and self.tta:
            lines.append(f"Each is the mean of {counted(len(self.tta), 'view')} of its image: {'; '.join(self.tta)}.")
        if self.written:
            lines.append(self.meaning)
        return "\n".join(lines)


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str],
    output: Path,
    *,
    overlays: Display | None,
    probabilities: bool,
    as_source: bool = False,
    palette: bool = False,
) -> PredictionReport:
    """Write `NAME.png` below `output` for each image; also `NAME_overlay.png`, `NAME_probabilities.npy` if asked.

    Below a folder given as input, images keep their subfolders. Masks are 8-bit gray PNGs of class ids, with `palette`
    palette PNGs. With `as_source` they hold the values or colours that the classes had before the dataset was
    repaired or converted, as `NAME.tif` where that of a class is negative. `overlays` says how images are shown.

    Raises:
        DataError: an input does not exist, a folder has no images of any kind, or two images would give the same mask.
        SettingsError: `output` cannot be written, or with `as_source` the original values are not known; or both
            `as_source` and `palette` are asked for.
    """
    suffix = _suffix(predictor.labels, as_source=as_source, palette=palette)
    found = find_images(inputs)
    _refuse_overwriting(found.images, output, suffix)
    meaning = _meaning(overlays=overlays, as_source=as_source, palette=palette)
    report = PredictionReport(left_out=[*found.left_out.values()], passed_over=len(found.others), meaning=meaning)
    for name, path in found.images.items():
        try:
            image, notes = open_picture(path, predictor.bands)
            prediction = predictor.predict(image, probabilities=probabilities)
        except (DataError, MissingExtra) as error:  # an extra is missed here by an image under another format's name
            report.failed.append(str(error) if isinstance(error, DataError) else f"{path}: {error}")
            continue
        mask = output / f"{name}{suffix}"
        if as_source:
            save_source(mask, source_mask(prediction.class_ids, prediction.labels))
        else:
            prediction.save(mask, palette=palette)
        if overlays is not None:
            _save_overlay(output / f"{name}_overlay.png", overlays.picture(image, path), prediction)
        if probabilities:
            _save_probabilities(output / f"{name}{PROBABILITIES}", prediction)
        report.written.append(mask)
        report.notes += [f"{path}: {note}" for note in notes]
    return report


def _suffix(labels: LabelTable, *, as_source: bool, palette: bool) -> str:
    """Of the masks; SettingsError, before the first image, where they cannot be had as they are wanted."""
    if as_source and palette:
        raise SettingsError(
            "--as-source and --palette are both given: a palette gives class ids their colours, and with --as-source "
            "masks hold the original ids or colours instead of class ids. Give one."
        )
    return source_suffix(source_mask(np.zeros((1, 1), dtype=np.uint8), labels)) if as_source else ".png"


def _meaning(*, overlays: Display | None, as_source: bool, palette: bool) -> str:
    shown = f"\n{overlays.text()}." if overlays is not None and overlays.text() else ""
    if as_source:
        return f"Masks hold the ids or colours that the classes had before the repair or conversion.{shown}"
    if palette:
        return f"Masks hold class ids as indices into a palette of colours; do not convert them to gray or RGB.{shown}"
    is_seen = overlays is not None
    look = "look at the overlays beside them" if is_seen else "--overlay or --palette shows them in colour"
    return f"Masks hold class ids and look black in a viewer; {look}.{shown}"


def _refuse_overwriting(images: dict[str, Path], output: Path, suffix: str) -> None:
    if output.exists() and not output.is_dir():
        raise SettingsError(f"{output}: is a file, expected a folder for the masks. Give another --output.")
    for name, path in images.items():
        if (output / f"{name}{suffix}").resolve() == path.resolve():
            raise SettingsError(f"{path}: its mask would overwrite it. Give an --output folder of its own.")


def _save_overlay(path: Path, picture: Image.Image, prediction: Prediction) -> None:
    save_png(path, overlay(picture, prediction.class_ids, prediction.labels))


def _save_probabilities(path: Path, prediction: Prediction) -> None:
    assert prediction.probabilities is not None
    with whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, prediction.probabilities.astype(np.float16))
