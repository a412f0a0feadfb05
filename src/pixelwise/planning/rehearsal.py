"""A rehearsal: a training step on PyTorch's meta device, where tensors have sizes but no numbers, and what lives when.

Nothing is computed and nothing is allocated: every tensor that the step makes is noted when it is made and when it is
let go, forward, through the loss and back. What a kernel needs for itself while it runs is not seen.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.models.description.activations import FusedAttention
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime
from pixelwise.scoring.validate import Criterion

META = torch.device("meta")

SMALL = 32 * 2**20
"""Blocks up to this size stay with a process on Linux when they are freed (mallopt(3), M_MMAP_THRESHOLD)."""


class Held(NamedTuple):
    """Bytes that live together at the worst moment of a step, beside the model itself."""

    kept: int
    """Made by the forward pass: what autograd keeps, the images and the logits."""
    gradients: int
    """Of the weights, as far as they were there."""
    transient: int
    """All else: what the backward pass works with at that moment."""
    small: int = 0
    """What of `kept` and `transient` is in blocks of at most `SMALL` bytes."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.kept + self.gradients + self.transient


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the bytes of every storage that comes to life, and that they are gone when it dies."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        """`known` are tensors that were there before, and do not count."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: list[tuple[int, int]] = []  # (number of a storage, its bytes or, when it dies, less them)
        self._living: dict[int, int] = {tensor.untyped_storage()._cdata: -1 for tensor in known}
        self._count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _of_unknown_size(func, args)
        if result is None:
            result = func(*args, **(kwargs or {}))
        for item in tree_leaves(result):
            if isinstance(item, Tensor):
                self._note(item)
        return result

    def number_of(self, tensor: Tensor) -> int | None:
        """The number in `entries` of what lies under a living `tensor`; None for what is not counted."""
        number = self._living.get(tensor.untyped_storage()._cdata, -1)
        return None if number < 0 else number

    def peak(self) -> int:
        """The most bytes that lived at a time."""
        return max(self.levels(), default=0)

    def levels(self) -> list[int]:
        """Bytes that live after each entry."""
        level, levels = 0, []
        for _, change in self.entries:
            level += change
            levels.append(level)
        return levels

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._living:
            return
        number, self._count = self._count, self._count + 1
        self._living[storage._cdata] = number
        self.entries.append((number, storage.nbytes()))
        weakref.finalize(storage, self._forget, storage._cdata, number, storage.nbytes())

    def _forget(self, address: int, number: int, size: int) -> None:
        self._living.pop(address, None)
        self.entries.append((number, -size))


def rehearse_step(
    model: Segmenter, criterion: Criterion, images: Tensor, *, aux_loss_weight: float, precision: torch.dtype
) -> Held:
    """What lives at the worst moment of `training.step` on one piece of a batch, beside weights and statistics.

    Gradients that were there before are taken to be there, as with the second of several pieces.

    Args:
        model: in training mode, on the device of `images`; its gradients are added to.
        criterion: see `training.losses`.
        images: (N, C, H, W) in the files' own depth.
        aux_loss_weight: of the auxiliary head, if there is one.
        precision: bfloat16 or float32.
    """
    weights = list(model.parameters())
    before = [weight.grad for weight in weights if weight.grad is not None]
    ledger = Ledger([*weights, *model.buffers(), *before])
    with ledger:
        pixels = images.clone()
        class_ids = torch.zeros((len(images), *images.shape[-2:]), dtype=torch.uint8, device=images.device)
        with FusedAttention(), autocast(precision, images.device):
            logits = model(pixels)
        loss = criterion(logits.main, class_ids)
        if logits.auxiliary is not None:
            loss = loss + aux_loss_weight * criterion(logits.auxiliary, class_ids)
        forward = len(ledger.entries)
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = {ledger.number_of(weight.grad) for weight in weights if weight.grad is not None}
    held = _held(ledger, forward, {number for number in gradients if number is not None})
    return held._replace(gradients=held.gradients + sum(gradient.nbytes for gradient in before))


def rehearse_validation(model: Segmenter, criterion: Criterion, images: Tensor, *, precision: torch.dtype) -> int:
    """The most bytes that live while `scoring.validate` looks at a batch (N, C, H, W) on the meta device."""
    ledger = Ledger([*model.parameters(), *model.buffers()])
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), ledger, FusedAttention():
            logits = class_logits(model, images.clone(), runtime=_MetaRuntime(META, precision))
            class_ids = likeliest(logits)
            criterion(logits, class_ids)
    finally:
        model.train(was_training)
    return ledger.peak()


def autocast(precision: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """`Runtime.autocast`, or on the meta device, which has none of its own, its rule."""
    if precision is torch.float32:
        return contextlib.nullcontext()
    return _Casting(precision) if device.type == "meta" else torch.autocast(device.type, dtype=precision)


class _MetaRuntime(Runtime):
    """A runtime of the meta device."""

    def autocast(self) -> AbstractContextManager[object]:
        """See `autocast`."""
        return autocast(self.precision, self.device)


class _Casting(TorchFunctionMode):
    """What autocast does to the operations that matter here: products take their inputs in the lower precision."""

    PRODUCTS = (F.conv1d, F.conv2d, F.linear, F.scaled_dot_product_attention, torch.matmul, torch.bmm)

    def __init__(self, precision: torch.dtype) -> None:
        super().__init__()
        self._precision = precision
        self._weights: dict[int, tuple[Tensor, Tensor]] = {}  # autocast keeps its copies of weights, too

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.PRODUCTS or func is Tensor.matmul or func is Tensor.__matmul__:
            args = tuple(self._lowered(item) for item in args)
            kwargs = {name: self._lowered(item) for name, item in kwargs.items()}
        return func(*args, **kwargs)

    def _lowered(self, item: Any) -> Any:
        if not isinstance(item, Tensor) or item.dtype is not torch.float32:
            return item
        if not isinstance(item, nn.Parameter):
            return item.to(self._precision)
        if id(item) not in self._weights:
            self._weights[id(item)] = item, item.to(self._precision)
        return self._weights[id(item)][1]


def _held(ledger: Ledger, forward: int, gradients: set[int]) -> Held:
    """The worst moment in the ledger of a step whose forward pass made the first `forward` entries."""
    levels = ledger.levels()
    worst = levels.index(max(levels)) + 1
    sizes: dict[int, tuple[int, bool]] = {}
    for position, (number, change) in enumerate(ledger.entries[:worst]):
        if change > 0:
            sizes[number] = change, position < forward
        else:
            sizes.pop(number, None)
    of_gradients = sum(sizes.pop(number)[0] for number in gradients & sizes.keys())
    kept = sum(size for size, is_forward in sizes.values() if is_forward)
    small = sum(size for size, _ in sizes.values() if size <= SMALL)
    return Held(kept, of_gradients, levels[worst - 1] - kept - of_gradients, small)


def _of_unknown_size(func: Any, args: Any) -> Any:
    """Results whose size depends on numbers, as if every pixel were labelled: the most there can be; else None."""
    rule = _RULES.get(str(func))
    return None if rule is None or not _is_meta(args) else rule(*args)


def _is_meta(args: Any) -> bool:
    return any(isinstance(item, Tensor) and item.device.type == "meta" for item in tree_leaves(args))


def _picked(values: Tensor, places: Any, *_: Any) -> Tensor | None:
    """values[mask], of which the losses ask."""
    mask = places[0]
    if mask is None or mask.dtype is not torch.bool:
        return None
    return values.new_empty((mask.numel(), *values.shape[mask.dim() :]))


def _filled(values: Tensor, places: Any, *_: Any) -> Tensor | None:
    """The backward pass of values[mask], in place."""
    mask = places[0]
    return values if mask is not None and mask.dtype is torch.bool else None


_RULES: dict[str, Callable[..., Any]] = {
    "aten.index.Tensor": _picked,
    "aten._index_put_impl_.default": _filled,
    "aten._local_scalar_dense.default": lambda _value: 1,
    "aten.item.default": lambda _value: 1,  # the same, where nothing is differentiated
}
