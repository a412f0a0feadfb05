"""Segmenter: normalise -> scale -> trunk -> head -> upsample; images in their own depth in, float32 logits out."""

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.menus import HEADS
from pixelwise.models.backbones import Backbone, build_backbone
from pixelwise.models.cpu.depthwise import use_fast_depthwise
from pixelwise.models.cpu.dilated import use_fast_dilation
from pixelwise.models.heads import FCNHead
from pixelwise.models.heads.taps import taken
from pixelwise.models.padding import Padding
from pixelwise.settings import Settings

Each = TypeVar("Each")
_WHOLE = Fraction(1)

# The denominator of a scale at most: sides of any image times its numerator then stay whole numbers of 64 bits.
_FINEST = 10_000


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

    `head` is called with the feature maps of `backbone`, `auxiliary` with all but the last. The mean and the spread
    that the trunk expects, in the numbers of the `bands`, are buffers, and where values may lie outside the bands'
    ranges these limits too: a saved model knows its input. With `align_corners` logits are enlarged from corner to
    corner, not from pixel edge to pixel edge. Trunk and head see images at `input_scale`; logits are at the size of the
    images all the same. `shift` (K,), None for none, is added to the main logits in eval mode; it is no part of the
    state dict, for weights are trained without it.
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
        input_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.align_corners = align_corners
        self._ratio = scale_ratio(input_scale)
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
        values = images.float()
        if self.lowest is not None and self.highest is not None:
            values = values.clamp(self.lowest, self.highest)
        normal = self._scaled((values - self.mean) / self.std)
        height, width = normal.shape[-2:]
        bottom, right = self.backbone.padding(height, width)
        # A trace for images of any size must not ask for the size, or it would hold for this one alone.
        if self.backbone.pads and (torch.compiler.is_compiling() or bottom or right):
            normal = F.pad(normal, (0, right, 0, bottom))
        maps = self.backbone(normal)
        sizes = normal.shape[-2:], (height, width), images.shape[-2:]
        coarse = self.head(maps)
        if self.shift is not None and not self.training:
            # Here, where it is free: enlarged, a constant is the same constant.
            coarse = coarse.float() + self.shift[:, None, None]
        main = self._enlarged(coarse, *sizes)
        if self.auxiliary is None or not self.training:
            return Logits(main, None)
        return Logits(main, self._enlarged(self.auxiliary(before_last(maps)), *sizes))

    def _scaled(self, normal: Tensor) -> Tensor:
        """Images as the trunk sees them; where they shrink every pixel counts, as in Pillow's resizing."""
        if self._ratio == _WHOLE:
            return normal
        size = [scaled_side(side, self._ratio) for side in normal.shape[-2:]]
        return F.interpolate(normal, size=size, mode="bilinear", antialias=self._ratio < _WHOLE)

    def _enlarged(self, logits: Tensor, padded: Sequence[int], seen: Sequence[int], given: Sequence[int]) -> Tensor:
        """Logits at the size `given`; `seen` is that of the scaled images, `padded` with what the trunk needs."""
        logits = logits.float()  # bfloat16 steps would show as blocks in the class map
        if self._ratio == _WHOLE or self.backbone.pads:
            logits = self._resized(logits, padded)[..., : seen[0], : seen[1]]
        # A map without padding goes from its own size to that of the images in one step.
        return logits if self._ratio == _WHOLE else self._resized(logits, given)

    def _resized(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=self.align_corners)


def scale_ratio(input_scale: float) -> Fraction:
    """The setting as a fraction, above 0, with which sides can be reckoned in whole numbers."""
    return max(Fraction(input_scale).limit_denominator(_FINEST), Fraction(1, _FINEST))


def scaled_side(side: int, ratio: Fraction) -> int:
    """Pixels of a side at a scale, rounded up: never 0, and by operations on positive numbers that graphs have."""
    return (side * ratio.numerator + ratio.denominator - 1) // ratio.denominator


def _normalisation(backbone: Backbone, bands: InputBands) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of each band in its range: the trunk's for three bands; their average for other ones."""
    if bands.count == 3:
        return backbone.mean, backbone.std
    colors = 3 if bands.shows_color and bands.count > 3 else 0
    mean, std = ((*each[:colors], *(sum(each) / 3,) * (bands.count - colors)) for each in (backbone.mean, backbone.std))
    return mean, std


def before_last(each: tuple[Each, ...]) -> tuple[Each, ...]:
    """What the auxiliary head is given of maps, channels or strides: all but the last, where there are more."""
    return each[:-1] or each


def build_segmenter(
    settings: Settings,
    num_classes: int,
    *,
    load_weights: bool = True,
    bands: InputBands | None = None,
    pyramid: bool = True,
    padding: Padding | None = None,
) -> Segmenter:
    """The network that `settings` describe for images of `bands` (None: RGB of 8 bits), in training mode.

    `load_weights=False` builds the architecture only, without a file or a download: for a bundle or a checkpoint
    that brings the weights. `pyramid=False` leaves out the feature pyramid of plain transformers, for weights of before
    there was one. `padding` is what was found for the trunk before; else it is found now. Raises SettingsError for an
    unknown backbone, ModelError for weights that cannot be used.
    """
    head_class: type[nn.Module] = HEADS[settings.algorithm].built()
    backbone = build_backbone(
        settings.backbone,
        output_stride=settings.output_stride,
        weights=settings.backbone_weights if load_weights else None,
        pretrained=settings.pretrained and load_weights,
        in_channels=3 if bands is None else bands.count,
        takes=functools.partial(taken, head_class) if pyramid else None,
        padding=padding,
    )
    head = head_class(backbone.channels, num_classes, strides=backbone.strides, align_corners=settings.align_corners)
    auxiliary = None
    if settings.aux_loss_weight > 0:
        auxiliary = FCNHead(before_last(backbone.channels), num_classes, strides=before_last(backbone.strides))
    model = Segmenter(
        backbone,
        head,
        auxiliary=auxiliary,
        align_corners=settings.align_corners,
        bands=bands,
        input_scale=settings.input_scale,
    )
    use_fast_depthwise(model)
    use_fast_dilation(model)
    return model
