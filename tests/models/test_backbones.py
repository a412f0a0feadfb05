"""Any timm trunk gives three feature maps, at the asked stride where it can."""

import pytest
import torch

from pixelwise.errors import SettingsError
from pixelwise.models.backbones import build_backbone
from pixelwise.models.padding import Padding


@pytest.mark.parametrize(
    ("stride", "expected"), [(8, (2, 4, 8, 8, 8)), (16, (2, 4, 8, 16, 16)), (32, (2, 4, 8, 16, 32))]
)
def test_a_resnet_has_the_asked_output_stride(stride, expected):
    backbone = build_backbone("resnet18", output_stride=stride)
    maps = backbone(torch.zeros(1, 3, 64, 96))
    assert backbone.strides == expected
    assert [64 // features.shape[2] for features in maps] == list(expected)
    assert backbone.channels == (64, 64, 128, 256, 512)
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
    assert backbone.channels == (128, 256, 512, 1024, 2048)


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
    assert shapes == [(1, 96, 8, 16), (1, 192, 4, 8), (1, 384, 2, 4), (1, 768, 1, 2)]


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


def test_padding_that_was_found_before_is_not_looked_for_again(monkeypatch):
    found = build_backbone("test_vit").sides
    assert found == Padding(16)
    monkeypatch.setattr("pixelwise.models.backbones.find_padding", lambda *_: pytest.fail("looked for again"))
    backbone = build_backbone("test_vit", padding=found)
    assert backbone.padding(33, 48) == (15, 0)


def test_a_trunk_of_large_multiples_says_what_becomes_of_a_crop():
    backbone = build_backbone("test_vit", padding=Padding(224))
    assert backbone.is_costly
    assert str(backbone.note).endswith("takes sides that are multiples of 224 pixels: a crop of 256 becomes 448.")


def test_the_padding_of_a_bundle_is_read_as_it_was_written():
    for padding in (Padding(1), Padding(224, 224)):
        assert Padding.from_json(padding.to_json(), source="test") == padding
    assert Padding.from_json(None, source="test") is None


@pytest.mark.parametrize(
    "value", [7, {}, {"multiple": 0, "tile": 0}, {"multiple": 32, "tile": 8}, {"multiple": 2.5, "tile": 0}]
)
def test_a_padding_that_no_trunk_asks_for_is_refused(value):
    with pytest.raises(SettingsError, match=r"model\.json: padding is .*, expected a multiple of 1 to 16384 pixels"):
        Padding.from_json(value, source="model.json")
