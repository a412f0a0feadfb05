"""Decode one pair into a checked Sample: the only place where a file's pixels become RGB and class ids."""

import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.pairs import Fault, FileFault, Pair
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable

MAX_PIXELS = 500_000_000
"""Larger images are refused as a whole (2 GB decoded); cut them into tiles."""

_MASK_EXPECTED = "an 8-bit PNG of one channel whose values are class ids"
_IMAGE_EXPECTED = "a complete JPEG, PNG, WebP, BMP or TIFF image"
_EXIF_ORIENTATION = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_opening = threading.Lock()


class Sample(NamedTuple):
    """One image and its truth."""

    image: npt.NDArray[np.uint8]  # (3, H, W) RGB
    class_ids: npt.NDArray[np.uint8]  # (H, W), 0..K-1 or IGNORE


def read_image(source: Path | bytes | Image.Image) -> Image.Image:
    """An RGB image, upright by its EXIF orientation, from any mode Pillow reads; transparency is dropped.

    16-bit gray is divided by 257; of several frames the first counts.

    Raises:
        DataError: the file is missing, empty, broken, no image or above MAX_PIXELS.
    """
    image = source if isinstance(source, Image.Image) else open_image(source)
    name = source if isinstance(source, Path) else Path("image")
    try:
        image.load()
        return upright(to_rgb(image), orientation(image))
    except Exception as error:  # a decoder meets broken data with OSError, SyntaxError, struct.error ...
        raise FileFault(unreadable(name, error, _IMAGE_EXPECTED)) from None


def read_mask(path: Path, labels: LabelTable) -> Image.Image:
    """A mode "L" image of class ids, 0..K-1 or IGNORE; palette masks give their indices.

    Raises:
        DataError: the file is broken, not an 8-bit one-channel PNG or holds ids that `labels` lacks.
    """
    mask = decode_mask(path)
    fault = unknown_ids(path, count_ids(mask), labels.num_classes)
    if fault is not None:
        raise FileFault(fault)
    return mask


def read_pair(pair: Pair, labels: LabelTable) -> tuple[Image.Image, Image.Image]:
    """Image (RGB) and mask ("L", class ids) of equal size."""
    if pair.mask is None:
        raise DataError(f"{pair.image}: has no mask, and one is needed here. Give the folder of masks.")
    image, mask = read_image(pair.image), read_mask(pair.mask, labels)
    if image.size != mask.size:
        raise FileFault(unequal_sizes(pair, image.size, mask.size))
    return image, mask


def read_sample(pair: Pair, labels: LabelTable) -> Sample:
    """The whole image at its own size with its class ids."""
    return to_sample(*read_pair(pair, labels))


def to_sample(image: Image.Image, mask: Image.Image) -> Sample:
    """Pixels as arrays: (3, H, W) and (H, W), both contiguous."""
    return Sample(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)), np.array(mask))


def open_image(source: Path | bytes) -> Image.Image:
    """An image whose header is read and whose pixels are not."""
    name = source if isinstance(source, Path) else Path("image")
    content = _content(source) if isinstance(source, Path) else source
    if not content:
        raise FileFault(unreadable(name, "is empty (0 bytes)", _IMAGE_EXPECTED))
    try:
        image = _open_any_size(content)
    except Exception as error:  # see read_image
        raise FileFault(unreadable(name, error, _IMAGE_EXPECTED)) from None
    if image.width * image.height > MAX_PIXELS:
        found = f"is {image.width} x {image.height} px"
        raise FileFault(
            Fault(
                name,
                found,
                f"at most {MAX_PIXELS // 10**6} million pixels",
                "Cut it into tiles.",
                "too large",
            )
        )
    return image


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of an upright image; the pixels are decoded too, as only that shows truncation."""
    image = open_image(path)
    size = image.size
    image.draft(None, (1, 1))  # JPEG: an eighth of the resolution costs a third of the time
    try:
        image.load()
    except Exception as error:  # see read_image
        raise FileFault(unreadable(path, error, _IMAGE_EXPECTED)) from None
    if image.format == "TIFF":  # Pillow itself turns a TIFF upright while loading
        return image.size
    return size[::-1] if orientation(image) > 4 else size


def decode_mask(path: Path) -> Image.Image:
    """A mode "L" image of the values in a mask file, whatever they are."""
    mask = open_image(path)
    if mask.format != "PNG" or mask.mode not in ("L", "P", "1"):
        raise FileFault(wrong_mask(path, mask))
    # EXIF is left alone: a mask's pixels were drawn where they lie.
    step = _gray_step(mask)
    try:
        mask.load()
    except Exception as error:  # see read_image
        raise FileFault(unreadable(path, error, _MASK_EXPECTED)) from None
    if mask.mode == "P":
        # The indices are the class ids; convert("L") would go through the palette's colours.
        return Image.frombytes("L", mask.size, mask.tobytes())
    if mask.mode == "1":
        return mask.convert("L").point([0] + [1] * 255)
    return mask if step == 1 else mask.point([value // step for value in range(256)])


def count_ids(mask: Image.Image) -> dict[int, int]:
    """{class id: pixels} of a mode "L" mask, IGNORE included."""
    return {value: count for value, count in enumerate(mask.histogram()) if count}


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing about the orientation and is no reason to lose the image
        return 1


def upright(image: Image.Image, exif_orientation: int) -> Image.Image:
    """`image` turned as its EXIF orientation says."""
    method = _TRANSPOSITIONS.get(exif_orientation)
    return image if method is None else image.transpose(method)


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode; transparency is dropped, 16-bit values are divided by 257."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image).convert("RGB")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA").convert("RGB")  # directly, Pillow warns of palettes with transparency
    return image.convert("RGB")


def unknown_ids(path: Path, counts: Mapping[int, int], num_classes: int) -> Fault | None:
    """The fault of a mask with values that are neither a class id nor IGNORE."""
    unknown = {value: count for value, count in counts.items() if num_classes <= value != IGNORE}
    if not unknown:
        return None
    listed = ", ".join(f"{value} ({count} px)" for value, count in list(unknown.items())[:8])
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    return Fault(
        path, f"has the values {listed}{more}", f"0 to {num_classes - 1} or {IGNORE} (ignored)",
        "Correct the mask, or num_classes or classes.json if the class exists.", "class id out of range",
    )  # fmt: skip


def unequal_sizes(pair: Pair, image_size: tuple[int, int], mask_size: tuple[int, int]) -> Fault:
    """The fault of a mask that does not cover its image; sizes are (width, height)."""
    turned = image_size == mask_size[::-1] and orientation(open_image(pair.image)) > 4
    how = " when upright by its EXIF orientation" if turned else ""
    remedy = "Turn the mask as the image is shown, or" if turned else "Export the mask at the image's size, or"
    return Fault(
        pair.mask or pair.image,
        f"is {mask_size[0]} x {mask_size[1]} px but its image {pair.image.name} is "
        f"{image_size[0]} x {image_size[1]} px{how}",
        "equal sizes", f"{remedy} remove the pair.", "unequal sizes",
    )  # fmt: skip


def unreadable(path: Path, reason: Exception | str, expected: str) -> Fault:
    """The fault of a file that does not decode."""
    if isinstance(reason, Exception):
        # Pillow's own sentence for unknown content names a buffer, which says nothing to a user.
        unknown = type(reason).__name__ == "UnidentifiedImageError"
        reason = "is not an image" if unknown else f"cannot be decoded ({reason})"
    return Fault(path, reason, expected, "Replace the file or remove the pair.", "unreadable file")


def wrong_mask(path: Path, mask: Image.Image) -> Fault:
    """The fault of a file that holds something other than class ids."""
    if mask.format in ("JPEG", "WEBP"):
        found, remedy = f"is a {mask.format}", "Such files change class ids; export the mask again as PNG."
    elif mask.format != "PNG":
        found, remedy = f"is a {mask.format}", "Save it as 8-bit PNG of one channel."
    elif mask.mode.startswith("I"):
        found, remedy = (
            "has 16 bits per pixel",
            "Save the class ids with 8 bits; instance ids are not classes.",
        )
    else:
        found = f"has the channels {'+'.join(mask.getbands())}{_colors(mask)}"
        remedy = "Replace each colour by its class id, in one channel."
    return Fault(path, found, _MASK_EXPECTED, remedy, "mask of a wrong type")


def _colors(mask: Image.Image) -> str:
    """The colours of a colour mask if they are few, as people need them to make a table of classes."""
    try:
        colors = mask.convert("RGB").getcolors(maxcolors=64)
    except Exception:  # broken as well; the channels are fault enough
        return ""
    if not colors:
        return ""
    most = sorted(colors, key=lambda entry: -entry[0])[:8]
    listed = ", ".join("#{:02x}{:02x}{:02x}".format(*color) for _, color in most if isinstance(color, tuple))
    return f" and {len(colors)} colours ({listed}{', ...' if len(colors) > 8 else ''})"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise FileFault(unreadable(path, reason, "a file that exists and may be read")) from None


def _open_any_size(content: bytes) -> Image.Image:
    # Pillow warns above 89 million pixels and refuses twice that; here such photographs are legitimate and
    # MAX_PIXELS is the limit. The lock keeps threads from restoring each other's value.
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(content))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _gray_step(mask: Image.Image) -> int:
    """What Pillow multiplies the values of a gray PNG of 2 or 4 bits with."""
    tiles = getattr(mask, "tile", None)
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0][3]), 1) if tiles else 1


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Gray of 16 or 32 bits or of floats as mode "L"."""
    values: npt.NDArray[np.floating] = np.asarray(image, dtype=np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max())
    if image.mode.startswith("I;16") or largest > 255:
        values = values / 257
    elif image.mode == "F" and largest <= 1:
        values = values * 255
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
