"""Write every figure of a run or an evaluation as a PNG file."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.labels import LabelTable
from pixelwise.outputs import whole
from pixelwise.report.figures.balance import class_distribution, object_scales
from pixelwise.report.figures.behaviour import recall_by_size, reliability, trimap
from pixelwise.report.figures.classes import dice_bars, iou_bars
from pixelwise.report.figures.confusion import confusion_counts, confusion_normalised, most_confused
from pixelwise.report.figures.learning import learning_curves
from pixelwise.report.figures.pictures import annotation_format, comparison
from pixelwise.report.run.content import ReportContent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120

_OF_SCORES: dict[str, tuple[str, Callable[[Mapping[str, Any], LabelTable], "Figure"]]] = {
    # file: what scores.json must hold for it, and who draws it
    "iou": ("per_class", iou_bars),
    "dice": ("per_class", dice_bars),
    "confusion-counts": ("confusion", confusion_counts),
    "confusion-normalised": ("confusion", confusion_normalised),
    "most-confused": ("confusion", most_confused),
    "reliability": ("calibration", lambda scores, _: reliability(scores)),
    "trimap": ("boundary", lambda scores, _: trimap(scores)),
    "recall-by-object-size": ("objects", recall_by_size),
}


def write_figures(content: ReportContent, folder: Path) -> list[Path]:
    """Write each figure that there is something to draw for as a PNG in `folder`; return the paths in order.

    A file is complete or not there at all; one of the same name is replaced.

    Raises:
        MissingExtra: matplotlib is not installed.
        SettingsError: the folder cannot be written.
    """
    return [_written(folder / f"{name}.png", draw()) for name, draw in _figures(content)]


def _figures(content: ReportContent) -> Iterator[tuple[str, Callable[[], "Figure"]]]:
    """File names without suffix, and what draws the figure: one is drawn and written at a time."""
    labels, scores = content.labels, content.scores
    if content.history:
        yield "learning-curves", partial(learning_curves, content.history)
    for split, facts in content.facts.items():
        name = _file_name(split)
        yield f"class-distribution-{name}", partial(class_distribution, facts, labels, title=f"Classes of {split}")
        yield f"object-scales-{name}", partial(object_scales, facts, labels, title=f"Object scales of {split}")
    for name, (needed, draw) in _OF_SCORES.items():
        if scores.get(needed):
            yield name, partial(draw, scores, labels)
    for number, panel in enumerate(content.panels, 1):
        if number == 1:
            yield "annotation-format", partial(annotation_format, panel.truth, labels)
        yield (
            f"comparison-{number:02}-{_file_name(panel.name)}",
            partial(comparison, panel, labels, shown=content.shown),
        )


def _file_name(name: str) -> str:
    """A name of an image, which may hold folders, as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "image"


def _written(path: Path, figure: "Figure") -> Path:
    with whole(path) as temporary, warnings.catch_warnings():
        # Names in scripts that the font lacks become boxes; each class has its id beside them.
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH)
    return path
