"""Open and load an image file with Pillow: RGB of 8 bits, and masks of one channel."""

import io
import logging
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from pixelwise.data.decoders import heif
from pixelwise.data.decoders.arrays import MAGIC
from pixelwise.data.decoders.formats import readable_formats
from pixelwise.data.file_kinds import FIRST_BYTES, image_format, what_is
from pixelwise.data.findings import FileFault
from pixelwise.data.refusals import (
    IMAGE_EXPECTED,
    MASK_EXPECTED,
    NO_BYTES,
    array_mask,
    foreign_mask,
    too_large,
    unreadable,
    wrong_mask,
)
from pixelwise.errors import PixelwiseError

DECODERS = tuple(decoder for each in readable_formats() for decoder in each.decoders)
"""Of Pillow's decoders those that may meet a file, whatever its name: EPS would start a PostScript interpreter."""

MAX_PIXELS = 500_000_000
"""Larger images are refused as a whole (2 GB decoded); cut them into tiles."""

_EXIF_ORIENTATION = 0x0112
_EXIF_PLACES = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")  # in which Pillow looks for it
_SMALL = (34, 34)  # two pixels for each cell of a fingerprint
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

# What they log of damaged files and of bands that they do not read, refusals say; it would go to the terminal too.
for _library in ("PIL", "tifffile", "pydicom"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


def read_image(source: Path | bytes | Image.Image, name: Path | None = None) -> Image.Image:
    """An RGB image, upright by its EXIF orientation, from any mode Pillow reads; transparency is dropped.

    16-bit gray is divided by 257; of several frames the first counts. `name` is what errors call an opened image.

    Raises:
        DataError: the file is missing, empty, broken, no image or above MAX_PIXELS.
    """
    image = source if isinstance(source, Image.Image) else open_image(source)
    name = name or (source if isinstance(source, Path) else Path("image"))
    try:
        image.load()
        return upright(to_rgb(image), orientation(image))
    except Exception as error:  # a decoder meets broken data with OSError, SyntaxError, struct.error ...
        raise FileFault(unreadable(name, error, IMAGE_EXPECTED)) from None


def open_image(source: Path | bytes, name: Path | None = None, *, max_pixels: int | None = None) -> Image.Image:
    """An image whose header is read and whose pixels are not; `name` is what errors call bytes.

    With more than `max_pixels`, MAX_PIXELS if it is None, it is refused.
    """
    most = MAX_PIXELS if max_pixels is None else max_pixels
    name = name or (source if isinstance(source, Path) else Path("image"))
    content = read_content(source) if isinstance(source, Path) else source
    if not content:
        raise FileFault(unreadable(name, NO_BYTES, IMAGE_EXPECTED))
    try:
        image = _open_any_size(content)
    except UnidentifiedImageError:
        raise FileFault(unreadable(name, what_is(content), IMAGE_EXPECTED)) from None
    except PixelwiseError:
        raise
    except Exception as error:  # see read_image
        raise FileFault(unreadable(name, error, IMAGE_EXPECTED)) from None
    if image.width * image.height > most:
        raise FileFault(too_large(name, image.size, most))
    return image


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of an upright image; the pixels are decoded too, as only that shows truncation."""
    image = open_image(path)
    size = image.size
    return upright_size(load(image, path, small=True), size)


def load(image: Image.Image, path: Path, *, small: bool = False) -> Image.Image:
    """`image` decoded; a `small` JPEG has an eighth of its sides, takes a third of the time, shows truncation."""
    if small:
        image.draft(None, _SMALL)
    try:
        image.load()
    except Exception as error:  # see read_image
        raise FileFault(unreadable(path, error, IMAGE_EXPECTED)) from None
    return image


def upright_size(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) that a decoded image of stored `size` has when upright."""
    if image.format == "TIFF":  # Pillow itself turns a TIFF upright while loading
        return image.size
    return size[::-1] if orientation(image) > 4 else size


def decode_mask(path: Path) -> Image.Image:
    """A mode "L" image of the values in a mask file, whatever they are."""
    return mask_values(open_mask(path), path)


def open_mask(path: Path) -> Image.Image:
    """A PNG of one channel and at most 8 bits (mode "L", "P" or "1") whose pixels are not read yet."""
    content = read_content(path)
    if content.startswith(MAGIC):  # which Pillow does not know, and `--fix` does
        raise FileFault(array_mask(path))
    if image_format(content[:FIRST_BYTES]) == "DICOM":
        raise FileFault(foreign_mask(path, "is a DICOM"))
    mask = open_image(content, path)
    if mask.format != "PNG" or mask.mode not in ("L", "P", "1"):
        raise FileFault(wrong_mask(path, mask))
    return mask


def mask_values(mask: Image.Image, path: Path) -> Image.Image:
    """The values of an opened mask as mode "L"."""
    # EXIF is left alone: a mask's pixels were drawn where they lie.
    step = _gray_step(mask)
    try:
        mask.load()
    except Exception as error:  # see read_image
        raise FileFault(unreadable(path, error, MASK_EXPECTED)) from None
    if mask.mode == "P":
        # The indices are the class ids; convert("L") would go through the palette's colours.
        return Image.frombytes("L", mask.size, mask.tobytes())
    if mask.mode == "1":
        return mask.convert("L").point([0] + [1] * 255)
    return mask if step == 1 else mask.point([value // step for value in range(256)])


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; numbers that the standard does not know are upright, as in viewers."""
    try:
        found = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing about the orientation and is no reason to lose the image
        return 1
    return found if found in _TRANSPOSITIONS else 1


def upright(image: Image.Image, exif_orientation: int) -> Image.Image:
    """`image` turned as its EXIF orientation says; the copy says no more that it lies on its side."""
    method = _TRANSPOSITIONS.get(exif_orientation)
    if method is None:
        return image
    turned = image.transpose(method)
    turned.info = {name: value for name, value in turned.info.items() if name not in _EXIF_PLACES}
    return turned


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode; transparency is dropped, 16-bit values are divided by 257."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image).convert("RGB")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA").convert("RGB")  # directly, Pillow warns of palettes with transparency
    return image.convert("RGB")


def read_content(path: Path) -> bytes:
    """The bytes of an image file; DataError where they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise FileFault(unreadable(path, reason, "a file that exists and may be read")) from None


def _open_any_size(content: bytes) -> Image.Image:
    # Pillow warns above 89 million pixels and refuses twice that; here such photographs are legitimate and
    # MAX_PIXELS is the limit. The lock keeps threads from restoring each other's value.
    formats = DECODERS
    if image_format(content[:FIRST_BYTES]) == "HEIC":
        heif.register()
        formats = (heif.FORMAT,)
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(content), formats=formats)
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
