"""Heads agree with their papers and with other libraries."""

import pytest
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP as SmpASPP
from segmentation_models_pytorch.decoders.deeplabv3.decoder import SeparableConv2d as SmpSeparableConv2d
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import nn
from torchvision.models.segmentation.lraspp import LRASPPHead as TorchvisionLRASPP

from pixelwise.menus import HEADS
from pixelwise.models.heads import (
    ASPP,
    DeepLabV3PlusHead,
    DilatedHead,
    LRASPPHead,
    PSPHead,
    SegformerHead,
    UnetHead,
    UPerNetHead,
    atrous_rates,
)
from pixelwise.models.heads.taps import taken


def copy_by_order(source, target):
    """Copy all weights of `source` into `target`, whose layers come in the same order under other names."""
    tensors = list(source.state_dict().values())
    target.load_state_dict(dict(zip(target.state_dict(), tensors, strict=True)))


def lively(module):
    """The module in eval mode, with BatchNorm averages other than 0 and 1."""
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize(("stride", "rates"), [(8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))])
def test_atrous_rates_are_those_of_the_paper(stride, rates):
    assert atrous_rates(stride) == rates


def test_separable_aspp_equals_that_of_segmentation_models_pytorch():
    torch.manual_seed(0)
    ours = lively(ASPP(32, (6, 12, 18), separable=True))
    theirs = SmpASPP(32, 256, (6, 12, 18), separable=True, dropout=0.5).eval()
    copy_by_order(ours, theirs)
    features = torch.randn(2, 32, 9, 11)
    with torch.no_grad():
        torch.testing.assert_close(ours(features), theirs(features), rtol=1e-5, atol=1e-5)


def test_deeplabv3plus_decoder_equals_one_of_separable_layers_of_segmentation_models_pytorch():
    torch.manual_seed(0)
    head = lively(DeepLabV3PlusHead((24, 96, 32), 5, strides=(4, 16, 16)))
    reduce = nn.Sequential(nn.Conv2d(24, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU()).eval()
    layers = []
    for width in (304, 256):
        layers += [SmpSeparableConv2d(width, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU()]
    decode = nn.Sequential(*layers).eval()
    copy_by_order(head.reduce, reduce)
    copy_by_order(head.decode, decode)
    low, last = torch.randn(1, 24, 15, 13), torch.randn(1, 32, 4, 4)
    with torch.no_grad():
        context = F.interpolate(head.aspp(last), size=(15, 13), mode="bilinear", align_corners=False)
        features = decode(torch.cat([context, reduce(low)], dim=1))
        expected = F.conv2d(features, head.classify.weight, head.classify.bias)
        torch.testing.assert_close(head((low, low, last)), expected, rtol=1e-5, atol=1e-5)


def test_psp_equals_pyramid_pooling_by_hand():
    torch.manual_seed(0)
    head = lively(PSPHead((8, 8, 16), 5, strides=(4, 8, 8)))
    last = torch.randn(2, 16, 12, 6)
    parts = [last]
    with torch.no_grad():
        for bins, pool in zip((1, 2, 3, 6), head.pools, strict=True):
            means = torch.stack(
                [
                    torch.stack([cell.mean((2, 3)) for cell in row.chunk(bins, dim=3)], dim=-1)
                    for row in last.chunk(bins, dim=2)
                ],
                dim=-2,
            )
            pixels = pool[1](means)
            assert pixels.shape == (2, 4, bins, bins)
            parts.append(F.interpolate(pixels, size=(12, 6), mode="bilinear", align_corners=False))
        conv, norm, _ = head.fuse
        fused = F.relu(norm(F.conv2d(torch.cat(parts, dim=1), conv.weight, padding=1)))
        expected = F.conv2d(fused, head.classify.weight, head.classify.bias)
        torch.testing.assert_close(head((last,)), expected, rtol=1e-4, atol=1e-5)


def test_the_context_module_starts_as_the_identity_on_non_negative_input():
    context = DilatedHead((4, 4, 4), 3, strides=(4, 8, 8)).context
    features = torch.rand(1, 3, 20, 17)
    assert torch.equal(context(features), features)


def test_the_context_module_sees_67_by_67_positions():
    # Yu and Koltun, table 1: receptive fields 3, 5, 9, 17, 33, 65, 67, 67.
    context = DilatedHead((4, 4, 4), 1, strides=(4, 8, 8)).context
    for layer in context:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    features = torch.ones(1, 1, 99, 99, requires_grad=True)
    context(features)[0, 0, 49, 49].backward()
    seen = features.grad[0, 0].nonzero()
    assert seen.min(0).values.tolist() == [49 - 33, 49 - 33]
    assert seen.max(0).values.tolist() == [49 + 33, 49 + 33]


EVEN = ("deeplab", "deeplabv3plus", "dilated", "fcn", "psp")
FINE = {"deeplabv3plus": 1, "lraspp": 2, "segformer": 1, "unet": 0, "upernet": 1}
STRIDES = (2, 4, 8, 16, 16)
CHANNELS = (4, 8, 12, 16, 32)
SIZED = list(zip(CHANNELS, (2, 4, 8, 16, 32), strict=True))


def maps_of(count=2, side=48):
    return tuple(
        torch.randn(count, channels, -(-side // stride), -(-(side + 9) // stride))
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    )


@pytest.mark.parametrize("name", HEADS)
def test_every_head_gives_logits_at_the_size_of_the_map_it_ends_on(name):
    torch.manual_seed(0)
    maps = maps_of()
    logits = HEADS[name].built()(CHANNELS, 4, strides=STRIDES)(maps)
    assert logits.shape == (2, 4, *maps[FINE.get(name, 4)].shape[-2:])
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", EVEN)
def test_heads_with_a_small_classifier_start_with_even_scores(name):
    torch.manual_seed(0)
    assert HEADS[name].built()(CHANNELS, 4, strides=STRIDES)(maps_of()).abs().max() < 1


@pytest.mark.parametrize("name", sorted(HEADS.keys() - set(EVEN)))
def test_the_classifier_of_other_heads_starts_as_pytorch_starts_a_convolution(name):
    torch.manual_seed(0)
    weight = HEADS[name].built()(CHANNELS, 50, strides=STRIDES).classify.weight.detach()
    # Uniform between +-1 / sqrt(fan in), whose spread is 1 / sqrt(3 * fan in).
    limit = weight.shape[1] ** -0.5
    assert weight.abs().max() <= limit
    assert float(weight.std()) == pytest.approx(limit / 3**0.5, rel=0.1)


@pytest.mark.parametrize("name", ["psp", "deeplab", "deeplabv3plus", "upernet"])
def test_image_pooling_refuses_to_train_on_one_image(name):
    head = HEADS[name].built()(CHANNELS, 4, strides=STRIDES)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        head(maps_of(count=1))


@pytest.mark.parametrize("name", sorted(HEADS.keys() - {"psp", "deeplab", "deeplabv3plus", "upernet"}))
def test_heads_without_batchnorm_on_an_image_pooling_train_on_one_image(name):
    head = HEADS[name].built()(CHANNELS, 4, strides=STRIDES)
    head(maps_of(count=1)).sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize(
    ("strides", "expected"),
    [
        ((2, 4, 8, 16, 32), {"deeplabv3plus": (1, 4), "lraspp": (2, 4), "segformer": (1, 2, 3, 4), "fcn": (4,)}),
        ((2, 4, 8, 8, 8), {"deeplabv3plus": (1, 4), "lraspp": (2, 4)}),
        ((4, 8, 16, 32), {"upernet": (0, 1, 2, 3), "lraspp": (1, 3), "unet": (0, 1, 2, 3)}),
        ((3.5, 7, 14, 14), {"deeplabv3plus": (0, 3), "lraspp": (1, 3), "upernet": (0, 1, 2, 3)}),
        ((16, 32), {"lraspp": (0, 1), "deeplabv3plus": (0, 1)}),
        ((2,), {"deeplabv3plus": (0,), "lraspp": (0,), "segformer": (0,)}),
    ],
)
def test_heads_take_the_maps_of_their_papers(strides, expected):
    assert {name: taken(HEADS[name].built(), strides) for name in expected} == expected


def test_unet_equals_the_decoder_of_segmentation_models_pytorch_up_to_the_finest_map():
    torch.manual_seed(0)
    head = lively(UnetHead(CHANNELS, 3, strides=(2, 4, 8, 16, 32)))
    theirs = UnetDecoder((3, *CHANNELS), (256, 128, 64, 32), n_blocks=4).eval()
    copy_by_order(head.decode, theirs.blocks)
    # Odd sides, where repeated positions are not all repeated twice.
    maps = [torch.randn(2, channels, -(-65 // stride), -(-43 // stride)) for channels, stride in SIZED]
    with torch.no_grad():
        features = theirs([torch.zeros(2, 3, 65, 43), *maps])
        expected = F.conv2d(features, head.classify.weight, head.classify.bias)
        assert torch.equal(head(tuple(maps)), expected)
    assert expected.shape[-2:] == (33, 22)


def test_segformer_equals_the_decoder_of_segmentation_models_pytorch():
    torch.manual_seed(0)
    head = lively(SegformerHead(CHANNELS, 3, strides=(2, 4, 8, 16, 32)))
    theirs = SegformerDecoder([3, 0, *CHANNELS[1:]], 5, 256).eval()
    # A linear layer for each position has the weights of a 1x1 convolution.
    tensors = [
        tensor.flatten(1) if name.startswith("project") and tensor.dim() == 4 else tensor
        for name, tensor in head.state_dict().items()
        if not name.startswith("classify")
    ]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), tensors, strict=True)))
    maps = [torch.randn(2, channels, 96 // stride, 64 // stride) for channels, stride in SIZED]
    with torch.no_grad():
        features = theirs([torch.zeros(2, 3, 96, 64), torch.zeros(2, 0, 48, 32), *maps[1:]])
        expected = F.conv2d(features, head.classify.weight, head.classify.bias)
        torch.testing.assert_close(head(tuple(maps)), expected, rtol=1e-5, atol=1e-5)


def test_upernet_equals_the_decoder_of_segmentation_models_pytorch():
    torch.manual_seed(0)
    head = lively(UPerNetHead(CHANNELS, 3, strides=(2, 4, 8, 16, 32)))
    theirs = UPerNetDecoder((3, *CHANNELS), 5, 256).eval()
    theirs.feature_norms = nn.ModuleList(nn.Identity() for _ in CHANNELS[1:])  # neither the paper nor MMSegmentation
    for ours, other in (
        (head.pooling, theirs.psp),
        (head.laterals, theirs.fpn_lateral_blocks),
        (head.smooth, theirs.fpn_conv_blocks),
        (head.merge, theirs.fusion_block),
    ):
        copy_by_order(ours, other)
    maps = [torch.randn(2, channels, -(-201 // stride), -(-210 // stride)) for channels, stride in SIZED]
    with torch.no_grad():
        features = theirs([torch.zeros(2, 3, 201, 210), *maps])
        expected = F.conv2d(features, head.classify.weight, head.classify.bias)
        torch.testing.assert_close(head(tuple(maps)), expected, rtol=1e-5, atol=1e-5)


def test_lraspp_equals_that_of_torchvision():
    torch.manual_seed(0)
    theirs = lively(TorchvisionLRASPP(12, 32, 5, 128))
    head = LRASPPHead(CHANNELS, 5, strides=STRIDES).eval()
    copy_by_order(theirs.cbr, head.reduce)
    copy_by_order(theirs.scale, head.gate)
    with torch.no_grad():
        # One classifier for each map, summed, is one for both side by side.
        both = (theirs.low_classifier, theirs.high_classifier)
        head.classify.weight.copy_(torch.cat([layer.weight for layer in both], dim=1))
        head.classify.bias.copy_(sum(layer.bias for layer in both))
        maps = maps_of()
        expected = theirs({"low": maps[2], "high": maps[-1]})
        torch.testing.assert_close(head(maps), expected, rtol=1e-5, atol=1e-5)
