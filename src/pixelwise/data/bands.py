"""Bands: what the network sees of an image of any depth, one rule for the whole dataset, kept with the model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pixelwise.data.decoders.deep import DEPTHS, DeepImage
from pixelwise.errors import DataError, SettingsError
from pixelwise.phrases import counted, listed
from pixelwise.settings import MOST_BANDS, Settings

BYTE = (0.0, 255.0)

QUANTILES = (0.005, 0.995)
"""Of the values of a band in the training images: what is 0 and what is 1 to the network."""

Samples = npt.NDArray[Any]  # (C, N) values of N pixels in all bands of the files, in their depth


class ImageKind(NamedTuple):
    """How deep an image is, and which bands it has."""

    depth: str  # one of DEPTHS
    bands: int
    is_color: bool

    @classmethod
    def of(cls, image: DeepImage) -> "ImageKind":
        """That of a decoded image."""
        return cls(image.depth, image.bands, image.is_color)

    @classmethod
    def of_photograph(cls) -> "ImageKind":
        """RGB of 8 bits, which everything becomes that Pillow opens as it is."""
        return cls("uint8", 3, True)

    def text(self) -> str:
        """Such as "4 bands of uint16"."""
        return f"{counted(self.bands, 'band')} of {self.depth}"


@dataclass(frozen=True)
class Bands:
    """Which bands of a file the network is given, of what depth, and the values of each that are 0 and 1 to it."""

    depth: str = "uint8"
    """Type of the values in the files: one of DEPTHS."""
    in_file: int = 3
    chosen: tuple[int, ...] = (1, 2, 3)
    """Numbers of the bands, counted from 1, in the order in which the network is given them."""
    ranges: tuple[tuple[float, float], ...] = (BYTE, BYTE, BYTE)
    """Of each chosen band; what lies outside becomes 0 or 1."""
    is_color: bool = True
    """Whether the files' first three bands are red, green and blue."""

    @property
    def kind(self) -> ImageKind:
        """What the files are."""
        return ImageKind(self.depth, self.in_file, self.is_color)

    @property
    def count(self) -> int:
        """How many bands the network is given."""
        return len(self.chosen)

    @property
    def is_photograph(self) -> bool:
        """Whether images are 8-bit RGB, or gray read as such: the path of Pillow, and of everything before bands."""
        return self.depth == "uint8" and self.is_color and self.in_file == 3 and self.chosen == (1, 2, 3)

    @property
    def shows_color(self) -> bool:
        """Whether the network's first three bands are red, green and blue."""
        return self.is_color and self.chosen[:3] == (1, 2, 3)

    @property
    def saturates(self) -> bool:
        """Whether there can be values outside the ranges."""
        return self.depth != "uint8" or any(each != BYTE for each in self.ranges)

    def values(self, shares: Sequence[float]) -> tuple[float, ...]:
        """In the files' own numbers what `shares` of the ranges are, one a band; whole where the depth is."""
        found = (low + share * (high - low) for share, (low, high) in zip(shares, self.ranges, strict=True))
        return tuple(found) if self.depth == "float32" else tuple(float(round(value)) for value in found)

    def to_json(self) -> dict[str, Any]:
        """For the bundle, the certificate and programs."""
        return {
            "depth": self.depth,
            "in_file": self.in_file,
            "chosen": list(self.chosen),
            "ranges": [list(each) for each in self.ranges],
            "is_color": self.is_color,
        }

    @classmethod
    def from_json(cls, content: Any, *, source: str) -> Self:
        """DataError where `content` is not what `to_json` gives."""
        try:
            ranges = tuple((float(low), float(high)) for low, high in content["ranges"])
            chosen = tuple(int(band) for band in content["chosen"])
            bands = cls(content["depth"], int(content["in_file"]), chosen, ranges, bool(content["is_color"]))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise DataError(f"{source}: 'bands' is damaged ({error!r}). Expected what Pixelwise wrote.") from None
        sound = bands.depth in DEPTHS and 1 <= bands.in_file <= MOST_BANDS and len(chosen) == len(ranges) > 0
        finite = all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in ranges)
        if not (sound and finite and all(1 <= band <= bands.in_file for band in chosen)):
            raise DataError(f"{source}: 'bands' is {content!r}. Expected a depth, bands of the file and their ranges.")
        return bands

    def text(self) -> str:
        """Such as "2 bands of uint16, all used; the network gets as 0 to 1: band 1 from 312 to 4071, ..."."""
        outside = " (values outside become 0 or 1)" if self.saturates else ""
        texts = [f"{low:g} to {high:g}" for low, high in self.ranges]
        if len(set(texts)) == 1:
            return f"{self.kind.text()}{self._used()}; the network gets {texts[0]} as 0 to 1{outside}"
        each = ", ".join(f"band {band} from {text}" for band, text in zip(self.chosen, texts, strict=True))
        return f"{self.kind.text()}{self._used()}; the network gets as 0 to 1: {each}{outside}"

    def _used(self) -> str:
        """Which of the bands are used, where there are several."""
        if self.in_file == 1:
            return ""
        if self.chosen == tuple(range(1, self.in_file + 1)):
            return ", all used"
        numbers = ", ".join(map(str, self.chosen))
        return f", of which {numbers} {'are used, in this order' if self.count > 1 else 'is used'}"


PHOTOGRAPH = Bands()
"""8-bit RGB, from 0 to 255: what all images are turned into unless the dataset's are deeper or have other bands."""


def chosen_bands(kind: ImageKind, settings: Settings) -> Bands:
    """The bands that a dataset of such images has; their ranges are still those of the type.

    Raises:
        SettingsError: `settings.bands` names one that the files do not have.
    """
    chosen = settings.bands or tuple(range(1, kind.bands + 1))
    if max(chosen) > kind.bands:
        raise SettingsError(
            f"bands is {_numbered(chosen)}, but the images have {counted(kind.bands, 'band')}. Give numbers from 1 to "
            f"{kind.bands}."
        )
    limits = (0.0, 1.0) if kind.depth == "float32" else _limits(kind.depth)
    return Bands(kind.depth, kind.bands, chosen, (limits,) * len(chosen), kind.is_color)


def fitted(
    bands: Bands, settings: Settings, samples: Samples | None, stated: Sequence[tuple[float, float] | None]
) -> Bands:
    """`bands` with the ranges that `settings.value_range` asks for.

    `samples` are pixels of the training images; `stated` what the training files say of themselves.

    Raises:
        SettingsError: there are too few or too many numbers, or the files say nothing, or not all the same.
    """
    wanted = settings.value_range
    if isinstance(wanted, tuple):
        return replace(bands, ranges=_given(wanted, bands))
    if wanted == "file":
        return replace(bands, ranges=(_stated(stated),) * bands.count)
    if bands.depth == "uint8" or samples is None or samples.size == 0:
        return bands
    low, high = np.quantile(samples[[band - 1 for band in bands.chosen]].astype(np.float64), QUANTILES, axis=1)
    if bands.depth != "float32":
        low, high = np.floor(low), np.ceil(high)
    # One value throughout, as in a band that is empty, has no range: a step of 1 keeps it at 0.
    high = np.where(high > low, high, low + 1)
    return replace(bands, ranges=tuple(zip(low.tolist(), high.tolist(), strict=True)))


def _given(numbers: Sequence[float], bands: Bands) -> tuple[tuple[float, float], ...]:
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if len(pairs) not in (1, bands.count):
        raise SettingsError(
            f"value_range has {len(numbers)} numbers, expected 2, or {2 * bands.count} for the {bands.count} bands: "
            "the lowest and the highest value of each."
        )
    return pairs * bands.count if len(pairs) == 1 else pairs


def _stated(stated: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    known = {each for each in stated if each is not None}
    if len(known) != 1 or None in stated:
        texts = [f"{low:g} to {high:g}" for low, high in sorted(known)]
        found = f"the files say {listed(texts, 3)}" if known else "the files say nothing"
        if known and None in stated:
            found += " and some nothing"
        raise SettingsError(f"value_range is 'file', but {found}. Give numbers such as 0,4095, or 'data'.")
    return known.pop()


def _limits(depth: str) -> tuple[float, float]:
    limits = np.iinfo(depth)
    return float(limits.min), float(limits.max)


def _numbered(bands: Sequence[int]) -> str:
    return ",".join(map(str, bands))


def bands_of(facts: Mapping[str, Any], *, source: str) -> Bands:
    """The bands in a model's facts; those of photographs where it was made before there were others."""
    return Bands.from_json(facts["bands"], source=source) if "bands" in facts else PHOTOGRAPH
