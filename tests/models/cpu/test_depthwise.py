import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.models.cpu.depthwise import DepthwiseConv2d, use_fast_depthwise


def fast(**options):
    plain = nn.Conv2d(6, 6, groups=6, bias=False, **options)
    holder = nn.Sequential(plain)
    use_fast_depthwise(holder)
    assert type(holder[0]) is DepthwiseConv2d
    return holder[0]


@pytest.mark.parametrize("size", [(12, 12), (13, 17), (7, 20), (5, 5)])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": 4, "dilation": 4},
        {"kernel_size": 5, "padding": 4, "dilation": 2},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 5, "padding": 2, "stride": 2},
    ],
)
def test_results_and_gradients_are_those_of_the_plain_convolution(size, options):
    torch.manual_seed(0)
    conv = fast(**options)
    image = torch.randn(2, 6, *size, requires_grad=True)
    found = conv(image)
    kept = {name: value for name, value in options.items() if name != "kernel_size"}
    expected = F.conv2d(image, conv.weight, groups=6, **kept)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(found, (image, conv.weight), upstream),
        torch.autograd.grad(expected, (image, conv.weight), upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{"padding": 2, "dilation": 2}, {"padding": 1, "stride": 2}])
def test_under_autocast_it_gives_bfloat16_near_the_float32_result(options):
    torch.manual_seed(0)
    conv = fast(kernel_size=3, **options)
    image = torch.randn(2, 6, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = conv(image)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), F.conv2d(image, conv.weight, groups=6, **options), rtol=0.03, atol=0.03)


def test_other_convolutions_are_left_alone():
    model = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 6, 3, stride=2), nn.Conv2d(6, 6, 1, groups=6))
    use_fast_depthwise(model)
    assert {type(layer) for layer in model} == {nn.Conv2d}
