"""Any image file: a photograph of 8 bits as Pillow opens it, all else in its own depth and with all its bands."""

from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.decoders import heif
from pixelwise.data.decoders.arrays import MAGIC, read_npy
from pixelwise.data.decoders.deep import DeepImage, NotAnImage, TooLarge, deep_image, turned
from pixelwise.data.decoders.dicom import read_dicom
from pixelwise.data.decoders.jpeg2000 import bits_of, read_jpeg2000
from pixelwise.data.decoders.opening import MAX_PIXELS, open_image, orientation, read_content
from pixelwise.data.decoders.png import loses_bits, read_png
from pixelwise.data.decoders.pnm import read_pnm
from pixelwise.data.decoders.tiff import loses_bands, read_tiff
from pixelwise.data.file_kinds import FIRST_BYTES, image_format
from pixelwise.data.findings import FileFault
from pixelwise.data.refusals import IMAGE_EXPECTED, too_large, unreadable
from pixelwise.errors import PixelwiseError


def decode(source: Path | bytes, name: Path | None = None, *, max_pixels: int = MAX_PIXELS) -> Image.Image | DeepImage:
    """Pillow's opened image, its pixels not read yet, where it has at most 8 bits and no bands but gray or RGB.

    Anything else is decoded as the file has it, upright. `name` is what errors call bytes.

    Raises:
        DataError: the file is missing, empty, broken, no image, too large, or of a kind that no network is given.
        MissingExtra: a package that reads it is not installed.
    """
    name = name or (source if isinstance(source, Path) else Path("image"))
    content = read_content(source) if isinstance(source, Path) else source
    try:
        return _decoded(content, name, max_pixels)
    except TooLarge as error:
        raise FileFault(too_large(name, error.size, max_pixels)) from None
    except NotAnImage as error:
        raise FileFault(unreadable(name, str(error), IMAGE_EXPECTED)) from None
    except PixelwiseError:
        raise
    except Exception as error:  # decoders meet broken data with OSError, ValueError, struct.error, TypeError ...
        raise FileFault(unreadable(name, error, IMAGE_EXPECTED)) from None


def _decoded(content: bytes, name: Path, max_pixels: int) -> Image.Image | DeepImage:
    if content.startswith(MAGIC):
        return read_npy(content, max_pixels=max_pixels)
    kind = image_format(content[:FIRST_BYTES])
    if kind == "DICOM":
        return read_dicom(content, max_pixels=max_pixels)
    try:
        image = open_image(content, name, max_pixels=max_pixels)
    except FileFault as fault:
        if kind != "TIFF" or fault.finding.code == "decompression-bomb":
            raise
        return read_tiff(content, max_pixels=max_pixels)
    if image.format == "TIFF":  # whose orientation is one of its tags
        return read_tiff(content, max_pixels=max_pixels) if loses_bands(image) else image
    if kind in ("HEIC", "AVIF") and heif.bits_of(content) > 8:
        image.info[heif.BITS] = heif.bits_of(content)
    if image.format == "SGI" and content[3] > 1:  # bytes a channel, of which Pillow keeps the upper one
        raise NotAnImage("is an SGI image of 16 bits a channel, which is not read: save it as TIFF")
    found = _deeper(content, image)
    return image if found is None else turned(found, orientation(image))


def _deeper(content: bytes, image: Image.Image) -> DeepImage | None:
    """What Pillow, which opened it, would make 8 bits of."""
    if image.format == "PNG" and loses_bits(image):
        return read_png(content)
    if image.format == "JPEG2000" and bits_of(content) > 8:
        return deep_image(read_jpeg2000(content), is_color=image.mode in ("RGB", "RGBA"))
    if image.format == "PPM" and (found := read_pnm(content)) is not None:
        return found
    return deep_image(np.asarray(image)) if image.mode.startswith(("I", "F")) else None
