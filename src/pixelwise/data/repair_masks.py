"""Decode a mask of any kind into values and the colours they show, before it is decided what they mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.label_map import LabelMap
from pixelwise.data.reading import load, mask_values, open_image, to_rgb
from pixelwise.data.refusals import MASK_EXPECTED, count_ids, wrong_mask
from pixelwise.data.smoothing import BLENDED_SHARE
from pixelwise.labels import IGNORE, Color, SourceValue

FEW_COLORS = 64
"""With more colours a mask is a picture and no code of classes."""

_LARGEST = 65535
_BLEND_TOLERANCE = 8  # of 255: blends are rounded, and some tools blend in another colour space


class RawMask(NamedTuple):
    """A decoded mask whose values have no meaning yet.

    Kinds: "gray" and "palette" (8 bits), "1-bit", "16-bit", "colors", and "mapped" where a label map was applied.
    """

    kind: str
    image: Image.Image  # mode "L"; "I;16" of the kind "16-bit"; "RGB" of the kind "colors"
    counts: dict[SourceValue, int]  # pixels by value, or by colour of the kind "colors"
    shown: dict[SourceValue, Color]  # the colour in which viewers show each value; empty for 16-bit and mapped
    format: str  # of the file: "PNG", "GIF", ...
    mapped: dict[int, int]  # what the label map made of each value in the file; empty without one


def read_raw(path: Path, label_map: LabelMap | None = None) -> RawMask:
    """Decode a mask file.

    Raises:
        FileFault: it is damaged, was saved with loss, has more than FEW_COLORS colours or colours that are blends of
            their neighbours, or its values are no whole numbers from 0 to 65535.
    """
    opened = open_image(path)
    file_format = opened.format or ""
    if file_format in ("JPEG", "WEBP"):
        raise FileFault(wrong_mask(path, opened))
    if opened.mode in ("1", "L", "P"):
        raw = _of_8_bits(opened, path, file_format)
        return raw if label_map is None else _through_map(raw, label_map)
    load(opened, path)
    if opened.mode.startswith("I") or opened.mode == "F":
        return _of_16_bits(opened, path, file_format)
    return _of_colors(opened, path, file_format)


def to_ids(raw: RawMask, ids: Mapping[SourceValue, int]) -> Image.Image:
    """A mode "L" mask of class ids; what `ids` does not list becomes IGNORE."""
    if raw.image.mode == "L":
        return raw.image.point([ids.get(value, IGNORE) for value in range(256)])
    pixels = np.asarray(raw.image)
    if raw.kind == "16-bit":
        table = np.full(_LARGEST + 1, IGNORE, dtype=np.uint8)
        for value, class_id in ids.items():
            table[value] = class_id
        return Image.fromarray(table[pixels])
    codes = _codes(pixels)
    result = np.full(codes.shape, IGNORE, dtype=np.uint8)
    for color in raw.counts:
        assert isinstance(color, tuple)
        red, green, blue = color
        result[codes == (red << 16 | green << 8 | blue)] = ids.get(color, IGNORE)
    return Image.fromarray(result)


def _of_8_bits(opened: Image.Image, path: Path, file_format: str) -> RawMask:
    kind = {"1": "1-bit", "L": "gray", "P": "palette"}[opened.mode]
    values = mask_values(opened, path)
    counts: dict[SourceValue, int] = dict(count_ids(values).items())
    palette = opened.getpalette("RGB") or []
    shown: dict[SourceValue, Color] = {}
    for value in count_ids(values):
        gray = IGNORE * value if kind == "1-bit" else value
        shown[value] = (gray, gray, gray)
        if kind == "palette":
            red, green, blue = (*palette[3 * value : 3 * value + 3], 0, 0, 0)[:3]  # past the palette is black
            shown[value] = (red, green, blue)
    return RawMask(kind, values, counts, shown, file_format, {})


def _through_map(raw: RawMask, label_map: LabelMap) -> RawMask:
    image = label_map.apply(raw.image)
    mapped = {
        value: label_map.table[value] if label_map.table[value] >= 0 else IGNORE for value in count_ids(raw.image)
    }
    counts: dict[SourceValue, int] = dict(count_ids(image).items())
    return RawMask("mapped", image, counts, {}, raw.format, mapped)


def _of_16_bits(opened: Image.Image, path: Path, file_format: str) -> RawMask:
    values = np.asarray(opened)
    whole = np.issubdtype(values.dtype, np.integer) or bool(np.all(values == np.floor(values)))
    if not whole or values.min() < 0 or values.max() > _LARGEST:
        found = f"holds numbers from {values.min()} to {values.max()}{'' if whole else ', not all of them whole'}"
        remedy = "Export the mask again as class ids."
        raise FileFault(Finding(path, found, MASK_EXPECTED, remedy, "mask-16-bit"))
    small = values.astype(np.uint16)
    present, counts = np.unique(small, return_counts=True)
    counted: dict[SourceValue, int] = dict(zip(present.tolist(), counts.tolist(), strict=True))
    return RawMask("16-bit", Image.fromarray(small), counted, {}, file_format, {})


def _of_colors(opened: Image.Image, path: Path, file_format: str) -> RawMask:
    rgb = to_rgb(opened)
    counted = rgb.getcolors(maxcolors=FEW_COLORS)
    remedy = "Export the mask again without smoothing and compression, as class ids in an 8-bit PNG."
    if not counted:
        found = f"has more than {FEW_COLORS} colours"
        raise FileFault(Finding(path, found, MASK_EXPECTED, remedy, "mask-rgb"))
    if len(counted) > 2 and _blended_share(np.asarray(rgb)) > BLENDED_SHARE:
        found = f"has {len(counted)} colours, of which many only blend the two regions they lie between"
        raise FileFault(Finding(path, found, "one colour for each class", remedy, "mask-smoothed"))
    counts: dict[SourceValue, int] = {}
    shown: dict[SourceValue, Color] = {}
    for count, color in counted:
        assert isinstance(color, tuple)
        red, green, blue = color
        counts[red, green, blue] = count
        shown[red, green, blue] = (red, green, blue)
    return RawMask("colors", rgb, counts, shown, file_format, {})


def _codes(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """(H, W) 0xRRGGBB of (H, W, 3)."""
    red, green, blue = (pixels[..., i].astype(np.uint32) for i in range(3))
    codes: npt.NDArray[np.uint32] = (red << 16 | green << 8 | blue).astype(np.uint32)
    return codes


def _blended_share(pixels: npt.NDArray[np.uint8]) -> float:
    """Of the borders in (H, W, 3) colours, the share that runs through a blend of the two sides, 0 to 1.

    As `smoothing.share_between`, for colours: a blend lies on the straight line between two colours. Outlines of a
    colour of their own, which clean masks have, do not.
    """
    blended, steps = 0, 0
    for lines in (pixels, pixels.transpose(1, 0, 2)):
        codes = _codes(lines)
        before, here, after = codes[:, :-2], codes[:, 1:-1], codes[:, 2:]
        crossing = before != after
        steps += int(np.count_nonzero(crossing))
        rows, columns = np.nonzero(crossing & (here != before) & (here != after))
        start, middle, end = (lines[rows, columns + i].astype(np.float32) for i in range(3))
        way = end - start
        part = ((middle - start) * way).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1)
        off = np.abs(start + part[:, None] * way - middle).max(axis=1, initial=0)
        blended += int(np.count_nonzero((part > 0) & (part < 1) & (off <= _BLEND_TOLERANCE)))
    return blended / steps if steps else 0.0
