"""The verbs about a model's quality: evaluate, write_report."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pixelwise.api.arguments import PathLike, path_of
from pixelwise.api.splits import of_split, open_split, said_of, split_of
from pixelwise.bundle import Bundle, load_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.check.dataset import CheckReport, check_dataset
from pixelwise.data.dataset.pairs import Dataset, Pair
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.display import Display
from pixelwise.errors import DataError, SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.views import Views
from pixelwise.labels import LabelTable
from pixelwise.labels.files.beside import same_classes
from pixelwise.outputs import made_folder
from pixelwise.report.run.content import ReportContent
from pixelwise.report.run.gather import Report, read_history, write_report_of
from pixelwise.runtime import started
from pixelwise.scoring.evaluate import evaluate as evaluate_pairs
from pixelwise.scoring.evaluation import Evaluation, write_evaluation
from pixelwise.workers import Progress


def evaluate(  # noqa: PLR0913  # the door lists what one may ask for
    model: PathLike,
    dataset: PathLike | None = None,
    *,
    split: str = "validation",
    output: PathLike | None = None,
    classes: PathLike | None = None,
    channels: Mapping[str, PathLike | None] | None = None,
    split_by: str | None = None,
    show_bands: Sequence[int] | str | None = None,
    tile: int | None = None,
    tta: bool = False,
    device: str | None = None,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a model on a split of a dataset, at the native resolution of its masks, and look at where it fails.

    Args:
        model: a run folder, a bundle folder or a model.tar.gz.
        dataset: as in `check`; only `split` is looked at.
        split: "train", "validation" or "test"; without folders for it, as `split.json` beside the model has it.
        output: a folder for scores.json, images.json (for `compare`) and report/index.html; else a run's is renewed.
        classes: as in `check`; the names must be the model's, or name the classes of a model that has no names.
        channels: as in `check`.
        split_by: as in `check`, without `split.json`; by default the training's.
        show_bands: as in `check`.
        tile: images longer than this many pixels go through overlapping tiles.
        tta: score the mean over the views, as in `load`; the result's `tta` says what that brings and costs.
        device: as in `train`.
        precision: "bfloat16" or "float32"; by default that of the training.
        progress: called with (images done, images in all).

    Raises:
        ModelError: the model cannot be loaded; DataError: the split is missing or has faults.
        SettingsError: `show_bands` are none of the images' or shown nowhere; or `tta` cannot be had.
    """
    bundle, place = _opened(Path(model), output, show_bands, tta=tta)
    rule = split_of(Path(model), bundle, split_by)
    checked, said, bundle = _checked(bundle, dataset, split, path_of(classes), channels, rule)
    with started(device, precision or bundle.settings.precision) as runtime:
        predictor = Predictor(bundle, runtime, tile=tile, tta=tta)
        evaluation = _evaluated(predictor, checked.pairs[split], said, progress)
        _write(_about(Path(model), split, evaluation, checked, show_bands), bundle, predictor, place)
    return evaluation


class _Place(NamedTuple):
    """Where an evaluation is written: its numbers into `folder` alone, its report there or into the run."""

    folder: Path | None
    run: Path | None


def _about(
    model: Path, split: str, evaluation: Evaluation, checked: CheckReport, show_bands: Sequence[int] | str | None
) -> Report:
    title, history = f"{model.resolve().name} on {split}", read_history(_run_of(model))
    return Report(title, evaluation, checked.pairs[split], checked.facts_json(), history, show_bands)


def _run_of(model: Path) -> Path | None:
    """The run folder, where `model` is one."""
    return model if (model / "metrics.jsonl").is_file() else None


def _write(about: Report, bundle: Bundle, predictor: Predictor, place: _Place) -> None:
    if place.folder is not None:
        write_evaluation(about.evaluation, place.folder)
    folder = place.folder or place.run
    if folder is not None:
        write_report_of(about, bundle, predictor, folder / "report")


def write_report(run: PathLike, *, figures: PathLike | None = None) -> Path:
    """Write the report of a run or of an evaluation anew from its content.json; return the path of the page.

    Args:
        run: a run folder, an evaluation's folder or the report folder in it.
        figures: also write every figure as PNG to this folder; needs matplotlib.

    Raises:
        DataError: nothing was reported there yet.
    """
    from pixelwise.report.run import page

    folder = Path(run) / "report" if (Path(run) / "report").is_dir() else Path(run)
    content = ReportContent.load(folder)
    if (folder.parent / "metrics.jsonl").is_file():
        content = dataclasses.replace(content, history=read_history(folder.parent))
    if figures is not None:
        from pixelwise.report.figures import write_figures

        write_figures(content, Path(figures))
    return page.write_report(content, folder)


def _opened(
    model: Path, output: PathLike | None, show_bands: Sequence[int] | str | None, *, tta: bool
) -> tuple[Bundle, _Place]:
    """The model and where to write, a new folder made.

    Before any image is read, SettingsError where no image or no report has `show_bands`, or nothing is left for `tta`.
    """
    bundle = load_bundle(model)
    Display.of(bundle.bands, show_bands)
    if tta:
        Views.of_training(bundle.settings, bundle.labels)
    run = _run_of(model)
    if show_bands is not None and run is None and output is None:
        raise SettingsError("show_bands says what the report shows, and none is written. Give an output folder too.")
    return bundle, _Place(None if output is None else made_folder(Path(output)), run)


def _evaluated(
    predictor: Predictor, pairs: Sequence[Pair], said: tuple[str, ...], progress: Progress | None
) -> Evaluation:
    if predictor.runtime.is_distributed:
        raise SettingsError("evaluate runs in one process. Start it without torchrun.")
    evaluation = evaluate_pairs(
        predictor.model,
        EvaluationBatches(pairs, predictor.labels, bands=predictor.bands),
        labels=predictor.labels,
        runtime=predictor.runtime,
        bands=predictor.bands,
        tile=predictor.tile,
        temperature=predictor.temperature,
        views=predictor.views,
        on_images=_counting(progress, len(pairs)),
    )
    return dataclasses.replace(evaluation, notes=said + evaluation.notes)


def _checked(
    bundle: Bundle,
    dataset: PathLike | None,
    split: str,
    classes_file: Path | None,
    channels: Mapping[str, PathLike | None] | None,
    rule: SplitRule,
) -> tuple[CheckReport, tuple[str, ...], Bundle]:
    """The split, looked at and found sound; what is to be said of it; and the model, whose classes a table may name."""
    opened = open_split(dataset, split, channels, rule, classes_file=classes_file)
    table = _require_same_classes(opened.classes_file, bundle.labels)
    if classes_file is not None:
        bundle = _named(bundle, classes_file)
    names = (split,) if opened.rule is None else ("train", "validation")
    alone = Dataset({name: opened.splits[name] for name in names}, None, layout=opened.layout, rule=opened.rule)
    # The dataset's own table says whether 255 was drawn or ignored, if anything does.
    known = opened.classes_file if table is not None and table.num_classes == bundle.labels.num_classes else None
    num_classes = bundle.labels.num_classes
    checked = check_dataset(alone, num_classes=num_classes, classes_file=known, meant=bundle.bands, only=split)
    checked = of_split(checked, split)
    checked.require_sound("The model cannot be scored")
    return checked, said_of(checked, rule), bundle


def _require_same_classes(classes_file: Path | None, labels: LabelTable) -> LabelTable | None:
    """The table of the dataset; DataError if it numbers the classes otherwise than the model."""
    if classes_file is None:
        return None
    table = LabelTable.read(classes_file)
    names = table.names
    if not _is_numbered(labels) and not same_classes(names, classes_file.name, labels.names, "the model"):
        raise DataError(
            f"{classes_file}: the classes are {', '.join(names)}, but the model was trained for "
            f"{', '.join(labels.names)}. Scores would compare different things; take the dataset or the model "
            "that fits, or correct the names."
        )
    return table


def _named(bundle: Bundle, classes_file: Path) -> Bundle:
    """A model whose classes have no names, with those of a table of as many classes."""
    labels = LabelTable.read(classes_file)
    if not _is_numbered(bundle.labels):
        return bundle
    if labels.num_classes != bundle.labels.num_classes:
        raise DataError(
            f"{classes_file}: names {labels.num_classes} classes, but the model has {bundle.labels.num_classes}. Give "
            "the table of its classes."
        )
    return dataclasses.replace(bundle, labels=labels)


def _is_numbered(labels: LabelTable) -> bool:
    return labels.names == LabelTable.numbered(labels.num_classes).names


def _counting(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def count(images: int) -> None:
        nonlocal done
        done += images
        progress(done, total)

    return count
