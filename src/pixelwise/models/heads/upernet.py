"""UPerNet: pyramid pooling on the last map, and a feature pyramid from there to the finer ones."""

import torch
from torch import Tensor, nn

from pixelwise.models.heads.layers import Fusion, conv_bn_relu, resize, start_lively
from pixelwise.models.heads.taps import Strides, taken, without_finest


class UPerNetHead(nn.Module):
    """UPerNet (arXiv 1807.10221, section 3.1), 256 wide where the paper has 512, on maps of stride 4 or more."""

    WIDTH = 256

    taps = staticmethod(without_finest)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self._taps, width = taken(self, strides), self.WIDTH
        self.pooling = PyramidPooling(channels[-1], width, align_corners=align_corners)
        finer = self._taps[-2::-1]
        self.laterals = nn.ModuleList(Lateral(channels[i], width, align_corners=align_corners) for i in finer)
        self.smooth = nn.ModuleList(conv_bn_relu(width, width, 3) for _ in finer)
        self.merge = Fusion((len(finer) + 1) * width, width, 3, align_corners=align_corners)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(width, num_classes, 1)
        start_lively(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the finest map that is taken."""
        wanted = [maps[i] for i in self._taps]
        summed = [self.pooling(wanted[-1])]
        for lateral, features in zip(self.laterals, wanted[-2::-1], strict=True):
            summed.append(lateral(features, summed[-1]))
        levels = [summed[0], *(conv(level) for conv, level in zip(self.smooth, summed[1:], strict=True))]
        logits: Tensor = self.classify(self.dropout(self.merge(levels[::-1], levels[-1])))
        return logits


class PyramidPooling(nn.Module):
    """A map beside its averages over 1x1, 2x2, 3x3 and 6x6 regions (arXiv 1612.01105), merged to `width` channels."""

    BINS = (1, 2, 3, 6)

    def __init__(self, in_channels: int, width: int, *, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), conv_bn_relu(in_channels, width, 1)) for bins in self.BINS
        )
        self.fuse = conv_bn_relu(in_channels + len(self.BINS) * width, width, 3)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, width, h, w)."""
        pooled = [resize(pool(features), features, align_corners=self.align_corners) for pool in self.pools]
        fused: Tensor = self.fuse(torch.cat([features, *pooled], dim=1))
        return fused


class Lateral(nn.Module):
    """A map of the trunk by a 1x1 convolution, plus the coarser level above it."""

    def __init__(self, in_channels: int, width: int, *, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.reduce = conv_bn_relu(in_channels, width, 1)

    def forward(self, features: Tensor, above: Tensor) -> Tensor:
        """(N, C, H, W) and (N, width, h, w) -> (N, width, H, W)."""
        own: Tensor = self.reduce(features)
        return own + resize(above, own, align_corners=self.align_corners)
