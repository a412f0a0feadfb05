"""Which classes are taken for which: the confusion matrix as heat maps, and its largest entries as bars."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.advice import percent
from pixelwise.labels import LabelTable
from pixelwise.report.figures.canvas import INK, QUIET, axes, empty, head, rgb, scale, short, table_of
from pixelwise.scoring.formulas import ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

PAIRS = 15
"""So many pairs are listed as most confused."""

_NUMBERS_UP_TO = 80
_COLORS = "Blues"


def confusion_counts(scores: Mapping[str, Any], labels: LabelTable | None = None) -> "Figure":
    """The confusion matrix in pixels, thousands as K: rows are the truth, columns the prediction.

    `scores` are the content of scores.json. The colour is logarithmic, or the largest class would hide the rest.
    Classes that occur in neither truth nor prediction are left out.
    """
    from matplotlib.colors import LogNorm

    counts, names = _matrix(scores, labels)
    title = "Confusion, in pixels"
    if not counts.any():
        return empty(title, "No pixel was scored.")
    texts = [[thousands(int(count)) if count else "" for count in row] for row in counts]
    norm = LogNorm(max(1, counts[counts > 0].min() / 2), max(2, counts.max()))
    return _heat_map(np.ma.masked_equal(counts, 0), names, texts, title=title, norm=norm, meaning="pixels")


def confusion_normalised(scores: Mapping[str, Any], labels: LabelTable | None = None) -> "Figure":
    """The confusion matrix with each row divided by its sum: the diagonal is the recall of each class.

    Entries are percentages of the pixels of the true class; those below 0.5 are left blank. Classes without
    pixels in the truth have an empty row.
    """
    from matplotlib.colors import Normalize

    counts, names = _matrix(scores, labels)
    title = "Confusion, as shares of the true class"
    if not counts.any():
        return empty(title, "No pixel was scored.")
    shares = np.nan_to_num(ratio(100 * counts, counts.sum(axis=1, keepdims=True)))
    texts = [[f"{share:.0f}" if share >= 0.5 else "" for share in row] for row in shares]
    return _heat_map(shares, names, texts, title=title, norm=Normalize(0, 100), meaning="% of the true class")


def most_confused(scores: Mapping[str, Any], labels: LabelTable | None = None, *, pairs: int = PAIRS) -> "Figure":
    """The pairs of classes with the most wrong pixels, as "truth → prediction", and their share of all errors.

    Each bar has the colour of the true class and ends in a square of the predicted one.
    """
    counts = np.array(scores["confusion"], dtype=np.int64)
    table = table_of(scores["per_class"], labels)
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    title = "Most confused"
    if not wrong.any():
        return empty(title, "No pixel is wrong." if counts.any() else "No pixel was scored.")
    ordered = np.argsort(-wrong, axis=None, kind="stable")[:pairs]
    listed = [(int(i), int(j)) for i, j in zip(*np.unravel_index(ordered, wrong.shape), strict=True) if wrong[i, j]]
    drawn, ax = axes(9, 1.5 + 0.3 * len(listed), title)
    rows = range(len(listed) - 1, -1, -1)
    values = [100 * wrong[pair] / wrong.sum() for pair in listed]
    ax.barh(rows, values, color=[rgb(table.colors[i]) for i, _ in listed], edgecolor=QUIET, linewidth=0.6, height=0.7)
    for row, value, (i, j) in zip(rows, values, listed, strict=True):
        ax.plot([value], [row], "s", color=rgb(table.colors[j]), mec=INK, mew=0.8, ms=10, clip_on=False, zorder=3)
        note = (
            f"{percent(value / 100)} of the errors, {percent(wrong[i, j] / counts[i].sum())} of {short(table.names[i])}"
        )
        ax.annotate(note, (value, row), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(rows, [f"{short(table.names[i])} → {short(table.names[j])}" for i, j in listed])
    ax.set(xlabel="share of all wrong pixels (%)", xlim=(0, max(values) * 1.75), ylim=(-0.6, len(listed) - 0.4))
    head(ax, title, "Truth → prediction. Bars have the colour of the true class, squares that of the predicted one.")
    return drawn


def thousands(count: int) -> str:
    """A number of pixels in four characters at most: 812, 9.5K, 812K, 1.2M, 3.4B."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        # What would round up to 1000 of a unit is 1 of the next.
        if count >= size - size // 2000:
            value = count / size
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return str(count)


def _matrix(scores: Mapping[str, Any], labels: LabelTable | None) -> tuple[NDArray[np.int64], list[str]]:
    """The counts and names of the classes that occur in truth or prediction."""
    counts = np.array(scores["confusion"], dtype=np.int64)
    table = table_of(scores["per_class"], labels)
    occurring = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
    return counts[np.ix_(occurring, occurring)], [f"{i}  {short(table.names[i])}" for i in occurring]


def _heat_map(
    values: NDArray[Any], names: list[str], texts: list[list[str]], *, title: str, norm: "Normalize", meaning: str
) -> "Figure":
    number = len(names)
    side = min(30.0, max(3.2, 0.36 * number))
    drawn, ax = axes(side + 2.8, side + 2.4, title)
    picture = ax.imshow(values, cmap=_COLORS, norm=norm)
    small = 9 if number <= 40 else 8 if number <= 80 else 5
    ax.set_xticks(range(number), names, rotation=90, fontsize=small)
    ax.set_yticks(range(number), names, fontsize=small)
    ax.set(xlabel="prediction", ylabel="truth")
    ax.set_xticks(np.arange(number + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(number + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    if number <= _NUMBERS_UP_TO:
        _write(ax, values, texts, norm)
    scale(ax, picture, meaning, width=0.25 / side)
    ax.spines[:].set_visible(False)
    return drawn


def _write(ax: "Axes", values: NDArray[Any], texts: list[list[str]], norm: "Normalize") -> None:
    """A number in each cell, white on dark."""
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            if text:
                color = "white" if norm(float(values[i, j])) > 0.55 else INK
                cell = ax.text(j, i, text, ha="center", va="center", color=color, fontsize=7)
                cell.set_in_layout(False)  # thousands of cells would make the layout slow
