"""One short function per verb; everything else is in the API."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelwise.cli.progress import progress
from pixelwise.outputs import made_folder
from pixelwise.settings import FIELDS

CHANNELS = ("train", "train_annotation", "validation", "validation_annotation", "test", "test_annotation")


def check(options: argparse.Namespace) -> int:
    """Look at every file of a dataset; report faults, warnings and facts; repair a copy."""
    import pixelwise

    data = {name: getattr(options, name) for name in ("num_classes", "classes")} | {"channels": _channels(options)}
    if options.fix is not None:
        with progress("repairing") as seen:
            repaired = pixelwise.repair(options.dataset, output=options.fix, progress=seen, **data)
        _print(options, repaired.to_json, repaired.text)
        return 1 if repaired.left_out else 0
    if options.output is not None:
        made_folder(Path(options.output))
    settings = pixelwise.Settings.chosen(options.config, _settings(options))
    with progress("checking") as seen:
        report = pixelwise.check(options.dataset, progress=seen, crop_size=settings.crop_size, **data)
    sheet = pixelwise.fact_sheet(report, settings)
    found = {**report.to_json(), "facts": sheet.to_json()}
    if options.output is not None:
        from pixelwise.report.check_page import write_check_page
        from pixelwise.report.page import write_page

        write_check_page(report, Path(options.output))
        write_page(Path(options.output) / "check.json", json.dumps(found, indent=2) + "\n")
    _print(options, lambda: found, lambda: f"{sheet.text()}\n\n{report.text()}")
    return 0 if report.sound else 1


def convert(options: argparse.Namespace) -> int:
    """Bring another layout of images and masks in."""
    import pixelwise

    names = ("classes", "num_classes", "images", "masks", "attribute", "validation_share", "seed")
    with progress("converting") as seen:
        report = pixelwise.convert(
            options.format,
            options.source,
            options.dataset,
            progress=seen,
            **{name: getattr(options, name) for name in names},
        )
    _print(options, report.to_json, report.text)
    return 1 if report.left_out else 0


def describe(options: argparse.Namespace) -> int:
    """Print a network: sizes, strides, dilations, receptive fields, parameters, FLOPs."""
    import pixelwise

    description = pixelwise.describe(options.model, config=options.config, **_settings(options))
    _print(options, description.to_json, description.text)
    return 0


def train(options: argparse.Namespace) -> int:
    """Train a model."""
    import pixelwise

    result = pixelwise.train(
        options.dataset,
        output=options.output,
        config=options.config,
        resume=options.resume,
        start_from=options.start_from,
        device=options.device,
        classes=options.classes,
        channels=_channels(options),
        quiet=options.quiet,
        **_settings(options),
    )
    facts = {"run": str(result.folder), "model": str(result.bundle), "best_epoch": result.best_epoch}
    page = result.folder / "report" / "index.html"
    facts["report"] = str(page)
    text = f"{result.scores.table()}\n\nThe model: {result.bundle}\nThe report: {page}"
    _print(options, lambda: {**facts, "scores": result.scores.to_json()}, lambda: text)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a model, and report where it fails."""
    import pixelwise

    with progress("evaluating") as seen:
        found = pixelwise.evaluate(
            options.model,
            options.dataset,
            split=options.split,
            output=options.output,
            channels=_channels(options),
            tile=options.tile,
            device=options.device,
            precision=options.precision,
            progress=seen,
        )
    _print(options, found.to_json, found.table)
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a model for other runtimes; prove that it gives the same masks."""
    import pixelwise
    from pixelwise.exporting.export import parse_size

    size = None if options.size is None else parse_size(options.size)
    certificate = pixelwise.export(options.model, options.output, size=size)
    _print(options, certificate.to_json, certificate.text)
    return 0


def score(options: argparse.Namespace) -> int:
    """Score masks against masks."""
    import pixelwise

    found = pixelwise.score(
        options.truth,
        options.predicted,
        num_classes=options.num_classes,
        classes=options.classes,
        output=options.output,
    )
    _print(options, found.to_json, found.table)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Say whether two evaluations differ for real."""
    import pixelwise

    comparison = pixelwise.compare(options.first, options.second)
    _print(options, comparison.to_json, comparison.text)
    return 0


def report(options: argparse.Namespace) -> int:
    """Write the report of a run or an evaluation anew."""
    import pixelwise

    page = pixelwise.write_report(options.run_folder, figures=options.figures)
    _print(options, lambda: {"report": str(page)}, lambda: str(page))
    return 0


def predict(options: argparse.Namespace) -> int:
    """Write masks for images."""
    import pixelwise

    report = pixelwise.predict(
        options.model,
        options.input,
        output=options.output,
        overlay=options.overlay,
        as_source=options.as_source,
        probabilities=options.probabilities,
        tile=options.tile,
        device=options.device,
        precision=options.precision,
    )
    _print(options, report.to_json, report.text)
    return 1 if report.failed else 0


def serve(options: argparse.Namespace) -> int:
    """Answer over HTTP: the endpoint and its page."""
    from pixelwise.serving.limits import Limits
    from pixelwise.serving.server import run_server

    names = ("max_bytes", "max_pixels", "max_requests", "max_batch", "timeout_seconds")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    run_server(
        options.model,
        host=options.host,
        port=options.port,
        device=options.device,
        precision=options.precision,
        tile=options.tile,
        limits=Limits(**given),
    )
    return 0


def demo(options: argparse.Namespace) -> int:
    """The whole trip on drawn street scenes."""
    from pixelwise.demo import run_demo

    run_demo(options.output, device=options.device, precision=options.precision)
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in FIELDS if hasattr(options, name)}


def _channels(options: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(options, f"channel_{name}") for name in CHANNELS}


def _print(options: argparse.Namespace, as_json: Callable[[], Any], as_text: Callable[[], str]) -> None:
    print(json.dumps(as_json(), indent=2) if options.json else as_text())
