"""What is wrong with a file: the findings that reading and checking share."""

from collections.abc import Container, Mapping
from pathlib import Path

from PIL import Image

from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.decoders.formats import IMAGE_FORMATS
from pixelwise.data.findings import Box, Finding
from pixelwise.labels import IGNORE, MAX_CLASSES
from pixelwise.phrases import listed, shortened

IMAGE_EXPECTED = f"a complete image ({IMAGE_FORMATS})"
MASK_EXPECTED = "an 8-bit PNG of one channel whose values are class ids"
NO_BYTES = "is empty (0 bytes)"

FEW_COLORS = 64
"""With more colours a mask is a picture and no code of classes."""

_SAVED = "Save it as 8-bit PNG of one channel; `--fix` or `pixelwise convert id-masks` does."
_TRUNCATED = ("truncated", "unexpected end", "eof", "premature")


def count_ids(mask: Image.Image) -> dict[int, int]:
    """{class id: pixels} of a mode "L" mask, IGNORE included."""
    return {value: count for value, count in enumerate(mask.histogram()) if count}


def unknown_ids(path: Path, mask: Image.Image, counts: Mapping[int, int], num_classes: int | None) -> Finding | None:
    """The fault of a mode "L" mask whose `counts` show values that are neither a class id nor IGNORE.

    `num_classes` None: as many as there can be.
    """
    most = MAX_CLASSES if num_classes is None else num_classes
    unknown = {value: count for value, count in counts.items() if most <= value != IGNORE}
    if not unknown:
        return None
    place = box_of(mask, unknown)
    values = listed((f"{value} ({count} px)" for value, count in unknown.items()), 8)
    remedy = "Correct the mask, or num_classes or classes.json if the class exists."
    if num_classes is None:
        remedy = f"Number the classes 0, 1, 2, ..., as `--fix` does; if more than {MAX_CLASSES} occur, unite some."
    found = f"has the values {values}, from column {place[0]}, row {place[1]} on"
    return Finding(path, found, f"0 to {most - 1} or {IGNORE} (ignored)", remedy, "id-out-of-range", place)


def box_of(mask: Image.Image, values: Container[int]) -> Box:
    """(left, top, right, bottom) around the pixels of a mode "L" mask that have one of `values`."""
    chosen = mask.point([255 if value in values else 0 for value in range(256)])
    return chosen.getbbox() or (0, 0, *mask.size)


def unequal_sizes(
    pair: Pair, image_size: tuple[int, int], mask_size: tuple[int, int], *, turned: bool = False
) -> Finding:
    """The fault of a mask that does not cover its upright image; sizes are (width, height).

    `turned` says that the image lies on its side and stands by its EXIF orientation.
    """
    (width, height), (mask_width, mask_height) = image_size, mask_size
    code, how, remedy = "size-mismatch", "", "Export the mask at the image's size, or remove the pair."
    if image_size == mask_size[::-1]:
        code, how, remedy = "size-rotated", ", with the sides exchanged", "Turn the mask by 90 degrees as its image is."
        if turned:
            code, how = "size-exif", " when upright by its EXIF orientation"
            remedy = "Turn the mask as the image is shown; `--fix` does."
    elif _is_scaled(image_size, mask_size):
        code, how = "size-scaled", f", {width / mask_width:.2f} times as wide and as high"
        remedy = "Export the mask at the image's size; `--fix` enlarges or reduces it without smoothing."
    found = f"is {mask_width} x {mask_height} px but its image {pair.image.name} is {width} x {height} px{how}"
    return Finding(pair.mask or pair.image, found, "equal sizes", remedy, code, other=pair.image)


def _is_scaled(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have one shape, but for rounding; sizes a pixel or two apart are a slip and no scale."""
    factor = size[0] / other[0]
    off = abs(size[1] - other[1] * factor)
    return off <= (1 + factor) / 2 and all(abs(a - b) > 2 for a, b in zip(size, other, strict=True))


def unreadable(path: Path, reason: Exception | str, expected: str) -> Finding:
    """The fault of a file that does not decode."""
    code = "unreadable-file"
    if isinstance(reason, Exception):
        code = "truncated-file" if any(word in str(reason).lower() for word in _TRUNCATED) else code
        reason = f"cannot be decoded ({_one_line(reason)})"
    elif reason == NO_BYTES:
        code = "empty-file"
    return Finding(path, reason, expected, "Replace the file or remove the pair.", code)


def array_mask(path: Path) -> Finding:
    """The fault of a mask that is an .npy file."""
    return Finding(path, "is a NumPy array", MASK_EXPECTED, _SAVED, "mask-format")


def too_large(path: Path, size: tuple[int, int], most: int) -> Finding:
    """The fault of an image of more than `most` pixels; `size` is (width, height)."""
    limit = f"at most {most // 10**6} million pixels" if most % 10**6 == 0 else f"at most {most} pixels"
    return Finding(path, f"is {size[0]} x {size[1]} px", limit, "Cut it into tiles.", "decompression-bomb")


def _one_line(error: Exception) -> str:
    """What a decoder says, which may be a page with the reasons of all its plug-ins."""
    return shortened(" ".join(str(error).split()) or type(error).__name__, 200)


def foreign_mask(path: Path, found: str) -> Finding:
    """The fault of a mask in a format that images alone may have."""
    return Finding(path, found, MASK_EXPECTED, "Save its class ids as 8-bit PNG of one channel.", "mask-format")


def wrong_mask(path: Path, mask: Image.Image) -> Finding:
    """The fault of a file that holds something other than class ids."""
    if mask.format in ("JPEG", "WEBP"):
        code, found = "mask-lossy", f"is a {mask.format}"
        remedy = "Such files change class ids; export the mask again as PNG."
    elif mask.format != "PNG":
        code, found = "mask-format", f"is a {mask.format}"
        remedy = _SAVED
    elif mask.mode.startswith("I"):
        code, found = "mask-16-bit", "has 16 bits per pixel"
        remedy = "Save the class ids with 8 bits; instance ids are not classes."
    else:
        colors = _colors(mask)
        code, found = "mask-colors" if colors else "mask-rgb", f"has the channels {'+'.join(mask.getbands())}{colors}"
        remedy = (
            "Replace each colour by its class id, in one channel; `--fix` does, or `pixelwise convert color-masks`."
        )
        if "A" in mask.getbands() and _varies(mask):
            found += " and transparency that varies, in which the mask may be drawn"
        if not colors:
            found += f" and more than {FEW_COLORS} colours"
            remedy = "Export the mask again without smoothing and compression, as class ids in an 8-bit PNG."
    return Finding(path, found, MASK_EXPECTED, remedy, code)


def _varies(mask: Image.Image) -> bool:
    try:
        low, high = mask.getchannel("A").getextrema()
    except Exception:  # broken as well; the channels are fault enough
        return False
    return low != high


def _colors(mask: Image.Image) -> str:
    """The colours of a colour mask if they are few, as people need them to make a table of classes."""
    try:
        colors = mask.convert("RGB").getcolors(maxcolors=FEW_COLORS)
    except Exception:  # broken as well; the channels are fault enough
        return ""
    if not colors:
        return ""
    most = sorted(colors, key=lambda entry: -entry[0])
    texts = ("#{:02x}{:02x}{:02x}".format(*color) for _, color in most if isinstance(color, tuple))
    return f" and {len(colors)} colours ({listed(texts, 8)})"
