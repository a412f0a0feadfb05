"""The verbs about a model's quality: evaluate, write_report."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.api.arguments import PathLike, path_of, paths_of
from pixelwise.bundle import Bundle, load_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.data.check.dataset import CheckReport, check_dataset
from pixelwise.data.dataset.channels import SPLITS
from pixelwise.data.dataset.pairs import Dataset, Pair, open_dataset
from pixelwise.data.display import Display
from pixelwise.errors import DataError, SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.labels import LabelTable
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
    channels: Mapping[str, PathLike | None] | None = None,
    show_bands: Sequence[int] | str | None = None,
    tile: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a model on a split of a dataset, at the native resolution of its masks, and look at where it fails.

    Args:
        model: a run folder, a bundle folder or a model.tar.gz.
        dataset: as in `check`; only `split` is looked at.
        split: "train", "validation" or "test".
        output: a folder for scores.json, images.json (for `compare`) and report/index.html, which a run has anyway.
        channels: as in `check`.
        show_bands: as in `check`.
        tile: images longer than this many pixels go through overlapping tiles.
        device: as in `train`.
        precision: "bfloat16" or "float32"; by default that of the training.
        progress: called with (images done, images in all).

    Raises:
        ModelError: the model cannot be loaded; DataError: the split is missing or has faults.
        SettingsError: `show_bands` are none of the images', or nothing is written that shows them.
    """
    bundle = load_bundle(Path(model))
    run = _run_that_shows(show_bands, Path(model), bundle, has_output=output is not None)
    folder = None if output is None else made_folder(Path(output))
    checked = _checked(bundle, dataset, split, channels)
    with started(device, precision or bundle.settings.precision) as runtime:
        predictor = Predictor(bundle, runtime, tile=tile)
        evaluation = _evaluated(predictor, checked.pairs[split], progress)
        if folder is not None:
            write_evaluation(evaluation, folder)
        if folder or run:
            title = f"{Path(model).resolve().name} on {split}"
            about = Report(title, evaluation, checked.pairs[split], _facts(checked), read_history(run), show_bands)
            write_report_of(about, bundle, predictor, (folder or Path(model)) / "report")
    return evaluation


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


def _facts(checked: CheckReport) -> dict[str, dict[str, Any]]:
    return {name: each.to_json() for name, each in checked.facts.items()}


def _run_that_shows(
    show_bands: Sequence[int] | str | None, model: Path, bundle: Bundle, *, has_output: bool
) -> Path | None:
    """The model if it is a run, which has a report; SettingsError where no image or no report has `show_bands`."""
    Display.of(bundle.bands, show_bands)
    run = model if (model / "metrics.jsonl").is_file() else None
    if show_bands is not None and run is None and not has_output:
        raise SettingsError("show_bands says what the report shows, and none is written. Give an output folder too.")
    return run


def _evaluated(predictor: Predictor, pairs: Sequence[Pair], progress: Progress | None) -> Evaluation:
    if predictor.runtime.is_distributed:
        raise SettingsError("evaluate runs in one process. Start it without torchrun.")
    return evaluate_pairs(
        predictor.model,
        EvaluationBatches(pairs, predictor.labels, bands=predictor.bands),
        labels=predictor.labels,
        runtime=predictor.runtime,
        bands=predictor.bands,
        tile=predictor.tile,
        temperature=predictor.temperature,
        on_images=_counting(progress, len(pairs)),
    )


def _checked(
    bundle: Bundle, dataset: PathLike | None, split: str, channels: Mapping[str, PathLike | None] | None
) -> CheckReport:
    """The split, looked at and found sound, with the classes of the model."""
    if split not in SPLITS:
        raise SettingsError(f"split is {split!r}, expected one of {', '.join(SPLITS)}.")
    opened = open_dataset(path_of(dataset), required=(split, f"{split}_annotation"), channels=paths_of(channels))
    _require_same_classes(opened.classes_file, bundle.labels)
    only = Dataset({split: opened.splits[split]}, None)
    checked = check_dataset(only, num_classes=bundle.labels.num_classes, meant=bundle.bands)
    checked.require_sound()
    return checked


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


def _counting(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def count(images: int) -> None:
        nonlocal done
        done += images
        progress(done, total)

    return count
