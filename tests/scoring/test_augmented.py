import json

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.inference.views import Views
from pixelwise.labels import LabelTable
from pixelwise.runtime import Runtime
from pixelwise.scoring.bootstrap import Interval
from pixelwise.scoring.comparison.compare import Counted, ScoreDifference, compare
from pixelwise.scoring.confusion import ConfusionMatrix
from pixelwise.scoring.evaluate import evaluate
from pixelwise.scoring.gain import Gain
from pixelwise.scoring.metrics import Scores
from tests.serving.conftest import Output

CPU = Runtime(torch.device("cpu"), torch.float32)
LABELS = LabelTable.named(["dark", "bright"])


class FarSighted(nn.Module):
    """Bright where the pixel to its left is: mirrored, where the pixel to its right is."""

    def forward(self, images):
        left = images[:, :1].float().roll(1, dims=-1) / 255 - 0.5
        return Output(torch.cat([-4 * left, 4 * left], dim=1))


def batches(number=4):
    for seed in range(number):
        generator = np.random.default_rng(seed)
        truth = (generator.random((1, 12, 16)) < 0.5).astype(np.uint8)
        truth[:, 0, :3] = 255
        image = np.repeat(np.where(truth == 1, 255, 0)[:, None], 3, axis=1).astype(np.uint8)
        yield [Pair(f"image{seed}", None, None)], Batch(torch.from_numpy(image), torch.from_numpy(truth))


def evaluated(views=None, number=4, **how):
    return evaluate(FarSighted().eval(), batches(number), labels=LABELS, runtime=CPU, views=views, **how)


def test_a_pass_with_views_also_has_the_scores_of_one_without():
    plain, found = evaluated(), evaluated(Views(flips=True))
    assert plain.tta is None
    assert "tta" not in plain.to_json()
    assert found.tta.plain.confusion == plain.scores.confusion
    assert found.scores.confusion != plain.scores.confusion
    both = compare(Counted("a", plain.counts, LABELS), Counted("b", found.counts, LABELS))
    assert found.tta.mean_iou == both.mean_iou


def test_scores_and_probabilities_are_those_of_the_mean():
    temperature = 2.0
    found = evaluated(Views(flips=True), temperature=temperature)
    matrix, confidences = np.zeros((2, 2), dtype=np.int64), []
    for _, batch in batches():
        bright = batch.images[0, 0].numpy() / 255.0 - 0.5
        # The logits of both classes are -4 b and 4 b: the probability of bright is the logistic function of 8 b / T.
        shares = [1 / (1 + np.exp(-8 * np.roll(bright, step, axis=-1) / temperature)) for step in (1, -1)]
        mean = np.mean(shares, axis=0)
        truth = batch.class_ids[0].numpy()
        labelled = truth != 255
        # Where both views contradict each other the mean is a half: those pixels say nothing, and are left out.
        clear = labelled & (np.abs(mean - 0.5) > 1e-9)
        np.add.at(matrix, (truth[clear], (mean > 0.5).astype(int)[clear]), 1)
        confidences.append(np.maximum(mean, 1 - mean)[labelled].mean())
    assert (found.scores.confusion.counts >= matrix).all()
    assert [facts.confidence for facts in found.insight.images] == pytest.approx(confidences, abs=1e-6)


def test_the_views_their_seconds_and_both_scores_are_written_as_strict_json():
    found = evaluated(Views(flips=True))
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))["tta"]
    assert content["views"] == ["as it is", "mirrored"]
    assert 0 < content["plain"]["seconds_per_image"] < content["seconds_per_image"]
    assert Scores.from_json(content["plain"], source="tta").mean_iou == found.tta.plain.mean_iou
    assert content["difference"]["a"] == content["plain"]["mean_iou"]
    assert content["difference"]["b"] == found.scores.mean_iou
    assert content["verdict"] in found.table()


def test_one_image_is_enough():
    found = evaluated(Views(flips=True), number=1)
    assert found.tta.mean_iou.interval is None
    assert "instead of" in found.tta.verdict


def gain(interval, p_value):
    plain = Scores(ConfusionMatrix(2), LABELS)
    difference = ScoreDifference("mean_iou", 0.6912, 0.7104, interval, p_value)
    return Gain(tuple("abcdef"), 15, plain, difference, plain_seconds=0.06, seconds=0.306)


def test_the_verdict_says_what_it_brings_and_what_it_costs():
    assert gain(None, None).verdict == (
        "With test-time augmentation (6 views): mean IoU 0.710 instead of 0.691; 5.1 times the time (0.306 s instead "
        "of 0.06 s an image)."
    )


def test_the_verdict_says_whether_the_difference_may_be_luck():
    real, luck = gain(Interval(0.0104, 0.0249), 0.001), gain(Interval(-0.002, 0.0249), 0.2)
    assert "(difference +0.010 to +0.025 with 95 % confidence, real)" in real.verdict
    assert "(difference -0.002 to +0.025 with 95 % confidence, not shown to be real by 15 images)" in luck.verdict
