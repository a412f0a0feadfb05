"""Starting from a trained model: what is taken over, what starts anew, what is refused."""

import json
import shutil

import pytest
import torch
from torchvision.models import segmentation

from pixelwise.bundle import load_bundle
from pixelwise.errors import SettingsError
from pixelwise.models.segmenter import build_segmenter
from pixelwise.training.initial import network_of, start_from
from tests.conftest import TINY_FLAGS


@pytest.fixture
def initial(trained):
    return load_bundle(trained)


def built(initial, **changes):
    settings = initial.settings.changed(**changes)
    torch.manual_seed(5)
    return build_segmenter(settings, settings.num_classes, load_weights=False), settings


def test_every_tensor_is_taken_where_the_classes_are_as_many(initial):
    model, settings = built(initial)
    said = start_from(model, initial, settings)
    assert all(torch.equal(tensor, initial.state[name]) for name, tensor in model.state_dict().items())
    assert "anew" not in said


def test_with_more_classes_only_what_depends_on_them_starts_anew(initial):
    model, settings = built(initial, num_classes=5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    said = start_from(model, initial, settings)
    changed = [name for name, tensor in initial.state.items() if before[name].shape != tensor.shape]
    assert changed  # the last layer at least
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name in changed else initial.state[name])
    assert "5 classes take the place of 2" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithm", "psp"),
        ("backbone", "resnet18"),
        ("output_stride", 8),
        ("input_scale", 0.5),
        ("align_corners", True),
    ],
)
def test_another_network_is_refused_with_the_setting_that_makes_it_another(initial, name, value):
    model, settings = built(initial, **{name: value})
    with pytest.raises(SettingsError, match=f"{name} is .* but the model to start from has"):
        start_from(model, initial, settings)


def test_the_network_of_a_model_is_what_tells_it_apart(initial):
    assert network_of(initial) == {
        "algorithm": "fcn",
        "backbone": "mobilenetv2_035",
        "output_stride": initial.settings.output_stride,
        "input_scale": 1.0,
        "align_corners": False,
    }


def test_the_command_takes_the_network_from_the_model_and_learns_on(run, tmp_path, trained):
    flags = ["--no-pretrained", "--crop-size", "32", "--mini-batch-size", "4", "--epochs", "1", "--quiet"]
    given = ["--learning-rate", "1e-7", "--precision", "float32", "--start-from", str(trained / "model")]
    code, _out, err = run("train", trained.parent / "dataset", "--output", tmp_path / "run", *flags, *given)
    assert code == 0, err
    first = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    stored = json.loads((trained / "model" / "model.json").read_text())["scores"]
    # At a rate of next to nothing the model is what it was; its BatchNorm has seen one more epoch.
    assert first["validation_miou"] == pytest.approx(stored["mean_iou"], abs=0.15)
    assert "Starting from the weights of a trained model" in (tmp_path / "run" / "log.txt").read_text()


def test_weights_of_a_trunk_beside_a_model_are_refused(run, tmp_path, trained):
    flags = ["--start-from", trained, "--backbone-weights", "trunk.pth", "--output", tmp_path / "run"]
    code, _out, err = run("train", trained.parent / "dataset", *flags)
    assert code == 2
    assert "backbone_weights and start_from" in err


def test_the_command_starts_from_weights_of_torchvision_and_takes_their_network(run, tmp_path, trained):
    torch.manual_seed(0)
    network = segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21)
    torch.save(network.state_dict(), tmp_path / "fcn.pth")
    flags = ["--crop-size", "32", "--mini-batch-size", "2", "--epochs", "1", "--quiet", "--freeze", "backbone"]
    given = ["--start-from", tmp_path / "fcn.pth", "--output", tmp_path / "run"]
    code, _out, err = run("train", trained.parent / "dataset", *flags, *given)
    assert code == 0, err
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["algorithm"], settings["backbone"], settings["output_stride"]) == ("fcn", "resnet50", 8)
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "trunk 265 of 265; head 5 of 7: the classifier starts anew, as 2 classes take the place of 21" in log
    state = load_bundle(tmp_path / "run").state
    assert torch.equal(state["backbone.trunk.layer1.0.conv1.weight"], network.backbone.layer1[0].conv1.weight)


def test_a_run_that_was_killed_after_its_last_epoch_is_finished_without_another_one(run, tmp_path, trained):
    copy = shutil.copytree(trained, tmp_path / "run")
    before = (copy / "metrics.jsonl").read_text()
    dataset = trained.parent / "dataset"
    code, _out, err = run("train", dataset, "--output", copy, "--resume", "--quiet", *TINY_FLAGS)
    assert code == 0, err
    assert (copy / "metrics.jsonl").read_text() == before
