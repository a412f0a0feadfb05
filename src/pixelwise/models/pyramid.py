"""Maps of several strides from the one map of a plain transformer: the simple feature pyramid of ViTDet."""

from collections.abc import Mapping, Sequence

from timm.layers import LayerNorm2d  # type: ignore[attr-defined]
from torch import Tensor, nn

WIDTH = 256

_PREFIX = "backbone.pyramid."


class Pyramid(nn.ModuleList):
    """The simple feature pyramid of ViTDet (arXiv 2203.16527, section 3), on the last map of a plain transformer.

    Each level by itself scales that map by 4, 2, 1 or 1/2 (transposed convolutions, nothing, max-pooling), then a 1x1
    and a 3x3 convolution, each with LayerNorm over the channels. As in a dilated convnet, the last level stays at the
    trunk's own stride where pooling would exceed the output stride.

    Attributes:
        channels: of every level; 256, or those of the trunk where it has fewer.
        strides: input pixels per step of the levels, finest first; those of a patch of 14 begin at 3.5.
    """

    def __init__(self, channels: int, stride: int, *, output_stride: int, levels: Sequence[int]) -> None:
        """`levels` are those that are made, of the four of `level_strides`."""
        width = min(WIDTH, channels)
        every = level_strides(stride, output_stride)
        super().__init__(_level(channels, width, stride / every[i]) for i in levels)
        self.channels = (width,) * len(levels)
        self.strides = tuple(every[i] for i in levels)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """(N, C, h, w) -> the levels, (N, width, scale * h, scale * w) each, rounded up."""
        return tuple(level(features) for level in self)


def level_strides(stride: int, output_stride: int) -> tuple[float, ...]:
    """The strides of the four levels on a map of `stride`."""
    last = 2 * stride if 2 * stride <= output_stride else stride
    return (*(stride // part if stride % part == 0 else stride / part for part in (4, 2)), stride, last)


def has_pyramid(state: Mapping[str, Tensor]) -> bool:
    """Whether a segmenter of these tensors has a pyramid; those of before there was one have none."""
    return any(name.startswith(_PREFIX) for name in state)


def _level(channels: int, width: int, scale: float) -> nn.Sequential:
    half, quarter = max(channels // 2, 1), max(channels // 4, 1)
    scaled: list[nn.Module] = []
    if scale > 1:
        scaled.append(nn.ConvTranspose2d(channels, half, 2, stride=2))
        channels = half
    if scale > 2:
        scaled += [LayerNorm2d(half), nn.GELU(), nn.ConvTranspose2d(half, quarter, 2, stride=2)]
        channels = quarter
    if scale < 1:
        scaled.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(
        *scaled,
        nn.Conv2d(channels, width, 1, bias=False),
        LayerNorm2d(width),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        LayerNorm2d(width),
    )
