"""DeepLab: atrous spatial pyramid pooling, with or without a decoder."""

import torch
from torch import Tensor, nn

from pixelwise.models.heads.layers import conv_bn_relu, resize, separable_conv_bn_relu, start_even
from pixelwise.models.heads.taps import Strides, finest, last_alone


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling with image pooling (arXiv 1706.05587, section 3.3): 256 channels out."""

    WIDTH = 256

    def __init__(self, in_channels: int, rates: tuple[int, ...], *, separable: bool) -> None:
        super().__init__()
        conv_3x3 = separable_conv_bn_relu if separable else conv_bn_relu
        self.branches = nn.ModuleList(
            [
                conv_bn_relu(in_channels, self.WIDTH, 1),
                *(conv_3x3(in_channels, self.WIDTH, 3, dilation=rate) for rate in rates),
            ]
        )
        self.image_pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_bn_relu(in_channels, self.WIDTH, 1))
        self.project = conv_bn_relu((len(rates) + 2) * self.WIDTH, self.WIDTH, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, 256, h, w)."""
        pooled = resize(self.image_pooling(features), features)  # one value: corners do not matter
        parts = [*(branch(features) for branch in self.branches), pooled]
        context: Tensor = self.dropout(self.project(torch.cat(parts, dim=1)))
        return context


class DeepLabHead(nn.Module):
    """DeepLabV3 (arXiv 1706.05587): ASPP, 3x3, 1x1; layer for layer torchvision's."""

    taps = staticmethod(last_alone)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.aspp = ASPP(channels[-1], atrous_rates(strides[-1]), separable=False)
        self.fuse = conv_bn_relu(ASPP.WIDTH, 256, 3)
        self.classify = nn.Conv2d(256, num_classes, 1)
        start_even(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the last map."""
        logits: Tensor = self.classify(self.fuse(self.aspp(maps[-1])))
        return logits


class DeepLabV3PlusHead(nn.Module):
    """DeepLabV3+ (arXiv 1802.02611, section 3): separable ASPP, and a decoder with low-level features.

    The 1x1 classifier stands before the last upsampling: the two commute, and logits are fewer than features.
    """

    LOW_WIDTH = 48

    @staticmethod
    def taps(strides: Strides) -> tuple[int, ...]:
        """The finest map of stride 4 or more, and the last."""
        return tuple(sorted({finest(strides), len(strides) - 1}))

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.aspp = ASPP(channels[-1], atrous_rates(strides[-1]), separable=True)
        self._low = finest(strides)
        self.reduce = conv_bn_relu(channels[self._low], self.LOW_WIDTH, 1)
        self.decode = nn.Sequential(
            separable_conv_bn_relu(ASPP.WIDTH + self.LOW_WIDTH, 256, 3),
            separable_conv_bn_relu(256, 256, 3),
        )
        self.classify = nn.Conv2d(256, num_classes, 1)
        start_even(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the fine map."""
        low, last = maps[self._low], maps[-1]
        context = resize(self.aspp(last), low, align_corners=self.align_corners)
        logits: Tensor = self.classify(self.decode(torch.cat([context, self.reduce(low)], dim=1)))
        return logits


def atrous_rates(stride: float) -> tuple[int, ...]:
    """The three ASPP dilations: 6, 12, 18 at stride 16, and as many input pixels at any other stride."""
    return tuple(max(1, round(rate * 16 / stride)) for rate in (6, 12, 18))
