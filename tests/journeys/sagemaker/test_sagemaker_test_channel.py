"""The channel `test`: scored with the best model after training; what is wrong with it does not undo the training."""

import json
import re

import pytest

from tests.conftest import draw_pair
from tests.journeys.sagemaker.job import CHANNELS, configure, tiny_job, train


@pytest.fixture
def root(tmp_path):
    """The small job with a channel of two test pairs."""
    root = tiny_job(tmp_path / "ml", epochs="1")
    for i in range(2):
        draw_pair(root / "input" / "data", "test", f"test{i}", seed=i)
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    names = (*CHANNELS, "test", "test_annotation")
    configure(root, texts, channels={name: {"TrainingInputMode": "File"} for name in names})
    return root


def test_it_is_scored_in_the_log_and_in_the_extras(root):
    code, log = train(root)
    assert code == 0, log
    scores = json.loads((root / "output" / "data" / "test" / "scores.json").read_text())
    (accuracy,) = re.findall(r"#test_score\. host: algo-1, test pixel_accuracy: (\S+) \.", log)
    (miou,) = re.findall(r"#test_score\. host: algo-1, test mIOU: (\S+) \.", log)
    assert (float(accuracy), float(miou)) == (scores["pixel_accuracy"], scores["mean_iou_absent_as_zero"])
    assert "Test data is not provided." not in log


def test_a_test_image_that_cannot_be_read_leaves_the_model_in_place(root):
    (root / "input" / "data" / "test" / "test1.png").write_bytes(b"no picture")
    code, log = train(root)
    assert code == 0, log
    assert "test1.png is not a readable image file" in log
    assert "The channel 'test' is not scored: " in log
    assert (root / "model" / "model.json").is_file()
    assert not (root / "output" / "failure").exists()
