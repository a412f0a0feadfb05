"""Learner: a model with everything that changes its weights."""

import math
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.validate import Criterion, Validation
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import synchronise
from pixelwise.training.freezing import freeze_backbone
from pixelwise.training.optimizer import WeightAverage, build_optimizer


class Candidate(NamedTuple):
    """Weights that may be kept, with what validation says of them."""

    model: Segmenter
    weights: str  # "averaged" or "raw"
    validation: Validation

    @property
    def score(self) -> float:
        """The mean IoU; 0 where no pixel has a label."""
        mean = self.validation.scores.mean_iou
        return 0.0 if math.isnan(mean) else mean


class Learner:
    """A model with what changes its weights: criterion, optimizer, averaged copy, process group."""

    def __init__(self, model: Segmenter, criterion: Criterion, settings: Settings, runtime: Runtime) -> None:
        self.settings, self.runtime, self.criterion = settings, runtime, criterion
        model = model.to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Before the average copies the model and DDP wraps it: both must have what learns, and these layers.
        if settings.freeze == "backbone":
            freeze_backbone(model)
        if settings.sync_bn and runtime.is_distributed:
            synchronise(model, runtime)
        self.model = model
        self.optimizer = build_optimizer(model, settings)
        self.average = WeightAverage(model, settings.ema_decay) if settings.ema_decay else None
        # For steps only: what is scored and kept stays unwrapped, so that names are those of one process.
        self.network: nn.Module = DistributedDataParallel(model) if runtime.is_distributed else model

    @property
    def scored(self) -> Segmenter:
        """The model that is validated and kept: the averaged one if there is one."""
        return self.average.model if self.average is not None else self.model

    @property
    def learning_rate(self) -> float:
        """The highest of the parameters' learning rates."""
        return float(max(group["lr"] for group in self.optimizer.param_groups))

    def leave_group(self) -> None:
        """Let go of what talks to the other processes; call it while their group still stands."""
        # The reducer of DDP would else hold the last reference to gloo's group: freeing it with the interpreter's lock
        # held waits for a thread of gloo that waits for the lock.
        self.network = self.model

    def parts(self) -> dict[str, Any]:
        """State dicts for a checkpoint."""
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return parts if self.average is None else {**parts, "average": self.average.model.state_dict()}

    def restore(self, parts: dict[str, Any]) -> None:
        """Take over the state dicts of a checkpoint."""
        self.model.load_state_dict(parts["model"])
        self.optimizer.load_state_dict(parts["optimizer"])
        if self.average is not None:
            self.average.model.load_state_dict(parts["average"])
