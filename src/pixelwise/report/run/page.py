"""The report of a run or an evaluation as one HTML file: what the model learned, what it did not, and where."""

import math
from collections.abc import Sequence
from pathlib import Path

from pixelwise.outputs import write_text
from pixelwise.report.html import Html, Section, html, joined, page, prose, static
from pixelwise.report.numbers import interval_of, interval_text, number, score_text
from pixelwise.report.run.confusion import confusion_section
from pixelwise.report.run.content import ReportContent
from pixelwise.report.run.data import balance_section, facts_section, format_section
from pixelwise.report.run.failures import failures_section, images_section, listed_images, masks_section
from pixelwise.report.run.learning.diagnosis import Diagnosis, diagnose
from pixelwise.report.run.learning.section import learning_section
from pixelwise.report.run.plan import plan_section
from pixelwise.report.run.provenance import provenance_section, settings_section
from pixelwise.report.run.quality import quality_sections
from pixelwise.report.run.scores import classes_section, definitions_section, headline_section
from pixelwise.report.run.viewer.viewer import iou_texts, picture_sections, script_data

PAGE_FILE = "index.html"


def write_report(content: ReportContent, folder: Path) -> Path:
    """Write `folder`/index.html, and content.json to write it again from; return the path of the page.

    Raises:
        SettingsError: the folder cannot be written.
    """
    content.save(folder)
    path = folder / PAGE_FILE
    write_text(path, run_page(content))
    return path


def run_page(content: ReportContent) -> Html:
    """The page as a text; what the content lacks is left out."""
    diagnosis = diagnose(content.history) if content.history else None
    pictures, data = picture_sections(content.panels, content.images, content.labels, content.shown)
    places = {panel.name: i for i, panel in enumerate(content.panels)}
    found = [
        *_score_sections(content),
        failures_section(content.scores, content.images),
        masks_section(content.images, places),
        *pictures,
        images_section(content.images, places, content.labels),
        *quality_sections(content.scores, content.labels),
        definitions_section(content.scores),
        format_section(content.panels, content.labels, content.shown),
        balance_section(content.facts, content.labels),
        facts_section(content.facts, content.labels, content.provenance, content.bands),
        settings_section(content.settings),
        provenance_section(content.provenance, content.history),
    ]
    sections = [section for section in found if section is not None]
    planned = plan_section(content.plan)
    if planned is not None:
        sections.insert(0, planned)
    if diagnosis is not None:
        sections.insert((planned is not None) + bool(content.scores), learning_section(content.history, diagnosis))
    data["iou"] = iou_texts([row for row in listed_images(content.images) if "iou" in row])
    body = joined([_lead(content, diagnosis), script_data(data)])
    script = static("run/viewer/viewer.js") + static("run/tables.js")
    return page(content.title, sections, lead=body, style=static("run/page.css"), script=script)


def _score_sections(content: ReportContent) -> Sequence[Section]:
    if not content.scores:
        return []
    sections = [headline_section(content.scores, content.labels)]
    if content.scores.get("per_class"):
        sections.append(classes_section(content.scores, content.labels))
    if content.scores.get("confusion"):
        sections.append(confusion_section(content.scores["confusion"], content.labels))
    return sections


def _lead(content: ReportContent, diagnosis: Diagnosis | None) -> Html:
    """What a hurried reader must know."""
    parts = [f'<p class="warning">{prose(str(note))}</p>' for note in content.scores.get("notes") or ()]
    mean = number(content.scores.get("mean_iou"))
    if not math.isnan(mean):
        between = interval_of(content.scores, "mean_iou")
        sure = "" if math.isnan(between[0]) else f" (95 % interval {interval_text(between)})"
        accuracy = score_text(number(content.scores.get("pixel_accuracy")))
        parts.append(f'<p class="verdict">Mean IoU {score_text(mean)}{sure}, pixel accuracy {accuracy}.</p>')
    if diagnosis is not None:
        parts.append(
            f"<p><strong>Training: {html(diagnosis.verdict)}.</strong> "
            '<a href="#learning">What that rests on, and what to change</a></p>'
        )
    return joined(map(Html, parts))
