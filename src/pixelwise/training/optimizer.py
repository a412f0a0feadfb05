"""The update rule, the learning rate as a pure function of the share of training done, and averaged weights."""

import copy
import math

import torch
from torch import Tensor, nn

from pixelwise.models.segmenter import Segmenter
from pixelwise.settings import Settings

POLY_POWER = 0.9


def build_optimizer(model: Segmenter, settings: Settings) -> torch.optim.Optimizer:
    """The optimizer of `settings` over `model`; each group carries its `peak` learning rate.

    A pretrained trunk learns at its own rate; biases and the two numbers of a normalisation are not decayed.
    """
    has_weights = settings.pretrained or settings.backbone_weights is not None
    trunk_rate = settings.pretrained_learning_rate_factor if has_weights else 1.0
    trunk = {id(parameter) for parameter in model.backbone.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in trunk, parameter.ndim > 1), []).append(parameter)
    described = [
        {
            "params": parameters,
            "peak": settings.learning_rate * (trunk_rate if in_trunk else 1.0),
            "weight_decay": settings.weight_decay if is_decayed else 0.0,
        }
        for (in_trunk, is_decayed), parameters in groups.items()
    ]
    return _optimizer(described, settings)


def _optimizer(groups: list[dict[str, object]], settings: Settings) -> torch.optim.Optimizer:
    # One pass over memory instead of a dozen: on the CPU torch's default takes fifteen times as long.
    rate = settings.learning_rate
    match settings.optimizer:
        case "sgd" | "nag":
            nesterov = settings.optimizer == "nag" and settings.momentum > 0
            return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=nesterov, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=rate, foreach=True)
        case _:
            # gamma2 is MXNet's second constant of RMSProp; torch calls its counterpart momentum.
            return torch.optim.RMSprop(groups, lr=rate, alpha=settings.gamma1, momentum=settings.gamma2, foreach=True)


def learning_rate_factor(settings: Settings, done: float, epoch: int) -> float:
    """The factor on the peak learning rate when the share `done` (0 to 1) of the training is over.

    In the warm-up it rises from a tenth.
    """
    done = min(max(done, 0.0), 1.0)
    rise = min(1.0, 0.1 + 0.9 * done / settings.warmup) if settings.warmup > 0 else 1.0
    fall: float
    match settings.lr_scheduler:
        case "poly":
            fall = (1 - done) ** POLY_POWER
        case "cosine":
            fall = (1 + math.cos(math.pi * done)) / 2
        case "exponential":
            fall = settings.lr_scheduler_factor**done
        case _:
            passed = sum(epoch >= boundary for boundary in settings.lr_scheduler_step)
            fall = settings.lr_scheduler_factor**passed
    return rise * fall


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group `factor` times its peak rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


class WeightAverage:
    """An exponential moving average of a model's weights and statistics, scored and kept in its place."""

    def __init__(self, model: Segmenter, decay: float) -> None:
        self.model: Segmenter = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Move towards `model` after its update number `updates` (1, 2, ...)."""
        # Early on the average would remember the random start, hence the rising decay.
        decay = min(self.decay, updates / (updates + 9))
        averaged, current = _floats(self.model), _floats(model)
        torch._foreach_lerp_(averaged, current, 1 - decay)


def _floats(model: nn.Module) -> list[Tensor]:
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
