import math

import pytest
import torch
from torch import nn

from pixelwise.menus import OPTIMIZERS
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings
from pixelwise.training.optimizer import WeightAverage, build_optimizer, learning_rate_factor, set_learning_rate

TINY = {"algorithm": "fcn", "backbone": "mobilenetv2_035", "pretrained": False, "warmup": 0.0}


def model_and_settings(**changes):
    settings = Settings(**{**TINY, **changes})
    return build_segmenter(settings, 2, load_weights=False), settings


def test_poly_is_the_formula_of_the_papers():
    # Half way, (1 - 0.5)^0.9.
    assert learning_rate_factor(Settings(warmup=0), 0.5, 0) == pytest.approx(0.5358867, rel=1e-6)
    assert learning_rate_factor(Settings(warmup=0), 1.0, 0) == 0


def test_cosine_falls_from_one_over_a_half_to_zero():
    factors = [learning_rate_factor(Settings(lr_scheduler="cosine", warmup=0), done, 0) for done in (0, 0.5, 1)]
    assert factors == pytest.approx([1, 0.5, 0])


def test_exponential_reaches_its_factor_at_the_end():
    settings = Settings(lr_scheduler="exponential", lr_scheduler_factor=0.01, warmup=0)
    assert [learning_rate_factor(settings, done, 0) for done in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])


def test_step_multiplies_after_the_named_epochs():
    settings = Settings(lr_scheduler="step", lr_scheduler_step="2,4", lr_scheduler_factor=0.1, warmup=0)
    factors = [learning_rate_factor(settings, 0.5, epoch) for epoch in range(5)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_warm_up_rises_from_a_tenth():
    settings = Settings(lr_scheduler="exponential", lr_scheduler_factor=1, warmup=0.2)
    assert [learning_rate_factor(settings, done, 0) for done in (0, 0.1, 0.2, 0.9)] == pytest.approx([0.1, 0.55, 1, 1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_step_downhill(name):
    model, settings = model_and_settings(optimizer=name, learning_rate=0.001)
    optimizer = build_optimizer(model, settings)
    set_learning_rate(optimizer, 1.0)
    bias = list(model.head.parameters())[-1]
    before = bias.detach().clone()
    bias.sum().backward()
    optimizer.step()
    assert (bias < before).all()


def test_only_a_pretrained_trunk_has_its_own_rate():
    model, settings = model_and_settings(learning_rate=0.01, pretrained_learning_rate_factor=0.1)
    fresh = {group["peak"] for group in build_optimizer(model, settings).param_groups}
    loaded = {group["peak"] for group in build_optimizer(model, settings.changed(pretrained=True)).param_groups}
    assert fresh == {0.01}
    assert sorted(loaded) == pytest.approx([0.001, 0.01])


def test_biases_and_normalisations_are_not_decayed():
    model, settings = model_and_settings(weight_decay=0.05)
    for group in build_optimizer(model, settings).param_groups:
        assert {parameter.ndim > 1 for parameter in group["params"]} == {group["weight_decay"] == 0.05}


def test_the_rate_of_a_trunk_falls_by_a_factor_from_each_stage_to_the_one_before():
    model, settings = model_and_settings(
        backbone="resnet10t", pretrained=True, learning_rate=0.01, pretrained_learning_rate_factor=0.1, layer_decay=0.5
    )
    rates = {id(p): group["peak"] for group in build_optimizer(model, settings).param_groups for p in group["params"]}
    found = {name: rates[id(parameter)] for name, parameter in model.named_parameters()}
    assert found["head.classify.weight"] == pytest.approx(0.01)
    assert found["backbone.trunk.layer4.0.conv1.weight"] == pytest.approx(0.001)
    assert found["backbone.trunk.layer3.0.bn1.bias"] == pytest.approx(0.0005)
    assert found["backbone.trunk.conv1.0.weight"] == pytest.approx(0.001 / 16)
    assert len(found) == len(rates)


def test_without_layer_decay_the_groups_are_the_two_parts_with_and_without_weight_decay():
    model, settings = model_and_settings(pretrained=True)
    groups = build_optimizer(model, settings).param_groups
    assert [(group["peak"], group["weight_decay"]) for group in groups] == [
        (0.001, 0.01), (0.001, 0.0), (0.002, 0.01), (0.002, 0.0),
    ]  # fmt: skip


def test_the_average_follows_the_rising_decay():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = WeightAverage(model, decay=0.5)
    nn.init.constant_(model.weight, 11.0)
    average.update(model, updates=1)  # decay 1/10
    assert average.model.weight.item() == pytest.approx(10.0)
    average.update(model, updates=1000)  # decay 0.5
    assert average.model.weight.item() == pytest.approx(10.5)


def test_the_average_includes_the_statistics_of_batchnorm():
    model = nn.BatchNorm2d(1)
    average = WeightAverage(model, decay=0.5)
    model.running_mean.fill_(4.0)
    average.update(model, updates=1000)
    assert average.model.running_mean.item() == pytest.approx(2.0)
    assert math.isclose(average.model.running_var.item(), 1.0)
    assert not average.model.training
    assert not torch.is_grad_enabled() or not average.model.weight.requires_grad
