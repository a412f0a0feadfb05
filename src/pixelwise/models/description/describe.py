"""Describe the network that settings mean: its sizes, strides, dilations, receptive fields and costs."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from pixelwise.errors import SettingsError
from pixelwise.models.description.activations import Kept, kept
from pixelwise.models.description.rows import Row, rows_of
from pixelwise.models.description.text import Description, span_words
from pixelwise.models.description.trace import trace
from pixelwise.models.segmenter import (
    ByteBands,
    InputBands,
    Segmenter,
    build_segmenter,
    scale_ratio,
    scaled_side,
)
from pixelwise.phrases import first_line
from pixelwise.settings import Settings


class Branch(NamedTuple):
    """What one part of the head looks at."""

    name: str
    extent: int | None  # input pixels from its first to its last position; None for the whole image
    sentence: str


@dataclass(frozen=True)
class Reach:
    """What the chosen head sees, in pixels of the images, to compare with the sizes of objects."""

    algorithm: str
    backbone: str
    crop_size: int
    stride: int  # from one position of the trunk's last map to the next
    receptive_field: int  # of one position there, by kernels
    whole_image: bool  # whether it sees the whole image besides, through a mean or attention
    branches: tuple[Branch, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for the trunk and one for each branch."""
        besides = " and, through a mean or attention, the whole image" if self.whole_image else ""
        trunk = (
            f"One position of the last feature map of {self.backbone} sees {self.receptive_field} px{besides}; "
            f"positions are {self.stride} px apart."
        )
        return trunk, *(branch.sentence for branch in self.branches)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON has it; an extent of null is the whole image."""
        return {**dataclasses.asdict(self), "branches": [branch._asdict() for branch in self.branches]}


def describe(settings: Settings, num_classes: int, *, bands: InputBands | None = None) -> Description:
    """The network of `settings`, from a run on PyTorch's meta device: without weights, memory or arithmetic.

    `bands` are those of the images; where no data is known there are as many as the settings name, else three. With an
    `input_scale` rows, strides and fields are those of the scaled image, which the network sees.

    Raises:
        SettingsError: an unknown backbone, or one whose forward pass needs real numbers.
    """
    bands = bands or ByteBands(len(settings.bands) or 3)
    # Built for the scaled image: so all that is counted is what trunk and head do.
    model = build_on_meta(settings.changed(input_scale=1.0), num_classes, bands)
    side = scaled_side(settings.crop_size, scale_ratio(settings.input_scale))
    padded = side + model.backbone.padding(side, side)[0]
    images = torch.zeros(2, bands.count, side, side, dtype=torch.uint8, device="meta")
    model.eval()
    model.training = True  # of the network alone: its parts run as in prediction, and the auxiliary head runs too
    try:
        operations = trace(model, images[:1], padded=(padded, padded))
        activations = kept(model, images)  # of two images: BatchNorm refuses one value per channel
    except (NotImplementedError, RuntimeError) as error:
        raise SettingsError(
            f"backbone {settings.backbone!r} cannot be described: it does not run on PyTorch's meta device "
            f"({first_line(error)}). It can still be trained; describe another of its family."
        ) from error
    # The loss keeps the logarithms of the probabilities, in float32 whatever the precision.
    loss = 4 * num_classes * settings.crop_size**2
    for head in ("",) if model.auxiliary is None else ("", "auxiliary"):
        activations[head] = Kept(*(loss + size for size in activations.get(head, Kept(0, 0))))
    info: Any = model.backbone.trunk.feature_info
    levels = (f"pyramid.{i}" for i in range(len(model.backbone.pyramid or ())))
    rows = rows_of(model, operations, activations, taps=[*info.module_name(), *levels], side=padded)
    return Description(
        algorithm=settings.algorithm,
        backbone=settings.backbone,
        crop_size=settings.crop_size,
        input_scale=settings.input_scale,
        seen_size=side,
        padded_size=padded,
        num_classes=num_classes,
        output_stride=int(model.backbone.strides[-1]),
        note=model.backbone.note,
        rows=rows if side == settings.crop_size else (*rows[:-1], _enlarged(rows[-1], settings)),
    )


def reach(settings: Settings) -> Reach:
    """What the head of `settings` sees of a crop, branch by branch. Raises SettingsError as `describe` does."""
    found = describe(settings, settings.num_classes or 2)

    def given(pixels: int) -> int:
        """Pixels of the image as it is given."""
        return round(pixels / found.input_scale)

    return Reach(
        algorithm=found.algorithm,
        backbone=found.backbone,
        crop_size=found.crop_size,
        stride=given(found.output_stride),
        receptive_field=given(found.trunk.receptive_field),
        whole_image=found.trunk.whole_image,
        branches=tuple(
            Branch(row.name, None if row.reach is None else given(row.reach), span_words(row, found.input_scale))
            for row in found.head
            if row.kernel > 1 or row.reach is None
        ),
    )


def _enlarged(row: Row, settings: Settings) -> Row:
    """The last row, which ends at the size of the images as they are given."""
    side = settings.crop_size
    return dataclasses.replace(row, height=side, width=side, stride=round(settings.input_scale, 2))


def build_on_meta(settings: Settings, num_classes: int, bands: InputBands | None) -> Segmenter:
    """The network of `settings` on PyTorch's meta device: shapes alone, without weights or memory."""
    try:
        with torch.device("meta"):
            return build_segmenter(settings, num_classes, load_weights=False, bands=bands)
    except (SettingsError, NotImplementedError, RuntimeError):
        # Some trunks read numbers back while they are built, which the meta device does not have.
        return build_segmenter(settings, num_classes, load_weights=False, bands=bands).to("meta")
