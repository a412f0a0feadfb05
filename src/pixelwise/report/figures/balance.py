"""What the masks hold: how many pixels each class has, and how large its objects are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pixelwise.data.facts.advice import IMBALANCE_LIMIT
from pixelwise.labels import LabelTable
from pixelwise.phrases import percent
from pixelwise.report.figures.canvas import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    QUIET,
    ROW,
    empty,
    figure,
    head,
    rgb,
    short,
    table_of,
)
from pixelwise.report.shares import Share, gathered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED_FROM = 0.04


def class_distribution(
    facts: Mapping[str, Any], labels: LabelTable | None = None, *, title: str = "Class distribution"
) -> "Figure":
    """Bars and a pie of the labelled pixels of each class that occurs, and the imbalance ratio in words.

    `facts` are those of one split as `Facts.to_json` gives them; `labels` say the colours. The ratio is the largest
    class's percentage over the smallest's, which counts as 0.1 if it is less.
    """
    entries: Sequence[Mapping[str, Any]] = facts["classes"]
    table = table_of(entries, labels)
    whole = sum(entry["pixels"] for entry in entries)
    if not whole:
        return empty(title, "The masks hold no labelled pixels.")
    order = sorted((i for i, entry in enumerate(entries) if entry["pixels"]), key=lambda i: (entries[i]["pixels"], -i))
    drawn = figure(11, max(4.2, 1.5 + ROW * len(order)))
    bars, pie = drawn.subplots(1, 2, width_ratios=(3, 2))
    values = [100 * entries[i]["pixels"] / whole for i in order]
    names = [f"{i}  {short(table.names[i])}" for i in order]
    drawn_bars = bars.barh(
        names, values, color=[rgb(table.colors[i]) for i in order], edgecolor=QUIET, linewidth=0.6, height=0.75
    )
    bars.bar_label(drawn_bars, [percent(value / 100) for value in values], padding=3, fontsize=9)
    bars.set(xlabel="share of the labelled pixels (%)", xlim=(0, max(values) * 1.18), ylim=(-0.6, len(order) - 0.4))
    head(bars, title, _imbalance(facts, entries, whole))
    _pie(pie, [Share(*part) for part in zip(table.names, map(_pixels, entries), table.colors, strict=True)])
    return drawn


def _imbalance(facts: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], whole: int) -> str:
    ratio = facts.get("imbalance_ratio")
    if ratio is None:
        return f"{whole:,} labelled pixels"
    present = [entry for entry in entries if entry["pixels"]]
    largest, smallest = max(present, key=_pixels), min(present, key=_pixels)
    absent = len(entries) - len(present)
    said = (
        f"Imbalance ratio {ratio:.0f}: {largest['name']} has {percent(largest['pixels'] / whole)} of the labelled "
        f"pixels, {smallest['name']} {percent(smallest['pixels'] / whole)}."
    )
    if ratio > IMBALANCE_LIMIT:
        said += f" Above {IMBALANCE_LIMIT} rare classes are easily lost; class_weights in the loss answer that."
    return f"{said} Classes that do not occur: {absent}." if absent else said


def _pixels(entry: Mapping[str, Any]) -> int:
    return int(entry["pixels"])


def _pie(ax: "Axes", shares: Sequence[Share]) -> None:
    parts = gathered(shares)
    whole = sum(part.value for part in parts)
    ax.pie(
        [part.value for part in parts],
        colors=[rgb(part.color) for part in parts],
        # The bars beside the pie name the slices that are too thin for a name.
        labels=[_slice_name(part, whole) for part in parts],
        startangle=90,
        counterclock=False,
        wedgeprops={"edgecolor": "white", "linewidth": 1},
        textprops={"fontsize": 9},
    )


def _slice_name(part: Share, whole: int) -> str:
    return f"{short(part.name)}\n{percent(part.value / whole)}" if part.value >= _NAMED_FROM * whole else ""


def object_scales(
    facts: Mapping[str, Any], labels: LabelTable | None = None, *, title: str = "Object scales"
) -> "Figure":
    """How large the objects of each class are: their length in pixels, and their area as a share of the image.

    `facts` are those of one split as `Facts.to_json` gives them. An object is an 8-connected region of one class.
    The line of a class goes from the median object to the largest; "typical" is the length, or the thickness, such
    that half of the class's pixels lie in objects no larger, which is what a receptive field has to cover.
    """
    entries = facts["classes"]
    table = table_of(entries, labels)
    shown = [i for i, entry in enumerate(entries) if entry["regions"]["count"]]
    if not shown:
        return empty(title, "The masks hold no objects.")
    shown.sort(key=lambda i: (entries[i]["regions"]["typical_extent_px"], -i))
    drawn = figure(11, max(3.4, 1.7 + ROW * len(shown)))
    lengths, areas = drawn.subplots(1, 2, sharey=True)
    regions = [entries[i]["regions"] for i in shown]
    colors = [rgb(table.colors[i]) for i in shown]
    _ranges(lengths, regions, colors, ("median_extent_px", "largest_extent_px"))
    _dots(lengths, regions, "typical_extent_px", "o", "typical length")
    _dots(lengths, regions, "typical_thickness_px", "D", "typical thickness")
    _ranges(areas, regions, colors, ("smallest", "largest"))
    _dots(areas, regions, "median", "s", "median area")
    names = [f"{short(table.names[i])}  ({entries[i]['regions']['count']:,})" for i in shown]
    lengths.set_yticks(range(len(shown)), names)
    lengths.set(xlabel="length, in pixels", ylim=(-0.7, len(shown) - 0.3))
    areas.set(xlabel="area, as a share of the image")
    note = (
        "Lengths (longer side of the bounding box) go from the median object to the largest, areas from the smallest."
    )
    head(lengths, title, note)
    lengths.xaxis.set_major_formatter(lambda size, _: f"{size:g}")
    areas.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    areas.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside lower center", ncols=3, frameon=False)
    return drawn


def _ranges(
    ax: "Axes",
    regions: Sequence[Mapping[str, Any]],
    colors: Sequence[tuple[float, float, float]],
    ends: tuple[str, str],
) -> None:
    """A line on a logarithmic axis for each class, in its colour with a rim, for colours can be white."""
    rows = range(len(regions))
    low, high = ([found[end] for found in regions] for end in ends)
    ax.hlines(rows, low, high, color=QUIET, linewidth=7)
    ax.hlines(rows, low, high, color=colors, linewidth=5)
    ax.set_xscale("log")
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)


def _dots(ax: "Axes", regions: Sequence[Mapping[str, Any]], column: str, marker: str, name: str) -> None:
    fill = {"o": BLUE, "D": ORANGE, "s": GREEN}[marker]
    values = [found[column] for found in regions]
    ax.plot(values, range(len(regions)), marker, color=fill, mec="white", mew=0.9, ms=7, label=name)
