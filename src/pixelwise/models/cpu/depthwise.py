"""Depthwise convolutions on CPUs, where PyTorch's bfloat16 kernels for dilation and for strides are slow.

Measured forward and backward at batch 8 on two AVX512-BF16 cores, in ms: 960 channels at rate 2 on 20x20 take 53, as
four undilated ones on 10x10 they take 4; 144 channels at stride 2 on 80x80 take 31 in bfloat16 and 5 in float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DepthwiseConv2d(nn.Conv2d):
    """A 3x3 or larger depthwise `nn.Conv2d`, dilated or strided; faster on CPUs, the same weights and results."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        # Exporters and compilers get the plain operator; GPUs have kernels of their own.
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() or input.device.type != "cpu":
            return super().forward(input)
        if self.stride != (1, 1):
            return self._in_float32(input)
        rate = int(self.dilation[0])
        if rate * 3 > min(input.shape[-2:]):
            return super().forward(input)  # the grids would be mostly padding
        return self._on_grids(input, rate)

    def _in_float32(self, input: Tensor) -> Tensor:
        is_autocast = torch.is_autocast_enabled("cpu")
        precision = torch.get_autocast_dtype("cpu") if is_autocast else input.dtype
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float()).to(precision)

    def _on_grids(self, input: Tensor, rate: int) -> Tensor:
        """The dilated convolution as rate*rate plain ones, each on every rate-th row and column."""
        (num, channels, height, width), reach = input.shape, self.kernel_size[0] // 2
        padded = F.pad(input, (0, -width % rate, 0, -height % rate)).permute(0, 2, 3, 1)
        rows, columns = padded.shape[1] // rate, padded.shape[2] // rate
        split = padded.reshape(num, rows, rate, columns, rate, channels).permute(0, 2, 4, 1, 3, 5)
        grids = split.reshape(num * rate * rate, rows, columns, channels).permute(0, 3, 1, 2)
        done = F.conv2d(grids, self.weight, self.bias, padding=reach, groups=self.groups).permute(0, 2, 3, 1)
        joined = done.reshape(num, rate, rate, rows, columns, channels).permute(0, 3, 1, 4, 2, 5)
        whole = joined.reshape(num, rows * rate, columns * rate, channels).permute(0, 3, 1, 2)
        return whole[:, :, :height, :width]


def use_fast_depthwise(module: nn.Module) -> None:
    """Swap the convolutions inside `module` that gain from it for `DepthwiseConv2d`, in place, with their weights."""
    for child in module.modules():
        if type(child) is nn.Conv2d and _gains(child):
            child.__class__ = DepthwiseConv2d  # the same parameters, hooks and state-dict keys


def _gains(conv: nn.Conv2d) -> bool:
    depthwise = conv.groups == conv.in_channels == conv.out_channels > 1
    side, rate = conv.kernel_size[0], conv.dilation[0]
    square = conv.kernel_size == (side, side) and conv.dilation == (rate, rate) and conv.padding_mode == "zeros"
    if not (depthwise and square) or side == 1:
        return False
    if conv.stride != (1, 1):
        return rate == 1
    return rate > 1 and conv.padding == (side // 2 * rate, side // 2 * rate) and side % 2 == 1
