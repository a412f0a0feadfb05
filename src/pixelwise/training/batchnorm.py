"""BatchNorm between processes: shared statistics, and the refusal of a single sample."""

import torch
import torch.distributed.nn.functional as differentiable
from timm.layers import convert_sync_batchnorm  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.errors import SettingsError
from pixelwise.runtime import Runtime


def refuse_single_samples(model: nn.Module, samples: int) -> None:
    """Raise a SettingsError if BatchNorm would see one sample at a time: its variance would mean nothing.

    `model` is in training mode; what a frozen trunk normalises by is fixed.
    """
    if samples < 2 and any(isinstance(module, _BatchNorm) and module.training for module in model.modules()):
        raise SettingsError(
            "BatchNorm would see 1 sample per step, which makes its statistics meaningless. Raise "
            "mini_batch_size to at least 2 per process and piece, lower gradient_accumulation, or "
            "switch sync_bn on when several processes train."
        )


def synchronise(model: nn.Module, runtime: Runtime) -> None:
    """Let every BatchNorm of `model` use the statistics of all processes."""
    if runtime.device.type == "cuda":
        convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # torch's own SyncBatchNorm runs on GPUs only; the class is swapped so that names and weights stay.
            module.__class__ = SharedBatchNorm


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the samples of all processes."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, normalised per channel."""
        if not self.training:
            return self._activate(super().forward(features))
        wide = features.float()
        count = torch.tensor([wide.numel() / wide.shape[1]], device=wide.device)
        local = torch.cat([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count])
        total, squares, count = differentiable.all_reduce(local).split(  # type: ignore[no-untyped-call]
            [wide.shape[1], wide.shape[1], 1]
        )
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        self._remember(mean.detach(), variance.detach(), count.detach())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return self._activate((wide * scale[:, None, None] + shift[:, None, None]).to(features.dtype))

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
        self.num_batches_tracked += 1

    def _activate(self, features: Tensor) -> Tensor:
        # timm fuses dropout and activation into its BatchNorm; those parts come along with the swapped class.
        for name in ("drop", "act"):
            part = getattr(self, name, None)
            features = part(features) if part is not None else features
        return features
