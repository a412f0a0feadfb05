"""Mean IoU of the same predictions under the other definitions in use, each under its name."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.image_counts import ImageCounts

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DEFINITIONS: dict[str, str] = {
    "absent_counts_zero": (
        "One matrix over all pixels, mean over all classes; a class in neither truth nor prediction counts 0. "
        "Amazon SageMaker's semantic segmentation and GluonCV."
    ),
    "present_in_truth": (
        "One matrix over all pixels, mean over the classes that occur in the truth; a class that is only predicted "
        "is left out. Ultralytics."
    ),
    "plain_mean": (
        "One matrix over all pixels, mean over all classes; null as soon as one is in neither truth nor prediction. "
        "torchvision's reference scripts."
    ),
    "micro": (
        "Right pixels over the summed unions of all classes, so that large classes decide. TorchGeo's trainer; "
        "torchmetrics' JaccardIndex and smp's iou_score when asked for micro."
    ),
    "mean_over_images": (
        "For each image the mean over the classes in its truth or prediction, then the mean over the images. "
        "torchmetrics' functional mean_iou, averaged."
    ),
    "mean_over_image_class_pairs": (
        "Mean over all pairs of an image and a class in its truth or prediction. torchmetrics' segmentation.MeanIoU."
    ),
    "smp_macro_imagewise": (
        "For each image the mean over all classes, one in neither its truth nor its prediction counting 1, then the "
        "mean over the images. segmentation_models.pytorch's macro-imagewise with its default zero_division of 1."
    ),
    "smp_micro_imagewise": (
        "The micro score of each image, then the mean over the images, one without labelled pixels counting 1. "
        "segmentation_models.pytorch's micro-imagewise, which its examples use."
    ),
    "huggingface": (
        "One matrix over all pixels, mean over the classes in truth or prediction. Hugging Face evaluate's mean_iou "
        "with ignore_index 255; also MMSegmentation, and the definition of our own mean_iou."
    ),
    "huggingface_ignore_0": (
        "As huggingface, but pixels whose truth is class 0 are left out, while class 0 still counts, with 0, where "
        "it is predicted. evaluate's mean_iou with ignore_index 0, as in Transformers' example."
    ),
    "huggingface_reduce_labels": (
        "As huggingface, but class 0 is background: pixels whose truth it is are left out, and it is no class of the "
        "mean. evaluate's mean_iou with reduce_labels."
    ),
}
"""Name -> formula and who uses it; pixels whose truth is 255 are left out in all of them."""


def other_definitions(counts: ImageCounts, matrix: ConfusionMatrix) -> dict[str, float]:
    """Mean IoU by every name of `DEFINITIONS`, from the same pixels; NaN where it is undefined.

    `matrix` is the sum of what `counts` was fed with.
    """
    if not np.array_equal(counts.truth.sum(axis=0), matrix.counts.sum(axis=1)):
        raise ValueError("the matrix does not hold the pixels of these images")
    values = {name: measure(matrix.counts) for name, measure in _OF_MATRIX.items()}
    union = counts.truth + counts.predicted - counts.intersection
    values |= {name: measure(counts.intersection, union) for name, measure in _OF_IMAGES.items()}
    return {name: values[name] for name in DEFINITIONS}


def _absent_counts_zero(matrix: Counts) -> float:
    return float(np.nan_to_num(_iou(matrix)).mean()) if matrix.any() else math.nan


def _present_in_truth(matrix: Counts) -> float:
    return _mean(_iou(matrix)[matrix.any(axis=1)])


def _plain_mean(matrix: Counts) -> float:
    return float(_iou(matrix).mean())


def _micro(matrix: Counts) -> float:
    hits, pixels = int(np.trace(matrix)), int(matrix.sum())
    return hits / (2 * pixels - hits) if pixels else math.nan


def _huggingface(matrix: Counts) -> float:
    return _mean(_iou(matrix))


def _huggingface_ignore_0(matrix: Counts) -> float:
    return _mean(_iou(_without_true_0(matrix)))


def _huggingface_reduce_labels(matrix: Counts) -> float:
    # Ids are shifted down by one there; a predicted 0 falls out of range and is a miss like any other.
    return _mean(_iou(_without_true_0(matrix))[1:])


def _mean_over_images(hits: Counts, union: Counts) -> float:
    ratios = _ratio(hits, union)
    return _mean(np.array([_mean(image) for image in ratios]))


def _mean_over_pairs(hits: Counts, union: Counts) -> float:
    return _mean(_ratio(hits, union))


def _smp_macro_imagewise(hits: Counts, union: Counts) -> float:
    return _mean(np.nan_to_num(_ratio(hits, union), nan=1.0))


def _smp_micro_imagewise(hits: Counts, union: Counts) -> float:
    return _mean(np.nan_to_num(_ratio(hits.sum(axis=1), union.sum(axis=1)), nan=1.0))


_OF_MATRIX: dict[str, Callable[[Counts], float]] = {
    "absent_counts_zero": _absent_counts_zero,
    "present_in_truth": _present_in_truth,
    "plain_mean": _plain_mean,
    "micro": _micro,
    "huggingface": _huggingface,
    "huggingface_ignore_0": _huggingface_ignore_0,
    "huggingface_reduce_labels": _huggingface_reduce_labels,
}
_OF_IMAGES: dict[str, Callable[[Counts, Counts], float]] = {
    "mean_over_images": _mean_over_images,
    "mean_over_image_class_pairs": _mean_over_pairs,
    "smp_macro_imagewise": _smp_macro_imagewise,
    "smp_micro_imagewise": _smp_micro_imagewise,
}


def _without_true_0(matrix: Counts) -> Counts:
    return np.concatenate([np.zeros_like(matrix[:1]), matrix[1:]])


def _iou(matrix: Counts) -> Floats:
    """(K,) of a (K, K) matrix; NaN for a class in neither truth nor prediction."""
    hits = np.diagonal(matrix)
    return _ratio(hits, matrix.sum(axis=0) + matrix.sum(axis=1) - hits)


def _ratio(part: Counts, whole: Counts) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _mean(values: Floats) -> float:
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else math.nan
