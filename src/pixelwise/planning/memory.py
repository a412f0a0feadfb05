"""What a training will need in memory, told before it begins."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.batches import BATCHES_AHEAD, cache_bytes
from pixelwise.data.planes import Planes, bytes_of
from pixelwise.errors import SettingsError
from pixelwise.menus import OPTIMIZERS
from pixelwise.models.description.describe import build_on_meta
from pixelwise.phrases import first_line, memory_size
from pixelwise.planning.rehearsal import META, Held, Ledger, rehearse_step, rehearse_validation
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.freezing import freeze_backbone
from pixelwise.training.losses import build_criterion
from pixelwise.workers import resident_memory

LIBRARIES = 48 * 2**20
"""What libraries load and compile with the first steps on a CPU. Measured: 46 MB with a ResNet-18, 52 with a ConvNeXt,
when every freed block went back to the system."""

GAPS = 0.15
"""Room between and beside the tensors of a step on a CPU, as a share of them: the C library keeps freed blocks of up
to 32 MiB. Measured: 0.10 to 0.19 on ResNet-18 and ConvNeXt with batches of 2 and 4."""

SAVED_COPIES = 2
"""How often the weights lie in memory while a bundle is written, beside small blocks: as the file's content that is
put together, and as the bytes that are written. Measured: 2.3 with a ResNet-50."""

VALIDATED_TOGETHER = 4
"""Images of one size that a validation looks at in one batch, as `EvaluationBatches` has it."""


@dataclass(frozen=True)
class ImageLoad:
    """What of the images decides about memory."""

    num_classes: int
    bands: Bands = PHOTOGRAPH
    training_pixels: int = 0
    """Of all training images together, which are kept decoded as far as there is room."""
    validation_size: tuple[int, int] | None = None
    """Height and width of the largest validation image; None leaves validation out."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the moment of a training that needs the most, of each process."""

    moment: str
    """ "step", "update", "validation" or "saving"."""
    baseline: int
    """The process before the training, Python and PyTorch included; 0 on a GPU."""
    states: int
    """Weights, statistics, their average, and what the optimizer keeps of each weight."""
    gradients: int
    """As far as they are there at that moment."""
    kept: int
    """What the forward pass of one piece of a batch made and is still needed: activations, images, logits."""
    transient: int
    """What the work of that moment takes beside it: copies in the loss, gradients of activations, files in the
    making."""
    images: int
    """Decoded images that are kept, and batches that are prepared ahead; in main memory, thus 0 on a GPU."""
    workspace: int
    """Libraries, gaps between tensors, and freed blocks that stay with the process."""

    @property
    def added(self) -> int:
        """What the training adds to the process."""
        return sum(self._bytes().values()) - self.baseline

    @property
    def peak(self) -> int:
        """All together."""
        return self.baseline + self.added

    def text(self) -> str:
        """One line for people: "1.43 GB at the peak (step): baseline 793 MB, states 197 MB, ..."."""
        parts = ", ".join(f"{name} {memory_size(value)}" for name, value in self._bytes().items() if value)
        return f"{memory_size(self.peak)} at the peak ({self.moment}): {parts}"

    def _bytes(self) -> dict[str, int]:
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "moment"}


def training_memory(settings: Settings, facts: ImageLoad, runtime: Runtime) -> TrainingMemory:
    """What a training with `settings` will need at its peak, in each process of `runtime`.

    A step and a validation are rehearsed on PyTorch's meta device: nothing is computed, and it takes about as long as
    one small step. On a CPU the peak is of the whole process, as it is now and with all that comes; on a GPU of tensors
    alone, which was never compared with a real one.

    Raises:
        SettingsError: an unknown backbone, one that does not run on the meta device, or single samples for BatchNorm.
    """
    return MemoryModel(settings, facts, runtime).memory(settings)


class MemoryModel:
    """Predicts the memory of one network for several sizes of batches and crops."""

    def __init__(self, settings: Settings, facts: ImageLoad, runtime: Runtime) -> None:
        self._facts, self._runtime = facts, runtime
        self.model = build_on_meta(settings, facts.num_classes, facts.bands).train()
        if settings.freeze == "backbone":
            freeze_backbone(self.model)
        weights = None if settings.class_weights == "none" else torch.ones(facts.num_classes, device=META)
        self._criterion = build_criterion(settings, weights)
        self._whole = _bytes_of(self.model.parameters()) + _bytes_of(self.model.buffers())
        self._learning = _bytes_of(weight for weight in self.model.parameters() if weight.requires_grad)
        self._per_weight, self._worked_with = _optimizer_bytes(settings)
        self._validation: Held | None = None

    def memory(self, settings: Settings) -> TrainingMemory:
        """The peak with these sizes; of the same network, losses and optimizer as at the start."""
        try:
            step, validated = self._step(settings), self._validated(settings)
        except (NotImplementedError, RuntimeError) as error:
            raise SettingsError(
                f"The memory of backbone {settings.backbone!r} cannot be predicted: it does not run on PyTorch's meta "
                f"device ({first_line(error)}). It can still be trained."
            ) from error
        updated = step._replace(kept=0, gradients=self._learning, transient=round(self._worked_with * self._learning))
        saved = validated._replace(transient=SAVED_COPIES * self._whole)
        moments = {"step": step, "update": updated, "validation": validated, "saving": saved}
        found = [self._memory(name, held, settings, step) for name, held in moments.items()]
        return max(found, key=lambda memory: memory.peak)

    def _step(self, settings: Settings) -> Held:
        samples = math.ceil(settings.mini_batch_size // self._runtime.world_size / settings.gradient_accumulation)
        refuse_single_samples(self.model, samples * (self._runtime.world_size if settings.sync_bn else 1))
        side, bands = settings.crop_size, self._facts.bands
        images = torch.empty((samples, bands.count, side, side), dtype=getattr(torch, bands.depth), device=META)
        self.model.zero_grad(set_to_none=True)
        held = Held(0, 0, 0)
        # With the second piece the gradients of the first are there; others are as the second.
        for _ in range(min(settings.gradient_accumulation, 2)):
            held = rehearse_step(
                self.model,
                self._criterion,
                images,
                aux_loss_weight=settings.aux_loss_weight,
                precision=self._runtime.precision,
            )
        # Processes of a group send copies of the gradients.
        copies = self._learning if self._runtime.is_distributed else 0
        return held._replace(transient=held.transient + copies)

    def _validated(self, settings: Settings) -> Held:
        """Of a batch of the largest images; the gradients of the last step are still there."""
        if self._validation is None:
            peak, size = 0, self._validation_size(settings)
            if size is not None:
                shape = (VALIDATED_TOGETHER, self._facts.bands.count, *size)
                images = torch.empty(shape, dtype=getattr(torch, self._facts.bands.depth), device=META)
                peak = rehearse_validation(self.model, self._criterion, images, precision=self._runtime.precision)
            self._validation = Held(0, self._learning, peak)
        return self._validation

    def _memory(self, moment: str, held: Held, settings: Settings, step: Held) -> TrainingMemory:
        states = self._whole * (2 if settings.ema_decay else 1) + round(self._per_weight * self._learning)
        # Freed blocks of a step stay with the process, cut for its tensors: what comes after it comes on top.
        left = 0 if moment == "step" else step.small
        is_cpu = self._runtime.device.type == "cpu"
        return TrainingMemory(
            moment=moment,
            baseline=(resident_memory() or 0) if is_cpu else 0,
            states=states,
            gradients=held.gradients,
            kept=held.kept,
            transient=held.transient,
            images=self._images(moment, settings) if is_cpu else 0,
            workspace=LIBRARIES + left + round(GAPS * (held.kept + held.transient + left)) if is_cpu else 0,
        )

    def _images(self, moment: str, settings: Settings) -> int:
        bands, size = self._facts.bands, self._validation_size(settings)
        plane = Planes.of(np.zeros((bands.count, 1, 1), dtype=bands.depth))
        decoded = bytes_of(Image.new("RGB", (1, 1)) if bands.is_photograph else plane) + 1  # and the mask
        cached = min(self._facts.training_pixels * decoded, cache_bytes() // self._runtime.world_size)
        pixels = settings.mini_batch_size // self._runtime.world_size * settings.crop_size**2
        if moment == "validation" and size is not None:
            pixels = VALIDATED_TOGETHER * size[0] * size[1]
        itemsize = bands.count * np.dtype(bands.depth).itemsize + 1
        # Beside those ahead there is one that is filled and one that is worked on.
        return cached + (BATCHES_AHEAD + 2) * pixels * itemsize

    def _validation_size(self, settings: Settings) -> tuple[int, int] | None:
        size, crop = self._facts.validation_size, settings.validation_crop_size
        if size is None:
            return None
        height, width = (crop, crop) if crop is not None else (math.ceil(side * settings.input_scale) for side in size)
        return height, width


def _optimizer_bytes(settings: Settings) -> tuple[float, float]:
    """Bytes for each byte of the weights that the optimizer keeps, and that it works with for a moment.

    Found with a few weights, so that no list here must know what each optimizer does.
    """
    weight = nn.Parameter(torch.zeros(1024))
    weight.grad = torch.zeros(1024)
    groups = [{"params": [weight], "weight_decay": settings.weight_decay}]
    optimizer: torch.optim.Optimizer = OPTIMIZERS[settings.optimizer].built()(groups, settings)
    optimizer.step()
    state = [value for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor)]
    with Ledger([weight, weight.grad, *state]) as ledger:
        optimizer.step()
    kept = sum(value.nbytes for value in state if value.numel() == weight.numel())
    # Counters and rates, one number each, are nothing beside the weights of a network.
    return kept / weight.nbytes, ledger.peak() // weight.nbytes


def _bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
