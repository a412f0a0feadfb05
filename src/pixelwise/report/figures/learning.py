"""Learning curves: training and validation on one axis."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pixelwise.report.figures.canvas import BLUE, FAINT, INK, ORANGE, empty, figure, head
from pixelwise.report.run.learning.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE = "Learning curves"


def learning_curves(history: Sequence[Mapping[str, Any]]) -> "Figure":
    """Loss, mIoU, pixel accuracy (0 to 1) and learning rate by epoch, training and validation on one axis.

    `history` are the lines of metrics.jsonl. Epochs that were not measured are passed over; the best validation
    mIoU is marked. Training scores are measured on augmented crops while the weights change.
    """
    if not history:
        return empty(_TITLE, "No epoch is finished.")
    drawn = figure(9, 6)
    panels = drawn.subplots(2, 2, sharex=True)
    _pair(panels[0, 0], history, "loss")
    _pair(panels[0, 1], history, "miou", "mIoU")
    _pair(panels[1, 0], history, "pixel_accuracy", "Pixel accuracy")
    _mark_best(panels[0, 1], Curve.of(history, "validation_miou"))
    rate = Curve.of(history, "learning_rate")
    head(panels[1, 1], "Learning rate")
    panels[1, 1].plot(rate.epochs, rate.raw, color=INK, linewidth=1.8, marker=_marker(rate), ms=4)
    panels[1, 1].set_ylim(bottom=0)
    for ax in panels.flat:
        ax.grid(color=FAINT, linewidth=0.6)
        ax.xaxis.get_major_locator().set_params(integer=True)
    for ax in panels[1]:
        ax.set_xlabel("epoch")
    panels[0, 0].legend(frameon=False)
    return drawn


def _pair(ax: "Axes", history: Sequence[Mapping[str, Any]], column: str, title: str = "Loss") -> None:
    head(ax, title)
    for split, name, color, style in (("train", "training", BLUE, "-"), ("validation", "validation", ORANGE, "--")):
        curve = Curve.of(history, f"{split}_{column}")
        if len(curve):
            ax.plot(curve.epochs, curve.raw, style, color=color, linewidth=1.8, marker=_marker(curve), label=name, ms=4)
        else:
            ax.plot([], [], style, color=color, linewidth=1.8, label=f"{name}: not measured")
    if column == "loss":
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
    else:
        ax.set_ylim(0, 1)


def _marker(curve: Curve) -> str:
    """Dots, as long as they do not run into each other; a lone value is seen in no other way."""
    return "o" if len(curve) <= 40 else ""


def _mark_best(ax: "Axes", validation: Curve) -> None:
    if not len(validation):
        return
    best = int(validation.raw.argmax())
    epoch, value = int(validation.epochs[best]), float(validation.raw[best])
    ax.plot([epoch], [value], "o", ms=9, mfc="none", mec=INK, mew=1.4)
    is_late = epoch > validation.epochs.mean()
    ax.annotate(
        f"best {value:.3f} in epoch {epoch}",
        (epoch, value),
        # Above the curves, or in the empty half below them.
        xytext=(epoch, value + 0.07 if value < 0.85 else 0.1),
        ha="right" if is_late else "left",
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8, "shrinkB": 5},
        fontsize=9,
    )
