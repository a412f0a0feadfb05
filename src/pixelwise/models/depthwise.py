"""Depthwise convolutions with quick gradients on CPUs.

PyTorch's CPU kernels have a fast path for depthwise convolutions, but not for the gradient of the weights of dilated
ones, nor for the gradient of the image of strided ones: on AVX512-BF16 they take ten to a hundred times as long
as the forward pass, and a quarter of a training step of MobileNetV2 at output stride 16. Both gradients can be had from
quick operations: the image's is a plain depthwise convolution of the gradient, the weights' are nine weighted sums.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pixelwise.models.dilation import overlap


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with one odd square kernel per channel and "same" padding; the same weights and results."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
        training = torch.is_grad_enabled() and input.device.type == "cpu"
        if not training or torch.compiler.is_compiling() or torch._C._get_tracing_state():
            return super().forward(input)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            precision = torch.get_autocast_dtype("cpu")
            input, weight = input.to(precision), weight.to(precision)
        output: Tensor = _DepthwiseConvolution.apply(input, weight, self.stride[0], self.dilation[0])
        return output if self.bias is None else output + self.bias.to(output.dtype).view(1, -1, 1, 1)


def use_fast_depthwise(module: nn.Module) -> None:
    """Swap the convolutions inside `module` that gain from it for `DepthwiseConv2d`, in place, with their weights."""
    for child in module.modules():
        if type(child) is nn.Conv2d and _gains(child):
            child.__class__ = DepthwiseConv2d  # the same parameters, hooks and state-dict keys


def _gains(conv: nn.Conv2d) -> bool:
    side, stride, rate = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
    depthwise = conv.groups == conv.in_channels == conv.out_channels > 1
    square = conv.kernel_size == (side, side) and conv.stride == (stride, stride) and conv.dilation == (rate, rate)
    same = side % 2 == 1 and conv.padding == (rate * (side // 2),) * 2 and conv.padding_mode == "zeros"
    return depthwise and square and same and (rate > 1 or stride > 1)


class _DepthwiseConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, stride: int, rate: int) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.stride, ctx.rate = stride, rate
        return _convolve(image, weight, stride, rate)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        image, weight = ctx.saved_tensors
        image_grad, weight_grad = None, None
        if ctx.needs_input_grad[0]:
            spread = grad
            if ctx.stride > 1:
                spread = torch.zeros_like(image)
                spread[:, :, :: ctx.stride, :: ctx.stride] = grad
            image_grad = _convolve(spread, weight.flip(2, 3), 1, ctx.rate)
        if ctx.needs_input_grad[1]:
            weight_grad = _weight_gradient(grad, image, weight, stride=ctx.stride, rate=ctx.rate)
        return image_grad, weight_grad, None, None


def _convolve(image: Tensor, weight: Tensor, stride: int, rate: int) -> Tensor:
    padding = rate * (weight.shape[-1] // 2)
    return F.conv2d(image, weight, stride=stride, padding=padding, dilation=rate, groups=image.shape[1])


def _weight_gradient(grad: Tensor, image: Tensor, weight: Tensor, *, stride: int, rate: int) -> Tensor:
    """(N, C, h, w) and (N, C, H, W) -> (C, 1, k, k)."""
    side = weight.shape[-1]
    if rate == 1:
        padding = (side // 2, side // 2)
        shape = ((stride, stride), padding, (1, 1), False, (0, 0), image.shape[1])
        wanted = (False, True, False)
        plain: Tensor = torch.ops.aten.convolution_backward(grad, image, weight, None, *shape, wanted)[1]
        return plain
    if stride > 1:
        spread = torch.zeros_like(image)
        spread[:, :, ::stride, ::stride] = grad
        grad = spread
    steps, pixels = grad.permute(0, 2, 3, 1), image.permute(0, 2, 3, 1)  # (N, H, W, C)
    gradient = torch.zeros(side, side, image.shape[1], dtype=torch.promote_types(image.dtype, torch.float32))
    for row in range(side):
        for column in range(side):
            shifts = [(position - side // 2) * rate for position in (row, column)]
            if abs(shifts[0]) < image.shape[2] and abs(shifts[1]) < image.shape[3]:
                (from_rows, to_rows), (from_columns, to_columns) = map(overlap, image.shape[2:], shifts)
                products = steps[:, to_rows, to_columns] * pixels[:, from_rows, from_columns]
                gradient[row, column] = products.sum((0, 1, 2), dtype=gradient.dtype)
    return gradient.permute(2, 0, 1).unsqueeze(1).to(weight.dtype)
