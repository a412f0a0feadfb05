"""Test-time augmentation: the views of an image that a network sees, and the mean of what it says of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import SettingsError
from pixelwise.inference.forward import class_logits, probabilities_of
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

OTHER_SCALES = (0.75, 1.25)
"""Scales beside 1 at which a network that was trained with random scales looks again."""

_PLANE = (-2, -1)  # rows and columns


class ImageView(NamedTuple):
    """How an image is shown: scaled, then mirrored left to right, then turned counter-clockwise."""

    scale: float = 1.0
    is_mirrored: bool = False
    quarter_turns: int = 0  # 0..3

    def text(self) -> str:
        """For people: "as it is", "mirrored", "scaled by 0.75, turned by 90 degrees"."""
        done = [f"scaled by {self.scale:g}"] if self.scale != 1 else []
        done += ["mirrored"] if self.is_mirrored else []
        done += [f"turned by {90 * self.quarter_turns} degrees"] if self.quarter_turns else []
        return ", ".join(done) or "as it is"


PLAIN = ImageView()


@dataclass(frozen=True, slots=True)
class Views:
    """Which views are averaged; the first is the image as it is.

    With `flips` and `turns` these are all eight symmetries of the square, upside down being mirrored and turned by
    half. `partners[i]` is the class that class i becomes in a mirrored image, as left arm and right arm do.
    """

    flips: bool = False
    turns: bool = False
    scales: tuple[float, ...] = (1.0,)
    partners: tuple[int, ...] = ()

    @classmethod
    def of_training(cls, settings: Settings, labels: LabelTable) -> Self:
        """Those that the network was trained to know.

        Mirrored where `flip` is above 0; turned by quarters where not `upright`; at `OTHER_SCALES`, no further than
        `scale_min` and `scale_max`, where these leave room and count from the image's own size (no `base_size`).

        Raises:
            SettingsError: there are none beside the image as it is.
        """
        views = cls(settings.flip > 0, not settings.upright, _scales(settings), labels.mirrored())
        if len(views) == 1:
            raise SettingsError(
                f"tta averages over the flips, turns and scales of the training, and there were none: flip is 0, "
                f"upright is true, and scale_min and scale_max are {settings.scale_min:g} and "
                f"{settings.scale_max:g}{'' if settings.base_size is None else ' of base_size'}. Leave out tta."
            )
        return views

    def __iter__(self) -> Iterator[ImageView]:
        turns, flips = range(4 if self.turns else 1), (False, True) if self.flips else (False,)
        return (ImageView(scale, flip, turn) for scale, flip, turn in product(self.scales, flips, turns))

    def __len__(self) -> int:
        return len(self.scales) * (2 if self.flips else 1) * (4 if self.turns else 1)

    def names(self) -> tuple[str, ...]:
        """Each in words."""
        return tuple(view.text() for view in self)


def averaged_logits(
    model: Segmenter,
    images: Tensor,
    *,
    views: Views,
    temperature: float,
    runtime: Runtime,
    tile: int | None = None,
    on_plain: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Logits as `class_logits` gives them, whose softmax(logits / `temperature`) is the mean over the views.

    The mean is taken of probabilities, each view's own softmax(logits / `temperature`) back in the image's place, in
    float32: the temperature was fitted for single views and counts once. `on_plain` is called with the logits of the
    image as it is. Memory holds one view and the mean. Large images go through tiles in every view.

    Raises:
        SettingsError: `tile` is out of range.
    """
    mean: Tensor | None = None
    with torch.inference_mode():
        for view in views:
            logits = class_logits(model, _shown(images, view, runtime), runtime=runtime, tile=tile)
            if view == PLAIN and on_plain is not None:
                on_plain(logits)
            shares = probabilities_of(_in_place(logits, view, images, views.partners), temperature)
            mean = shares if mean is None else mean.add_(shares)
            del logits, shares
        assert mean is not None
        # Logarithms of what underflowed would be infinite, and infinities make NaN where they meet.
        smallest = torch.finfo(mean.dtype).tiny
        return mean.div_(len(views)).clamp_(min=smallest).log_().mul_(temperature)


def _scales(settings: Settings) -> tuple[float, ...]:
    low, high = settings.scale_min, settings.scale_max
    if low == high or settings.base_size is not None:
        return (1.0,)
    return tuple(dict.fromkeys((1.0, *(min(max(scale, low), high) for scale in OTHER_SCALES))))


def _shown(images: Tensor, view: ImageView, runtime: Runtime) -> Tensor:
    """`images` (N, C, H, W) as the network sees them; scaled ones are float32."""
    if view.scale != 1:
        size = [max(1, round(side * view.scale)) for side in images.shape[-2:]]
        # Smoothed where it shrinks, as Pillow scales images in training.
        on_device = images.to(runtime.device).float()
        images = F.interpolate(on_device, size=size, mode="bilinear", align_corners=False, antialias=True)
    if view.is_mirrored:
        images = images.flip(-1)
    return images.rot90(view.quarter_turns, _PLANE) if view.quarter_turns else images


def _in_place(logits: Tensor, view: ImageView, images: Tensor, partners: tuple[int, ...]) -> Tensor:
    """What a view says, (N, K, h, w), of each pixel of `images`, (N, K, H, W)."""
    if view.quarter_turns:
        logits = logits.rot90(-view.quarter_turns, _PLANE)
    if view.is_mirrored:
        logits = logits.flip(-1)
        if partners != tuple(range(len(partners))):
            logits = logits[:, list(partners)]
    if logits.shape[-2:] == images.shape[-2:]:
        return logits
    return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
