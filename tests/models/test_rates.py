"""Rates by kind of trunk, and the layers that layer-wise decay counts."""

import pytest
import timm
from timm.optim import param_groups_layer_decay

from pixelwise.models.backbones import build_backbone
from pixelwise.models.rates import (
    CONVNEXT,
    CONVOLUTIONAL,
    HIERARCHICAL,
    PLAIN,
    kind_of,
    layers_above,
    recommended_rates,
)
from pixelwise.settings import Settings


@pytest.mark.parametrize(
    ("backbone", "kind"),
    [
        ("resnet-50", CONVOLUTIONAL),
        ("mobilenetv4_conv_small", CONVOLUTIONAL),
        ("mobilevit_xxs", CONVOLUTIONAL),
        ("convnext_atto", CONVNEXT),
        ("convnextv2_atto", CONVNEXT),
        ("vit_tiny_patch16_224", PLAIN),
        ("vit_small_patch16_dinov3.lvd1689m", PLAIN),
        ("swin_tiny_patch4_window7_224", HIERARCHICAL),
        ("pvt_v2_b0", HIERARCHICAL),
        ("twins_svt_small", HIERARCHICAL),
    ],
)
def test_the_kind_of_a_trunk_is_read_off_its_architecture(backbone, kind):
    assert kind_of(backbone) == kind


@pytest.mark.parametrize(
    ("backbone", "trunk_rate", "head_rate", "layer_decay", "weight_decay"),
    [
        ("vit_tiny_patch16_224", 1e-4, 1e-3, 0.8, 0.05),  # EoMT
        ("pvt_v2_b0", 6e-5, 6e-4, 1.0, 0.01),  # SegFormer
        ("convnext_atto", 1e-4, 1e-3, 0.9, 0.05),  # ConvNeXt
    ],
)
def test_transformers_and_convnexts_learn_as_their_papers_have_it(
    backbone, trunk_rate, head_rate, layer_decay, weight_decay
):
    rates = recommended_rates(backbone)
    assert rates.learning_rate == pytest.approx(head_rate)
    assert rates.learning_rate * rates.pretrained_learning_rate_factor == pytest.approx(trunk_rate)
    assert (rates.layer_decay, rates.weight_decay) == (layer_decay, weight_decay)
    assert "arXiv" in rates.source


def test_convolutional_trunks_keep_the_defaults_of_the_settings():
    rates, settings = recommended_rates("resnet18"), Settings()
    for name in ("learning_rate", "pretrained_learning_rate_factor", "layer_decay", "weight_decay"):
        assert getattr(rates, name) == getattr(settings, name)


def test_blocks_of_a_plain_transformer_are_the_layers_of_timm():
    name = "vit_tiny_patch16_224"
    above = layers_above(build_backbone(name).trunk, name)
    network = timm.create_model(name)
    scales = {
        id(p): group["lr_scale"]
        for group in param_groups_layer_decay(network, layer_decay=0.5)
        for p in group["params"]
    }
    for parameter_name, parameter in network.named_parameters():
        own = f"model.{parameter_name}"
        if own in above:
            # timm counts the head as a layer of its own above the last block; here it has a rate of its own.
            assert 0.5 ** (above[own] + 1) == pytest.approx(scales[id(parameter)])
    assert above["model.blocks.11.mlp.fc2.weight"] == 0
    assert above["model.patch_embed.proj.weight"] == 12


@pytest.mark.parametrize(
    ("backbone", "tensors"),
    [
        ("convnext_atto", {"stem_0.weight": 4, "stages_0.blocks.0.gamma": 3, "stages_3.blocks.0.gamma": 0}),
        ("resnet10t", {"conv1.0.weight": 4, "layer1.0.conv1.weight": 3, "layer4.0.conv1.weight": 0}),
        # timm groups no layers of this one: the order of its modules.
        (
            "poolformer_s12",
            {"stem.conv.weight": 4, "stages_0.blocks.0.norm1.weight": 3, "stages_3.blocks.0.norm1.weight": 0},
        ),
    ],
)
def test_other_trunks_are_counted_by_stages(backbone, tensors):
    above = layers_above(build_backbone(backbone).trunk, backbone)
    assert {name: above[name] for name in tensors} == tensors
