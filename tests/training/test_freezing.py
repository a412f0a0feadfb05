"""A frozen trunk: nothing of it changes, nothing of it is kept for a backward pass, and random weights are refused."""

import copy

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from pixelwise.bundle import load_bundle
from pixelwise.data.batches import Batch
from pixelwise.errors import SettingsError
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.freezing import freeze_backbone, require_weights_to_freeze
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.optimizer import set_learning_rate
from pixelwise.training.step import train_step
from tests.conftest import TINY_FLAGS

CPU = Runtime(torch.device("cpu"), torch.float32)
TINY = {"algorithm": "fcn", "backbone": "mobilenetv2_035", "pretrained": False, "num_classes": 2, "freeze": "backbone"}


def learner_of(**changes):
    torch.manual_seed(0)
    settings = Settings(**{**TINY, **changes})
    model = build_segmenter(settings, 2, load_weights=False)
    learner = Learner(model, build_criterion(settings, None), settings, CPU)
    set_learning_rate(learner.optimizer, 1.0)
    return learner


def batch():
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Batch(images, (images[:, 0] > 127).to(torch.uint8))


def test_steps_change_the_head_and_nothing_of_the_trunk_not_even_its_statistics():
    learner = learner_of()
    before = copy.deepcopy(learner.model.state_dict())
    for update in range(2):
        learner.model.train()
        train_step(learner, batch(), TrainingState(updates=update))
    for state in (learner.model.state_dict(), learner.average.model.state_dict()):
        changed = {name.partition(".")[0] for name, tensor in state.items() if not torch.equal(tensor, before[name])}
        assert changed == {"head"}


def test_the_optimizer_holds_the_head_alone():
    learner = learner_of()
    held = sum(parameter.numel() for group in learner.optimizer.param_groups for parameter in group["params"])
    assert held == sum(parameter.numel() for parameter in learner.model.head.parameters())


def test_the_trunk_stays_in_eval_mode_and_the_rest_follows():
    model = build_segmenter(Settings(**{**TINY, "backbone": "convnext_atto"}), 2, load_weights=False)
    freeze_backbone(model)
    model.eval()
    model.train()
    assert model.training
    assert model.head.training
    assert not any(module.training for module in model.backbone.trunk.modules())
    assert not any(module.training for module in model.backbone.modules() if isinstance(module, DropPath | nn.Dropout))


def test_names_and_outputs_are_those_of_the_free_network():
    settings = Settings(**TINY)
    model = build_segmenter(settings, 2, load_weights=False)
    frozen = copy.deepcopy(model)
    freeze_backbone(frozen)
    assert frozen.state_dict().keys() == model.state_dict().keys()
    images = batch().images
    assert torch.equal(frozen.eval()(images).main, model.eval()(images).main)


def test_a_step_keeps_nothing_of_the_trunk_for_the_backward_pass():
    saved = []
    model = learner_of().model
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda tensor: tensor):
        model.backbone(torch.rand(2, 3, 64, 64))
    assert saved == []


def test_a_single_sample_is_refused_for_the_batchnorms_that_learn():
    with_batchnorm, without = (learner_of(algorithm=name).model for name in ("fcn", "dilated"))
    with pytest.raises(SettingsError, match="BatchNorm would see 1 sample"):
        refuse_single_samples(with_batchnorm, 1)
    refuse_single_samples(without, 1)


@pytest.mark.parametrize("start", [{"pretrained": True}, {"backbone_weights": "trunk.pth"}, {"freeze": "none"}])
def test_weights_that_were_trained_can_be_frozen(start):
    require_weights_to_freeze(Settings(**{**TINY, **start}), has_model=False)
    require_weights_to_freeze(Settings(**TINY), has_model=True)


def test_random_weights_are_refused_before_anything_is_read(run, tmp_path):
    code, _out, err = run(
        "train", tmp_path / "nowhere", "--output", tmp_path / "run", "--freeze", "backbone", *TINY_FLAGS
    )
    assert code == 2
    assert "freeze is 'backbone' but the trunk starts from random weights" in err


def test_a_run_with_a_frozen_trunk_resumes_and_keeps_the_trunk_it_started_from(run, tmp_path, trained):
    dataset, folder = trained.parent / "dataset", tmp_path / "run"
    given = ["--no-pretrained", "--crop-size", "32", "--mini-batch-size", "4", "--epochs", "1", "--quiet"]
    given += ["--precision", "float32", "--freeze", "backbone", "--start-from", trained]
    code, _out, err = run("train", dataset, "--output", folder, *given)
    assert code == 0, err
    before, after = load_bundle(trained).state, load_bundle(folder).state
    kept = [name for name in before if name.startswith("backbone.")]
    assert kept
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(before["head.classify.weight"], after["head.classify.weight"])
    assert "M parameters of which" in (folder / "log.txt").read_text()
    code, _out, err = run("train", dataset, "--output", folder, "--resume", "--quiet")
    assert code == 0, err
    code, _out, err = run("train", dataset, "--output", folder, "--resume", "--freeze", "none", "--quiet")
    assert code == 2
    assert "began with freeze = 'backbone'" in err
