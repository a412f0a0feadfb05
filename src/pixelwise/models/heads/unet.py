"""U-Net: from the coarsest map back to the finest, step by step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.heads.layers import conv_bn_relu, start_lively
from pixelwise.models.heads.taps import Strides


class UnetHead(nn.Module):
    """The expanding path of U-Net (arXiv 1505.04597, section 2) on any trunk, as segmentation_models.pytorch builds it.

    It ends at the finest map of the trunk: stride 2 for most, where that library adds one more block at stride 1.
    """

    WIDTHS = (256, 128, 64, 32, 16)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.decode = nn.ModuleList()
        width = channels[-1]
        for step, skip in enumerate(reversed(channels[:-1])):
            wide = self.WIDTHS[min(step, len(self.WIDTHS) - 1)]
            self.decode.append(Expansion(width, skip, wide))
            width = wide
        self.classify = nn.Conv2d(width, num_classes, 1)
        start_lively(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the finest map."""
        features = maps[-1]
        for block, skip in zip(self.decode, reversed(maps[:-1]), strict=True):
            features = block(features, skip)
        logits: Tensor = self.classify(features)
        return logits


class Expansion(nn.Module):
    """One step up: repeat positions to the size of the finer map, put both side by side, two 3x3 convolutions."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            conv_bn_relu(in_channels + skip_channels, out_channels, 3), conv_bn_relu(out_channels, out_channels, 3)
        )

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """(N, C, h, w) and (N, D, H, W) -> (N, out_channels, H, W)."""
        whole = F.interpolate(features, size=skip.shape[-2:], mode="nearest")
        expanded: Tensor = self.convs(torch.cat([whole, skip], dim=1))
        return expanded
