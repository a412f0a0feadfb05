import json
import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassF1Score, MulticlassJaccardIndex

from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.metrics import Scores


def scores(counts, names=("sky", "road", "car")):
    counts = np.array(counts, dtype=np.int64)
    return Scores(ConfusionMatrix(len(counts), counts), LabelTable.named(names[: len(counts)]))


# truth: 4 sky, 4 road; sky found 3 times, road found 2 times, once taken for a car, which is never there
BY_HAND = [[3, 1, 0], [1, 2, 1], [0, 0, 0]]


def test_every_score_is_what_its_definition_gives_by_hand():
    result = scores(BY_HAND)
    assert result.pixel_accuracy == pytest.approx(5 / 8)
    assert result.iou.tolist() == pytest.approx([3 / 5, 2 / 5, 0])
    assert result.mean_iou == pytest.approx(1 / 3)  # the car was predicted, so it counts
    assert result.dice.tolist() == pytest.approx([6 / 8, 4 / 7, 0])
    assert result.mean_dice == pytest.approx((6 / 8 + 4 / 7) / 3)
    assert result.mean_accuracy == pytest.approx((3 / 4 + 2 / 4) / 2)  # no car in the truth
    assert result.precision.tolist() == pytest.approx([3 / 4, 2 / 3, 0])
    assert result.frequency_weighted_iou == pytest.approx(0.5 * 3 / 5 + 0.5 * 2 / 5)
    assert result.pixels.tolist() == [4, 4, 0]


def test_a_class_in_neither_truth_nor_prediction_is_null_and_only_the_aws_mean_counts_it():
    result = scores([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    content = result.to_json()
    car = content["per_class"][2]
    assert car == dict.fromkeys(("iou", "dice", "accuracy", "precision")) | {"id": 2, "name": "car", "pixels": 0}
    assert content["mean_iou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert content["mean_iou_absent_as_zero"] == pytest.approx((3 / 4 + 4 / 5) / 3)


def test_without_a_labelled_pixel_every_score_is_null():
    content = scores(np.zeros((2, 2))).to_json()
    assert [content[name] for name in content if "mean" in name or "accuracy" in name or "frequency" in name] == [
        None
    ] * 6
    assert content["confusion"] == [[0, 0], [0, 0]]
    assert content["confusion_row_normalised"] == [[None, None], [None, None]]
    assert math.isnan(scores(np.zeros((2, 2))).mean_iou)


def test_iou_and_dice_are_those_of_torchmetrics_on_random_masks_with_ignored_pixels():
    random = np.random.default_rng(1)
    truth = random.integers(0, 6, (4, 50, 60), dtype=np.uint8)
    predicted = np.where(random.random(truth.shape) < 0.6, truth, random.integers(0, 6, truth.shape)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.3] = IGNORE
    matrix = ConfusionMatrix(7)  # class 6 is absent
    matrix.update(truth, predicted)
    result = Scores(matrix, LabelTable.numbered(7))
    tensors = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    jaccard = MulticlassJaccardIndex(7, average="macro", ignore_index=IGNORE)(*tensors)
    assert result.mean_iou == pytest.approx(jaccard.item(), abs=1e-6)
    f1 = MulticlassF1Score(7, average="macro", ignore_index=IGNORE)(*tensors)
    assert result.mean_dice == pytest.approx(f1.item(), abs=1e-6)


def test_json_is_strict_and_reading_it_gives_the_same_scores():
    result = scores([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    text = json.dumps(result.to_json(), allow_nan=False)
    again = Scores.from_json(json.loads(text), source="scores.json")
    assert again.confusion == result.confusion
    assert again.to_json() == result.to_json()


def test_json_has_exactly_the_promised_names():
    content = scores(BY_HAND).to_json()
    assert set(content) == {
        "definition", "pixel_accuracy", "mean_accuracy", "mean_iou", "mean_dice", "frequency_weighted_iou",
        "mean_iou_absent_as_zero", "per_class", "confusion", "confusion_row_normalised",
    }  # fmt: skip
    assert set(content["per_class"][0]) == {"id", "name", "iou", "dice", "accuracy", "precision", "pixels"}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"confusion": [[1]]},
        {"per_class": [{"name": "a"}, {"name": "b"}], "confusion": [[1, 2]]},
        {"per_class": [{"name": "a"}, {"name": "b"}], "confusion": [[1, 2], [3]]},
        {"per_class": [{"name": "a"}, {"name": "b"}], "confusion": [[1, -2], [3, 4]]},
        {"per_class": [{"name": "a"}, {"name": "b"}], "confusion": [[0.5, 2], [3, 4]]},
        {"per_class": [], "confusion": []},
    ],
)
def test_what_is_no_scores_file_is_refused_by_name(content):
    with pytest.raises(DataError, match=r"old.json: is not a scores.json"):
        Scores.from_json(content, source="old.json")


def test_the_table_names_every_class_and_marks_what_could_not_be_measured():
    lines = scores([[3, 1, 0], [0, 4, 0], [0, 0, 0]]).table().splitlines()
    assert lines[0].split() == ["class", "iou", "dice", "accuracy", "precision", "pixels"]
    assert lines[1].split() == ["sky", "0.7500", "0.8571", "0.7500", "1.0000", "4"]
    assert lines[3].split() == ["car", "-", "-", "-", "-", "0"]
    assert "mean IoU" in "\n".join(lines)


def test_rows_are_normalised_by_hand():
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 4]], dtype=np.int64)
    shares = Scores(ConfusionMatrix(3, counts), LabelTable.numbered(3)).to_json()["confusion_row_normalised"]
    assert shares == [[0.75, 0.25, 0.0], [None, None, None], [0.25, 0.25, 0.5]]
