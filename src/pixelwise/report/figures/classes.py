"""Scores of each class as bars, with what the sample leaves open and the mean."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pixelwise.labels import LabelTable
from pixelwise.report.figures.canvas import INK, QUIET, ROW, axes, empty, head, rgb, short, table_of
from pixelwise.report.numbers import interval_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # the mean's line must not cross a number


def iou_bars(scores: Mapping[str, Any], labels: LabelTable | None = None) -> "Figure":
    """IoU of each class, best first, with 95 % intervals where `scores` hold them; the mean as a dashed line.

    `scores` are the content of scores.json, `labels` say the colours.
    """
    return _bars(scores, labels, "iou", "IoU")


def dice_bars(scores: Mapping[str, Any], labels: LabelTable | None = None) -> "Figure":
    """Dice coefficient of each class, drawn as `iou_bars` draws IoU."""
    return _bars(scores, labels, "dice", "Dice")


def _bars(scores: Mapping[str, Any], labels: LabelTable | None, score: str, name: str) -> "Figure":
    entries = scores["per_class"]
    table, title = table_of(entries, labels), f"{name} by class"
    measured = [i for i, entry in enumerate(entries) if entry[score] is not None]
    if not measured:
        return empty(title, "No class occurs in truth or prediction.")
    measured.sort(key=lambda i: (entries[i][score], -i))
    drawn, ax = axes(8, max(2.6, 1.4 + ROW * len(measured)), title)
    values = [entries[i][score] for i in measured]
    names = [f"{i}  {short(table.names[i])}" for i in measured]
    ax.barh(names, values, color=[rgb(table.colors[i]) for i in measured], edgecolor=QUIET, linewidth=0.6, height=0.75)
    ends = [_whisker(ax, row, interval_of(scores, score, i)) for row, i in enumerate(measured)]
    for row, (value, end) in enumerate(zip(values, ends, strict=True)):
        ax.text(max(value, end) + 0.01, row, f"{value:.3f}", va="center", fontsize=9, bbox=_PAPER)
    mean, (low, high) = scores[f"mean_{score}"], interval_of(scores, f"mean_{score}")
    ax.axvline(mean, color=INK, linestyle="--", linewidth=1.4, label=f"mean {name} {mean:.3f}")
    ax.set(xlim=(0, 1.06), ylim=(-0.6, len(measured) - 0.4), xlabel=name)
    between = "" if math.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
    absent = len(entries) - len(measured)
    left_out = f" Left out, as neither truth nor prediction has them: {absent}." if absent else ""
    whiskers = "" if math.isnan(low) else " Whiskers: 95 % intervals over the images."
    head(ax, title, f"Dashed: the mean, {mean:.3f}{between}.{whiskers}{left_out}")
    return drawn


def _whisker(ax: "Axes", row: int, interval: tuple[float, float]) -> float:
    """Draw an interval; where it ends, NaN without one."""
    low, high = interval
    if not math.isnan(low):
        for color, width in (("white", 3.6), (INK, 1.6)):
            ax.plot([low, high], [row, row], color=color, linewidth=width, solid_capstyle="butt")
        ax.plot([low, high], [row, row], "|", color=INK, ms=7, mew=1.6)
    return high
