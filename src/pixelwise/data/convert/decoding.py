"""Pixels of a mask file of any type as stored values, as colours or as gray."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.reading import MAX_PIXELS, mask_values, open_image, to_rgb, upright_size
from pixelwise.data.refusals import IMAGE_EXPECTED, unreadable
from pixelwise.errors import DataError, MissingExtra

MAX_VALUE = 65535
"""The largest value of a mask that can be named in a label table."""

_EXPECTED = f"whole numbers from 0 to {MAX_VALUE}, one for each pixel"
_GRAY_TIFF = ("I;16", "I", "F")


def value_plane(content: bytes, name: str) -> npt.NDArray[np.uint16]:
    """(H, W) stored values of a one-channel PNG, GIF, TIFF or BMP; `name` is what errors call the file.

    Values stay what they are in the file: palettes give their indices, 1 bit 0 and 1, 2 and 4 bits 0..3 and 0..15,
    16 bits 0..65535. A GIF can hold gray only as a palette: where the colours in use are all gray, the gray counts.
    TIFF that Pillow does not read goes through tifffile.

    Raises:
        FileFault: the file is damaged, has colours, several pages or values that are no number from 0 to 65535.
        MissingExtra: tifffile is needed and not installed.
    """
    if _is_tiff(content):
        return whole_numbers(_tiff(content, name), name)
    image = _opened(content, name)
    if image.mode.startswith("I") or image.mode == "F":
        return whole_numbers(_pixels(image, name), name)
    if image.mode not in ("1", "L", "P"):
        raise _colored(image, name)
    if image.format == "GIF":
        return _gif(image, name).astype(np.uint16)
    return np.asarray(_named(name, lambda: mask_values(image, Path(name)))).astype(np.uint16)


def color_plane(content: bytes, name: str) -> npt.NDArray[np.uint32]:
    """(H, W) colours 0xRRGGBB of any image, palettes resolved, transparency dropped; FileFault when damaged."""
    image = _opened(content, name)
    _require_one_page(image, name)
    return _packed(_decoded(image, name))


def gray_plane(content: bytes, name: str) -> npt.NDArray[np.uint16]:
    """(H, W) gray as it is seen: 0..255, palettes resolved and 1 bit as 0 and 255; 16 bits stay 0..65535.

    Raises:
        FileFault: the file is damaged or has colours.
        MissingExtra: tifffile is needed and not installed.
    """
    image = _try_open(content)
    if image is None or image.mode.startswith("I") or image.mode == "F":
        return value_plane(content, name)
    colors = _packed(_decoded(image, name))
    gray = colors & 0xFF
    if not np.array_equal(colors, gray * 0x010101):
        raise _colored(image, name)
    return gray.astype(np.uint16)


def image_shape(content: bytes, name: str) -> tuple[int, int]:
    """(H, W) of an image when upright by its EXIF orientation, from its header alone; FileFault if there is none."""
    image = _opened(content, name)
    width, height = upright_size(image, image.size)
    return height, width


def whole_numbers(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint16]:
    """`values` of any type as those of a mask; FileFault for fractions, NaN, negative and too large ones."""
    numbers = values.astype(np.float64) if values.dtype.kind == "f" else values
    if numbers.dtype.kind not in "fiub":
        raise _refused(name, f"holds {values.dtype} values")
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= MAX_VALUE):
        raise _refused(name, f"has values from {numbers.min()} to {numbers.max()}")
    whole = numbers.astype(np.uint16)
    if not np.array_equal(whole, numbers):
        raise _refused(name, "has fractions")
    return whole


def _is_tiff(content: bytes) -> bool:
    return content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _opened(content: bytes, name: str) -> Image.Image:
    return _named(name, lambda: open_image(content))


def _try_open(content: bytes) -> Image.Image | None:
    try:
        return open_image(content)
    except DataError:
        return None


def _named(name: str, reading: Callable[[], Image.Image]) -> Image.Image:
    """`reading()`, whose findings are about the file `name`."""
    try:
        return reading()
    except FileFault as fault:
        raise FileFault(fault.finding._replace(file=Path(name))) from None


def _decoded(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
        return to_rgb(image)
    except Exception as error:  # a decoder meets broken data with OSError, SyntaxError, struct.error ...
        raise FileFault(unreadable(Path(name), error, IMAGE_EXPECTED)) from None


def _pixels(image: Image.Image, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(image)
    except Exception as error:  # see _decoded
        raise FileFault(unreadable(Path(name), error, IMAGE_EXPECTED)) from None


def _packed(image: Image.Image) -> npt.NDArray[np.uint32]:
    channels = np.asarray(image).astype(np.uint32)
    # Factors of the same type: a plain 65536 would widen the sum to 64 bits.
    return channels @ np.array([0x10000, 0x100, 1], dtype=np.uint32)


def _gif(image: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    indices = np.array(_pixels(image, name), dtype=np.uint8)
    if image.mode != "P":  # Pillow calls a GIF gray when each index is its own gray
        return indices
    colors = _packed(_decoded(image, name))
    gray = colors & 0xFF
    return gray.astype(np.uint8) if np.array_equal(colors, gray * 0x010101) else indices


def _tiff(content: bytes, name: str) -> npt.NDArray[Any]:
    """(H, W) values of a TIFF by Pillow, else by tifffile."""
    image = _try_open(content)
    if image is not None:
        _require_one_page(image, name)
        if image.mode in ("1", "L", "P"):
            return np.array(_named(name, lambda: mask_values(image, Path(name))))
        if image.mode not in _GRAY_TIFF and not image.mode.startswith("I;16"):
            raise _colored(image, name)
        try:
            return np.asarray(image)
        except Exception as error:  # a compression or a layout that Pillow lacks, or damage: tifffile tells
            return _by_tifffile(content, name, error)
    return _by_tifffile(content, name, None)


def _by_tifffile(content: bytes, name: str, failure: Exception | None) -> npt.NDArray[Any]:
    try:
        import tifffile
    except ImportError:
        raise MissingExtra("convert", f"Reading {name}, a TIFF of a kind that Pillow does not know,") from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages[0]
            if len(file.pages) > 1 and page.shape == file.pages[1].shape:
                raise _several_pages(name, len(file.pages))
            if page.size > MAX_PIXELS:
                raise DataError(f"{name}: has {page.size:,} values, at most {MAX_PIXELS:,}. Cut it into tiles.")
            values: npt.NDArray[Any] = np.squeeze(page.asarray())
    except DataError:
        raise
    except Exception as error:  # see _decoded
        raise FileFault(unreadable(Path(name), failure or error, IMAGE_EXPECTED)) from None
    if values.ndim != 2:
        raise _refused(name, f"has the shape {' x '.join(map(str, values.shape))}")
    return values


def _require_one_page(image: Image.Image, name: str) -> None:
    """Refuse a stack of pages; smaller copies behind the first page, as rasters carry them, are no stack."""
    if image.format != "TIFF" or getattr(image, "n_frames", 1) == 1:
        return
    size, pages = image.size, int(getattr(image, "n_frames", 1))
    try:
        image.seek(1)
        stacked = image.size == size
        image.seek(0)
    except Exception as error:  # see _decoded
        raise FileFault(unreadable(Path(name), error, IMAGE_EXPECTED)) from None
    if stacked:
        raise _several_pages(name, pages)


def _refused(name: str, found: str) -> FileFault:
    return FileFault(Finding(Path(name), found, _EXPECTED, "Export class ids.", "unreadable-file"))


def _several_pages(name: str, pages: int) -> FileFault:
    finding = Finding(
        Path(name), f"has {pages} pages", "one mask in a file", "Save each page as a file of its own.",
        "unreadable-file",
    )  # fmt: skip
    return FileFault(finding)


def _colored(image: Image.Image, name: str) -> FileFault:
    finding = Finding(
        Path(name), f"has colours (the channels {'+'.join(image.getbands())})", "one value for each pixel",
        "If its colours stand for classes, convert with `color-masks` and a table.", "mask-colors",
    )  # fmt: skip
    return FileFault(finding)
