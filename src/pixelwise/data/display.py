"""Display: the RGB picture that people are shown of an image of any depth and bands, and how it was made."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.bands import BYTE, QUANTILES, Bands
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage, PixelArray
from pixelwise.data.planes import Picture, Planes, chosen_values, deep
from pixelwise.errors import SettingsError
from pixelwise.phrases import counted
from pixelwise.settings import BAND_LIST

_Range = tuple[float, float] | None
"""The values that are black and full; None: those of the image itself."""

_UNKNOWN = (math.nan, math.nan)
_OWN = f"each image's own {100 * QUANTILES[0]:g}th to {100 * QUANTILES[1]:g}th percentile"


@dataclass(frozen=True)
class Display:
    """One band in gray, or three as red, green and blue, each stretched from its range to 0..255."""

    bands: Bands
    """What the images are, and what of them a network is given."""
    show: tuple[int, ...]
    """One number of a band or three, counted from 1 in the file."""

    @classmethod
    def of(cls, bands: Bands, show: Sequence[int] | str | None = None) -> "Display":
        """Of the bands that people ask for; else of the network's first three, or of its first one.

        Raises:
            SettingsError: `show` is neither one number nor three, or names a band that the images do not have.
        """
        if show is None:
            return cls(bands, bands.chosen[: 3 if bands.count >= 3 else 1])
        wanted = shown_bands(show)
        if max(wanted) > bands.in_file:
            raise SettingsError(
                f"show_bands is {','.join(map(str, wanted))}, but the images have {counted(bands.in_file, 'band')}. "
                f"Give numbers from 1 to {bands.in_file}."
            )
        return cls(bands, wanted)

    @classmethod
    def of_itself(cls, image: DeepImage, show: Sequence[int] = ()) -> "Display":
        """Of one image alone, whatever the others are: its first three bands, or its first one."""
        known = [band for band in show if band <= image.bands] if max(show, default=0) <= image.bands else []
        first = tuple(known) or ((1, 2, 3) if image.bands >= 3 else (1,))
        return cls(Bands(image.depth, image.bands, (), (), image.is_color), first)

    @property
    def ranges(self) -> tuple[_Range, ...]:
        """Of each shown band: that of the network; else all of 8 bits, and of deeper bands the image's own."""
        known = dict(zip(self.bands.chosen, self.bands.ranges, strict=True))
        return tuple(known.get(band, BYTE if self.bands.depth == "uint8" else None) for band in self.show)

    @property
    def is_plain(self) -> bool:
        """Whether the picture is the image itself, so that nothing needs to be said."""
        return self.bands.is_photograph and self.show == (1, 2, 3) and set(self.ranges) == {BYTE}

    def picture(self, image: Picture | DeepImage, source: Path | bytes | None = None) -> Image.Image:
        """RGB of an image; where the network is not given all shown bands, planes need the `source` to read the rest.

        Raises:
            DataError: `source` cannot be read, or an image does not have the bands.
        """
        if isinstance(image, Image.Image) and self.is_plain:
            return image
        return _stretched(self._values(image, source), self.ranges)

    def text(self) -> str:
        """Such as "Shown: bands 4, 3, 2 as red, green, blue, stretched from 312..4071"; "" of a photograph as it is."""
        if self.is_plain:
            return ""
        numbers = ", ".join(map(str, self.show))
        which = f"bands {numbers} as red, green, blue" if len(self.show) == 3 else f"band {numbers} in gray"
        if set(self.ranges) == {BYTE} and self.bands.depth == "uint8":
            return f"Shown: {which}"
        texts = list(_texts(self.ranges))
        return f"Shown: {which}, stretched from {texts[0] if len(set(texts)) == 1 else ', '.join(texts)}"

    def _values(self, image: Picture | DeepImage, source: Path | bytes | None) -> PixelArray:
        """(1 or 3, H, W) in the files' depth."""
        if isinstance(image, Planes) and set(self.show) <= set(self.bands.chosen):
            return image.values()[[self.bands.chosen.index(band) for band in self.show]]
        if isinstance(image, Planes):
            if source is None:
                raise ValueError("planes of other bands, and no file to read those that are shown")
            image = deep(decode(source))
        elif isinstance(image, Image.Image):  # which is RGB and upright
            image = DeepImage(np.asarray(image), is_color=True)
        wanted = replace(self.bands, chosen=self.show, ranges=(_UNKNOWN,) * len(self.show))
        return chosen_values(image, wanted, source if isinstance(source, Path) else Path("image"))


def shown_bands(show: Sequence[int] | str) -> tuple[int, ...]:
    """What `show_bands` says: one number from 1 on or three.

    Raises:
        SettingsError: it says something else.
    """
    try:
        wanted: tuple[int, ...] = BAND_LIST.convert(show)
    except (TypeError, ValueError, OverflowError):
        wanted = ()
    if len(wanted) not in (1, 3) or min(wanted) < 1:
        raise SettingsError(f"show_bands is {show!r}, expected one number of a band from 1 on, or three such as 4,3,2.")
    return wanted


def _texts(ranges: Sequence[_Range]) -> Iterator[str]:
    return (_OWN if each is None else f"{each[0]:g}..{each[1]:g}" for each in ranges)


def _stretched(values: PixelArray, ranges: Sequence[_Range]) -> Image.Image:
    """(1 or 3, H, W) as RGB of 8 bits."""
    bands = [_bytes(band, own_range(band) if each is None else each) for band, each in zip(values, ranges, strict=True)]
    return Image.fromarray(bands[0]).convert("RGB") if len(bands) == 1 else Image.fromarray(np.stack(bands, axis=2))


def _bytes(band: PixelArray, limits: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """(H, W) from the limits to 0..255; what is no number is black."""
    if band.dtype == np.uint8 and limits == BYTE:
        return band
    low, high = limits
    share = np.nan_to_num((band.astype(np.float64) - low) / (high - low), nan=0.0)
    stretched: npt.NDArray[Any] = np.rint(255 * np.clip(share, 0, 1))
    return stretched.astype(np.uint8)


def own_range(band: PixelArray) -> tuple[float, float]:
    """The 0.5th and the 99.5th percentile of the numbers in one band; a step of 1 where all are the same."""
    finite = band[np.isfinite(band)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.quantile(finite.astype(np.float64), QUANTILES)
    return float(low), float(high if high > low else low + 1)
