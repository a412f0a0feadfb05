"""One short function per verb; everything else is in the API."""

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from pixelwise.cli.progress import progress
from pixelwise.data.dataset.channels import CHANNELS
from pixelwise.errors import SettingsError
from pixelwise.settings import FIELDS
from pixelwise.values import parse_money, unknown_name


def check(options: argparse.Namespace) -> int:
    """Look at every file of a dataset; report faults, warnings and facts; repair a copy."""
    import pixelwise
    from pixelwise.report.check.page import checked_json

    data = {"classes": options.classes, "channels": _channels(options), "split_by": options.split_by}
    if options.fix is not None:
        if options.output is not None:
            raise SettingsError(
                "--fix and --output are both given, which are two runs: one repairs, one shows. Give one."
            )
        if options.show_bands is not None:
            raise SettingsError("--fix and --show-bands are both given, but a repair shows nothing. Give one.")
        with progress("repairing") as seen:
            repaired = pixelwise.repair(
                options.dataset, output=options.fix, num_classes=options.num_classes, progress=seen, **data
            )
        _print(options, repaired.to_json, repaired.text)
        return 1 if repaired.left_out else 0
    chosen = _settings(options)
    with progress("checking") as seen:
        told = {"output": options.output, "show_bands": options.show_bands, "config": options.config}
        report = pixelwise.check(options.dataset, progress=seen, **told, **data, **chosen)
    sheet = pixelwise.fact_sheet(report, pixelwise.Settings.chosen(options.config, chosen))
    _print(options, lambda: checked_json(report, sheet), lambda: f"{sheet.text()}\n\n{report.text()}")
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


def plan(options: argparse.Namespace) -> int:
    """Say what train would do: every setting with its reason, steps, time, memory, money."""
    import pixelwise

    usd = parse_money(getattr(options, "budget", None))
    found = pixelwise.plan(
        options.dataset,
        config=options.config,
        after=options.after,
        device=options.device,
        classes=options.classes,
        channels=_channels(options),
        split_by=options.split_by,
        price=_price(options),
        **_settings(options),
    )
    elsewhere = () if usd is None else _elsewhere(usd, found)
    as_text = found.text() if not elsewhere else f"{found.text()}\n\n{elsewhere[1]}"
    _print(options, lambda: {**found.to_json(), **({"elsewhere": elsewhere[0]} if elsewhere else {})}, lambda: as_text)
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
        split_by=options.split_by,
        quiet=options.quiet,
        show_bands=options.show_bands,
        price=_price(options),
        plan=options.plan,
        started=options.started,
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
            classes=options.classes,
            channels=_channels(options),
            split_by=options.split_by,
            show_bands=options.show_bands,
            tile=options.tile,
            tta=options.tta,
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
        palette=options.palette,
        probabilities=options.probabilities,
        show_bands=options.show_bands,
        tile=options.tile,
        tta=options.tta,
        device=options.device,
        precision=options.precision,
    )
    _print(options, report.to_json, report.text)
    return 0 if report.complete else 1


def serve(options: argparse.Namespace) -> int:
    """Answer over HTTP: the endpoint and its page."""
    import pixelwise
    from pixelwise.serving import Limits

    names = ("max_bytes", "max_pixels", "max_requests", "max_batch", "timeout_seconds")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    pixelwise.serve(
        options.model,
        host=options.host,
        port=options.port,
        device=options.device,
        precision=options.precision,
        tile=options.tile,
        tta=options.tta,
        limits=Limits(**given),
    )
    return 0


def demo(options: argparse.Namespace) -> int:
    """The whole trip on drawn street scenes."""
    import pixelwise

    pixelwise.demo(options.output, device=options.device, precision=options.precision)
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in FIELDS if hasattr(options, name)}


def _channels(options: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(options, f"channel_{name}") for name in CHANNELS}


def _price(options: argparse.Namespace) -> float | None:
    """USD an hour, as given or of the instance that is named."""
    price: float | None = options.price
    if getattr(options, "instance", None) is None:  # there is no such flag without the room of SageMaker
        return price
    if price is not None:
        raise SettingsError("--price and --instance are both given, which are two prices. Give one.")
    from pixelwise.sagemaker.cost.table import InstanceTable

    table = InstanceTable.read()
    if options.instance not in table.instances:
        raise SettingsError(f"{unknown_name(options.instance, table.instances, 'instance')} Or give its --price.")
    return table.instances[options.instance].usd_per_hour


def _elsewhere(usd: float, plan: Any) -> tuple[Any, str] | tuple[()]:
    """What the money buys on other machines, for programs and for people; nothing without the room of SageMaker."""
    if not find_spec("pixelwise.sagemaker"):
        return ()
    from pixelwise.sagemaker.cost.purchase import purchases, purchases_text
    from pixelwise.sagemaker.cost.table import InstanceTable

    table = InstanceTable.read()
    found = purchases(usd, plan.settings, plan.data["images"], table)
    return [each.to_json() for each in found], purchases_text(usd, found, table)


def _print(options: argparse.Namespace, as_json: Callable[[], Any], as_text: Callable[[], str]) -> None:
    print(json.dumps(as_json(), indent=2) if options.json else as_text())
