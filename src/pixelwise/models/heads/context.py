"""Heads on the last feature map alone: FCN, pyramid pooling, dilated context."""

import torch
from torch import Tensor, nn

from pixelwise.models.heads.layers import conv_bn_relu, resize, start_even
from pixelwise.models.heads.taps import Strides, last_alone


class FCNHead(nn.Module):
    """FCN for a dilated trunk (arXiv 1411.4038): 3x3 to a quarter of the channels, 1x1, as in torchvision."""

    taps = staticmethod(last_alone)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        width = max(channels[-1] // 4, 1)
        self.reduce = conv_bn_relu(channels[-1], width, 3)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(width, num_classes, 1)
        start_even(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the last map."""
        logits: Tensor = self.classify(self.dropout(self.reduce(maps[-1])))
        return logits


class PSPHead(nn.Module):
    """Pyramid pooling over 1x1, 2x2, 3x3 and 6x6 regions (arXiv 1612.01105, section 3.2)."""

    taps = staticmethod(last_alone)
    BINS = (1, 2, 3, 6)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        width = max(channels[-1] // len(self.BINS), 1)
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), conv_bn_relu(channels[-1], width, 1)) for bins in self.BINS
        )
        self.fuse = conv_bn_relu(channels[-1] + len(self.BINS) * width, 512, 3)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(512, num_classes, 1)
        start_even(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the last map."""
        last = maps[-1]
        pooled = [resize(pool(last), last, align_corners=self.align_corners) for pool in self.pools]
        logits: Tensor = self.classify(self.dropout(self.fuse(torch.cat([last, *pooled], dim=1))))
        return logits


class DilatedHead(nn.Module):
    """A 1x1 classification refined by the basic context module of Yu and Koltun (arXiv 1511.07122, table 1).

    The module sees 67x67 positions and starts as the identity on its non-negative input (their equation 4).
    """

    taps = staticmethod(last_alone)
    DILATIONS = (1, 1, 2, 4, 8, 16, 1)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.classify = nn.Conv2d(channels[-1], num_classes, 1)
        start_even(self)
        layers: list[nn.Module] = []
        for dilation in self.DILATIONS:
            layers += [nn.Conv2d(num_classes, num_classes, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.context = nn.Sequential(*layers, nn.Conv2d(num_classes, num_classes, 1))
        for layer in self.context:
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # built with a bias above

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the last map."""
        logits: Tensor = self.context(self.classify(maps[-1]))
        return logits
