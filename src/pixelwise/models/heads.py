"""Heads: what turns the feature maps of a trunk into class logits; `menus.HEADS` lists them.

Every head is built as `Head(channels, num_classes, strides=strides)` with the channels and strides of the
trunk's feature maps, finest first, and called as `head(low, last)` with the finest and the coarsest of them,
(N, C, h, w) each. It returns logits (N, K, h, w) at the size of `last` (`deeplabv3plus`: of `low`). Heads that
enlarge maps do it from corner to corner where `align_corners` is given. The layer that turns channels into classes is
called `classify`, so that `describe` can point at it.

In training every BatchNorm needs more than one value per channel. The image pooling of `psp`, `deeplab` and
`deeplabv3plus` leaves one value per image, so these heads raise ValueError on a batch of one image.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FCNHead(nn.Module):
    """FCN for a dilated trunk (arXiv 1411.4038): 3x3 to a quarter of the channels, 1x1, as in torchvision."""

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: tuple[int, ...], align_corners: bool = False
    ) -> None:
        super().__init__()
        width = max(channels[-1] // 4, 1)
        self.reduce = _conv_bn_relu(channels[-1], width, 3)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(width, num_classes, 1)
        _initialise(self)

    def forward(self, low: Tensor, last: Tensor) -> Tensor:
        """Logits (N, K, h, w) at the size of `last`."""
        logits: Tensor = self.classify(self.dropout(self.reduce(last)))
        return logits


class PSPHead(nn.Module):
    """Pyramid pooling over 1x1, 2x2, 3x3 and 6x6 regions (arXiv 1612.01105, section 3.2)."""

    BINS = (1, 2, 3, 6)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: tuple[int, ...], align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        width = max(channels[-1] // len(self.BINS), 1)
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), _conv_bn_relu(channels[-1], width, 1)) for bins in self.BINS
        )
        self.fuse = _conv_bn_relu(channels[-1] + len(self.BINS) * width, 512, 3)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(512, num_classes, 1)
        _initialise(self)

    def forward(self, low: Tensor, last: Tensor) -> Tensor:
        """Logits (N, K, h, w) at the size of `last`."""
        pooled = [_resize(pool(last), last, align_corners=self.align_corners) for pool in self.pools]
        logits: Tensor = self.classify(self.dropout(self.fuse(torch.cat([last, *pooled], dim=1))))
        return logits


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling with image pooling (arXiv 1706.05587, section 3.3): 256 channels out."""

    WIDTH = 256

    def __init__(self, in_channels: int, rates: tuple[int, ...], *, separable: bool) -> None:
        super().__init__()
        conv_3x3 = _separable_conv_bn_relu if separable else _conv_bn_relu
        self.branches = nn.ModuleList(
            [
                _conv_bn_relu(in_channels, self.WIDTH, 1),
                *(conv_3x3(in_channels, self.WIDTH, 3, dilation=rate) for rate in rates),
            ]
        )
        self.image_pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), _conv_bn_relu(in_channels, self.WIDTH, 1))
        self.project = _conv_bn_relu((len(rates) + 2) * self.WIDTH, self.WIDTH, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, 256, h, w)."""
        pooled = _resize(self.image_pooling(features), features)  # one value: corners do not matter
        parts = [*(branch(features) for branch in self.branches), pooled]
        context: Tensor = self.dropout(self.project(torch.cat(parts, dim=1)))
        return context


class DeepLabHead(nn.Module):
    """DeepLabV3 (arXiv 1706.05587): ASPP, 3x3, 1x1; layer for layer torchvision's."""

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: tuple[int, ...], align_corners: bool = False
    ) -> None:
        super().__init__()
        self.aspp = ASPP(channels[-1], atrous_rates(strides[-1]), separable=False)
        self.fuse = _conv_bn_relu(ASPP.WIDTH, 256, 3)
        self.classify = nn.Conv2d(256, num_classes, 1)
        _initialise(self)

    def forward(self, low: Tensor, last: Tensor) -> Tensor:
        """Logits (N, K, h, w) at the size of `last`."""
        logits: Tensor = self.classify(self.fuse(self.aspp(last)))
        return logits


class DeepLabV3PlusHead(nn.Module):
    """DeepLabV3+ (arXiv 1802.02611, section 3): separable ASPP, and a decoder with low-level features.

    The 1x1 classifier stands before the last upsampling: the two commute, and logits are fewer than features.
    """

    LOW_WIDTH = 48

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: tuple[int, ...], align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.aspp = ASPP(channels[-1], atrous_rates(strides[-1]), separable=True)
        self.reduce = _conv_bn_relu(channels[0], self.LOW_WIDTH, 1)
        self.decode = nn.Sequential(
            _separable_conv_bn_relu(ASPP.WIDTH + self.LOW_WIDTH, 256, 3),
            _separable_conv_bn_relu(256, 256, 3),
        )
        self.classify = nn.Conv2d(256, num_classes, 1)
        _initialise(self)

    def forward(self, low: Tensor, last: Tensor) -> Tensor:
        """Logits (N, K, h, w) at the size of `low`."""
        context = _resize(self.aspp(last), low, align_corners=self.align_corners)
        logits: Tensor = self.classify(self.decode(torch.cat([context, self.reduce(low)], dim=1)))
        return logits


class DilatedHead(nn.Module):
    """A 1x1 classification refined by the basic context module of Yu and Koltun (arXiv 1511.07122, table 1).

    The module sees 67x67 positions and starts as the identity on its non-negative input (their equation 4).
    """

    DILATIONS = (1, 1, 2, 4, 8, 16, 1)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: tuple[int, ...], align_corners: bool = False
    ) -> None:
        super().__init__()
        self.classify = nn.Conv2d(channels[-1], num_classes, 1)
        _initialise(self)
        layers: list[nn.Module] = []
        for dilation in self.DILATIONS:
            layers += [nn.Conv2d(num_classes, num_classes, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.context = nn.Sequential(*layers, nn.Conv2d(num_classes, num_classes, 1))
        for layer in self.context:
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # built with a bias above

    def forward(self, low: Tensor, last: Tensor) -> Tensor:
        """Logits (N, K, h, w) at the size of `last`."""
        logits: Tensor = self.context(self.classify(last))
        return logits


def atrous_rates(stride: int) -> tuple[int, ...]:
    """The three ASPP dilations: 6, 12, 18 at stride 16, and as many input pixels at any other stride."""
    return tuple(max(1, round(rate * 16 / stride)) for rate in (6, 12, 18))


def _conv_bn_relu(in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU())


def _separable_conv_bn_relu(in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(
        in_channels, in_channels, kernel, padding=padding, dilation=dilation, groups=in_channels, bias=False
    )
    return nn.Sequential(depthwise, *_conv_bn_relu(in_channels, out_channels, 1))


def _resize(features: Tensor, like: Tensor, *, align_corners: bool = False) -> Tensor:
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=align_corners)


def _initialise(head: nn.Module) -> None:
    """He initialisation; the last convolution starts near zero, so that training starts even."""
    convs = [module for module in head.modules() if isinstance(module, nn.Conv2d)]
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(convs[-1].weight, std=0.01)
    nn.init.zeros_(convs[-1].bias)  # type: ignore[arg-type]  # every classifier has a bias
