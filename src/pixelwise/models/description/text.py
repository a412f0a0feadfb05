"""A network in a table and in words: what has which size, how far it sees, what it costs, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.menus import HEADS
from pixelwise.models.description.activations import Kept
from pixelwise.models.description.rows import Row
from pixelwise.phrases import counted

_COLUMNS = ("part", "name", "output (C x H x W)", "stride", "dilation", "sees (px)", "parameters", "FLOPs", "kept")


@dataclass(frozen=True)
class Description:
    """A network, for one image of `crop_size` x `crop_size` pixels; the costs are sums over `rows`."""

    algorithm: str
    backbone: str
    crop_size: int
    input_scale: float  # rows, strides and fields are those of the image at this scale
    seen_size: int  # of the crop at this scale
    padded_size: int  # what the network pads that to, for trunks that need multiples
    num_classes: int
    output_stride: int  # of the trunk's last feature map
    note: str | None  # a limit of the trunk
    rows: tuple[Row, ...]
    class_weights: str | None = None  # of a trained model: what prediction undoes of them, a sentence

    @property
    def parameters(self) -> int:
        """Learned numbers, those of an auxiliary head included."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """Of one image forward as in prediction, without an auxiliary head; a multiply-add counts 2."""
        return sum(row.flops for row in self.rows if row.part != "auxiliary")

    @property
    def activations(self) -> Kept:
        """Bytes that a training step keeps for one image, the loss included."""
        return Kept(*(sum(sizes) for sizes in zip(*(row.activations for row in self.rows), strict=True)))

    @property
    def trunk(self) -> Row:
        """The row of the trunk's last feature map."""
        return [row for row in self.rows if row.part in ("stem", "stage")][-1]

    @property
    def head(self) -> tuple[Row, ...]:
        """The rows of the head, the classifier included."""
        return tuple(row for row in self.rows if row.part in ("branch", "head", "classifier"))

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON has it; sizes in pixels and bytes, a `reach` of null for the whole image."""
        own = {name: value for name, value in vars(self).items() if name != "rows"}
        rows = [
            {**vars(row), "dilations": list(row.dilations), "activations": row.activations._asdict()}
            for row in self.rows
        ]
        return {
            **own,
            "parameters": self.parameters,
            "flops": self.flops,
            "activations": self.activations._asdict(),
            "rows": rows,
        }

    def text(self) -> str:
        """The table, and the sentences that explain it."""
        size = f"{self.crop_size} x {self.crop_size}"
        bands = self.rows[0].channels
        kind = size if bands == 3 else f"{counted(bands, 'band')} and {size}"
        title = f"{self.algorithm} on {self.backbone}, {self.num_classes} classes, images of {kind} px"
        words = (_trunk_words, _head_words, _output_words, _cost_words)
        sections = ["\n".join(write(self)) for write in words]
        if self.class_weights:
            sections.append(f"Class weights\n{self.class_weights}")
        return "\n\n".join([title, "\n".join(_table(self)), *sections])


def span_words(row: Row, input_scale: float = 1.0) -> str:
    """How far a row of the head looks, in one sentence; at a scale also in pixels of the image as it is given."""
    if row.reach is None:
        return f"{row.name} averages the whole image."
    given = "" if input_scale == 1 else f", {row.reach / input_scale:.0f} px of the image"
    if "pools." in row.name:
        regions = f"{row.kernel} x {row.kernel} positions"
        return f"{row.name} averages regions of {regions}, {row.reach} px from end to end{given}."
    rate = max(row.dilations, default=1)
    # The step of its input, which a head never strides over.
    step = round((row.reach - 1) / ((row.kernel - 1) * rate), 1)
    return (
        f"{row.name} is {row.kernel}x{row.kernel} at dilation {rate}: "
        f"({row.kernel} - 1) x {rate} x {step:g} px + 1 = {row.reach} px from end to end{given}."
    )


def _table(found: Description) -> list[str]:
    totals = found.activations
    cells = [_COLUMNS, *(_cells(row) for row in found.rows)]
    sums = (f"{found.parameters:,}", _short(found.flops), _short(totals.float32, "B"))
    cells.append(("total", "", "", "", "", "", *sums))
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    lines = []
    for line in cells:
        padded = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _cells(row: Row) -> tuple[str, ...]:
    sees = f"{'>=' if row.in_windows else ''}{row.receptive_field:,}{' + all' if row.whole_image else ''}"
    return (
        row.part,
        row.name,
        f"{row.channels:,} x {row.height} x {row.width}",
        f"{row.stride:g}",
        ", ".join(map(str, row.dilations)) or "-",
        sees,
        f"{row.parameters:,}",
        _short(row.flops),
        _short(row.activations.float32, "B"),
    )


def _trunk_words(found: Description) -> Iterator[str]:
    trunk, stride = found.trunk, found.output_stride
    rounded = ", rounded up, is" if found.padded_size % stride else " ="
    yield "How far it sees"
    if found.input_scale != 1:
        yield (
            f"The network sees the image at {found.input_scale:g} of its size (input_scale), as {found.seen_size} x "
            f"{found.seen_size} px. Sizes, strides and px from here on are of that scaled image, as in the table; its "
            "last row is the image as it is given."
        )
    yield (
        f"The trunk's last feature map has one position for every {stride} x {stride} px: "
        f"{found.padded_size} / {stride}{rounded} {trunk.height} positions a side, {trunk.channels:,} channels each."
    )
    if found.padded_size != found.seen_size:
        yield f"This trunk needs multiples: the sides are padded from {found.seen_size} to {found.padded_size} px."
    dilated = [row for row in found.rows if row.part == "stage" and max(row.dilations, default=1) > 1]
    if dilated:
        names = ", ".join(f"{row.name} (dilation {max(row.dilations)})" for row in dilated)
        yield (
            f"Where a stride would come next, {names} spread{'s' if len(dilated) == 1 else ''} the kernel instead: "
            f"the map stays at stride {stride} and one position still sees as far."
        )
    yield (
        "'sees' is the theoretical receptive field, the side of the square that can have an influence: "
        f"{trunk.receptive_field:,} px at the end of the trunk{', by its kernels alone' if trunk.whole_image else ''}. "
        "Most of the influence comes from nearer its centre."
    )
    yield from _field_words(found)
    if found.note:
        yield found.note


def _field_words(found: Description) -> Iterator[str]:
    working = [row for row in found.rows if row.part not in ("input", "upsampling", "auxiliary")]
    beyond = [row.name for row in working if row.receptive_field > found.seen_size]
    if beyond:
        yield f"More than the {found.seen_size} px of the image is seen by: {', '.join(beyond)}."
    else:
        yield f"No kernel sees more than the {found.seen_size} px of the image."
    if any(row.whole_image for row in working):
        yield "'+ all': besides, the whole image, through a mean or through attention over all positions."
    if any(row.in_windows for row in working):
        yield "'>=': attention inside windows counts as one window; windows that are spread out reach further."


def _head_words(found: Description) -> Iterator[str]:
    yield "The head"
    yield f"{HEADS[found.algorithm].meaning}."
    for row in found.head:
        if row.kernel > 1 or row.reach is None:
            yield f"- {span_words(row, found.input_scale)}{_on_padding(row)}"
    if any(row.name.startswith("context.") for row in found.head):
        side = found.head[-1].receptive_field - found.trunk.receptive_field
        positions = side // found.output_stride + 1
        yield f"- All of them together: {positions} x {positions} positions, {side + 1:,} px from end to end."


def _on_padding(row: Row) -> str:
    """DeepLabV3, section 3.3: a kernel wider than the map is a 1x1 convolution in effect."""
    if row.reach is None or max(row.dilations, default=1) < row.height:
        return ""
    return " Its outer weights fall on padding everywhere: on an image of this size it acts as a 1x1 convolution."


def _output_words(found: Description) -> Iterator[str]:
    classes, side, logits = found.num_classes, found.crop_size, found.head[-1]
    classifier = next((row for row in found.head if row.part == "classifier"), logits)
    factor = f"{'about ' if found.padded_size % logits.height else ''}{found.padded_size / logits.height:.3g}"
    cut = f", cut back to {found.seen_size} x {found.seen_size}" if found.padded_size != found.seen_size else ""
    if found.seen_size != side:
        cut += f", and on to the image's own {side} x {side}"
    yield f"Why the output is {classes} x {side} x {side}"
    yield (
        f"{classifier.name} is a 1x1 convolution with {classes} output channels, one for each class: at every position "
        f"it turns the channels before it into {classes} logits, {classes} x {logits.height} x {logits.width} in all."
    )
    yield (
        f"Bilinear interpolation enlarges them {factor} times, by the stride of the map that the head ends on{cut}: "
        f"one logit per class for each pixel, {classes} x {side} x {side}."
    )
    yield (
        "There is no softmax inside: the loss applies it in a stable form, and it would not change which class is "
        f"largest. The argmax over the {classes} channels of a pixel is its class: the class map, {side} x {side}."
    )


def _cost_words(found: Description) -> Iterator[str]:
    sizes, size = found.activations, 4 * found.parameters
    yield "What it costs"
    yield f"Parameters: {found.parameters:,}, {_short(size, 'B')} in float32."
    yield (
        f"FLOPs: {_short(found.flops)} for one image forward, as in prediction. A multiply-add counts as 2 FLOPs; "
        "convolutions and matrix products are counted, the rest is small beside them."
    )
    yield (
        f"Activation memory ('kept'): {_short(sizes.float32, 'B')} for each image of a training batch in float32, "
        f"about {_short(sizes.bfloat16, 'B')} in bfloat16: the tensors that are kept from the forward pass for the "
        "backward pass, and the logarithms of the probabilities that the loss keeps, always in float32. Weights, "
        "gradients, the optimizer's state and the work space of kernels come on top. Prediction keeps nothing."
    )
    if any(row.part == "auxiliary" for row in found.rows):
        yield "The auxiliary head runs in training only: its FLOPs are not in the total, its parameters and memory are."


def _short(number: float, unit: str = "") -> str:
    """Three digits with a prefix of 1000: 40.3 G, 158 MB."""
    prefixes: Sequence[str] = ("", "k", "M", "G", "T", "P")
    i = 0
    while number >= 999.5 and i < len(prefixes) - 1:
        number, i = number / 1000, i + 1
    digits = f"{number:.0f}" if number >= 99.95 or not i else f"{number:.3g}"
    return f"{digits} {prefixes[i]}{unit}".rstrip() if number else "-"
