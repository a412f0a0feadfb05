"""Where a model fails and how far its probabilities can be trusted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pixelwise.labels import LabelTable
from pixelwise.phrases import percent
from pixelwise.report.figures.canvas import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    QUIET,
    RED,
    ROW,
    SKY,
    axes,
    empty,
    figure,
    head,
    rgb,
    short,
    table_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE_MARKS = {"small": ("o", RED, 5), "medium": ("s", ORANGE, 7), "large": ("D", BLUE, 8)}


def reliability(scores: Mapping[str, Any]) -> "Figure":
    """The reliability diagram: how often pixels are right, by the probability of their chosen class.

    `scores` are the content of scores.json. With true probabilities the bars end on the diagonal; a red gap below it
    is overconfidence, one above it modesty. Below: the share of the pixels in each of the bins.
    """
    calibration = scores.get("calibration") or {}
    bins = [each for each in calibration.get("bins", ()) if each["pixels"]]
    if not bins:
        return empty("Reliability", "No probabilities were looked at.")
    drawn = figure(6.5, 7)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    left = [each["from"] for each in bins]
    width = bins[0]["to"] - bins[0]["from"]
    accuracy, confidence = ([each[name] for each in bins] for name in ("accuracy", "confidence"))
    upper.bar(left, accuracy, width, align="edge", color=SKY, edgecolor="white", label="pixels that are right")
    gaps = [sure - right for sure, right in zip(confidence, accuracy, strict=True)]
    hatching: dict[str, Any] = {"color": "none", "edgecolor": RED, "hatch": "////", "linewidth": 1.2}
    upper.bar(left, gaps, width, bottom=accuracy, align="edge", label="gap to the mean probability", **hatching)
    upper.plot([0, 1], [0, 1], "--", color=INK, linewidth=1.2, label="true probabilities")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of the pixels that are right")
    upper.legend(frameon=False, loc="upper left")
    head(upper, "Reliability", _calibration_note(calibration))
    total = sum(each["pixels"] for each in bins)
    lower.bar(
        left, [100 * each["pixels"] / total for each in bins], width, align="edge", color=QUIET, edgecolor="white"
    )
    lower.set(xlabel="probability of the chosen class", ylabel="pixels (%)")
    lower.spines[["top", "right"]].set_visible(False)
    return drawn


def _calibration_note(calibration: Mapping[str, Any]) -> str:
    names = {
        "expected_calibration_error": "Expected calibration error",
        "maximum_calibration_error": "largest gap",
        "brier_score": "Brier score",
        "temperature": "temperature",
    }
    numbers = {name: calibration.get(key) for key, name in names.items()}
    return ", ".join(f"{name} {value:.3f}" for name, value in numbers.items() if value is not None) + "."


def trimap(scores: Mapping[str, Any]) -> "Figure":
    """Pixel accuracy and mean IoU of the pixels within some distance of a boundary of the truth.

    `scores` are the content of scores.json. Dashed lines are the scores of all pixels: where the curves reach them
    early, errors are a matter of outlines; where they stay apart, of whole regions (Kohli et al., 2009).
    """
    boundary = scores.get("boundary") or {}
    points = [point for point in boundary.get("trimap", ()) if point["pixel_accuracy"] is not None]
    title = "Scores near boundaries"
    if not points:
        return empty(title, "There are no boundaries between labelled classes.")
    drawn, ax = axes(7.5, 4.4, title)
    widths = [point["width_px"] for point in points]
    for column, name, color, marker in (
        ("pixel_accuracy", "pixel accuracy", BLUE, "o"),
        ("mean_iou", "mean IoU", ORANGE, "s"),
    ):
        ax.plot(widths, [point[column] for point in points], color=color, marker=marker, linewidth=1.8, label=name)
        if scores.get(column) is not None:
            ax.axhline(scores[column], color=color, linestyle="--", linewidth=1.2, label=f"{name}, all pixels")
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, [f"{width:g}" for width in widths])
    ax.set(xlabel="distance to the boundary at most (px)", ylim=(0, 1))
    ax.grid(color=FAINT, linewidth=0.6)
    drawn.legend(frameon=False, ncols=2, loc="outside lower center")
    head(ax, title, _at_boundary(boundary))
    return drawn


def _at_boundary(boundary: Mapping[str, Any]) -> str:
    errors, pixels = boundary.get("errors_at_boundary"), boundary.get("pixels_at_boundary")
    if errors is None or pixels is None:
        return ""
    return f"Within 4 px of a boundary lie {percent(errors)} of the wrong pixels and {percent(pixels)} of all."


def recall_by_size(scores: Mapping[str, Any], labels: LabelTable | None = None) -> "Figure":
    """How much of an object is found, on average, among small, medium and large ones: all classes, then each.

    `scores` are the content of scores.json, `labels` say the colours. An object is an 8-connected region of one
    class in the truth, its size the share of the image. Classes without objects are left out.
    """
    objects, title = scores.get("objects") or {}, "Recall by object size"
    overall, per_class = objects.get("overall", {}), objects.get("per_class", ())
    table = table_of(scores["per_class"], labels)
    shown = [i for i, sizes in enumerate(per_class) if any(size["regions"] for size in sizes.values())]
    if not shown:
        return empty(title, "The truth holds no objects.")
    shown.sort(key=lambda i: (_mean_recall(per_class[i]), -i))
    drawn, ax = axes(8.5, max(3.0, 1.9 + ROW * len(shown)), title)
    rows = [*(per_class[i] for i in shown), overall]
    for row, sizes in enumerate(rows):
        found = [size["mean_recall"] for size in sizes.values() if size["regions"]]
        ax.plot([min(found), max(found)], [row, row], color=FAINT, linewidth=3, zorder=1)
    for size, name in _size_names(overall, objects["limits"]).items():
        marker, color, points = _SIZE_MARKS[size]
        places = [(sizes[size]["mean_recall"], row) for row, sizes in enumerate(rows) if sizes[size]["regions"]]
        values, heights = zip(*places, strict=True) if places else ((), ())
        ax.plot(values, heights, marker, color=color, ms=points, mec="white", mew=0.6, label=name)
    swatches = [rgb(table.colors[i]) for i in shown]
    ax.scatter([-0.03] * len(shown), range(len(shown)), 60, swatches, marker="s", edgecolors=QUIET, linewidths=0.6)
    ax.set_yticks(range(len(rows)), [*(f"{i}  {short(table.names[i])}" for i in shown), "all classes"])
    ax.axhline(len(shown) - 0.5, color=QUIET, linewidth=0.8)
    ax.set(xlim=(-0.05, 1.02), ylim=(-0.7, len(rows) - 0.3), xlabel="mean share of an object that is found")
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    drawn.legend(frameon=False, loc="outside lower center", ncols=1)
    return drawn


def _mean_recall(sizes: Mapping[str, Mapping[str, Any]]) -> float:
    """The mean over the objects of all sizes."""
    measured = [(size["regions"], size["mean_recall"]) for size in sizes.values() if size["regions"]]
    return float(sum(count * recall for count, recall in measured) / sum(count for count, _ in measured))


def _size_names(overall: Mapping[str, Mapping[str, Any]], limits: Sequence[float]) -> dict[str, str]:
    """For each size what the legend says."""
    low, high = (f"{100 * limit:g} %" for limit in limits)
    meanings = {"small": f"below {low} of the image", "medium": f"below {high}", "large": f"from {high} on"}
    return {size: f"{size}: {said} ({overall[size]['regions']:,} objects)" for size, said in meanings.items()}
