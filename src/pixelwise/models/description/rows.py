"""From the operations of a segmenter to the rows of a table: input, stem, stages, head, classifier, upsampling."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from pixelwise.models.description.activations import Kept
from pixelwise.models.description.trace import Operation

Key = tuple[str, str]  # part and name of a row

INPUT, UPSAMPLING = ("input", "input"), ("upsampling", "upsampling")

_STEM = re.compile(r"(conv|bn|norm|act|patch_embed|pos|cls)|.*stem")

# The modules of a head that a reader wants to see one by one.
_LISTS, _OWN_LISTS = "branches|pools|decode|context", "project|laterals|smooth"
_HEAD_UNIT = re.compile(rf"(?:aspp\.|pooling\.)?(?:{_LISTS})\.\d+|(?:{_OWN_LISTS})\.\d+|(?:aspp|pooling)\.\w+|\w+")
_BRANCH = re.compile(r"aspp\.branches|aspp\.image_pooling|(?:pooling\.)?pools|gate")


@dataclass(frozen=True)
class Row:
    """One step of the network, for one image; sizes are those of its output.

    Attributes:
        part: "input", "stem", "stage", "branch", "head", "classifier", "upsampling" or "auxiliary".
        name: of the module, such as "layer4".
        stride: input pixels from one position to the next.
        kernel: positions of the longest kernel; 1 for none.
        dilations: those of its kernels longer than 1, rising.
        reach: input pixels from the first to the last position under its widest kernel, (k - 1) * dilation * stride
            of its input + 1; None where it averages the whole image.
        receptive_field: side in input pixels of what one position can see, the theoretical one.
        whole_image: whether it sees the whole image besides, through a mean or attention over all positions.
        in_windows: whether attention inside windows took part; the receptive field is then a lower bound.
        flops: a multiply-add counts 2; convolutions and matrix products.
        activations: bytes that a training step keeps.
    """

    part: str
    name: str
    channels: int
    height: int
    width: int
    stride: float
    kernel: int
    dilations: tuple[int, ...]
    reach: int | None
    receptive_field: int
    whole_image: bool
    in_windows: bool
    parameters: int
    flops: int
    activations: Kept


def rows_of(
    network: nn.Module, operations: Sequence[Operation], kept: dict[str, Kept], *, taps: Sequence[str], side: int
) -> tuple[Row, ...]:
    """The rows of `network`, in the order of the work; their parameters add up to all of it.

    Args:
        network: the Segmenter that was traced.
        operations: its trace.
        kept: what a training step keeps, by module.
        taps: the modules of the trunk whose outputs are feature maps, as timm names them.
        side: height and width of the padded image in pixels.
    """
    groups, owner = _grouped(operations, taps)
    rest = {
        "backbone": next(key for key in groups if key[0] in ("stem", "stage")),
        "head": [key for key in groups if key[0] in ("branch", "head", "classifier")][-1],
    }

    def row_of(module: str) -> Key:
        found = owner.get(_key(module, taps) or UPSAMPLING)
        return found or rest.get(module.partition(".")[0], UPSAMPLING)

    parameters = dict.fromkeys(groups, 0)
    for name, parameter in network.named_parameters():
        parameters[row_of(name.rpartition(".")[0])] += parameter.numel()
    activations = dict.fromkeys(groups, Kept(0, 0))
    for module, size in kept.items():
        before = activations[row_of(module)]
        activations[row_of(module)] = Kept(before.float32 + size.float32, before.bfloat16 + size.bfloat16)
    rows = [_row(key, groups[key], parameters[key], activations[key], side) for key in _ordered(list(groups))]
    return tuple(_joined(rows, {tap.replace("_", ".") for tap in taps}))


def _grouped(operations: Sequence[Operation], taps: Sequence[str]) -> tuple[dict[Key, list[Operation]], dict[Key, Key]]:
    """The operations of each row, and the row of each module: what has no products joins the row before it."""
    working = {_key(operation.module, taps) for operation in operations if operation.flops}
    current = INPUT
    groups: dict[Key, list[Operation]] = {INPUT: []}
    owner: dict[Key, Key] = {}
    for operation in operations:
        key = _key(operation.module, taps)
        if key in working and key is not None:
            current = key
        elif not operation.module and operation.name.startswith("upsample") and current[0] in ("head", "classifier"):
            current = UPSAMPLING
        if key is not None:
            owner.setdefault(key, current)
        elif operation.name == "cat":
            continue  # several branches side by side: the input of the next row, the output of none
        groups.setdefault(current, []).append(operation)
    return groups, owner


def _ordered(keys: list[Key]) -> list[Key]:
    """The keys with the branches, which stand side by side, by name; heads compute them in an order of their own."""
    branches = iter(sorted(key for key in keys if key[0] == "branch"))
    return [next(branches) if key[0] == "branch" else key for key in keys]


def _key(module: str, taps: Sequence[str]) -> Key | None:
    """The part and the name of the row that a module belongs to; None for one that only calls others."""
    part, _, path = module.partition(".")
    if part == "auxiliary":
        return "auxiliary", "auxiliary"
    if part == "head" and path:
        name = _HEAD_UNIT.match(path)
        return _head_key(name.group()) if name and path not in ("aspp", "pooling") else None
    path = path.removeprefix("trunk").removeprefix(".")
    path = path.removeprefix("model").removeprefix(".") if path.split(".")[0] == "model" else path
    if part != "backbone" or not path:
        return None
    first, _, deeper = re.sub(r"^([a-z]+)_(\d+)(?=\.|$)", r"\1.\2", path).partition(".")
    if deeper and any(tap.startswith(f"{first}.") for tap in taps):
        first = f"{first}.{deeper.split('.')[0]}"
    return "stem" if _STEM.match(first) else "stage", first


def _head_key(name: str) -> Key:
    if name == "classify":
        return "classifier", name
    return "branch" if _BRANCH.match(name) else "head", name


def _row(key: Key, group: Sequence[Operation], parameters: int, activations: Kept, side: int) -> Row:
    last, kernels = group[-1], [operation for operation in group if operation.kernel > 1]
    averaged = key[0] == "branch" and any(operation.name == "mean" for operation in group)
    channels, height, width = _size(last, side)
    return Row(
        part=key[0],
        name=key[1],
        channels=channels,
        height=height,
        width=width,
        stride=round(max(last.view.jump), 2),
        kernel=max((operation.kernel for operation in kernels), default=1),
        dilations=tuple(sorted({operation.dilation for operation in kernels if operation.name == "convolution"})),
        reach=None if averaged else max((operation.reach for operation in kernels), default=1),
        receptive_field=round(max(last.view.extent)),
        whole_image=last.view.everywhere,
        in_windows=last.view.in_windows,
        parameters=parameters,
        flops=sum(operation.flops for operation in group),
        activations=activations,
    )


def _size(operation: Operation, side: int) -> tuple[int, int, int]:
    """Channels, height and width of a tensor in any layout that trunks use."""
    shape, (down, across) = operation.shape, operation.view.jump
    height, width = math.ceil(side / down - 1e-6), math.ceil(side / across - 1e-6)
    if len(shape) == 4 and shape[0] == 1:
        channels_last = shape[1:3] == (height, width) != shape[2:4]
        return (shape[3], *shape[1:3]) if channels_last else shape[1:]
    if len(shape) == 3:
        return shape[2], height, width  # tokens
    return max(math.prod(shape) // (height * width), 1), height, width  # tiles of an image


def _joined(rows: Sequence[Row], taps: set[str]) -> list[Row]:
    """The rows, with equal blocks up to each feature map in one, as a plain transformer has them."""
    joined: list[Row] = []
    ended = True  # whether the row before gives a feature map
    for row in rows:
        alike = bool(joined) and row.part == "stage" and _kind(joined[-1]) == _kind(row)
        if alike and not ended:
            row_before = joined.pop()
            joined.append(_together(row_before, row))
        else:
            joined.append(row)
        ended = row.name in taps
    return joined


def _kind(row: Row) -> tuple[object, ...]:
    return row.part, row.name.split(".")[0], row.channels, row.height, row.width, row.kernel, row.dilations


def _together(first: Row, last: Row) -> Row:
    start = first.name.split("-")[0]
    return dataclasses.replace(
        last,
        name=f"{start}-{last.name.rpartition('.')[2]}",
        parameters=first.parameters + last.parameters,
        flops=first.flops + last.flops,
        activations=Kept(*(a + b for a, b in zip(first.activations, last.activations, strict=True))),
    )
