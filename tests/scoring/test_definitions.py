import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.functional.segmentation import mean_iou
from torchmetrics.segmentation import MeanIoU

from pixelwise.labels import IGNORE, LabelTable
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.definitions import DEFINITIONS, other_definitions
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.metrics import Scores

NUM_CLASSES = 6


def masks(*, absent_class):
    """Truth and prediction, (6, 24, 32): class 2 misses in three images, 3 is only predicted, 5 may be nowhere."""
    random = np.random.RandomState(7)
    truth = random.randint(0, 5, (6, 24, 32))
    predicted = np.where(random.rand(6, 24, 32) < 0.7, truth, random.randint(0, 5, (6, 24, 32)))
    truth[random.rand(6, 24, 32) < 0.1] = IGNORE
    truth[truth == 3] = 1
    truth[:3][truth[:3] == 2] = 0
    if not absent_class:
        truth[4, :8], predicted[4, :7] = 5, 5
    return truth.astype(np.uint8), predicted.astype(np.uint8)


def counted(truth, predicted, num_classes=NUM_CLASSES):
    counts, total = ImageCounts(num_classes), ConfusionMatrix(num_classes)
    for i in range(len(truth)):
        matrix = ConfusionMatrix(num_classes)
        matrix.update(truth[i], predicted[i])
        counts.add(str(i), matrix.counts)
        total.merge(matrix)
    return counts, total


@pytest.fixture(params=[True, False], ids=["one class absent", "every class present"])
def example(request):
    truth, predicted = masks(absent_class=request.param)
    return truth, predicted, other_definitions(*counted(truth, predicted))


def one_hot(truth, predicted):
    """(N, K, H, W) bool of both; ignored pixels are in no class of either, as torchmetrics has no ignore_index here."""
    labelled = torch.from_numpy(truth != IGNORE)[:, None]
    return [
        torch.nn.functional.one_hot(torch.from_numpy(array).long() % IGNORE, NUM_CLASSES).permute(0, 3, 1, 2).bool()
        & labelled
        for array in (predicted, truth)
    ]


def test_a_mean_over_image_class_pairs_is_what_torchmetrics_segmentation_mean_iou_gives(example):
    truth, predicted, values = example
    metric = MeanIoU(num_classes=NUM_CLASSES)
    for i in range(0, 6, 4):  # its batches do not matter
        metric.update(*one_hot(truth[i : i + 4], predicted[i : i + 4]))
    assert values["mean_over_image_class_pairs"] == pytest.approx(metric.compute().item(), abs=1e-6)


def test_the_mean_over_images_is_that_of_torchmetrics_functional_scores(example):
    truth, predicted, values = example
    expected = mean_iou(*one_hot(truth, predicted)).mean().item()
    assert values["mean_over_images"] == pytest.approx(expected, abs=1e-6)


def test_micro_is_torchmetrics_micro_jaccard_index(example):
    truth, predicted, values = example
    metric = MulticlassJaccardIndex(NUM_CLASSES, average="micro", ignore_index=IGNORE)
    expected = metric(torch.from_numpy(predicted).long(), torch.from_numpy(truth).long())
    assert values["micro"] == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "reduction"),
    [
        ("smp_macro_imagewise", "macro-imagewise"),
        ("smp_micro_imagewise", "micro-imagewise"),
        ("micro", "micro"),
    ],
)
@pytest.mark.parametrize("unlabelled", [None, 2])
def test_the_imagewise_scores_are_those_of_segmentation_models_pytorch(example, name, reduction, unlabelled):
    truth, predicted, _ = example
    if unlabelled is not None:
        truth[unlabelled] = IGNORE
    tensors = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    stats = smp.metrics.get_stats(*tensors, mode="multiclass", ignore_index=IGNORE, num_classes=NUM_CLASSES)
    expected = smp.metrics.iou_score(*stats, reduction=reduction).item()
    assert other_definitions(*counted(truth, predicted))[name] == pytest.approx(expected, abs=1e-6)


def test_absent_counting_zero_is_what_gluoncv_gave_on_the_same_masks():
    # GluonCV 0.11.0 on MXNet 1.9.1, the masks made by the same lines as above:
    #   metric = gluoncv.utils.metrics.segmentation.SegmentationMetric(6)
    #   metric.update(nd.array(np.where(truth == 255, -1, truth)), nd.array(np.eye(6)[predicted].transpose(0, 3, 1, 2)))
    #   metric.get()  ->  (0.5567262925753492, 0.304629602029125)
    counts, matrix = counted(*masks(absent_class=True))
    assert other_definitions(counts, matrix)["absent_counts_zero"] == pytest.approx(0.304629602029125, abs=1e-12)
    scores = Scores(matrix, LabelTable.numbered(NUM_CLASSES))
    assert scores.pixel_accuracy == pytest.approx(0.5567262925753492, abs=1e-12)
    assert scores.mean_iou_absent_as_zero == pytest.approx(0.304629602029125, abs=1e-12)


def test_the_plain_mean_is_that_of_torchvisions_reference_scripts(example):
    # references/segmentation/utils.py of torchvision is in no package; these are its steps in torch.
    truth, predicted, values = example
    a, b = torch.from_numpy(truth).long().flatten(), torch.from_numpy(predicted).long().flatten()
    inside = (a >= 0) & (a < NUM_CLASSES)
    keys = NUM_CLASSES * a[inside] + b[inside]
    h = torch.bincount(keys, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES).float()
    iu = torch.diag(h) / (h.sum(1) + h.sum(0) - torch.diag(h))
    assert values["plain_mean"] == pytest.approx(iu.mean().item(), abs=1e-6, nan_ok=True)
    assert math.isnan(values["plain_mean"]) == (5 not in truth)


def evaluate_mean_iou(truth, predicted, *, num_labels, ignore_index, reduce_labels=False):
    """Hugging Face evaluate's mean_iou by its documentation, as loading its script takes a network.

    "Index that will be ignored"; "the background label will be replaced by 255" and all labels reduced by 1;
    histograms of prediction, truth and their agreement over the ids of the classes; mean over the measured ones.
    """
    label = truth.astype(int)
    if reduce_labels:
        label = np.where(np.isin(label, (0, 255)), 255, label - 1)
    kept = label != ignore_index
    label, guess = label[kept], predicted.astype(int)[kept]
    hits, guesses, labels = (
        np.array([(array == k).sum() for k in range(num_labels)]) for array in (guess[guess == label], guess, label)
    )
    with np.errstate(invalid="ignore"):
        return np.nanmean(hits / (guesses + labels - hits))


def test_the_documented_example_of_hugging_faces_mean_iou():
    truth = [np.array([[0, 3], [5, 4], [6, 255]]), np.array([[1, 7], [9, 2], [3, 6]])]
    truth.append(np.array([[1, 2, 2], [8, 2, 1], [3, 255, 1]]))
    predicted = [np.array([[1, 2], [3, 4], [5, 255]]), np.array([[2, 7], [9, 2], [3, 6]])]
    predicted.append(np.array([[2, 2, 3], [8, 2, 4], [3, 255, 2]]))
    # In the documentation's masks ignored pixels are also predicted as 255; ours must name a class there.
    truth, predicted = ([mask.astype(np.uint8) for mask in masks] for masks in (truth, predicted))
    for t, p in zip(truth, predicted, strict=True):
        p[t == IGNORE] = 0
    assert other_definitions(*counted(truth, predicted, 10))["huggingface"] == pytest.approx(0.47750000000000004)


def test_hugging_faces_mean_iou_with_each_of_its_ways_to_ignore(example):
    truth, predicted, values = example
    expected = evaluate_mean_iou(truth, predicted, num_labels=NUM_CLASSES, ignore_index=IGNORE)
    assert values["huggingface"] == pytest.approx(expected)
    scores = Scores(counted(truth, predicted)[1], LabelTable.numbered(NUM_CLASSES))
    assert scores.mean_iou == pytest.approx(expected)
    # ignore_index is one number: with 0, unlabelled pixels must already have gone
    labelled = truth != IGNORE
    expected = evaluate_mean_iou(truth[labelled], predicted[labelled], num_labels=NUM_CLASSES, ignore_index=0)
    assert values["huggingface_ignore_0"] == pytest.approx(expected)
    # a model trained on reduced labels answers in reduced ids; background, which it cannot answer, is out of range
    reduced = np.where(predicted == 0, 255, predicted - 1)
    expected = evaluate_mean_iou(truth, reduced, num_labels=NUM_CLASSES - 1, ignore_index=IGNORE, reduce_labels=True)
    assert values["huggingface_reduce_labels"] == pytest.approx(expected)


def test_a_class_that_is_only_predicted_is_left_out_where_the_truth_decides():
    # Ultralytics averages over the classes that have pixels in the truth. By hand: class 0 3/5, class 1 2/3.
    truth = np.array([[0, 0, 0, 0, 1, 1, 1]], dtype=np.uint8)
    predicted = np.array([[0, 0, 0, 2, 0, 1, 1]], dtype=np.uint8)
    values = other_definitions(*counted(truth, predicted, 3))
    assert values["present_in_truth"] == pytest.approx((3 / 5 + 2 / 3) / 2)
    assert values["huggingface"] == pytest.approx((3 / 5 + 2 / 3 + 0) / 3)


def test_without_a_labelled_pixel_only_the_imagewise_scores_are_defined_as_smp_defines_them():
    truth = np.full((2, 4, 4), IGNORE, dtype=np.uint8)
    values = other_definitions(*counted(truth, np.zeros_like(truth)))
    defined = {name: value for name, value in values.items() if not math.isnan(value)}
    assert defined == {"smp_macro_imagewise": 1, "smp_micro_imagewise": 1}


def test_every_definition_is_explained_and_all_of_them_differ_on_uneven_masks():
    values = other_definitions(*counted(*masks(absent_class=False)))
    assert list(values) == list(DEFINITIONS)
    assert all(text.endswith(".") for text in DEFINITIONS.values())
    assert len({round(value, 6) for value in values.values()}) >= 9


def test_a_matrix_of_other_pixels_is_a_programming_error():
    counts, _ = counted(*masks(absent_class=True))
    with pytest.raises(ValueError, match="does not hold the pixels"):
        other_definitions(counts, ConfusionMatrix(NUM_CLASSES))
