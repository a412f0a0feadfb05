"""Facts of a split in numbers: balance of the classes, sizes of the images, mean and spread of the pixels."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from PIL import Image

from pixelwise.data.facts.regions import ClassRegions
from pixelwise.data.reading import to_rgb
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.values import strict_json

Size = tuple[int, int]
"""(width, height) in pixels."""

_SMALLEST_PERCENTAGE = 0.1
_SIZES_LISTED = 100
_QUANTILES = (("smallest", 1.0), ("median", 0.5), ("largest", 0.0))


@dataclass(frozen=True)
class ClassBalance:
    """How often each of K classes occurs, over pixels and over images."""

    pixels: tuple[int, ...]  # K numbers: labelled pixels of the class
    images: tuple[int, ...]  # K numbers: masks with at least one pixel of it
    pixels_where_present: tuple[int, ...]  # K numbers: labelled pixels of those masks
    num_images: int  # masks that were read
    ignored_pixels: int = 0

    @property
    def pixel_shares(self) -> tuple[float, ...]:
        """K numbers from 0 to 1: shares of the labelled pixels; NaN if nothing is labelled."""
        total = sum(self.pixels)
        return tuple(count / total if total else math.nan for count in self.pixels)

    @property
    def image_shares(self) -> tuple[float, ...]:
        """K numbers from 0 to 1: shares of the masks that have the class; NaN if there is no mask."""
        return tuple(count / self.num_images if self.num_images else math.nan for count in self.images)

    @property
    def ignored_share(self) -> float:
        """Share of all pixels that are ignored, from 0 to 1; NaN if there is no pixel."""
        total = sum(self.pixels) + self.ignored_pixels
        return self.ignored_pixels / total if total else math.nan

    @property
    def present(self) -> tuple[int, ...]:
        """The classes that have pixels, the most frequent first."""
        return tuple(sorted((i for i, count in enumerate(self.pixels) if count), key=lambda i: -self.pixels[i]))

    @property
    def imbalance_ratio(self) -> float:
        """Largest percentage of pixels / max(smallest percentage, 0.1), as course material defines it.

        Only classes that have pixels count: an absent class is another problem, which no weight answers. The floor of
        0.1 % bounds the ratio by 1000. NaN if nothing is labelled.
        """
        if not self.present:
            return math.nan
        percentages = [100 * self.pixel_shares[i] for i in self.present]
        return percentages[0] / max(percentages[-1], _SMALLEST_PERCENTAGE)


@dataclass(frozen=True)
class ImageSizes:
    """How many images have each (width, height)."""

    counts: Mapping[Size, int]

    @property
    def num_images(self) -> int:
        """All images."""
        return sum(self.counts.values())

    def most_frequent(self, number: int) -> list[tuple[Size, int]]:
        """The `number` most frequent sizes with their images, among equals the smaller first."""
        return sorted(self.counts.items(), key=lambda entry: (-entry[1], entry[0]))[:number]

    def shorter_side(self, share: float) -> int:
        """The largest number of pixels that the shorter side of at least `share` (0 to 1) of the images has.

        Raises:
            DataError: there is no image.
        """
        sides = sorted(((min(size), count) for size, count in self.counts.items()), reverse=True)
        needed, seen = share * self.num_images, 0
        for side, count in sides:
            seen += count
            if seen >= needed:
                return side
        raise DataError("No image could be read, so that there is no size to go by. Correct the images first.")

    def to_json(self) -> dict[str, Any]:
        """The range of both sides and the sizes, the most frequent first; of more than 100 sizes the first 100."""
        listed = [{"width": w, "height": h, "images": count} for (w, h), count in self.most_frequent(_SIZES_LISTED)]
        shorter = {name: self.shorter_side(share) for name, share in _QUANTILES} if self.counts else None
        return {"images": self.num_images, "different": len(self.counts), "shorter_side": shorter, "sizes": listed}


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and standard deviation of red, green and blue over all pixels, from 0 (black) to 1; NaN without pixels.

    Of deep images they are those of each band that a network is given, in the range of its values.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_pixels: int

    def to_json(self) -> dict[str, Any]:
        """The fields by name, null for NaN."""
        return {**strict_json({"mean": self.mean, "std": self.std}), "pixels": self.num_pixels}


class PixelMoments:
    """Mean and standard deviation of pixels, image by image; exact, from counts of the 256 values of each channel."""

    def __init__(self) -> None:
        self._counts = np.zeros((3, 256), dtype=np.int64)

    def add(self, image: Image.Image) -> None:
        """Count the pixels of an image; one that is not RGB is read as training reads it."""
        if image.mode == "L":
            self._counts += np.array(image.histogram())
            return
        image = image if image.mode == "RGB" else to_rgb(image)
        self._counts += np.array(image.histogram()).reshape(3, 256)

    def __iadd__(self, other: Self) -> Self:
        """Take in what another one counted."""
        self._counts += other._counts
        return self

    def result(self) -> PixelStatistics:
        """The statistics of all pixels that were added, every pixel of every image with the same weight."""
        red, green, blue = (_moments(channel) for channel in self._counts.tolist())
        return PixelStatistics((red[0], green[0], blue[0]), (red[1], green[1], blue[1]), int(self._counts[0].sum()))


def _moments(counts: list[int]) -> tuple[float, float]:
    """Mean and standard deviation / 255 of the values 0 to 255 that occur `counts` times each."""
    number = sum(counts)
    if not number:
        return math.nan, math.nan
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    # Whole numbers of any size: nothing cancels in this difference.
    variance = (number * squares - total * total) / (number * number)
    return total / number / 255, math.sqrt(variance) / 255


@dataclass(frozen=True)
class Facts:
    """Everything that a split says about itself; `regions` and `balance` have an entry for each class of `labels`."""

    labels: LabelTable
    balance: ClassBalance
    sizes: ImageSizes
    regions: tuple[ClassRegions, ...]
    pixels: PixelStatistics

    def to_json(self) -> dict[str, Any]:
        """All numbers, null where there is none."""
        content = {
            "classes": list(self._classes()),
            "imbalance_ratio": self.balance.imbalance_ratio,
            "masks": self.balance.num_images,
            "ignored_share": self.balance.ignored_share,
            "image_sizes": self.sizes.to_json(),
            "pixel_values": self.pixels.to_json(),
        }
        return strict_json(content)

    def _classes(self) -> Iterator[dict[str, Any]]:
        pixel_shares, image_shares = self.balance.pixel_shares, self.balance.image_shares
        for i, name in enumerate(self.labels.names):
            yield {
                "id": i,
                "name": name,
                "pixels": self.balance.pixels[i],
                "pixel_share": pixel_shares[i],
                "images": self.balance.images[i],
                "image_share": image_shares[i],
                "regions": self.regions[i].to_json(),
            }
