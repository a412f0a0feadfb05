"""Mean IoU of the same predictions under the other definitions in use, each under its name."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.formulas import Floats, Sums, mean, ratio, scores_of
from pixelwise.scoring.image_counts import ImageCounts

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
    images = counts.sums
    values |= {name: measure(images) for name, measure in _OF_IMAGES.items()}
    return {name: float(values[name]) for name in DEFINITIONS}


def _absent_counts_zero(matrix: NDArray[np.int64]) -> Floats:
    return scores_of(Sums.of(matrix))["mean_iou_absent_as_zero"]


def _present_in_truth(matrix: NDArray[np.int64]) -> Floats:
    return mean(Sums.of(matrix).iou[matrix.any(axis=1)])


def _plain_mean(matrix: NDArray[np.int64]) -> Floats:
    return np.asarray(Sums.of(matrix).iou.mean())


def _micro(matrix: NDArray[np.int64]) -> Floats:
    return _micro_of(Sums.of(matrix))


def _huggingface(matrix: NDArray[np.int64]) -> Floats:
    return scores_of(Sums.of(matrix))["mean_iou"]


def _huggingface_ignore_0(matrix: NDArray[np.int64]) -> Floats:
    return _huggingface(_without_true_0(matrix))


def _huggingface_reduce_labels(matrix: NDArray[np.int64]) -> Floats:
    # Ids are shifted down by one there; a predicted 0 falls out of range and is a miss like any other.
    return mean(Sums.of(_without_true_0(matrix)).iou[1:])


def _mean_over_images(images: Sums) -> Floats:
    return mean(np.array([mean(iou) for iou in images.iou]))


def _mean_over_pairs(images: Sums) -> Floats:
    return mean(images.iou.reshape(-1))


def _smp_macro_imagewise(images: Sums) -> Floats:
    return mean(np.nan_to_num(images.iou, nan=1.0).reshape(-1))


def _smp_micro_imagewise(images: Sums) -> Floats:
    return mean(np.nan_to_num(_micro_of(images), nan=1.0))


_OF_MATRIX: dict[str, Callable[[NDArray[np.int64]], Floats]] = {
    "absent_counts_zero": _absent_counts_zero,
    "present_in_truth": _present_in_truth,
    "plain_mean": _plain_mean,
    "micro": _micro,
    "huggingface": _huggingface,
    "huggingface_ignore_0": _huggingface_ignore_0,
    "huggingface_reduce_labels": _huggingface_reduce_labels,
}
_OF_IMAGES: dict[str, Callable[[Sums], Floats]] = {
    "mean_over_images": _mean_over_images,
    "mean_over_image_class_pairs": _mean_over_pairs,
    "smp_macro_imagewise": _smp_macro_imagewise,
    "smp_micro_imagewise": _smp_micro_imagewise,
}


def _without_true_0(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros_like(matrix[:1]), matrix[1:]])


def _micro_of(sums: Sums) -> Floats:
    return ratio(sums.intersection.sum(axis=-1), sums.union.sum(axis=-1))
