"""One update of the weights: forward, loss, backward, step."""

import contextlib
import math
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pixelwise.data.batches import Batch
from pixelwise.errors import OutOfMemory, TrainingError
from pixelwise.inference.forward import likeliest
from pixelwise.labels import IGNORE
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.progress import Observer


def step_within_memory(learner: Learner, batch: Batch, state: TrainingState, observer: Observer) -> float:
    """`train_step`, in smaller and smaller pieces of the same batch while memory runs out."""
    while True:
        try:
            return train_step(learner, batch, state)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
        # Here, outside the except block, nothing holds the failed step's tensors any more.
        state.pieces = _more_pieces(learner, batch, state.pieces)
        observer.say(f"Out of memory: each batch is now computed in {state.pieces} pieces; its size stays the same.")


def train_step(learner: Learner, batch: Batch, state: TrainingState) -> float:
    """Update the weights on one batch; return its loss in nats, before the update.

    The loss is the mean over the labelled pixels of the whole batch, over all its pieces and processes, so
    that neither memory nor the number of machines changes what is learned.
    """
    settings, runtime = learner.settings, learner.runtime
    # Dropout depends on the position in the run alone, so a resumed run drops the same units.
    torch.manual_seed(_seed_of_step(settings.seed, state.updates, runtime.rank))
    learner.optimizer.zero_grad(set_to_none=True)
    pieces = _split(batch, state.pieces)
    # Counted before the first piece: the mean is over all pieces, and each backward needs its share of it.
    labelled = [int((piece.class_ids != IGNORE).sum()) for piece in pieces]
    total = float(runtime.sum(torch.tensor(float(sum(labelled)), device=runtime.device)))
    loss = torch.zeros((), device=runtime.device)
    for i, piece in enumerate(pieces):
        # DDP averages gradients over the processes, hence the factor world_size; 0 of 0 labelled pixels are no share.
        share = labelled[i] / max(total, 1.0) * runtime.world_size
        with _reducing_gradients(learner.network, is_last=i == len(pieces) - 1):
            loss += _backward(learner, piece, share, state)
    # Without a limit too, for the norm tells whether the gradients are finite.
    limit = settings.gradient_clipping or math.inf
    norm = torch.nn.utils.clip_grad_norm_(learner.model.parameters(), limit)
    # Before the step: weights that took in a NaN are lost.
    _require_finite(float(loss), float(norm), state, settings)
    learner.optimizer.step()
    if learner.average is not None:
        learner.average.update(learner.model, state.updates + 1)
    return float(loss)


def _backward(learner: Learner, piece: Batch, share: float, state: TrainingState) -> Tensor:
    """Add the gradients of `share` times the mean loss of `piece`; return that product, detached."""
    device = learner.runtime.device
    images = piece.images.to(device, memory_format=torch.channels_last, non_blocking=True)
    class_ids = piece.class_ids.to(device, non_blocking=True)
    with learner.runtime.autocast():
        logits = learner.network(images)
    # Outside autocast: the logits are float32, and so are the loss and its sums.
    loss = learner.criterion(logits.main, class_ids)
    if logits.auxiliary is not None:
        loss = loss + learner.settings.aux_loss_weight * learner.criterion(logits.auxiliary, class_ids)
    loss = loss * share
    loss.backward()  # type: ignore[no-untyped-call]
    # From the logits at hand: the training scores cost no forward of their own.
    _count_pixels(state, logits.main.detach(), class_ids)
    return loss.detach()


def _count_pixels(state: TrainingState, logits: Tensor, class_ids: Tensor) -> None:
    """Add every fourth pixel in both directions to the epoch's training confusion: enough, and nearly free."""
    num_classes = logits.shape[1]
    truth = class_ids[:, ::4, ::4].long()
    predicted = likeliest(logits[:, :, ::4, ::4])
    labelled = truth != IGNORE
    pairs = torch.bincount((truth * num_classes + predicted)[labelled], minlength=num_classes**2)
    counts = pairs.reshape(num_classes, num_classes).cpu()
    state.counts = counts if state.counts is None else state.counts + counts


def _split(batch: Batch, pieces: int) -> list[Batch]:
    size = math.ceil(len(batch.images) / pieces)
    return [Batch(*part) for part in zip(*(torch.split(whole, size) for whole in batch), strict=True)]


def _reducing_gradients(network: nn.Module, *, is_last: bool) -> AbstractContextManager[object]:
    # Gradients add up over the pieces, so that reducing them with the last one is enough.
    if isinstance(network, DistributedDataParallel) and not is_last:
        return network.no_sync()
    return contextlib.nullcontext()


def _seed_of_step(seed: int, update: int, rank: int) -> int:
    return (seed * 1_000_003 + update) * 4_099 + rank


def _require_finite(loss: float, norm: float, state: TrainingState, settings: Settings) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise TrainingError(
            f"Epoch {state.epoch + 1}, step {state.step + 1}: the loss is {loss} and the norm of its gradient "
            f"{norm}, so the step was not taken. Lower learning_rate (now {settings.learning_rate:g}) or "
            "raise warmup; the last checkpoint and the best model are kept."
        )


def _is_out_of_memory(error: RuntimeError) -> bool:
    # The CPU's allocator raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _more_pieces(learner: Learner, batch: Batch, pieces: int) -> int:
    if learner.runtime.is_distributed:
        raise OutOfMemory(
            "Out of memory. The processes of a group must stay in step, so pieces are not made smaller on the "
            f"way: set gradient_accumulation to {pieces * 2} (the batch keeps its size) or lower crop_size."
        )
    if learner.runtime.device.type == "cuda":
        # The cached blocks are cut for the larger pieces.
        torch.cuda.empty_cache()
    size = math.ceil(len(batch.images) / (pieces * 2))
    if pieces >= len(batch.images):
        raise OutOfMemory("Out of memory with a single image per piece. Lower crop_size or take a smaller backbone.")
    refuse_single_samples(learner.model, size)
    return pieces * 2
