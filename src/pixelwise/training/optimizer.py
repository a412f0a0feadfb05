"""The update rule, the learning rate as a pure function of the share of training done, and averaged weights."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.menus import OPTIMIZERS, SCHEDULES
from pixelwise.models.rates import layers_above
from pixelwise.models.segmenter import Segmenter
from pixelwise.settings import Settings

Groups = list[dict[str, Any]]
"""Parameters with their weight decay and their `peak` learning rate."""

POLY_POWER = 0.9


def build_optimizer(model: Segmenter, settings: Settings) -> torch.optim.Optimizer:
    """The optimizer of `settings` over `model`; each group carries its `peak` learning rate.

    A pretrained trunk learns at its own rate; where `layer_decay` is below 1, times its power of the layers above
    (arXiv 2106.08254, appendix). Biases and the two numbers of a normalisation are not decayed. What is frozen is not
    among the groups.
    """
    has_weights = settings.pretrained or settings.backbone_weights is not None
    trunk_rate = settings.pretrained_learning_rate_factor if has_weights else 1.0
    # A feature pyramid on the trunk starts at random and learns as the head does.
    backbone = model.backbone.named_parameters()
    trunk = {id(parameter) for name, parameter in backbone if not name.startswith("pyramid.")}
    above = _layers_above(model, settings)
    groups: dict[tuple[bool, bool, int], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            kind = (id(parameter) in trunk, parameter.ndim > 1, above.get(id(parameter), 0))
            groups.setdefault(kind, []).append(parameter)
    described = [
        {
            "params": parameters,
            "peak": settings.learning_rate * (trunk_rate if in_trunk else 1.0) * settings.layer_decay**layers,
            "weight_decay": settings.weight_decay if is_decayed else 0.0,
        }
        for (in_trunk, is_decayed, layers), parameters in groups.items()
    ]
    optimizer: Callable[[Groups, Settings], torch.optim.Optimizer] = OPTIMIZERS[settings.optimizer].built()
    return optimizer(described, settings)


def _layers_above(model: Segmenter, settings: Settings) -> dict[int, int]:
    """How many layers of the trunk stand above each of its parameters, by id; nothing where all learn alike."""
    if settings.layer_decay == 1:
        return {}
    trunk = model.backbone.trunk
    found = layers_above(trunk, settings.backbone)
    return {id(parameter): found[name] for name, parameter in trunk.named_parameters()}


# fused, foreach: one pass over memory instead of a dozen. On the CPU torch's default takes fifteen times as long.


def sgd(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """Gradient descent with `settings.momentum`."""
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True)


def nag(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """SGD with Nesterov's momentum; without any momentum it is SGD."""
    rate, momentum = settings.learning_rate, settings.momentum
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, fused=True)


def adam(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """Adam (arXiv 1412.6980)."""
    return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)


def adamw(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (arXiv 1711.05101)."""
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def adagrad(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """Adagrad (Duchi et al., JMLR 12, 2011)."""
    return torch.optim.Adagrad(groups, lr=settings.learning_rate, foreach=True)


def rmsprop(groups: Groups, settings: Settings) -> torch.optim.Optimizer:
    """RMSProp; gamma2 is MXNet's second constant of it, whose counterpart torch calls momentum."""
    rate = settings.learning_rate
    return torch.optim.RMSprop(groups, lr=rate, alpha=settings.gamma1, momentum=settings.gamma2, foreach=True)


def learning_rate_factor(settings: Settings, done: float, epoch: int) -> float:
    """The factor on the peak learning rate when the share `done` (0 to 1) of the training is over.

    In the warm-up it rises from a tenth.
    """
    done = min(max(done, 0.0), 1.0)
    rise = min(1.0, 0.1 + 0.9 * done / settings.warmup) if settings.warmup > 0 else 1.0
    fall: Callable[[Settings, float, int], float] = SCHEDULES[settings.lr_scheduler].built()
    return rise * fall(settings, done, epoch)


def poly(_settings: Settings, done: float, _epoch: int) -> float:
    """A power of the share that is left, as PSPNet has it (arXiv 1612.01105, section 5.1)."""
    return float((1 - done) ** POLY_POWER)


def cosine(_settings: Settings, done: float, _epoch: int) -> float:
    """Half a cosine (arXiv 1608.03983, equation 5, without restarts)."""
    return (1 + math.cos(math.pi * done)) / 2


def exponential(settings: Settings, done: float, _epoch: int) -> float:
    """`settings.lr_scheduler_factor` to the power of the share done."""
    return float(settings.lr_scheduler_factor**done)


def step(settings: Settings, _done: float, epoch: int) -> float:
    """`settings.lr_scheduler_factor` for each epoch of `settings.lr_scheduler_step` that is over."""
    passed = sum(epoch >= boundary for boundary in settings.lr_scheduler_step)
    return float(settings.lr_scheduler_factor**passed)


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
