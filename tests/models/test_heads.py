"""Heads agree with their papers and with other libraries."""

import pytest
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP as SmpASPP
from segmentation_models_pytorch.decoders.deeplabv3.decoder import SeparableConv2d as SmpSeparableConv2d
from torch import nn

from pixelwise.menus import HEADS
from pixelwise.models.heads import ASPP, DeepLabV3PlusHead, DilatedHead, PSPHead, atrous_rates


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
        torch.testing.assert_close(head(low, last), expected, rtol=1e-5, atol=1e-5)


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
        torch.testing.assert_close(head(last, last), expected, rtol=1e-4, atol=1e-5)


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


@pytest.mark.parametrize("name", HEADS)
def test_every_head_starts_with_even_scores_and_maps_of_the_right_size(name):
    torch.manual_seed(0)
    head = HEADS[name].built()((8, 16, 32), 4, strides=(4, 16, 16))
    low, last = torch.randn(2, 8, 12, 8), torch.randn(2, 32, 3, 2)
    logits = head(low, last)
    assert logits.shape == (2, 4, *((12, 8) if name == "deeplabv3plus" else (3, 2)))
    assert logits.abs().max() < 1


@pytest.mark.parametrize("name", ["psp", "deeplab", "deeplabv3plus"])
def test_image_pooling_refuses_to_train_on_one_image(name):
    head = HEADS[name].built()((8, 16, 32), 4, strides=(4, 16, 16))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        head(torch.randn(1, 8, 12, 8), torch.randn(1, 32, 3, 2))
