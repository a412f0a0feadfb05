"""DilatedConv2d gives what F.conv2d gives, forward and backward, by either way of computing."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.models.cpu import dilated as dilation
from pixelwise.models.cpu.dilated import DilatedConv2d, use_fast_dilation


def gradients(convolve, image, weight):
    image, weight = image.clone().requires_grad_(), weight.clone().requires_grad_()
    output = convolve(image, weight)
    generator = torch.Generator().manual_seed(1)
    output.backward(torch.randn(output.shape, generator=generator).to(output.dtype))
    return output.detach(), image.grad, weight.grad


@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(9, 13), (1, 1), (4, 30)])
@pytest.mark.parametrize("rate", [1, 2, 4, 6, 12, 29, 36])
def test_results_and_gradients_equal_those_of_conv2d(rate, size, channels_last, products):
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    image = torch.randn(2, 5, *size, dtype=torch.float64).contiguous(memory_format=layout)
    weight = torch.randn(7, 5, 3, 3, dtype=torch.float64)
    ours = gradients(
        lambda image, weight: dilation._DilatedConvolution.apply(image, weight, rate, products), image, weight
    )
    theirs = gradients(lambda image, weight: F.conv2d(image, weight, padding=rate, dilation=rate), image, weight)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("amx", [False, True])
def test_under_bfloat16_autocast_it_stays_near_float32(monkeypatch, amx):
    monkeypatch.setattr(dilation, "_has_amx", lambda: amx)
    torch.manual_seed(0)
    conv = DilatedConv2d(64, 64, 3, padding=12, dilation=12)
    image = torch.randn(2, 64, 14, 14).contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(image, conv.weight, conv.bias, padding=12, dilation=12)
    exact.sum().backward()
    expected = conv.weight.grad.clone()
    conv.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        output = conv(image)
    output.float().sum().backward()
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), exact, rtol=0.02, atol=0.02)
    # Sums of up to 400 products of standard normals with 8 bits each.
    torch.testing.assert_close(conv.weight.grad, expected, rtol=0.02, atol=0.5)


def test_only_wide_dilated_3x3_convolutions_are_swapped_and_keep_their_weights():
    wide = nn.Conv2d(64, 64, 3, padding=6, dilation=6)
    module = nn.Sequential(
        nn.Sequential(wide),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=6, dilation=6),
        nn.Conv2d(64, 64, 3, padding=6, dilation=6, groups=64),
        nn.Conv2d(64, 64, 3, padding=6, dilation=6, stride=2),
        nn.Conv2d(64, 64, 3, padding=5, dilation=6),
    )
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    use_fast_dilation(module)
    assert [type(child) is DilatedConv2d for child in module.modules()][2:] == [True] + [False] * 5
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_it_exports_as_a_plain_convolution():
    conv = DilatedConv2d(64, 64, 3, padding=6, dilation=6).eval()
    program = torch.export.export(conv, (torch.zeros(1, 64, 8, 8),))
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert targets == ["aten.conv2d.default"]
