"""What a mask file of any kind holds, before it is decided what its values and colours mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.reading import to_rgb
from pixelwise.data.refusals import FEW_COLORS, MASK_EXPECTED, count_ids
from pixelwise.labels import IGNORE, SOURCE_NUMBERS, Color, SourceValue

ALPHA = "A"
"""The channels of a mask that is drawn in its transparency: one colour everywhere, and alpha that varies.

A gray one is of the kind "gray", with the alpha for values; another is of the kind "colors", its colour on black."""

PALETTES = ("palette", "gray palette")
"""The kinds of masks that store indices into a palette."""


_BLANK = Image.new("L", (1, 1))


@dataclass(frozen=True)
class RawMask:
    """A decoded mask whose values have no meaning yet.

    Kinds: "1-bit", "gray" and "palette" (8 bits and less), "gray palette" (a GIF, which can hold gray only as a
    palette: where the colours in use are all gray, the gray counts), "16-bit" (numbers of more bits), "colors", and
    "mapped" where a label map was applied.
    """

    path: Path  # what errors call the file
    kind: str
    format: str  # of the file: "PNG", "GIF", ...
    channels: str  # of the file: "L", "R+G+B", ...
    image: Image.Image  # as stored: "RGB" of the kind "colors", "I;16", "I" or "F" of the kind "16-bit", else "L"
    shown: Mapping[int, Color] = field(default_factory=dict)  # how viewers show each value, of 8 bits and less
    counts: Mapping[SourceValue, int] = field(default_factory=dict)  # pixels by value or colour, once `counted`
    mapped: Mapping[int, int] = field(default_factory=dict)  # what a label map made of each value; empty without one

    def counted(self) -> "RawMask":
        """The same with `counts`: by value as stored, or by colour of the kind "colors".

        Raises:
            FileFault: it has more than FEW_COLORS colours, or as `values` does.
        """
        if self.kind != "colors":
            counts = count_ids(self.image) if self.image.mode == "L" else value_counts(self.values())
            return replace(self, counts=dict(counts.items()))
        colors = self.image.getcolors(maxcolors=FEW_COLORS)
        if not colors:
            found = f"has more than {FEW_COLORS} colours"
            remedy = "Export the mask again without smoothing and compression, as class ids in an 8-bit PNG."
            raise FileFault(Finding(self.path, found, MASK_EXPECTED, remedy, "mask-rgb"))
        return replace(self, counts={(c[0], c[1], c[2]): count for count, c in colors if isinstance(c, tuple)})

    def without_pixels(self) -> "RawMask":
        """The same with its counts alone, for as many masks as there may be."""
        return replace(self, image=_BLANK)

    def color_of(self, value: SourceValue) -> Color | None:
        """The colour in which viewers show a value; None of the kinds "16-bit" and "mapped"."""
        return value if isinstance(value, tuple) else self.shown.get(value)

    def values(self) -> npt.NDArray[Any]:
        """(H, W) numbers as they are in the file, uint8 or, of the kind "16-bit", as `whole_numbers` has them.

        Palettes give their indices, those of GIF their grays where these count; 1 bit gives 0 and 1, 2 and 4 bits 0..3
        and 0..15.

        Raises:
            FileFault: it has colours, or values that are none of SOURCE_NUMBERS.
        """
        if self.kind == "colors":
            raise self._colored()
        if self.kind == "gray palette":
            return self.gray()
        stored = np.asarray(self.image)
        return stored if self.image.mode == "L" else whole_numbers(stored, self.path)

    def gray(self) -> npt.NDArray[Any]:
        """(H, W) gray as it is seen: 0..255, palettes resolved and 1 bit as 0 and 255; 16 bits stay as they are.

        Raises:
            FileFault: as `values` does, or a palette has colours; gray in three channels is gray.
        """
        if self.kind == "16-bit":
            return self.values()
        if self.kind == "colors" and self.channels == ALPHA:  # one colour on black, the more the less transparent
            brightest: npt.NDArray[np.uint8] = np.asarray(self.image).max(axis=2)
            return np.asarray(255 * brightest.astype(np.uint16) // max(1, int(brightest.max())), dtype=np.uint8)
        colors = self.colors()
        gray = (colors & 0xFF).astype(np.uint8)
        if not np.array_equal(colors, gray * np.uint32(0x010101)):
            raise self._colored()
        return gray

    def colors(self) -> npt.NDArray[np.uint32]:
        """(H, W) colours 0xRRGGBB as they are seen, palettes resolved."""
        if self.image.mode == "L":
            table = np.zeros(256, dtype=np.uint32)
            for value, color in self.shown.items():
                table[value] = color_number(color)
            resolved: npt.NDArray[np.uint32] = table[np.asarray(self.image)]
            return resolved
        packed = np.frombuffer(to_rgb(self.image).tobytes("raw", "BGRX"), dtype="<u4")
        return packed.astype(np.uint32, copy=False).reshape(self.image.height, self.image.width)

    def through(self, label_map: LabelMap) -> "RawMask":
        """What a label map makes of it, counted; such a map knows values of 8 bits alone."""
        if self.image.mode != "L":
            return self
        values, table = Image.fromarray(self.values()), label_map.table
        mapped = {value: table[value] if table[value] >= 0 else IGNORE for value in count_ids(values)}
        return replace(self, kind="mapped", image=label_map.apply(values), shown={}, mapped=mapped).counted()

    def _colored(self) -> FileFault:
        finding = Finding(
            self.path, f"has colours (the channels {self.channels})", "one value for each pixel",
            "If its colours stand for classes, convert with `color-masks` and a table.", "mask-colors",
        )  # fmt: skip
        return FileFault(finding)


def to_ids(raw: RawMask, ids: Mapping[SourceValue, int]) -> Image.Image:
    """A mode "L" mask of class ids by the values or colours that `raw.counts` has; others become IGNORE."""
    if raw.image.mode == "L":
        return raw.image.point([ids.get(value, IGNORE) for value in range(256)])
    plane = raw.colors() if raw.kind == "colors" else raw.values()
    result = np.full(plane.shape, IGNORE, dtype=np.uint8)
    for value, class_id in ids.items():
        result[plane == (value if isinstance(value, int) else color_number(value))] = class_id
    return Image.fromarray(result)


def whole_numbers(values: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """`values` of any type as those of a mask: uint16, or int32 where some are negative.

    Raises:
        FileFault: fractions, NaN, or numbers that are none of SOURCE_NUMBERS.
    """
    numbers = values.astype(np.float64) if values.dtype.kind == "f" else values
    if numbers.dtype.kind not in "fiub":
        raise _no_numbers(path, f"holds {values.dtype} values")
    if numbers.dtype.kind == "f" and np.isnan(numbers).any():
        raise _no_numbers(path, f"has pixels that are no number (nan, on {np.count_nonzero(np.isnan(numbers))} px)")
    low, high = (numbers.min(), numbers.max()) if numbers.size else (0, 0)
    if not (low >= SOURCE_NUMBERS[0] and high <= SOURCE_NUMBERS[-1]):
        raise _no_numbers(path, f"has values from {low} to {high}")
    whole = numbers.astype(np.int32 if low < 0 else np.uint16)
    if not np.array_equal(whole, numbers):
        raise _no_numbers(path, f"has fractions: values from {low} to {high}, not all of them whole")
    return whole


def value_counts(plane: npt.NDArray[Any]) -> dict[int, int]:
    """{value: pixels} of a plane."""
    flat = plane.ravel()
    # Runs of one value are few in a mask, so that sorting them costs next to nothing.
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    values, runs = np.unique(flat[starts], return_inverse=True)
    pixels = np.bincount(runs, weights=np.diff(np.append(starts, flat.size)))
    return {int(value): int(count) for value, count in zip(values, pixels, strict=True)}


def color_number(color: Color) -> int:
    """A colour as `RawMask.colors` has it, 0xRRGGBB."""
    return (color[0] << 16) | (color[1] << 8) | color[2]


def numbered_color(number: int) -> Color:
    """(red, green, blue) of 0xRRGGBB."""
    return number >> 16, number >> 8 & 0xFF, number & 0xFF


def is_gray(color: Color) -> bool:
    """Whether the three channels are equal."""
    return color[0] == color[1] == color[2]


def _no_numbers(path: Path, found: str) -> FileFault:
    expected = f"whole numbers from {SOURCE_NUMBERS[0]} to {SOURCE_NUMBERS[-1]}, one for each pixel"
    return FileFault(Finding(path, found, expected, "Export the mask again as class ids.", "mask-16-bit"))
