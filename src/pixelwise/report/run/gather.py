"""Gather what a report shows: an evaluation, pictures of some images, the run's history and settings."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.bundle import Bundle
from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.display import Display
from pixelwise.data.reading import read_pair
from pixelwise.inference.predictor import Predictor
from pixelwise.report.run.content import Panel, ReportContent
from pixelwise.report.run.page import write_report
from pixelwise.report.run.viewer.panels import EACH, choose, make_panel
from pixelwise.scoring.evaluation import Evaluation, image_rows


@dataclass(frozen=True)
class Report:
    """What a report is about."""

    title: str
    evaluation: Evaluation
    pairs: Sequence[Pair]  # the examined ones, in order
    facts: Mapping[str, Mapping[str, Any]]  # {split: facts}
    history: Sequence[Mapping[str, Any]]  # lines of metrics.jsonl
    show_bands: Sequence[int] | str | None = None  # of which the pictures are made; see `Display.of`
    each: int = EACH  # so many of the worst, the median and the best images are shown as pictures


def write_report_of(report: Report, bundle: Bundle, predictor: Predictor, folder: Path) -> Path:
    """Write `folder`/index.html and content.json, with pictures of the worst, the median and the best images."""
    insight = report.evaluation.insight
    chosen = choose(insight.images, each=report.each) if insight else {}
    display = Display.of(predictor.bands, report.show_bands)
    panels = [_panel(report.pairs[i], predictor, display) for indices in chosen.values() for i in indices]
    content = ReportContent(
        title=report.title,
        labels=bundle.labels,
        scores=report.evaluation.to_json(),
        images=image_rows(report.evaluation),
        history=report.history,
        settings=bundle.settings.to_json(),
        facts=report.facts,
        provenance={
            **bundle.provenance,
            **({} if bundle.prior is None else {"class_weights": bundle.prior.sentence(bundle.labels.names)}),
            "machine": predictor.runtime.describe(),
            "python": platform.python_version(),
            "reported": time.strftime("%Y-%m-%d", time.gmtime()),
            "seconds": report.history[-1].get("seconds") if report.history else None,
        },
        panels=panels,
        bands={} if predictor.bands == PHOTOGRAPH else predictor.bands.to_json(),
        shown=display.text(),
    )
    return write_report(content, folder)


def read_history(run: Path | None) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl; empty without a run."""
    if run is None:
        return []
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _panel(pair: Pair, predictor: Predictor, display: Display) -> Panel:
    image, mask = read_pair(pair, predictor.labels, predictor.bands)
    prediction = predictor.predict(image, probabilities=True)
    assert prediction.probabilities is not None
    confidence = prediction.probabilities.max(axis=0)
    picture = display.picture(image, pair.image)
    return make_panel(pair.name, picture, np.asarray(mask), prediction.class_ids, confidence)
