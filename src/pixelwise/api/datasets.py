"""The verbs about data: check, fact_sheet, repair, convert. None of them trains or runs a model."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of, paths_of
from pixelwise.data.check.dataset import CheckReport, check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert as convert_source
from pixelwise.data.convert.writing.report import ConversionReport
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.display import shown_bands
from pixelwise.data.facts.advice import FieldOfView, advise
from pixelwise.data.facts.sheet import FactSheet
from pixelwise.data.repair.dataset import RepairReport
from pixelwise.data.repair.dataset import repair as repair_dataset
from pixelwise.errors import SettingsError
from pixelwise.labels import LabelTable
from pixelwise.outputs import made_folder
from pixelwise.report.check.page import write_check
from pixelwise.settings import Settings
from pixelwise.workers import Progress


def check(  # noqa: PLR0913  # the door lists what one may ask for
    dataset: PathLike | None = None,
    *,
    num_classes: int | None = None,
    classes: PathLike | None = None,
    channels: Mapping[str, PathLike | None] | None = None,
    output: PathLike | None = None,
    show_bands: Sequence[int] | str | None = None,
    config: PathLike | None = None,
    split_by: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> CheckReport:
    """Look at every file of a dataset folder; faults and facts come in one report.

    Args:
        dataset: a folder with train/, train_annotation/, validation/, validation_annotation/, or images/ and masks/ ...
        num_classes: how many classes there must be; else a file of class names or the masks say.
        classes: a file of class names such as classes.json, where none lies beside the data or another counts.
        channels: folders that lie elsewhere, such as {"train": ..., "train_annotation": ...}, or manifests.
        output: a folder for index.html, which shows the faulty places, and check.json, the report with the
            `fact_sheet` of the training images.
        show_bands: bands of the images, one or three counted from 1, that the page shows, such as (4, 3, 2); by default
            the first three that the network is given, or its first one in gray.
        config: as in `train`.
        split_by: where no validation is given, a part of train is taken; a pattern such as "{}_*" keeps pairs
            together whose names have the same text at {} (patient, field, drive).
        progress: called with (pairs done, pairs in all).
        settings: of the training that is meant, as in `train`: images far smaller than its crop are a warning.

    Raises:
        DataError: there is no such folder, or a label map cannot be used.
        SettingsError: a setting cannot be used, or `output` cannot be written; or `show_bands` are none of the images,
            or nothing is written that shows them.
    """
    _require_page(show_bands, output)
    chosen = Settings.chosen(path_of(config), settings)
    folder = None if output is None else made_folder(Path(output))
    how = {"num_classes": num_classes, "crop_size": chosen.crop_size, "meant": chosen, "progress": progress}
    report = checked(dataset, SplitRule(split_by), classes=classes, channels=channels, **how)
    if folder is not None:
        write_check(report, fact_sheet(report, chosen), folder, show_bands=show_bands)
    return report


def _require_page(show_bands: Sequence[int] | str | None, output: PathLike | None) -> None:
    """SettingsError where `show_bands` are no bands, or nothing is written that shows them."""
    if show_bands is None:
        return
    shown_bands(show_bands)
    if output is None:
        raise SettingsError("show_bands says what the page shows, and none is written. Give an output folder too.")


def checked(
    dataset: PathLike | None,
    rule: SplitRule,
    *,
    classes: PathLike | None,
    channels: Mapping[str, PathLike | None] | None,
    **how: Any,
) -> CheckReport:
    """`check_dataset`, with its arguments `how`, of a dataset opened as every verb opens it."""
    opened = open_dataset(path_of(dataset), classes_file=path_of(classes), channels=paths_of(channels), rule=rule)
    return check_dataset(opened, **how)


def fact_sheet(report: CheckReport, settings: Settings | None = None, *, split: str = "train") -> FactSheet:
    """The facts of a checked split beside what the network of `settings` sees, and what follows from both.

    `pixelwise check` prints that of the training images above its report.
    """
    from pixelwise.models.description.describe import reach  # needs PyTorch; a check alone starts faster without it

    seen = reach((settings or Settings()).changed(num_classes=report.labels.num_classes, class_weights="none"))
    branches = tuple(
        FieldOfView(branch.name, math.inf if branch.extent is None else branch.extent) for branch in seen.branches
    )
    facts = report.facts[split]
    advice = advise(facts, output_stride=seen.stride, branches=branches)
    return FactSheet(split, facts, report.splits[split].measured, advice, branches)


def repair(  # the door lists what one may ask for
    dataset: PathLike | None = None,
    *,
    output: PathLike,
    num_classes: int | None = None,
    classes: PathLike | None = None,
    channels: Mapping[str, PathLike | None] | None = None,
    split_by: str | None = None,
    progress: Progress | None = None,
) -> RepairReport:
    """Write a corrected copy of a dataset to the new folder `output`, as `pixelwise check --fix` does; else as `check`.

    What cannot be repaired without guessing is left out and listed in the report; changes.jsonl lists every change.
    Where no validation is given, the copy has the one that `check` and `train` would take.
    """
    rule = SplitRule(split_by)
    opened = open_dataset(path_of(dataset), classes_file=path_of(classes), channels=paths_of(channels), rule=rule)
    report = check_dataset(opened, num_classes=num_classes, progress=progress)
    table = None if num_classes is None else LabelTable.numbered(num_classes)
    table = table if classes is None else LabelTable.read(Path(classes))
    return repair_dataset(opened, report, Path(output), classes=table, progress=progress)


def convert(  # noqa: PLR0913  # the door lists what one may ask for
    form: str,
    source: PathLike,
    dataset: PathLike,
    *,
    classes: PathLike | None = None,
    num_classes: int | None = None,
    images: str | None = None,
    masks: str | None = None,
    attribute: str | None = None,
    validation_share: float = 0.2,
    seed: int = 0,
    progress: Progress | None = None,
) -> ConversionReport:
    """Bring `source`, a folder or an archive in the layout `form`, into the new dataset folder `dataset`.

    Args:
        form: a name of `pixelwise.data.convert.menu.FORMATS`, such as "voc".
        source: stays as it is; of "hf" it may also be a name on the hub, such as "owner/name".
        dataset: a new folder; after an interruption, the same one, to go on.
        classes: names, colours and source values of the classes where the source does not define them.
        num_classes: which of several numbers of classes is meant (CamVid: 11 or 32).
        images: where the images are, such as "images/{name}.jpg", for layouts without a fixed one; of "hf" a column.
        masks: where the masks are, such as "masks/{name}_mask.gif" or "{class}/{name}.png".
        attribute: which of several labels of a Ground Truth manifest, or attributes of VIA's regions, is meant.
        validation_share: of a source without validation images, the share that becomes validation, by class.
        seed: of that division.
        progress: called with (images done, images in all).
    """
    table = None if classes is None else LabelTable.read(Path(classes))
    options = Options(table, num_classes, images, masks, attribute)
    return convert_source(
        form,
        Path(source),
        Path(dataset),
        options=options,
        validation_share=validation_share,
        seed=seed,
        progress=progress,
    )
