"""Segmenter: normalise -> trunk -> head -> upsample; uint8 images in, float32 logits out."""

from typing import NamedTuple

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


class Segmenter(nn.Module):
    """A trunk, a head and, in training, an auxiliary FCN head on the second-to-last stage.

    `head` is called with the finest and the coarsest feature map of `backbone`, `auxiliary` with the finest and
    the middle one. The mean and the spread that the trunk expects are buffers: a saved model knows its input.
    With `align_corners` logits are enlarged from corner to corner, not from pixel edge to pixel edge.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        *,
        auxiliary: nn.Module | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.align_corners = align_corners
        self.register_buffer("mean", 255 * torch.tensor(backbone.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(backbone.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Logits:
        """Logits of `images`, (N, 3, H, W) RGB in 0..255 as uint8 or float, any H and W from 1 on."""
        height, width = images.shape[-2:]
        normal = (images.float() - self.mean) / self.std
        bottom, right = self.backbone.padding(height, width)
        # A trace for images of any size must not ask for the size, or it would hold for this one alone.
        if self.backbone.pads and (torch.compiler.is_compiling() or bottom or right):
            normal = F.pad(normal, (0, right, 0, bottom))
        low, middle, last = self.backbone(normal)
        main = self._upsample(self.head(low, last), normal)[..., :height, :width]
        if self.auxiliary is None or not self.training:
            return Logits(main, None)
        return Logits(main, self._upsample(self.auxiliary(low, middle), normal)[..., :height, :width])

    def _upsample(self, logits: Tensor, like: Tensor) -> Tensor:
        """Logits in float32 at the size of `like`: bfloat16 steps would show as blocks in the class map."""
        return F.interpolate(logits.float(), size=like.shape[-2:], mode="bilinear", align_corners=self.align_corners)


def build_segmenter(settings: Settings, num_classes: int, *, load_weights: bool = True) -> Segmenter:
    """The network that `settings` describe, in training mode.

    `load_weights=False` builds the architecture only, without a file or a download: for a bundle or a checkpoint
    that brings the weights. Raises SettingsError for an unknown backbone, ModelError for weights that cannot be
    used.
    """
    backbone = build_backbone(
        settings.backbone,
        output_stride=settings.output_stride,
        weights=settings.backbone_weights if load_weights else None,
        pretrained=settings.pretrained and load_weights,
    )
    head_class: type[nn.Module] = HEADS[settings.algorithm].built()
    head = head_class(backbone.channels, num_classes, strides=backbone.strides, align_corners=settings.align_corners)
    auxiliary = None
    if settings.aux_loss_weight > 0:
        auxiliary = FCNHead(backbone.channels[:2], num_classes, strides=backbone.strides[:2])
    model = Segmenter(backbone, head, auxiliary=auxiliary, align_corners=settings.align_corners)
    use_fast_depthwise(model)
    use_fast_dilation(model)
    return model
