"""Receptive fields and FLOPs against hand calculation, Araujo et al. (Distill, 2019), gradients and torch's counter."""

import pytest
import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pixelwise.models.description.trace import View, trace


def last(network, *, side=64, channels=3):
    images = torch.zeros(1, channels, side, side, device="meta")
    return trace(network.to("meta").eval(), images)[-1]


def conv(kernel, *, stride=1, dilation=1, channels=(3, 3)):
    return nn.Conv2d(*channels, kernel, stride=stride, dilation=dilation, padding="same" if stride == 1 else 0)


@pytest.mark.parametrize(
    ("layers", "extent", "jump"),
    [
        ([conv(3)], 3, 1),
        ([conv(3), conv(3), conv(3)], 7, 1),
        ([conv(3, dilation=6)], 13, 1),
        ([conv(3, stride=2), conv(3)], 7, 2),  # 3, then 3 + 2 * 2
        ([conv(7, stride=2), nn.MaxPool2d(3, stride=2)], 11, 4),  # 7 + 2 * 2
        ([nn.AvgPool2d(2), conv(3, dilation=2)], 10, 2),  # 2 + 2 * 2 * 2
        ([conv(1), nn.BatchNorm2d(3), nn.ReLU()], 1, 1),
        ([nn.AvgPool2d(4), nn.Upsample(scale_factor=4, mode="nearest")], 4, 1),
        ([nn.AvgPool2d(4), nn.Upsample(scale_factor=4, mode="bilinear")], 8, 1),  # two neighbours, 4 px apart
        ([nn.ConvTranspose2d(3, 3, 2, stride=2)], 1, 0.5),
        ([nn.PixelUnshuffle(2), conv(3, channels=(12, 3))], 6, 2),  # 2, then 2 + 2 * 2
    ],
)
def test_a_kernel_widens_the_view_by_its_span_times_the_jump(layers, extent, jump):
    assert last(nn.Sequential(*layers)).view == View((extent, extent), (jump, jump))


def test_rows_and_columns_are_followed_apart():
    layers = nn.Sequential(nn.Conv2d(3, 3, (1, 7), stride=(1, 2)), nn.Conv2d(3, 3, (5, 1)))
    assert last(layers).view == View((5, 7), (1, 2))


def test_a_mean_over_all_positions_sees_everywhere_and_keeps_what_kernels_see():
    gated = nn.Sequential(conv(3), nn.AdaptiveAvgPool2d(1))
    assert last(gated).view.everywhere
    assert last(gated).view.extent == (3, 3)


def test_pooling_to_regions_sees_the_longest_region():
    view = last(nn.AdaptiveAvgPool2d(5), side=32).view  # the third region: from floor(12.8) to ceil(19.2)
    assert view.extent == (8, 8)
    assert view.jump == pytest.approx((6.4, 6.4))


class _V1Block(nn.Module):
    """Three layers of ResNet's bottleneck as published: the stride is in the first 1x1."""

    def __init__(self, stride):
        super().__init__()
        self.layers = nn.Sequential(conv(1, stride=stride), nn.Conv2d(3, 3, 3, padding=1), conv(1))
        self.skip = conv(1, stride=stride)

    def forward(self, features):
        return self.layers(features) + self.skip(features)


def test_resnet_50_as_first_published_sees_483_pixels_as_araujo_computes():
    stem = [nn.Conv2d(3, 3, 7, stride=2, padding=3), nn.MaxPool2d(3, stride=2, padding=1)]
    strides = [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1]
    net = nn.Sequential(*stem, *(_V1Block(stride) for stride in strides))
    assert last(net, side=256).view == View((483, 483), (32, 32))


@pytest.mark.parametrize(
    ("name", "extent"),
    [
        ("resnet18", 435),  # 7, 11, + 4 * 8, + 8 + 3 * 16, + 16 + 3 * 32, + 32 + 3 * 64
        ("resnet50", 427),  # the stride is in the 3x3, which therefore spans the finer steps: 483 - 8 - 16 - 32
        ("resnet50s", 431),  # three 3x3 in the place of the 7x7: 3 + 4 + 4 = 11 pixels, 4 more
        ("vgg16", 212),  # table 1 of Araujo et al., as are the next two
        ("mobilenetv1_100", 315),
        ("inception_v3", 1311),
    ],
)
def test_timm_trunks_see_what_their_kernels_and_strides_give(name, extent):
    trunk = timm.create_model(name, features_only=True)
    operations = trace(trunk.to("meta").eval(), torch.zeros(1, 3, 128, 128, device="meta"))
    assert operations[-1].view == View((extent, extent), (32, 32))


def test_the_gradient_of_one_output_reaches_exactly_as_far_as_the_view():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 5, stride=2), nn.Softplus(), nn.AvgPool2d(3, stride=2), nn.Conv2d(4, 4, 3, dilation=3)]
    net = nn.Sequential(*layers).double()
    images = torch.rand(1, 3, 81, 81, dtype=torch.float64, requires_grad=True)
    output = net(images)
    output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum().backward()
    touched = images.grad[0].abs().sum(0).gt(0).nonzero()
    height, width = (touched.amax(0) - touched.amin(0) + 1).tolist()
    assert height == width == 5 + 2 * 2 + 6 * 4
    assert last(net.float(), side=81).view.extent == (height, width)


class _Attention(nn.Module):
    """Self-attention over the positions of windows of `side` x `side`; over all of them if `side` is the image's."""

    def __init__(self, side):
        super().__init__()
        self.side = side
        self.project = nn.Linear(3, 9)

    def forward(self, images):
        windows = images.unfold(2, self.side, self.side).unfold(3, self.side, self.side)
        tokens = windows.flatten(4).flatten(2, 3).permute(0, 2, 3, 1).flatten(0, 1)  # (windows, positions, 3)
        query, key, value = self.project(tokens).unsqueeze(1).chunk(3, dim=-1)
        return nn.functional.scaled_dot_product_attention(query, key, value)


def test_attention_over_all_positions_sees_everywhere():
    assert last(_Attention(16), side=16).view.everywhere


def test_attention_inside_windows_sees_its_window():
    view = last(_Attention(4), side=16).view
    assert view.extent == (4, 4)
    assert view.in_windows
    assert not view.everywhere


def test_flops_are_two_for_each_multiply_add():
    operations = trace(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8)).to("meta"),
        torch.zeros(1, 3, 10, 10, device="meta"),
    )
    assert sum(operation.flops for operation in operations) == 2 * 10 * 10 * 3 * 8 * 9 + 2 * 8 * 8 * 8 * 9


@pytest.mark.parametrize(
    "network",
    [
        nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
        _Attention(8),
        timm.create_model("test_vit", dynamic_img_size=True),
        timm.create_model("test_convnext"),
    ],
    ids=["transposed", "attention", "vit", "convnext"],
)
def test_flops_equal_those_of_torchs_own_counter(network):
    network = network.to("meta").eval()
    images = torch.zeros(1, 3, 64, 64, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    assert sum(operation.flops for operation in trace(network, images)) == counter.get_total_flops() > 0


def test_a_trace_of_real_numbers_is_that_of_the_meta_device():
    torch.manual_seed(0)
    network = nn.Sequential(conv(3), nn.ReLU(), nn.MaxPool2d(2)).eval()
    on_cpu = trace(network, torch.zeros(1, 3, 8, 8))
    assert [operation.view for operation in on_cpu][-1] == last(network, side=8).view


def test_modules_are_named_and_their_hooks_leave_with_the_trace():
    network = nn.Sequential(conv(3), nn.ReLU()).to("meta")
    assert [operation.module for operation in trace(network, torch.zeros(1, 3, 8, 8, device="meta"))] == ["0", "1"]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
