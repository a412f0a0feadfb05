import copy
import json

import numpy as np
import pytest
import torch

from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.menus import TALLIES
from pixelwise.runtime import Runtime
from pixelwise.scoring.evaluate import Tallies, evaluate
from pixelwise.scoring.evaluation import image_rows, read_counts, write_evaluation
from pixelwise.scoring.validate import validate
from tests.inference.test_predictor import Brightness

LABELS = LabelTable.named(["dark", "bright"])
CPU = Runtime(torch.device("cpu"), torch.float32)


def batches(seeds=(0, 1, 2)):
    """Images of noise, dark on the left and bright on the right, and masks that are partly wrong."""
    for seed in seeds:
        generator = np.random.default_rng(seed)
        image = generator.integers(0, 100, (1, 3, 24, 32)).astype(np.uint8)
        image[..., 16:] += 150
        truth = np.zeros((1, 24, 32), dtype=np.uint8)
        truth[..., 16:] = 1
        truth[:, :3] = 255
        truth[:, 10 : 10 + seed] = 0
        yield [Pair(f"image{seed}", None, None)], Batch(torch.from_numpy(image), torch.from_numpy(truth))


def examined():
    return evaluate(Brightness().eval(), batches(), labels=LABELS, runtime=CPU)


def test_an_examination_has_the_very_scores_of_evaluate():
    expected = validate(Brightness(), batches(), labels=LABELS, runtime=CPU).scores
    found = examined()
    assert found.scores.confusion == expected.confusion
    assert found.counts.names == ("image0", "image1", "image2")
    assert found.counts.truth.sum() == expected.pixels.sum()


def test_image_facts_by_hand():
    labels = LabelTable.named(["a", "b"])
    tallies = Tallies(labels, 1.0)
    image = torch.full((1, 3, 2, 4), 51, dtype=torch.uint8)
    truth = torch.tensor([[[0, 0, 1, 255], [0, 0, 1, 255]]], dtype=torch.uint8)
    sure = torch.tensor([6.0, 6.0, 6.0, 6.0])  # probability 0.9975 of class a
    logits = torch.stack([sure.expand(2, 4), torch.zeros(2, 4)])[None]
    tallies.add(["x"], Batch(image, truth), logits, np.zeros((1, 2, 4), dtype=np.uint8))
    (facts,) = tallies.result().insight.images
    assert facts.pixel_accuracy == pytest.approx(4 / 6)
    assert facts.mean_iou == pytest.approx((4 / 6 + 0) / 2)
    assert facts.brightness == pytest.approx(0.2)
    assert facts.confidence == pytest.approx(1 / (1 + np.exp(-6)))
    assert facts.wrong == facts.confidently_wrong == pytest.approx(2 / 6)
    assert facts.errors_at_boundary == 1.0


def test_an_image_without_labels_is_null_everywhere():
    tallies = Tallies(LABELS, 1.0)
    nothing = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    tallies.add(["x"], Batch(image, nothing), torch.zeros(1, 2, 8, 8), np.zeros((1, 8, 8), dtype=np.uint8))
    found = tallies.result()
    assert json.loads(json.dumps(found.images_json(), allow_nan=False))["facts"][0]["pixel_accuracy"] is None
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["mean_iou"] is None
    assert image_rows(found)[0]["iou"] == [None, None]


def test_scores_and_counts_are_written_and_read_back(tmp_path):
    found = examined()
    write_evaluation(found, tmp_path / "scores")
    counts, labels = read_counts(tmp_path / "scores")
    assert labels == LABELS
    assert counts.names == found.counts.names
    assert np.array_equal(counts.intersection, found.counts.intersection)
    content = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert content["images"] == 3
    low, high = content["intervals"]["mean_iou"]
    assert low <= content["mean_iou"] <= high
    assert set(content) >= {"boundary", "objects", "calibration", "average_precision", "difference"}


def test_what_was_scored_is_an_attribute_by_its_name_in_a_copy_too():
    insight = copy.copy(examined().insight)
    for name in TALLIES:
        assert getattr(insight, name) is insight.results[name]
    with pytest.raises(AttributeError, match="'calibrated' was not scored; there is boundary, objects, calibration"):
        _ = insight.calibrated


def test_what_is_no_evaluation_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"images\.json: cannot be read as an evaluation"):
        read_counts(tmp_path)
    (tmp_path / "images.json").write_text('{"labels": [], "counts": {}}')
    with pytest.raises(DataError, match=r"images\.json"):
        read_counts(tmp_path)
