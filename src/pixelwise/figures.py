"""What notebooks draw with: masks as pictures, panels, and every figure of a run and an evaluation."""

from pixelwise.inference.render import error_map, mask_image, overlay, panel
from pixelwise.report.figures import (
    annotation_format,
    class_distribution,
    comparison,
    confusion_counts,
    confusion_normalised,
    dice_bars,
    iou_bars,
    learning_curves,
    most_confused,
    object_scales,
    recall_by_size,
    reliability,
    trimap,
    write_figures,
)
from pixelwise.report.run.learning.diagnosis import diagnose
from pixelwise.report.run.viewer.panels import make_panel

__all__ = [
    "annotation_format",
    "class_distribution",
    "comparison",
    "confusion_counts",
    "confusion_normalised",
    "diagnose",
    "dice_bars",
    "error_map",
    "iou_bars",
    "learning_curves",
    "make_panel",
    "mask_image",
    "most_confused",
    "object_scales",
    "overlay",
    "panel",
    "recall_by_size",
    "reliability",
    "trimap",
    "write_figures",
]
