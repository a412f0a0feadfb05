"""Masks and predictions as pictures: what a mask file holds, and where a prediction is wrong."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.inference.render import WRONG, error_map
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import and_more, percent
from pixelwise.report.figures.canvas import QUIET, figure, plain, rgb, scale, short
from pixelwise.report.run.content import Panel
from pixelwise.scoring.insight.id_difference import absolute_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Mask = NDArray[np.uint8]

_AREA = 9.0  # square inches of one picture, whatever its shape
_LISTED = 40
_UNCOUNTED = "#9ec9e8"


def annotation_format(class_ids: Mask, labels: LabelTable) -> "Figure":
    """A mask file three times: as a viewer shows it, with its ids made visible, and in the classes' colours.

    `class_ids` (H, W) uint8 are the values of the file, 255 where ignored. Ids are small numbers, so that a viewer,
    for which 255 is white, shows a picture that looks black.
    """
    drawn, (viewer, ids, colors, key) = _grid(1, 4, class_ids.shape)
    _show(viewer, class_ids, "As a viewer shows it", cmap="gray", vmin=0, vmax=IGNORE)
    _show_ids(ids, class_ids, labels)
    _show(colors, colored(class_ids, labels), "In the classes' colours")
    _legend(key, labels, class_ids)
    return drawn


def comparison(panel: Panel, labels: LabelTable, *, shown: str = "") -> "Figure":
    """One image and its prediction in eight pictures.

    Image, truth, prediction, probability of the chosen class; errors in red on the gray image with their number and
    share, right (green) and wrong (red) pixels, the absolute difference of the ids as the Keras example shows it
    (scaled to 1 by the largest id), with its mean, and the legend. Numbers are those of the pixels drawn; ignored
    ones do not count. `shown` says how the picture of the image was made, where it is no photograph.
    """
    truth, predicted = panel.truth, panel.predicted
    drawn, places = _grid(2, 4, truth.shape)
    counted = truth != IGNORE
    wrong = counted & (truth != predicted)
    share = wrong.sum() / counted.sum() if counted.any() else math.nan
    _show(places[0], np.asarray(panel.image.convert("RGB")), "Image")
    _show(places[1], colored(truth, labels), "Truth")
    _show(places[2], colored(predicted, labels), "Prediction")
    _show_scale(places[3], panel.confidence / 255, "Probability of the chosen class", cmap="viridis")
    _show(places[4], _reddened(panel.image, wrong), f"Errors: {wrong.sum():,} px, {percent(share)}")
    _show(places[5], np.asarray(error_map(truth, predicted)), f"Right: {percent(1 - share)}")
    difference = absolute_difference(truth, predicted, labels.num_classes)
    average = f"{difference[counted].mean():.3f}" if counted.any() else "-"
    _show_scale(places[6], difference, f"Absolute difference: {average}", cmap="gray")
    _legend(places[7], labels, truth, predicted)
    drawn.suptitle(
        plain(". ".join(filter(None, (panel.name, shown)))), x=0.01, ha="left", fontsize=12, fontweight="bold"
    )
    return drawn


def colored(class_ids: Mask, labels: LabelTable) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: class ids in the classes' colours, ignored pixels white."""
    return np.frombuffer(labels.palette(), dtype=np.uint8).reshape(256, 3)[class_ids]


def _reddened(image: Image.Image, wrong: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image in gray, paler, with the wrong pixels in red."""
    gray = 96 + np.asarray(image.convert("L"), dtype=np.float64)[..., None] * (159 / 255)
    return np.where(wrong[..., None], WRONG, gray).astype(np.uint8)


def _grid(rows: int, columns: int, shape: tuple[int, ...]) -> tuple["Figure", list["Axes"]]:
    """Places for pictures of a shape (H, W)."""
    aspect = min(4.0, max(0.25, shape[1] / shape[0]))
    width, height = math.sqrt(_AREA * aspect), math.sqrt(_AREA / aspect)
    drawn = figure(columns * (width + 0.3), rows * (height + 0.4) + 0.4)
    places: list[Axes] = list(drawn.subplots(rows, columns, squeeze=False).flat)
    for ax in places:
        ax.set_axis_off()
    return drawn, places


def _show(ax: "Axes", picture: NDArray[Any], title: str, **how: Any) -> "AxesImage":
    ax.set_title(title, loc="left", fontsize=10)
    # Class ids and colours have nothing between them.
    return ax.imshow(picture, interpolation="nearest", **how)


def _show_scale(ax: "Axes", shares: NDArray[np.floating[Any]], title: str, *, cmap: str) -> None:
    """A picture of numbers from 0 to 1 beside its scale."""
    picture = _show(ax, shares, title, cmap=cmap, vmin=0, vmax=1)
    scale(ax, picture).set_ticks([0, 0.5, 1])


def _show_ids(ax: "Axes", class_ids: Mask, labels: LabelTable) -> None:
    """The ids from black (0) to white (the last class) beside a scale that names them; ignored pixels in blue."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    number = labels.num_classes
    grays = colormaps["gray"].resampled(number).with_extremes(bad=_UNCOUNTED)
    steps = BoundaryNorm(np.arange(number + 1) - 0.5, number)
    ignored = class_ids == IGNORE
    title = "Its class ids" + (f", {IGNORE} in blue" if ignored.any() else "")
    picture = _show(ax, np.ma.masked_array(class_ids, ignored), title, cmap=grays, norm=steps)
    ticks = range(0, number, max(1, -(-number // 20)))
    bar = scale(ax, picture, "class id")
    bar.set_ticks(list(ticks))
    bar.minorticks_off()


def _legend(ax: "Axes", labels: LabelTable, *masks: Mask) -> None:
    """The classes that occur in the masks; of very many those with the most pixels."""
    from matplotlib.patches import Patch

    counts = np.bincount(np.concatenate([mask.reshape(-1) for mask in masks]), minlength=256)
    occurring = [int(i) for i in np.argsort(-counts[: labels.num_classes], kind="stable") if counts[i]]
    entries = [
        Patch(facecolor=rgb(labels.colors[i]), edgecolor=QUIET, label=f"{i}  {short(labels.names[i])}")
        for i in sorted(occurring[:_LISTED])
    ]
    if rest := and_more(len(occurring) - _LISTED):
        entries.append(Patch(facecolor="none", edgecolor="none", label=rest.strip()))
    if counts[IGNORE]:
        entries.append(Patch(facecolor="white", edgecolor=QUIET, label=f"{IGNORE}  ignored"))
    columns = 1 if len(entries) <= 14 else 2
    ax.legend(handles=entries, loc="upper left", ncols=columns, fontsize=9 if columns == 1 else 7.5, frameon=False)
