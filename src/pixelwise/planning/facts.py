"""Facts of a checked dataset that decide how it is trained on."""

import statistics
from dataclasses import dataclass
from typing import Any, Self

from pixelwise.data.check.dataset import CheckReport
from pixelwise.data.facts.orientation import Orientation, orientation_of
from pixelwise.data.facts.statistics import ClassBalance, ImageSizes
from pixelwise.data.facts.widths import widths_of
from pixelwise.labels import LabelTable
from pixelwise.phrases import length
from pixelwise.values import strict_json

_FILLED = 0.75
"""So many of the images are at least as large as the sides that are planned with."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What of the training images and masks decides the settings.

    Attributes:
        images, validation_images: how many there are.
        labels: the classes.
        balance: how often each class occurs.
        sizes: of the training images.
        widths: of the objects of each class that has some, by class id: their typical width in pixels of the image.
        orientation: whether up and down, left and right, rows and columns differ.
        bands: how many bands the network is given.
    """

    images: int
    validation_images: int
    labels: LabelTable
    balance: ClassBalance
    sizes: ImageSizes
    widths: dict[int, float]
    orientation: Orientation
    bands: int = 3

    @classmethod
    def of(cls, report: CheckReport) -> Self:
        """What a sound report and a bounded look at the training pairs say."""
        train = report.splits["train"]
        return cls(
            images=len(train.pairs),
            validation_images=len(report.pairs["validation"]),
            labels=report.labels,
            balance=train.balance,
            sizes=train.sizes,
            widths=widths_of(train.pairs, report.labels),
            orientation=orientation_of(train.pairs, report.labels, report.bands),
            bands=report.bands.count,
        )

    @property
    def side(self) -> int:
        """The shorter side that at least three quarters of the images have, in pixels."""
        return self.sizes.shorter_side(_FILLED)

    @property
    def objects(self) -> dict[int, float]:
        """The widths of the classes that are objects: of all but the most frequent one, which lies around them."""
        return {class_id: width for class_id, width in self.widths.items() if class_id != self.balance.present[0]}

    @property
    def width(self) -> float | None:
        """The median of the objects' widths over the classes, in pixels; None where there is none."""
        return statistics.median(self.objects.values()) if self.objects else None

    @property
    def width_text(self) -> str:
        """Where `width` comes from: "crack is 4.7 px wide", "half of 10 classes have objects narrower than 12 px"."""
        widths = self.objects
        if len(widths) == 1:
            class_id, width = next(iter(widths.items()))
            return f"{self.labels.names[class_id]} is {length(width)} wide"
        return f"objects of the middle one of {len(widths)} classes are {length(self.width or 0.0)} wide"

    def to_json(self) -> dict[str, Any]:
        """The numbers, by name."""
        names = self.labels.names
        content = {
            "images": self.images,
            "validation_images": self.validation_images,
            "classes": self.labels.num_classes,
            "bands": self.bands,
            "shorter_side_px": self.side,
            "widths_px": {names[class_id]: width for class_id, width in self.widths.items()},
            "imbalance_ratio": self.balance.imbalance_ratio,
            "orientation": self.orientation.to_json(),
        }
        return strict_json(content)
