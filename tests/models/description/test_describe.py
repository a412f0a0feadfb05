"""The description of a network: its rows, its costs against independent counts, and what its words must say."""

import json

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import pixelwise
from pixelwise.bundle import Bundle, save_bundle
from pixelwise.data.bands import Bands
from pixelwise.errors import SettingsError
from pixelwise.labels import LabelTable
from pixelwise.menus import HEADS
from pixelwise.models.description.activations import Kept, kept
from pixelwise.models.description.describe import describe, reach
from pixelwise.models.description.text import span_words
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings


def settings(**values):
    return Settings(**{"algorithm": "deeplab", "backbone": "resnet18", "crop_size": 128, **values})


def rows(found):
    return {row.name: row for row in found.rows}


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv2_035"])
@pytest.mark.parametrize("algorithm", HEADS)
def test_costs_equal_independent_counts_for_every_head(algorithm, backbone):
    wanted = settings(algorithm=algorithm, backbone=backbone, crop_size=96)
    found = describe(wanted, 5)
    model = build_segmenter(wanted, 5, load_weights=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 96, 96))
    assert found.flops == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_flops_and_parameters_are_those_that_torchvision_publishes_for_resnet_50():
    published = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.meta
    classifier = 2048 * 1000
    found = describe(settings(algorithm="fcn", backbone="resnet50", crop_size=224, output_stride=32), 5)
    trunk = [row for row in found.rows if row.part in ("stem", "stage")]
    # Published are 10^9 multiply-adds of the whole network.
    assert sum(row.flops for row in trunk) / 2 == pytest.approx(published["_ops"] * 1e9 - classifier, rel=0.01)
    assert sum(row.parameters for row in trunk) == published["num_params"] - classifier - 1000


@pytest.mark.parametrize("chosen", [(1,), (4, 3, 2, 1, 5)])
def test_the_bands_that_settings_name_are_the_channels_of_the_image(chosen):
    wanted = settings(algorithm="fcn", crop_size=96, bands=chosen)
    found = describe(wanted, 5)
    network = timm.create_model("resnet18", in_chans=len(chosen), output_stride=wanted.output_stride, num_classes=0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval().forward_features(torch.zeros(1, len(chosen), 96, 96))
    trunk = [row for row in found.rows if row.part in ("stem", "stage")]
    assert found.rows[0].channels == len(chosen)
    assert sum(row.flops for row in trunk) == counter.get_total_flops()
    assert sum(row.parameters for row in trunk) == sum(parameter.numel() for parameter in network.parameters())
    # The stem by hand: a 7x7 convolution of stride 2 into 64 channels, and BatchNorm's two numbers for each.
    stem = rows(found)["conv1"]
    assert stem.flops == 2 * 7 * 7 * len(chosen) * 64 * 48 * 48
    assert stem.parameters == 7 * 7 * len(chosen) * 64 + 2 * 64


def test_the_words_name_the_bands_where_they_are_not_three():
    titles = [
        describe(settings(bands=bands), 5).text().splitlines()[0] for bands in ((), (3, 2, 1), (1,), (1, 2, 4, 8))
    ]
    photographs = "deeplab on resnet18, 5 classes, images of 128 x 128 px"
    assert titles[:2] == [photographs, photographs]
    assert titles[2] == "deeplab on resnet18, 5 classes, images of 1 band and 128 x 128 px"
    assert titles[3] == "deeplab on resnet18, 5 classes, images of 4 bands and 128 x 128 px"


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (8, {"layer1": (4, 1), "layer2": (8, 1), "layer3": (8, 2), "layer4": (8, 4)}),
        (16, {"layer1": (4, 1), "layer2": (8, 1), "layer3": (16, 1), "layer4": (16, 2)}),
        (32, {"layer1": (4, 1), "layer2": (8, 1), "layer3": (16, 1), "layer4": (32, 1)}),
    ],
)
def test_dilation_stands_in_for_the_strides_that_are_left_out(stride, expected):
    found = rows(describe(settings(output_stride=stride), 5))
    assert {name: (found[name].stride, max(found[name].dilations)) for name in expected} == expected
    assert [found[name].receptive_field for name in expected] == [43, 99, 211, 435]
    assert all(found[name].height == 128 / found[name].stride for name in expected)


def test_the_branches_of_deeplab_have_its_rates_and_spans():
    found = rows(describe(settings(), 5))
    spans = {name: (row.dilations, row.reach) for name, row in found.items() if row.part == "branch"}
    assert spans == {
        "aspp.branches.0": ((), 1),
        "aspp.branches.1": ((6,), 2 * 6 * 16 + 1),
        "aspp.branches.2": ((12,), 2 * 12 * 16 + 1),
        "aspp.branches.3": ((18,), 2 * 18 * 16 + 1),
        "aspp.image_pooling": ((), None),
    }
    assert found["aspp.branches.3"].receptive_field == 435 + 2 * 18 * 16
    assert found["classify"].whole_image
    assert not found["layer4"].whole_image


@pytest.mark.parametrize("algorithm", HEADS)
@pytest.mark.parametrize(
    ("backbone", "stride"), [("mobilenetv2_035", 8), ("convnext_atto", 16), ("test_vit", 16), ("swin_s3_tiny_224", 32)]
)
def test_every_head_on_every_family_ends_in_one_logit_per_class_and_pixel(algorithm, backbone, stride):
    found = describe(settings(algorithm=algorithm, backbone=backbone, output_stride=stride, crop_size=100), 7)
    output = found.rows[-1]
    assert (output.part, output.channels, output.height, output.width) == ("upsampling", 7, 100, 100)
    assert found.trunk.stride == found.output_stride
    assert found.trunk.height == -(-found.padded_size // found.output_stride)
    json.dumps(found.to_json(), allow_nan=False)


def test_the_pyramid_of_a_plain_transformer_stands_level_by_level_behind_its_blocks():
    found = describe(settings(algorithm="unet", backbone="vit_tiny_patch16_224", output_stride=32), 5)
    levels = [row for row in found.rows if row.name.startswith("pyramid.")]
    assert [(row.part, row.stride, row.height) for row in levels] == [
        ("stage", 4, 32),
        ("stage", 8, 16),
        ("stage", 16, 8),
        ("stage", 32, 4),
    ]
    # Its last level by hand: 192 channels by 1x1 and by 3x3, and LayerNorm's two numbers for each, twice.
    assert levels[3].parameters == 192 * 192 * (1 + 9) + 2 * 2 * 192
    assert found.trunk.name == "pyramid.3"


def test_the_words_count_in_halves_of_pixels_on_patches_of_14():
    last = describe(settings(algorithm="unet", backbone="vit_small_patch14_dinov2", crop_size=126), 5).head[-2]
    assert span_words(last) == "decode.2 is 3x3 at dilation 1: (3 - 1) x 1 x 3.5 px + 1 = 8 px from end to end."


def test_a_plain_transformer_sees_everywhere_from_its_first_block():
    found = describe(settings(backbone="vit_tiny_patch16_224"), 5)
    blocks = [row for row in found.rows if row.part == "stage"]
    assert [row.name for row in blocks] == ["blocks.0-3", "blocks.4-7", "blocks.8-11"]
    assert all(row.whole_image and row.channels == 192 for row in blocks)


def test_a_training_step_keeps_the_inputs_and_outputs_that_its_gradients_need():
    layers = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    found = kept(nn.Sequential(*layers).to("meta"), torch.zeros(4, 3, 16, 16, device="meta"))
    plane = 16 * 16 * 4
    assert found["0"] == Kept(3 * plane, 3 * plane // 2)  # its input
    # Its input, and mean and spread of the batch: 2 * 8 numbers, shared by four images.
    assert found["1"].float32 == 8 * plane + 2 * 8 * 4 // 4
    assert found["2"].float32 == 8 * plane  # its output, which the pooling keeps as its input too
    assert found["3"].float32 == 8 * 8 * 8 * 8  # indices of 8 bytes


def test_the_loss_keeps_one_float_per_class_and_pixel():
    assert rows(describe(settings(), 5))["upsampling"].activations == Kept(*[4 * 5 * 128 * 128] * 2)


def test_an_auxiliary_head_counts_in_training_only():
    plain, with_auxiliary = (describe(settings(aux_loss_weight=weight), 5) for weight in (0, 0.4))
    extra = with_auxiliary.rows[-1]
    assert extra.part == "auxiliary"
    assert extra.parameters == 256 * 64 * 9 + 2 * 64 + 64 * 5 + 5  # 3x3 to a quarter, BatchNorm, 1x1 with bias
    assert with_auxiliary.parameters == plain.parameters + extra.parameters
    assert with_auxiliary.flops == plain.flops
    assert with_auxiliary.activations.float32 > plain.activations.float32
    assert "auxiliary head runs in training only" in with_auxiliary.text()


def test_the_words_explain_size_channels_dilation_and_softmax():
    text = describe(settings(backbone="resnet-50", crop_size=512), 21).text()
    for words in (
        "512 / 16 = 32 positions a side",
        "aspp.branches.1 is 3x3 at dilation 6: (3 - 1) x 6 x 16 px + 1 = 193 px",
        "Why the output is 21 x 512 x 512",
        "21 output channels, one for each class",
        "enlarges them 16 times",
        "no softmax inside",
        "argmax over the 21 channels",
        "A multiply-add counts as 2 FLOPs",
        "431 px at the end of the trunk",
        "More than the 512 px of the image is seen by: aspp.branches.1, aspp.branches.2",
        "in bfloat16",
    ):
        assert words in text


def test_the_words_say_where_a_rate_reaches_past_the_map():
    text = describe(settings(), 5).text()  # 128 / 16 = 8 positions: rate 6 still meets some, rate 12 none
    lines = {line.split()[1]: line for line in text.splitlines() if line.startswith("- aspp.branches")}
    assert "acts as a 1x1 convolution" not in lines["aspp.branches.1"]
    assert "acts as a 1x1 convolution" in lines["aspp.branches.2"]


def test_the_words_say_that_a_trunk_pads_and_keeps_its_stride():
    text = describe(settings(backbone="swin_s3_tiny_224", crop_size=100), 5).text()
    assert "padded from 100 to 128 px" in text
    assert "keeps its output stride of 32; 16 was asked for" in text
    assert "attention inside windows" in text


@pytest.mark.parametrize(
    ("algorithm", "extents"),
    [
        ("deeplab", [1 + 192, 1 + 384, 1 + 576, None, 1 + 32]),
        ("fcn", [33]),
        # 8 positions in 2, 3 and 6 regions: of 4, of 4 that overlap, of 2
        ("psp", [None, 49, 49, 17, 33]),
        ("dilated", [33, 33, 65, 129, 257, 513, 33]),
    ],
)
def test_reach_tells_how_far_each_part_of_the_head_looks(algorithm, extents):
    found = reach(settings(algorithm=algorithm))
    assert [branch.extent for branch in found.branches] == extents
    assert (found.receptive_field, found.whole_image, found.stride) == (435, False, 16)
    assert len(found.sentences) == len(extents) + 1
    assert json.loads(json.dumps(found.to_json()))["branches"][0]["extent"] == extents[0]


def test_an_unknown_backbone_is_a_setting_at_fault():
    with pytest.raises(SettingsError, match="Unknown backbone 'resnet-51'"):
        describe(settings(backbone="resnet-51"), 5)


def test_a_model_tells_what_it_undoes_of_the_class_weights(tmp_path):
    wanted = Settings(algorithm="fcn", backbone="test_resnet", pretrained=False, crop_size=64)
    state, labels = build_segmenter(wanted, 2, load_weights=False).state_dict(), LabelTable.named(["road", "crack"])
    for name, prior in (("with", Prior((0.9, 6.8), 0.5)), ("without", None)):
        save_bundle(tmp_path / name, Bundle(wanted, labels, {}, {}, state, prior=prior))
    text = pixelwise.describe(tmp_path / "with").text()
    assert "undoes 0.5 of the class weights" in text
    assert "0.9 (road), 6.8 (crack)" in text
    assert "class weights" not in pixelwise.describe(tmp_path / "without").text().lower()


def test_a_model_is_described_for_its_own_bands_or_others_of_its_files(tmp_path):
    wanted = Settings(algorithm="fcn", backbone="test_resnet", pretrained=False, crop_size=64, bands=(5, 2))
    bands = Bands("uint16", 5, (5, 2), ((0, 4095), (10, 900)), False)
    network = build_segmenter(wanted, 2, load_weights=False, bands=bands)
    labels = LabelTable.named(["no", "yes"])
    save_bundle(tmp_path / "model", Bundle(wanted, labels, {}, {}, network.state_dict(), bands=bands))
    found = [
        pixelwise.describe(tmp_path / "model", **values) for values in ({}, {"bands": (1, 2, 3, 4)}, {"bands": ()})
    ]
    assert [each.rows[0].channels for each in found] == [2, 4, 5]
    assert found[0].parameters == sum(parameter.numel() for parameter in network.parameters())
    with pytest.raises(SettingsError, match="bands is 6, but the images have 5 bands"):
        pixelwise.describe(tmp_path / "model", bands=(6,))


def test_at_a_scale_the_description_is_that_of_the_scaled_image_and_says_so():
    half, plain = describe(settings(input_scale=0.5), 5), describe(settings(crop_size=64), 5)
    assert (half.crop_size, half.input_scale, half.seen_size) == (128, 0.5, 64)
    assert [(row.height, row.stride) for row in half.rows[:-1]] == [(row.height, row.stride) for row in plain.rows[:-1]]
    assert (half.rows[-1].height, half.rows[-1].stride) == (128, 0.5)
    assert half.flops == plain.flops
    text = half.text()
    assert "The network sees the image at 0.5 of its size (input_scale), as 64 x 64 px." in text
    assert "193 px from end to end, 386 px of the image." in text
    assert "and on to the image's own 128 x 128" in text
    assert "input_scale" not in plain.text()
    # The loss is reckoned on the image as it is given: 5 classes, 4 bytes, 128 x 128 against 64 x 64 pixels.
    assert half.activations.float32 - plain.activations.float32 == 5 * 4 * (128**2 - 64**2)


def test_what_a_head_sees_is_in_pixels_of_the_image_at_any_scale():
    half, whole = reach(settings(input_scale=0.5)), reach(settings(crop_size=64))
    assert (half.stride, half.receptive_field) == (2 * whole.stride, 2 * whole.receptive_field)
    assert [branch.extent for branch in half.branches] == [
        None if branch.extent is None else 2 * branch.extent for branch in whole.branches
    ]


@pytest.mark.parametrize("scale", [0.05, 3.0])
def test_the_smallest_crop_is_described_at_any_scale(scale):
    assert describe(settings(crop_size=17, input_scale=scale), 5).rows[-1].height == 17
