"""What a training says of its trunk's limits, and what its bundle keeps of them."""

import json

from pixelwise.models.padding import Padding
from tests.conftest import TINY_FLAGS

FLAGS = [*TINY_FLAGS, "--epochs", "1", "--backbone", "test_vit", "--mini-batch-size", "8"]


def test_large_multiples_are_a_warning_and_the_bundle_keeps_them(dataset, tmp_path, run, monkeypatch):
    monkeypatch.setattr("pixelwise.models.backbones.find_padding", lambda *_: Padding(96))
    code, _, err = run("train", dataset, "--output", tmp_path / "run", *FLAGS)
    assert code == 0, err
    said = (tmp_path / "run" / "log.txt").read_text()
    assert "Warning: 'test_vit' takes sides that are multiples of 96 pixels: a crop of 256 becomes 288." in said
    facts = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert facts["padding"] == {"multiple": 96, "tile": 0}


def test_a_trunk_of_small_multiples_is_no_warning(dataset, tmp_path, run):
    code, _, err = run("train", dataset, "--output", tmp_path / "run", *FLAGS, "--output-stride", "8")
    assert code == 0, err
    said = (tmp_path / "run" / "log.txt").read_text()
    assert "Backbone 'test_vit' keeps its output stride of 16; 8 was asked for." in said
    assert "Warning: Backbone" not in said
    assert "have no way to the output" not in said


def test_a_run_of_before_there_was_a_pyramid_is_resumed_without_one(dataset, tmp_path, run, monkeypatch):
    flags = [*FLAGS, "--algorithm", "deeplabv3plus", "--epochs", "2", "--output-stride", "16"]
    with monkeypatch.context() as before:
        before.setattr("pixelwise.models.backbones._pyramid", lambda *_: None)
        code, _, err = run("train", dataset, "--output", tmp_path / "run", *flags)
        assert code == 0, err
    # Complete, so that resuming loads the last checkpoint and has nothing left to do.
    code, _, err = run("train", dataset, "--output", tmp_path / "run", *flags, "--resume")
    assert code == 0, err
