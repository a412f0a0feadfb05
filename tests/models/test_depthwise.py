"""DepthwiseConv2d gives what F.conv2d gives, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.models.depthwise import DepthwiseConv2d, use_fast_depthwise


def pair(side, stride, rate, dtype=torch.float64, bias=True):
    """The same convolution twice: ours and PyTorch's own."""
    torch.manual_seed(0)
    settings = {"stride": stride, "padding": rate * (side // 2), "dilation": rate, "groups": 6}
    ours = DepthwiseConv2d(6, 6, side, bias=bias, dtype=dtype, **settings)
    theirs = nn.Conv2d(6, 6, side, bias=bias, dtype=dtype, **settings)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(9, 14), (1, 1), (6, 5)])
@pytest.mark.parametrize("rate", [1, 2, 6])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [3, 5])
def test_results_and_gradients_equal_those_of_conv2d(side, stride, rate, size, channels_last):
    ours, theirs = pair(side, stride, rate)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    found = []
    for conv in (ours, theirs):
        image = torch.randn(2, 6, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        image = image.contiguous(memory_format=layout).requires_grad_()
        output = conv(image)
        output.backward(torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view(output.shape))
        found.append([output.detach(), image.grad, conv.weight.grad, conv.bias.grad])
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("stride", "rate"), [(1, 2), (2, 1)])
def test_under_bfloat16_autocast_gradients_stay_near_float32(stride, rate):
    ours, theirs = pair(3, stride, rate, dtype=torch.float32, bias=False)
    image = torch.randn(4, 6, 20, 20).contiguous(memory_format=torch.channels_last)
    theirs(image).square().mean().backward()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(image)
    output.float().square().mean().backward()
    assert output.dtype == torch.bfloat16
    assert ours.weight.grad.dtype == torch.float32
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=0.02, atol=0.01)


def test_only_strided_or_dilated_depthwise_convolutions_are_swapped():
    module = nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
        nn.Conv2d(8, 8, 5, padding=2, stride=2, groups=8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 8, 3, padding=1, stride=2),
        nn.Conv2d(8, 16, 3, padding=1, stride=2, groups=8),
        nn.Conv2d(8, 8, 3, padding=0, stride=2, groups=8),
        nn.Conv2d(8, 8, 2, stride=2, groups=8),
    )
    names = list(module.state_dict())
    use_fast_depthwise(module)
    assert [type(child) is DepthwiseConv2d for child in module] == [True] * 2 + [False] * 5
    assert list(module.state_dict()) == names


def test_it_exports_as_a_plain_convolution():
    ours, theirs = pair(3, 2, 1, dtype=torch.float32)
    image = torch.randn(1, 6, 8, 8)
    program = torch.export.export(ours.eval(), (image,))
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert targets == ["aten.conv2d.default"]
    expected = F.conv2d(image, theirs.weight, theirs.bias, stride=2, padding=1, groups=6)
    torch.testing.assert_close(program.module()(image), expected)
