"""Dilated convolutions as matrix products, where a CPU's own kernels waste their time on padding.

A dilated 3x3 convolution is a sum of nine matrix products, one per weight position, each over the rectangle where the
shifted image still lies inside. At large rates little is inside: rate 24 on a 30x30 map leaves 22 % of the work.
PyTorch's CPU kernels skip the padding forward and for the gradient of the image, not for that of the weights; their
bfloat16 kernels for AMX, the matrix unit of newer Intel CPUs, do not take rates from 4 on.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Measured: below rate 4 PyTorch's own kernels are as fast everywhere; narrow layers are not worth the calls.
MIN_DILATION = 4
MIN_CHANNELS = 64

# Measured on AVX512-BF16 without AMX: products win for the gradient of the weights from this share on down.
MAX_INSIDE = 0.5


class DilatedConv2d(nn.Conv2d):
    """`nn.Conv2d` of 3x3 at stride 1, padded by its dilation; faster on CPUs, the same weights and results."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() or input.device.type != "cpu":
            return super().forward(input)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            precision = torch.get_autocast_dtype("cpu")
            input, weight = input.to(precision), weight.to(precision)
        products = input.dtype == torch.bfloat16 and _has_amx()
        output: Tensor = _DilatedConvolution.apply(input, weight, int(self.dilation[0]), products)
        return output if self.bias is None else output + self.bias.to(output.dtype).view(1, -1, 1, 1)


def use_fast_dilation(module: nn.Module) -> None:
    """Swap the convolutions inside `module` that gain from it for `DilatedConv2d`, in place, with their weights."""
    for child in module.children():
        if type(child) is nn.Conv2d and _gains(child):
            child.__class__ = DilatedConv2d  # the same parameters, hooks and state-dict keys
        else:
            use_fast_dilation(child)


def _gains(conv: nn.Conv2d) -> bool:
    rate = conv.dilation[0]
    plain = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.groups == 1
    same = conv.dilation == (rate, rate) == conv.padding and conv.padding_mode == "zeros"
    return plain and same and rate >= MIN_DILATION and min(conv.in_channels, conv.out_channels) >= MIN_CHANNELS


def _has_amx() -> bool:
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


class _DilatedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, rate: int, products: bool) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.rate, ctx.products = rate, products
        if products:
            return _convolve(image, weight, rate)
        return F.conv2d(image, weight, padding=rate, dilation=rate)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        image, weight = ctx.saved_tensors
        rate = ctx.rate
        wants_image, wants_weight = ctx.needs_input_grad[:2]
        image_grad, weight_grad = None, None
        if wants_weight and (ctx.products or _share_inside(image, rate) <= MAX_INSIDE):
            weight_grad, wants_weight = _weight_gradient(grad, image, rate), False
        if wants_image and ctx.products:
            image_grad, wants_image = _convolve(grad, weight.flip(2, 3).transpose(0, 1), rate), False
        if wants_image or wants_weight:
            wanted = (wants_image, wants_weight, False)
            shape = ((1, 1), (rate, rate), (rate, rate), False, (0, 0), 1)  # stride, padding, dilation, ...
            rest = torch.ops.aten.convolution_backward(grad, image, weight, None, *shape, wanted)
            image_grad = rest[0] if wants_image else image_grad
            weight_grad = rest[1] if wants_weight else weight_grad
        return image_grad, weight_grad, None, None


class _Tap(NamedTuple):
    """One of the nine weight positions: where it reads and where it writes, for images laid out (N, H, W, C)."""

    row: int
    column: int
    source: tuple[slice, slice, slice]
    target: tuple[slice, slice, slice]


def _taps(height: int, width: int, rate: int) -> Iterator[_Tap]:
    """The positions that see any pixel, the centre first."""
    for row, column in sorted(((i, j) for i in range(3) for j in range(3)), key=lambda at: at != (1, 1)):
        down, right = (row - 1) * rate, (column - 1) * rate
        if abs(down) < height and abs(right) < width:
            rows, columns = overlap(height, down), overlap(width, right)
            source, target = (rows[0], columns[0]), (rows[1], columns[1])
            yield _Tap(row, column, (slice(None), *source), (slice(None), *target))


def overlap(size: int, shift: int) -> tuple[slice, slice]:
    """The positions to read and to write along one axis."""
    return slice(max(0, shift), size + min(0, shift)), slice(max(0, -shift), size - max(0, shift))


def _share_inside(image: Tensor, rate: int) -> float:
    height, width = image.shape[-2:]
    inside = (height + 2 * max(0, height - rate)) * (width + 2 * max(0, width - rate))
    return inside / (9 * height * width)


def _convolve(image: Tensor, weight: Tensor, rate: int) -> Tensor:
    """(N, C, H, W) and (C', C, 3, 3) -> (N, C', H, W) in channels_last."""
    pixels = image.permute(0, 2, 3, 1)  # (N, H, W, C)
    num, height, width, _ = pixels.shape
    output = pixels.new_zeros(num, height, width, weight.shape[0])
    for tap in _taps(height, width, rate):
        part = pixels[tap.source]
        product = part.reshape(-1, part.shape[-1]) @ weight[:, :, tap.row, tap.column].T.contiguous()
        output[tap.target] += product.view(*part.shape[:-1], -1)
    return output.permute(0, 3, 1, 2)


def _weight_gradient(grad: Tensor, image: Tensor, rate: int) -> Tensor:
    """(N, C', H, W) and (N, C, H, W) -> (C', C, 3, 3); positions that see no pixel have gradient 0."""
    steps, pixels = grad.permute(0, 2, 3, 1), image.permute(0, 2, 3, 1)
    height, width = image.shape[-2:]
    gradient = image.new_zeros(3, 3, grad.shape[1], image.shape[1])
    for tap in _taps(height, width, rate):
        step, part = steps[tap.target], pixels[tap.source]
        gradient[tap.row, tap.column] = step.reshape(-1, step.shape[-1]).T @ part.reshape(-1, part.shape[-1])
    return gradient.permute(2, 3, 0, 1)
