"""Dilated convolutions at the speed of matrix products, where a CPU's own kernels are slow."""

from torch import nn


def use_fast_dilation(module: nn.Module) -> None:
    """Swap the dilated convolutions inside `module` for faster ones with the same weights (placeholder)."""
