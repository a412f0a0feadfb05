"""Trunks: any timm model with feature maps, at a chosen output stride."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from pixelwise.errors import SettingsError
from pixelwise.models.heads.taps import Strides, finest
from pixelwise.models.padding import Padding, find_padding
from pixelwise.models.pretrained import fetch_trunk, load_trunk_weights
from pixelwise.models.pyramid import Pyramid, level_strides

# The networks inside Amazon's image: ResNets with a deep stem and GluonCV's ImageNet weights.
ALIASES = {"resnet-50": "resnet50s.gluon_in1k", "resnet-101": "resnet101s.gluon_in1k"}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Multiples in pixels that are worth a warning, for more than a few rows are added.
_LARGE = 64

# What families of timm need to take images of any size, tried in this order; padding does the rest. Swin of timm 1.0.15
# takes any option without a word and obeys the first alone.
_ANY_SIZE_OPTIONS: tuple[dict[str, Any], ...] = ({"strict_img_size": False}, {"dynamic_img_size": True}, {})

# How timm's models refuse an option or an image size.
_REFUSALS = (TypeError, AssertionError, NotImplementedError, RuntimeError, ValueError, KeyError, IndexError)


class Backbone(nn.Module):
    """A timm trunk that gives its feature maps, finest first; a plain transformer those of its pyramid if it has one.

    Attributes:
        channels: channels of the maps.
        strides: input pixels per step of the maps.
        mean, std: per RGB channel, for images in 0..1, as the trunk's published weights expect them.
        in_channels: bands of the images.
        sides: what the trunk asks of the sides of images; a bundle keeps it, for finding it takes a while.
        note: what the user should know (a stride that cannot be had, large multiples, one image size), else None.
    """

    def __init__(
        self,
        trunk: nn.Module,
        *,
        name: str,
        output_stride: int,
        in_channels: int = 3,
        pyramid: Pyramid | None = None,
        padding: Padding | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.pyramid, self.in_channels = trunk, pyramid, in_channels
        info: Any = trunk.feature_info
        self._reductions = [int(stride) for stride in info.reduction()]
        self._channels_come_last = str(getattr(trunk, "output_fmt", "NCHW")).endswith("NHWC")
        own = tuple(map(int, info.channels())), tuple(self._reductions)
        self.channels: tuple[int, ...] = own[0] if pyramid is None else pyramid.channels
        self.strides: Strides = own[1] if pyramid is None else pyramid.strides
        config = timm.get_pretrained_cfg(name)
        self.mean, self.std = _normalisation(config)
        own_size = int(config.input_size[-1]) if config else 224
        found = padding or find_padding(self._runs, self._reductions, own_size)
        if found is None:
            raise SettingsError(f"backbone {name!r} does not run on images. Choose another, such as resnet-50.")
        self.sides = found
        self.note = self._describe_limits(name, output_stride)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, (N, C, h, w) each, finest first, of normalised images (N, in_channels, H, W).

        H and W must be multiples as `padding` asks for.
        """
        maps = self._maps(images, self.sides.tile)
        return tuple(maps) if self.pyramid is None else tuple(self.pyramid(maps[-1]))

    @property
    def pads(self) -> bool:
        """Whether some sizes of images need `padding`."""
        return self.sides.multiple > 1

    @property
    def is_costly(self) -> bool:
        """Whether the note is a warning: much is padded, or no position sees past its tile."""
        return self.sides.multiple > _LARGE or self.sides.tile > 0

    def padding(self, height: int, width: int) -> tuple[int, int]:
        """Rows to add at the bottom and columns to add on the right, so that no border pixel is left out."""
        return -height % self.sides.multiple, -width % self.sides.multiple

    def _maps(self, images: Tensor, tile: int) -> list[Tensor]:
        """The maps of the trunk itself."""
        rows, columns = (side // tile if tile else 1 for side in images.shape[-2:])
        maps = list(self.trunk(_split(images, rows, columns) if tile else images))
        if self._channels_come_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return [_join(features, rows, columns) for features in maps] if tile else maps

    @torch.no_grad()
    def _runs(self, size: tuple[int, int], padding: Padding, to_the_border: bool) -> bool:
        """Whether the trunk takes this size, padded, and its maps reach to the last row and column."""
        padded = [side + -side % padding.multiple for side in size]
        was_training = self.training
        self.eval()  # the trial must not touch BatchNorm's averages
        try:
            maps = self._maps(torch.zeros(1, self.in_channels, *padded), padding.tile)
        except _REFUSALS:
            return False
        finally:
            self.train(was_training)
        # By the maps that every head can do with. Finer ones may miss a border: decoders fit them to each other.
        low, last = finest(tuple(self._reductions)), len(maps) - 1
        return not to_the_border or all(
            tuple(maps[i].shape[-2:]) == tuple(-(-side // self._reductions[i]) for side in padded)
            for i in (low, max(last - 1, 0), last)
        )

    def _describe_limits(self, name: str, output_stride: int) -> str | None:
        parts, multiple, sentences = [], self.sides.multiple, []
        if self.strides[-1] != output_stride:
            parts.append(f"keeps its output stride of {self.strides[-1]}; {output_stride} was asked for")
        if self.sides.tile:
            parts.append(f"sees {self.sides.tile}x{self.sides.tile} pixels at once and no further")
        if parts:
            sentences.append(f"Backbone {name!r} {' and '.join(parts)}.")
        if multiple > _LARGE:
            becomes = 256 + -256 % multiple
            sentences.append(
                f"{name!r} takes sides that are multiples of {multiple} pixels: a crop of 256 becomes {becomes}."
            )
        return " ".join(sentences) or None


def build_backbone(
    name: str,
    *,
    output_stride: int = 32,
    weights: str | Path | None = None,
    pretrained: bool = False,
    in_channels: int = 3,
    takes: Callable[[Strides], tuple[int, ...]] | None = None,
    padding: Padding | None = None,
) -> Backbone:
    """The trunk `name` (`resnet-50`, `resnet-101` or a timm model) at `output_stride` 8, 16 or 32 if it can be.

    `weights` is a local file (safetensors or state dict, in timm or torchvision naming) and wins over `pretrained`,
    which fetches ImageNet weights through timm. For other numbers of `in_channels` than three the weights of the first
    convolution are spread over them as timm does it. `takes` says which maps a head wants of those of given strides: a
    plain transformer gets the levels of a pyramid where that is more than the last; without it none. `padding` is what
    was found for this trunk before. Raises SettingsError for a name that cannot be used, ModelError for weights that
    cannot be had or do not fit.
    """
    model_name = checked_name(name)
    trunk, options = _build_trunk(model_name, output_stride, in_channels)
    if weights is not None:
        load_trunk_weights(trunk, Path(weights), model_name)
    elif pretrained:
        trunk = fetch_trunk(model_name, options)
    return Backbone(
        trunk,
        name=model_name,
        output_stride=output_stride,
        in_channels=in_channels,
        pyramid=None if takes is None else _pyramid(trunk, output_stride, takes),
        padding=padding,
    )


def _pyramid(trunk: Any, output_stride: int, takes: Callable[[Strides], tuple[int, ...]]) -> Pyramid | None:
    """The levels that are wanted of a trunk of one stride; None for other trunks, or where the last map is enough."""
    own = [int(stride) for stride in trunk.feature_info.reduction()]
    if len(own) < 2 or min(own) != max(own):
        return None
    strides = level_strides(own[-1], output_stride)
    levels = takes(strides)
    if levels == (len(strides) - 1,):
        return None
    return Pyramid(int(trunk.feature_info.channels()[-1]), own[-1], output_stride=output_stride, levels=levels)


def checked_name(name: str) -> str:
    """The timm name of a backbone, or a SettingsError with the nearest known ones."""
    model_name = ALIASES.get(name, name)
    architecture, _, tag = model_name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(name, [*ALIASES, *timm.list_models()], n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise SettingsError(
            f"Unknown backbone {name!r}.{hint} Give resnet-50, resnet-101 or a name from timm.list_models()."
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        known_tags = ", ".join(tags) or "none"
        raise SettingsError(f"Unknown backbone {name!r}: {architecture} has these weights: {known_tags}.")
    return model_name


def _build_trunk(model_name: str, output_stride: int, in_channels: int) -> tuple[Any, dict[str, Any]]:
    """A trunk with random weights and the options that timm built it with: dilated where it can be."""
    refusal: Exception | None = None
    stride = {"output_stride": output_stride}
    for choice in (stride | _ANY_SIZE_OPTIONS[0], stride, *_ANY_SIZE_OPTIONS):
        options = {**choice, "features_only": True, "in_chans": in_channels}
        try:
            trunk: Any = timm.create_model(model_name, pretrained=False, **options)
        except _REFUSALS as error:
            refusal = error
            continue
        strides = trunk.feature_info.reduction()
        if len(strides) > 1 and min(strides) == max(strides):
            # A plain transformer: take maps at a third, two thirds and all of its depth, not its last three.
            depth = trunk.feature_info.out_indices[-1] + 1
            options["out_indices"] = tuple(sorted({max(depth * part // 3 - 1, 0) for part in (1, 2, 3)}))
            trunk = timm.create_model(model_name, pretrained=False, **options)
        return trunk, options
    raise SettingsError(
        f"backbone {model_name!r} has no feature maps in timm ({refusal}). Choose another, such as resnet-50."
    )


def _normalisation(config: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if config is None or len(config.mean) != 3:
        return IMAGENET_MEAN, IMAGENET_STD
    return tuple(config.mean), tuple(config.std)


def _split(images: Tensor, rows: int, columns: int) -> Tensor:
    """(N, C, rows*h, columns*w) -> (N*rows*columns, C, h, w)."""
    num, channels, height, width = images.shape
    tiles = images.reshape(num, channels, rows, height // rows, columns, width // columns)
    return tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def _join(tiles: Tensor, rows: int, columns: int) -> Tensor:
    """(N*rows*columns, C, h, w) -> (N, C, rows*h, columns*w)."""
    _, channels, height, width = tiles.shape
    grid = tiles.reshape(-1, rows, columns, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, rows * height, columns * width)
