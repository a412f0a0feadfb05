"""What every figure is drawn on: matplotlib's object interface, without pyplot and its global state."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pixelwise.errors import DataError, MissingExtra
from pixelwise.labels import Color, LabelTable
from pixelwise.phrases import shortened

if TYPE_CHECKING:  # matplotlib is an extra, and slow to import
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), as labels and error maps use them.
BLUE, SKY, ORANGE, GREEN, RED = "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#d55e00"
INK, QUIET, FAINT = "#222222", "#666666", "#d8d8d8"

ROW = 0.26
"""Height of one class in inches."""

_NAME_LENGTH = 24
_MARGIN, _LETTERS_AN_INCH = 2.0, 14  # what names take of the width; small print


def figure(width: float, height: float) -> "Figure":
    """An empty figure of a size in inches, drawn without a window and known to nobody but the caller.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("figures", "drawing figures") from None
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def axes(width: float, height: float, title: str) -> tuple["Figure", "Axes"]:
    """A figure with one pair of axes under a title."""
    drawn = figure(width, height)
    ax = drawn.add_subplot()
    head(ax, title)
    return drawn, ax


def head(ax: "Axes", title: str, note: str = "") -> None:
    """A title at the left and, in small print below it, what a reader has to know."""
    width = int((_figure_of(ax).get_figwidth() - _MARGIN) * _LETTERS_AN_INCH)
    lines = textwrap.wrap(plain(note), max(40, width))
    ax.set_title(plain(title), loc="left", fontsize=12, fontweight="bold", pad=8 + 11 * len(lines))
    if lines:
        place = {"xycoords": "axes fraction", "xytext": (0, 4), "textcoords": "offset points", "va": "bottom"}
        small: dict[str, Any] = {**place, "fontsize": 8.5, "color": QUIET, "linespacing": 1.2}
        text = ax.annotate("\n".join(lines), (0, 1), **small)
        text.set_in_layout(False)  # it may run on above the neighbour
    ax.spines[["top", "right"]].set_visible(False)


def _figure_of(ax: "Axes") -> "Figure":
    return cast("Figure", ax.get_figure())


def plain(text: str) -> str:
    """`text` on one line and without formulas, which matplotlib would read into dollar signs."""
    return " ".join(text.split()).replace("$", r"\$")


def short(name: str) -> str:
    """The name of a class as it fits beside a bar."""
    return plain(shortened(" ".join(name.split()), _NAME_LENGTH))


def rgb(color: Color) -> tuple[float, float, float]:
    """A class's colour as matplotlib has it, 0 to 1."""
    return color[0] / 255, color[1] / 255, color[2] / 255


def scale(ax: "Axes", picture: "ScalarMappable", meaning: str = "", *, width: float = 0.04) -> "Colorbar":
    """A colour bar of the height of the picture in `ax` and of `width` times its width."""
    return _figure_of(ax).colorbar(picture, cax=ax.inset_axes((1 + width / 2, 0, width, 1)), label=meaning)


def table_of(entries: Sequence[Mapping[str, Any]], labels: LabelTable | None) -> LabelTable:
    """`labels`, or a table for the names in `entries`, which scores.json and facts hold without colours."""
    table = labels or LabelTable.named([str(entry["name"]) for entry in entries])
    if table.num_classes != len(entries):
        raise DataError(f"The label table has {table.num_classes} classes, the numbers {len(entries)}. Give its own.")
    return table


def empty(title: str, reason: str) -> "Figure":
    """A figure that says why there is nothing to see."""
    drawn, ax = axes(7, 1.6, title)
    ax.set_axis_off()
    ax.text(0, 0.5, plain(reason), transform=ax.transAxes, color=QUIET, fontsize=10)
    return drawn
