"""Segmenter: normalise -> trunk -> head -> upsample; images in their own depth in, float32 logits out."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.menus import HEADS
from pixelwise.models.backbones import Backbone, build_backbone
from pixelwise.models.cpu.depthwise import use_fast_depthwise
from pixelwise.models.cpu.dilated import use_fast_dilation
from pixelwise.models.heads import FCNHead
from pixelwise.settings import Settings


class Logits(NamedTuple):
    """What the network says of each pixel."""

    main: Tensor  # (N, K, H, W) float32 at the size of the images
    auxiliary: Tensor | None  # the same from the second-to-last stage; None in eval mode or without such a head


class InputBands(Protocol):
    """What the network must know of the bands that it is given; `data.bands.Bands` says it for a dataset."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def ranges(self) -> Sequence[tuple[float, float]]:
        """The values of each that are 0 and 1 to the trunk."""
        ...

    @property
    def saturates(self) -> bool:
        """Whether values may lie outside."""
        ...

    @property
    def shows_color(self) -> bool:
        """Whether the first three are red, green and blue."""
        ...


class ByteBands:
    """So many bands of 8 bits, from 0 to 255, of which the first three are red, green and blue."""

    saturates, shows_color = False, True

    def __init__(self, count: int = 3) -> None:
        self.count, self.ranges = count, ((0.0, 255.0),) * count


class Segmenter(nn.Module):
    """A trunk, a head and, in training, an auxiliary FCN head on the second-to-last stage.

    `head` is called with the finest and the coarsest feature map of `backbone`, `auxiliary` with the finest and
    the middle one. The mean and the spread that the trunk expects, in the numbers of the `bands`, are buffers, and
    where values may lie outside the bands' ranges these limits too: a saved model knows its input.
    `shift` (K,), None for none, is added to the main logits in eval mode; it is no part of the state dict, for weights
    are trained without it.
    With `align_corners` logits are enlarged from corner to corner, not from pixel edge to pixel edge.
    """

    mean: Tensor
    std: Tensor
    lowest: Tensor | None
    highest: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        *,
        auxiliary: nn.Module | None = None,
        align_corners: bool = False,
        bands: InputBands | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.align_corners = align_corners
        bands = bands or ByteBands()
        low, high = (torch.tensor(limits).view(1, -1, 1, 1) for limits in zip(*bands.ranges, strict=True))
        mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in _normalisation(backbone, bands))
        # A value v is (v - low) / (high - low) to the trunk; folded into its mean and spread that costs nothing.
        self.register_buffer("mean", low + (high - low) * mean)
        self.register_buffer("std", (high - low) * std)
        self.register_buffer("lowest", low if bands.saturates else None)
        self.register_buffer("highest", high if bands.saturates else None)
        self.register_buffer("shift", None, persistent=False)

    def forward(self, images: Tensor) -> Logits:
        """Logits of `images`, (N, C, H, W) of the bands' depth or float, any H and W from 1 on."""
        height, width = images.shape[-2:]
        values = images.float()
        if self.lowest is not None and self.highest is not None:
            values = values.clamp(self.lowest, self.highest)
        normal = (values - self.mean) / self.std
        bottom, right = self.backbone.padding(height, width)
        # A trace for images of any size must not ask for the size, or it would hold for this one alone.
        if self.backbone.pads and (torch.compiler.is_compiling() or bottom or right):
            normal = F.pad(normal, (0, right, 0, bottom))
        low, middle, last = self.backbone(normal)
        coarse = self.head(low, last)
        if self.shift is not None and not self.training:
            # Here, where it is free: enlarged, a constant is the same constant.
            coarse = coarse.float() + self.shift[:, None, None]
        main = self._upsample(coarse, normal)[..., :height, :width]
        if self.auxiliary is None or not self.training:
            return Logits(main, None)
        return Logits(main, self._upsample(self.auxiliary(low, middle), normal)[..., :height, :width])

    def _upsample(self, logits: Tensor, like: Tensor) -> Tensor:
        """Logits in float32 at the size of `like`: bfloat16 steps would show as blocks in the class map."""
        return F.interpolate(logits.float(), size=like.shape[-2:], mode="bilinear", align_corners=self.align_corners)


def _normalisation(backbone: Backbone, bands: InputBands) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of each band in its range: the trunk's for three bands; their average for other ones."""
    if bands.count == 3:
        return backbone.mean, backbone.std
    colors = 3 if bands.shows_color and bands.count > 3 else 0
    mean, std = ((*each[:colors], *(sum(each) / 3,) * (bands.count - colors)) for each in (backbone.mean, backbone.std))
    return mean, std


def build_segmenter(
    settings: Settings, num_classes: int, *, load_weights: bool = True, bands: InputBands | None = None
) -> Segmenter:
    """The network that `settings` describe for images of `bands` (None: RGB of 8 bits), in training mode.

    `load_weights=False` builds the architecture only, without a file or a download: for a bundle or a checkpoint
    that brings the weights. Raises SettingsError for an unknown backbone, ModelError for weights that cannot be
    used.
    """
    backbone = build_backbone(
        settings.backbone,
        output_stride=settings.output_stride,
        weights=settings.backbone_weights if load_weights else None,
        pretrained=settings.pretrained and load_weights,
        in_channels=3 if bands is None else bands.count,
    )
    head_class: type[nn.Module] = HEADS[settings.algorithm].built()
    head = head_class(backbone.channels, num_classes, strides=backbone.strides, align_corners=settings.align_corners)
    auxiliary = None
    if settings.aux_loss_weight > 0:
        auxiliary = FCNHead(backbone.channels[:2], num_classes, strides=backbone.strides[:2])
    model = Segmenter(backbone, head, auxiliary=auxiliary, align_corners=settings.align_corners, bands=bands)
    use_fast_depthwise(model)
    use_fast_dilation(model)
    return model
