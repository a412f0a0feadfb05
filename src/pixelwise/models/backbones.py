"""Trunks: any timm model with feature maps, at a chosen output stride."""

import difflib
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from pixelwise.errors import SettingsError
from pixelwise.models.pretrained import fetch_trunk, load_trunk_weights

# The networks inside Amazon's image: ResNets with a deep stem and GluonCV's ImageNet weights.
ALIASES = {"resnet-50": "resnet50s.gluon_in1k", "resnet-101": "resnet101s.gluon_in1k"}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# What families of timm need to take images of any size, tried in this order; padding does the rest. Swin of timm 1.0.15
# takes any option without a word and obeys the first alone.
_ANY_SIZE_OPTIONS: tuple[dict[str, Any], ...] = ({"strict_img_size": False}, {"dynamic_img_size": True}, {})

# How timm's models refuse an option or an image size.
_REFUSALS = (TypeError, AssertionError, NotImplementedError, RuntimeError, ValueError, KeyError, IndexError)


class Backbone(nn.Module):
    """A timm trunk that gives three feature maps: the finest of stride 4 or more, the last but one, the last.

    Attributes:
        channels: channels of the three maps.
        strides: input pixels per step of the three maps.
        mean, std: per RGB channel, for images in 0..1, as the trunk's published weights expect them.
        in_channels: bands of the images.
        note: what the user should know (a stride that cannot be had, a trunk of one image size), else None.
    """

    def __init__(self, trunk: nn.Module, *, name: str, output_stride: int, in_channels: int = 3) -> None:
        super().__init__()
        self.trunk, self.in_channels = trunk, in_channels
        info: Any = trunk.feature_info
        reductions = [int(stride) for stride in info.reduction()]
        low = next((i for i, stride in enumerate(reductions) if stride >= 4), 0)
        self._taps = (low, max(len(reductions) - 2, 0), len(reductions) - 1)
        self._channels_come_last = str(getattr(trunk, "output_fmt", "NCHW")).endswith("NHWC")
        self.channels = _three(info.channels(), self._taps)
        self.strides = _three(reductions, self._taps)
        config = timm.get_pretrained_cfg(name)
        self.mean, self.std = _normalisation(config)
        self._tile = 0
        self._multiple = self._find_multiple(name, int(config.input_size[-1]) if config else 224)
        self.note = self._describe_limits(name, output_stride)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Feature maps (low, middle, last), (N, C, h, w) each, of normalised images (N, in_channels, H, W).

        H and W must be multiples as `padding` asks for.
        """
        rows, columns = (side // self._tile if self._tile else 1 for side in images.shape[-2:])
        maps = self.trunk(_split(images, rows, columns) if self._tile else images)
        if self._channels_come_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        if self._tile:
            maps = [_join(features, rows, columns) for features in maps]
        low, middle, last = self._taps
        return maps[low], maps[middle], maps[last]

    @property
    def pads(self) -> bool:
        """Whether some sizes of images need `padding`."""
        return self._multiple > 1

    def padding(self, height: int, width: int) -> tuple[int, int]:
        """Rows to add at the bottom and columns to add on the right, so that no border pixel is left out."""
        return -height % self._multiple, -width % self._multiple

    def _find_multiple(self, name: str, own_size: int) -> int:
        """The smallest multiple that image sides must have for this trunk, found by running it."""
        multiples = [
            1,
            *(side for side in (*self.strides, 32, 64, own_size) if side % max(self.strides) == 0),
        ]
        for to_the_border in (True, False):
            for multiple in [*multiples, own_size]:
                sizes = ((1, 1), (33, 65), (multiple + 1, 1))
                if all(self._runs(*size, multiple, to_the_border=to_the_border) for size in sizes):
                    return multiple
        self._tile = own_size  # of one size only: such a trunk looks at the image tile by tile
        if self._runs(1, 1, own_size, to_the_border=False):
            return own_size
        raise SettingsError(f"backbone {name!r} does not run on images. Choose another, such as resnet-50.")

    @torch.no_grad()
    def _runs(self, height: int, width: int, multiple: int, *, to_the_border: bool) -> bool:
        """Whether the trunk takes this size, padded, and its maps reach to the last row and column."""
        padded = (height + -height % multiple, width + -width % multiple)
        was_training = self.training
        self.eval()  # the trial must not touch BatchNorm's averages
        try:
            maps = self(torch.zeros(1, self.in_channels, *padded))
        except _REFUSALS:
            return False
        finally:
            self.train(was_training)
        whole = [tuple(-(-side // stride) for side in padded) for stride in self.strides]
        return not to_the_border or [tuple(features.shape[-2:]) for features in maps] == whole

    def _describe_limits(self, name: str, output_stride: int) -> str | None:
        parts = []
        if self.strides[-1] != output_stride:
            parts.append(f"keeps its output stride of {self.strides[-1]}; {output_stride} was asked for")
        if self._tile:
            parts.append(f"sees {self._tile}x{self._tile} pixels at once and no further")
        return f"Backbone {name!r} {' and '.join(parts)}." if parts else None


def build_backbone(
    name: str,
    *,
    output_stride: int = 32,
    weights: str | Path | None = None,
    pretrained: bool = False,
    in_channels: int = 3,
) -> Backbone:
    """The trunk `name` (`resnet-50`, `resnet-101` or a timm model) at `output_stride` 8, 16 or 32 if it can be.

    `weights` is a local file (safetensors or state dict, in timm or torchvision naming) and wins over
    `pretrained`, which fetches ImageNet weights through timm. For other numbers of `in_channels` than three the
    weights of the first convolution are spread over them as timm does it. Raises SettingsError for a name that cannot
    be used, ModelError for weights that cannot be had or do not fit.
    """
    model_name = _checked_name(name)
    trunk, options = _build_trunk(model_name, output_stride, in_channels)
    if weights is not None:
        load_trunk_weights(trunk, Path(weights), model_name)
    elif pretrained:
        trunk = fetch_trunk(model_name, options)
    return Backbone(trunk, name=model_name, output_stride=output_stride, in_channels=in_channels)


def _checked_name(name: str) -> str:
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


def _three(values: list[int], taps: tuple[int, int, int]) -> tuple[int, int, int]:
    low, middle, last = taps
    return int(values[low]), int(values[middle]), int(values[last])
