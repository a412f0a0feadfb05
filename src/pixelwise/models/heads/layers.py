"""Layers that heads are made of, and the weights that they start with."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, BatchNorm, ReLU."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())


def separable_conv_bn_relu(in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    """The same in two steps: each channel by itself, then 1x1."""
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(
        in_channels, in_channels, kernel, padding=padding, dilation=dilation, groups=in_channels, bias=False
    )
    return nn.Sequential(depthwise, *conv_bn_relu(in_channels, out_channels, 1))


def resize(features: Tensor, like: Tensor, *, align_corners: bool = False) -> Tensor:
    """`features` at the height and width of `like`, bilinear."""
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=align_corners)


class Fusion(nn.Module):
    """Maps of many sizes, enlarged to the largest, side by side through one convolution."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.fuse = conv_bn_relu(in_channels, out_channels, kernel)

    def forward(self, maps: Sequence[Tensor], like: Tensor) -> Tensor:
        """(N, C_i, h_i, w_i) each -> (N, out_channels, h, w) at the size of `like`, joined in the order of `maps`."""
        whole = [resize(features, like, align_corners=self.align_corners) for features in maps]
        fused: Tensor = self.fuse(torch.cat(whole, dim=1))
        return fused


def start_even(head: nn.Module) -> None:
    """He initialisation; the last convolution starts near zero, so that training starts even."""
    convs = [module for module in head.modules() if isinstance(module, nn.Conv2d)]
    for conv in convs:
        start_as_he(conv)
    nn.init.normal_(convs[-1].weight, std=0.01)
    nn.init.zeros_(convs[-1].bias)  # type: ignore[arg-type]  # every classifier has a bias


def start_lively(head: nn.Module) -> None:
    """He initialisation where BatchNorm follows; all else, the classifier too, starts as PyTorch starts it.

    Near zero the classifier would pass on almost no gradient at first, and a decoder that is itself new waits for it.
    """
    for module in head.modules():
        if isinstance(module, nn.Sequential) and any(isinstance(layer, nn.BatchNorm2d) for layer in module):
            for layer in module:
                if isinstance(layer, nn.Conv2d):
                    start_as_he(layer)


def start_as_he(conv: nn.Conv2d) -> None:
    """Normal weights that keep the spread of gradients through a ReLU (He et al., arXiv 1502.01852, section 2.2)."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
