"""Figures of a run and an evaluation: each function takes what the JSON files hold and gives a matplotlib figure."""

from pixelwise.report.figures.balance import class_distribution, object_scales
from pixelwise.report.figures.behaviour import recall_by_size, reliability, trimap
from pixelwise.report.figures.classes import dice_bars, iou_bars
from pixelwise.report.figures.confusion import confusion_counts, confusion_normalised, most_confused
from pixelwise.report.figures.learning import learning_curves
from pixelwise.report.figures.pictures import annotation_format, comparison
from pixelwise.report.figures.writing import write_figures

__all__ = [
    "annotation_format",
    "class_distribution",
    "comparison",
    "confusion_counts",
    "confusion_normalised",
    "dice_bars",
    "iou_bars",
    "learning_curves",
    "most_confused",
    "object_scales",
    "recall_by_size",
    "reliability",
    "trimap",
    "write_figures",
]
