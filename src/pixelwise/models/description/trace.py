"""What a network does, operation by operation, without doing it: a forward pass on PyTorch's meta device.

The receptive field follows Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks" (Distill,
2019): a kernel of k positions at dilation d widens it by (k - 1) * d * jump input pixels, where jump is the input
pixels per position; a stride multiplies the jump. It is the theoretical one: what can have an influence at all.
"""

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

PerAxis = tuple[float, float]

# Taps of an interpolation along one axis.
_UPSAMPLE_TAPS = {"upsample_nearest2d": 1, "upsample_bilinear2d": 2, "upsample_bicubic2d": 4}


class View(NamedTuple):
    """What one position of a tensor sees of the image; pairs are (rows, columns)."""

    extent: PerAxis = (1, 1)  # input pixels, by convolutions, poolings, interpolations and attention inside windows
    jump: PerAxis = (1, 1)  # input pixels per position
    everywhere: bool = False  # also the whole image, through a mean or through attention over all positions
    in_windows: bool = False  # through attention inside windows, whose extent is a lower bound

    def widened(self, positions: PerAxis, *, jump: PerAxis | None = None) -> "View":
        """After a look at `positions` neighbours (this position included), with `jump` from then on."""
        extent = _each(lambda own, count, step: own + (count - 1) * step, self.extent, positions, self.jump)
        return self._replace(extent=extent, jump=jump or self.jump)

    def strided(self, stride: PerAxis) -> PerAxis:
        """The jump after a stride."""
        return _each(operator.mul, self.jump, stride)


class Operation(NamedTuple):
    """One operation whose result depends on the image, or that costs FLOPs all the same."""

    name: str  # PyTorch's, such as "convolution"
    module: str  # the qualified name of the module that was running, "" for the network itself
    shape: tuple[int, ...]
    view: View
    flops: int  # a multiply-add counts 2; convolutions and matrix products only
    kernel: int  # positions along the longer axis; 1 where there is no kernel
    dilation: int
    reach: int  # input pixels from the first to the last position under the kernel: (kernel - 1) * dilation * jump + 1


def trace(network: nn.Module, images: Tensor, *, padded: tuple[int, int] | None = None) -> tuple[Operation, ...]:
    """The operations of one forward pass of `network`, in order.

    Args:
        network: any module of one image tensor; on the meta device nothing is computed.
        images: (1, C, H, W) on the device of `network`.
        padded: the height and width that the network pads `images` to before it looks; H and W if it does not.
    """
    with torch.no_grad(), running(network) as stack, _Recorder(images, padded or images.shape[-2:], stack) as recorder:
        network(images)
    return tuple(recorder.operations)


@contextmanager
def running(network: nn.Module) -> Iterator[list[str]]:
    """A list whose last entry is always the qualified name of the module of `network` that is running."""
    stack = [""]
    handles = []
    for name, module in network.named_modules():

        def enter(module: nn.Module, inputs: Any, name: str = name) -> None:
            stack.append(name)

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            stack.pop()

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every tensor that depends on the image and notes what was done to it."""

    def __init__(self, images: Tensor, size: Any, stack: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._size = (int(size[0]), int(size[1]))
        self._stack = stack
        self._tiles = 0  # of the image, which are then in the place of the batch; 0 before the first kernel
        # The tensors are held too, so that no id is used twice.
        self._views: dict[int, tuple[Tensor, View]] = {id(images): (images, View())}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [item for item in _flat(args) if isinstance(item, Tensor)]
        seen = [self._views[id(tensor)][1] for tensor in tensors if id(tensor) in self._views]
        name = func.overloadpacket.__name__
        if seen:
            self._note(name, args, result, _merged(seen))
        elif flops := _flops(name, args, result):  # of what does not depend on the image: encodings of positions
            self.operations.append(Operation(name, self._stack[-1], tuple(result.shape), View(), flops, 1, 1, 1))
        return result

    def _note(self, name: str, args: Any, result: Any, view: View) -> None:
        outputs = [item for item in _flat([result]) if isinstance(item, Tensor)]
        if not outputs:
            return
        kernel, dilation, reach = 1, 1, 1
        window = _window_of(name, args)
        if window is not None:
            self._tiles = self._tiles or len(args[0])
            view = self._resynced(view, args[0])
            kernel, dilation = int(max(window.kernel)), int(max(window.dilation))
            positions = _each(lambda k, d: (k - 1) * d + 1, window.kernel, window.dilation)
            reach = round(max(_each(lambda count, jump: (count - 1) * jump, positions, view.jump))) + 1
            view = view.widened(positions, jump=view.strided(window.stride))
        else:
            view = self._looked(name, args, outputs[0], view)
        for output in outputs:
            self._views[id(output)] = (output, view)
        flops = _flops(name, args, outputs[0])
        shape = tuple(outputs[0].shape)
        self.operations.append(Operation(name, self._stack[-1], shape, view, flops, kernel, dilation, reach))

    def _looked(self, name: str, args: Any, output: Tensor, view: View) -> View:
        """The view after an operation without a kernel of its own."""
        if name in _UPSAMPLE_TAPS:
            before, after = args[0].shape[-2:], output.shape[-2:]
            taps = _each(lambda old, new: min(_UPSAMPLE_TAPS[name], old) if old != new else 1, before, after)
            return view.widened(taps, jump=view.strided(_each(operator.truediv, before, after)))
        if name == "slice" and len(args) > 4 and args[4] > 1:
            axis = args[1] - self._first_axis(args[0], view)
            steps = (args[4], 1) if axis == 0 else (1, args[4])
            return view._replace(jump=view.strided(steps)) if axis in (0, 1) else view
        if name in ("mean", "sum") and len(args) > 1:
            return self._averaged(args[0], args[1], view)
        if name in ("mm", "addmm"):
            return self._projected(args[-2], args[-1], view)
        if name in ("_softmax", "_safe_softmax", "bmm"):
            return self._attended(name, args, view)
        return view

    def _positions(self, view: View) -> int:
        """How many there are in the image, or in one tile of it."""
        return math.prod(self._grid(view)) // max(self._tiles, 1)

    def _grid(self, view: View) -> tuple[int, int]:
        rows, columns = _each(lambda size, jump: math.ceil(size / jump - 1e-6), self._size, view.jump)
        return int(rows), int(columns)

    def _first_axis(self, tensor: Tensor, view: View) -> int:
        """The dimension of the rows: 1 where channels come last, else 2."""
        return 1 if tensor.dim() == 4 and tuple(tensor.shape[1:3]) == self._grid(view) != tensor.shape[2:4] else 2

    def _resynced(self, view: View, tensor: Tensor) -> View:
        """The view after positions became channels by reshaping (space to depth), which no operation shows."""
        factors = _each(lambda expected, actual: expected // max(actual, 1), self._grid(view), tensor.shape[-2:])
        # Few positions tell nothing: convolutions without padding lose some at every border.
        if len(tensor) > 1 or min(factors) < 2 or min(tensor.shape[-2:]) < 8:
            return view
        return view.widened(factors, jump=view.strided(factors))

    def _averaged(self, tensor: Tensor, dims: Any, view: View) -> View:
        dims = sorted(dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims or range(tensor.dim())))
        first = self._first_axis(tensor, view)
        spatial = tensor.dim() == 4 and ({2, 3} <= set(dims) or {first, first + 1} <= set(dims))
        tokens = tensor.dim() == 3 and dims == [1] and tensor.shape[1] >= self._positions(view)
        return view._replace(jump=self._size, everywhere=True) if spatial or tokens else view

    def _projected(self, rows: Tensor, weight: Tensor, view: View) -> View:
        """A matrix product with weights: over channels, over 2x2 positions that became channels, or over positions."""
        if id(weight) in self._views and id(rows) not in self._views:
            rows = weight.t()
        count, width = rows.shape
        positions = self._positions(view)
        if width == positions != count:
            return view._replace(everywhere=True)
        factor = math.isqrt(positions // count)
        if count > 1 and factor > 1 and factor * factor * count == positions:
            return view.widened((factor, factor), jump=view.strided((factor, factor)))
        return view

    def _attended(self, name: str, args: Any, view: View) -> View:
        """Attention: where all positions meet it sees everything, else as far as its window."""
        positions = self._positions(view)
        if name == "bmm":
            both = id(args[0]) in self._views and id(args[1]) in self._views
            return view._replace(everywhere=True) if both and args[0].shape[-1] >= positions else view
        tensor, dim = args[0], args[1]
        if tensor.dim() < 3 or dim % tensor.dim() != tensor.dim() - 1:
            return view
        if max(tensor.shape[-2:]) >= positions:
            return view._replace(everywhere=True)
        side = math.isqrt(tensor.shape[-1])
        return view.widened((side, side))._replace(in_windows=True)


class _Window(NamedTuple):
    kernel: PerAxis
    stride: PerAxis
    dilation: PerAxis


def _window_of(name: str, args: Any) -> _Window | None:
    """The kernel that a convolution or a pooling moves over (N, C, H, W)."""
    if not isinstance(args[0], Tensor) or args[0].dim() != 4:
        return None
    if name == "convolution":
        kernel, stride, dilation = _pair(args[1].shape[-2:]), _pair(args[3]), _pair(args[5])
        if args[6]:  # transposed: between its inputs stand zeros
            reached = _each(lambda k, d, s: math.ceil(((k - 1) * d + 1) / s), kernel, dilation, stride)
            return _Window(reached, (1 / stride[0], 1 / stride[1]), (1, 1))
        return _Window(kernel, stride, dilation)
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        kernel = _pair(args[1])
        stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
        has_dilation = name == "max_pool2d_with_indices" and len(args) > 4
        return _Window(kernel, stride, _pair(args[4]) if has_dilation else (1, 1))
    if name == "_adaptive_avg_pool2d":
        sizes, bins = _pair(args[0].shape[-2:]), _pair(args[1])
        return _Window(_each(_longest_bin, sizes, bins), _each(operator.truediv, sizes, bins), (1, 1))
    return None


def _longest_bin(size: int, bins: int) -> int:
    """Positions of the longest of `bins` regions, as adaptive pooling cuts them; neighbours may overlap."""
    return max(-(-(i + 1) * size // bins) - i * size // bins for i in range(bins))


def _flops(name: str, args: Any, output: Tensor) -> int:
    if name == "convolution":
        weight, steps = args[1], args[0] if args[6] else output
        return 2 * len(steps) * math.prod(steps.shape[2:]) * int(weight.numel())
    if name in ("mm", "addmm", "bmm", "baddbmm"):
        return 2 * output.numel() * int(args[-2].shape[-1])
    return 0


def _merged(views: list[View]) -> View:
    """One view of several inputs: as far as the widest sees, at the finest step."""
    extent = _each(lambda *sides: max(sides), *(view.extent for view in views))
    jump = _each(lambda *steps: min(steps), *(view.jump for view in views))
    return View(extent, jump, any(view.everywhere for view in views), any(view.in_windows for view in views))


def _each(rule: Callable[..., float], *pairs: Any) -> PerAxis:
    """`rule` for the rows and for the columns."""
    return rule(*(pair[0] for pair in pairs)), rule(*(pair[1] for pair in pairs))


def _pair(values: Any) -> PerAxis:
    """(rows, columns) of one number for both or of two."""
    return values[0], values[-1]


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value
