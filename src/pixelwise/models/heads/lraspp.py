"""Lite R-ASPP: two 1x1 convolutions, a gate by the image's mean, one finer map."""

import torch
from torch import Tensor, nn

from pixelwise.models.heads.layers import conv_bn_relu, resize, start_lively
from pixelwise.models.heads.taps import Strides, nearest


class LRASPPHead(nn.Module):
    """Lite R-ASPP of MobileNetV3 (arXiv 1905.02244, section 6.4), with the mean of the whole image as in torchvision.

    The sum of one classification of each map is one of both side by side, so that there is a single classifier.
    """

    WIDTH = 128

    @staticmethod
    def taps(strides: Strides) -> tuple[int, ...]:
        """The map of stride 8 or the nearest, and the last."""
        return tuple(sorted({nearest(strides, 8), len(strides) - 1}))

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self._low = nearest(strides, 8)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels[-1], self.WIDTH, 1, bias=False), nn.Sigmoid()
        )
        self.reduce = conv_bn_relu(channels[-1], self.WIDTH, 1)
        self.classify = nn.Conv2d(channels[self._low] + self.WIDTH, num_classes, 1)
        start_lively(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the fine map."""
        low, last = maps[self._low], maps[-1]
        gate = self.gate(last)
        context = resize(self.reduce(last) * gate, low, align_corners=self.align_corners)
        logits: Tensor = self.classify(torch.cat([low, context], dim=1))
        return logits
