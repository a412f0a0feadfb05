"""Which classes are taken for which: the confusion matrix as heat maps, and its largest entries as bars."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.labels import LabelTable
from pixelwise.phrases import percent, thousands
from pixelwise.report.confusions import PAIRS, confused_pairs, occurring, row_shares
from pixelwise.report.figures.canvas import INK, QUIET, axes, empty, head, rgb, scale, short, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

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
    shares = 100 * row_shares(counts)
    texts = [[f"{share:.0f}" if share >= 0.5 else "" for share in row] for row in shares]
    return _heat_map(shares, names, texts, title=title, norm=Normalize(0, 100), meaning="% of the true class")


def most_confused(scores: Mapping[str, Any], labels: LabelTable | None = None, *, pairs: int = PAIRS) -> "Figure":
    """The pairs of classes with the most wrong pixels, as "truth → prediction", and their share of all errors.

    Each bar has the colour of the true class and ends in a square of the predicted one.
    """
    counts = np.array(scores["confusion"], dtype=np.int64)
    table = table_of(scores["per_class"], labels)
    title = "Most confused"
    confused = confused_pairs(counts, most=pairs)
    if not confused:
        return empty(title, "No pixel is wrong." if counts.any() else "No pixel was scored.")
    drawn, ax = axes(9, 1.5 + 0.3 * len(confused), title)
    rows = range(len(confused) - 1, -1, -1)
    names, colors = [short(name) for name in table.names], [rgb(color) for color in table.colors]
    values = [100 * pair.of_errors for pair in confused]
    ax.barh(rows, values, color=[colors[pair.truth] for pair in confused], edgecolor=QUIET, linewidth=0.6, height=0.7)
    for row, value, pair in zip(rows, values, confused, strict=True):
        ax.plot([value], [row], "s", color=colors[pair.predicted], mec=INK, mew=0.8, ms=10, clip_on=False, zorder=3)
        note = f"{percent(pair.of_errors)} of the errors, {percent(pair.of_class)} of {names[pair.truth]}"
        ax.annotate(note, (value, row), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(rows, [f"{names[pair.truth]} → {names[pair.predicted]}" for pair in confused])
    ax.set(xlabel="share of all wrong pixels (%)", xlim=(0, values[0] * 1.75), ylim=(-0.6, len(confused) - 0.4))
    head(ax, title, "Truth → prediction. Bars have the colour of the true class, squares that of the predicted one.")
    return drawn


def _matrix(scores: Mapping[str, Any], labels: LabelTable | None) -> tuple[NDArray[np.int64], list[str]]:
    """The counts and names of the classes that occur in truth or prediction."""
    counts = np.array(scores["confusion"], dtype=np.int64)
    table = table_of(scores["per_class"], labels)
    shown = occurring(counts)
    return counts[np.ix_(shown, shown)], [f"{i}  {short(table.names[i])}" for i in shown]


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
