"""Any timm trunk gives three feature maps, at the asked stride where it can."""

import pytest
import torch

from pixelwise.errors import SettingsError
from pixelwise.models.backbones import build_backbone


@pytest.mark.parametrize(("stride", "expected"), [(8, (4, 8, 8)), (16, (4, 16, 16)), (32, (4, 16, 32))])
def test_a_resnet_has_the_asked_output_stride(stride, expected):
    backbone = build_backbone("resnet18", output_stride=stride)
    low, middle, last = backbone(torch.zeros(1, 3, 64, 96))
    assert backbone.strides == expected
    assert [64 // features.shape[2] for features in (low, middle, last)] == list(expected)
    assert backbone.channels == (64, 256, 512)
    assert backbone.note is None


def test_resnet_50_is_the_deep_stem_network_of_the_aws_image():
    backbone = build_backbone("resnet-50", output_stride=8)
    names = dict(backbone.trunk.named_parameters())
    # GluonCV's resnet50_v1s: three 3x3 convolutions of 64, 64 and 128 channels in place of one 7x7.
    assert [tuple(names[f"conv1.{i}.weight"].shape) for i in (0, 3, 6)] == [
        (64, 3, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
    ]
    assert backbone.channels == (256, 1024, 2048)


def test_a_trunk_that_cannot_be_dilated_keeps_its_stride_and_says_so():
    backbone = build_backbone("pvt_v2_b0", output_stride=8)
    assert backbone.strides[-1] == 32
    assert backbone.note == "Backbone 'pvt_v2_b0' keeps its output stride of 32; 8 was asked for."


def test_a_plain_transformer_gives_maps_from_a_third_of_its_depth_on():
    backbone = build_backbone("vit_tiny_patch16_224", output_stride=16)
    assert backbone.trunk.feature_info.out_indices == (3, 7, 11)  # of 12 blocks
    assert backbone.padding(33, 48) == (15, 0)
    assert [tuple(features.shape) for features in backbone(torch.zeros(1, 3, 48, 32))] == [(1, 192, 3, 2)] * 3


def test_maps_of_swin_come_with_channels_in_front():
    backbone = build_backbone("swin_tiny_patch4_window7_224", output_stride=32)
    shapes = [tuple(features.shape) for features in backbone(torch.zeros(1, 3, 32, 64))]
    assert shapes == [(1, 96, 8, 16), (1, 384, 2, 4), (1, 768, 1, 2)]


def test_a_trunk_of_one_image_size_looks_at_tiles():
    backbone = build_backbone("pit_ti_224", output_stride=32).eval()
    assert backbone.padding(225, 10) == (223, 214)
    tiles = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        apart = backbone(tiles)[-1]
        side_by_side = backbone(torch.cat(tuple(tiles[:, None]), dim=3))[-1]
    torch.testing.assert_close(side_by_side, torch.cat(tuple(apart[:, None]), dim=3))
    assert "sees 224x224 pixels at once" in str(backbone.note)


def test_building_leaves_batchnorm_averages_untouched():
    backbone = build_backbone("resnet18", output_stride=16)
    assert backbone.training
    assert all((module == 0).all() for name, module in backbone.named_buffers() if name.endswith("running_mean"))


@pytest.mark.parametrize(("name", "hint"), [("resnet-5o", "resnet-50"), ("mobilenet_v2_100", "mobilenetv2_100")])
def test_an_unknown_backbone_is_refused_with_the_nearest_name(name, hint):
    with pytest.raises(SettingsError, match=f"Unknown backbone '{name}'.*{hint}"):
        build_backbone(name)


def test_unknown_weights_of_a_known_backbone_are_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="resnet50s has these weights: gluon_in1k"):
        build_backbone("resnet50s.nothing")
