"""Decode a mask file of any kind: the one decoder of check, repair and convert."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.decoders.arrays import MAGIC
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.arrays import read_array
from pixelwise.data.masks.raw import ALPHA, RawMask, is_gray, whole_numbers
from pixelwise.data.masks.smoothing import is_blended
from pixelwise.data.reading import MAX_PIXELS, load, mask_values, open_image, to_rgb, upright_size
from pixelwise.data.refusals import IMAGE_EXPECTED, count_ids, unreadable, wrong_mask
from pixelwise.labels import Color

_KINDS = {"1": "1-bit", "L": "gray", "P": "palette"}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def decode(source: Path | bytes, name: str = "") -> RawMask:
    """What a mask file holds; `name` is what errors call bytes.

    TIFF that Pillow does not read goes through tifffile; .npy files hold what `read_array` says; of several frames of
    a GIF the first counts.

    Raises:
        FileFault: the file is missing, empty, damaged or too large, a TIFF of several pages, or as `read_array`.
    """
    path = source if isinstance(source, Path) else Path(name)
    try:
        opened = _opened(source, path)
        _require_unsigned(opened, path)
    except FileFault as fault:
        return _without_pillow(source, path, fault, known=False)
    _require_one_page(opened, path)
    file_format = opened.format or ""
    if opened.mode in _KINDS:
        return _of_8_bits(opened, path)
    channels = "+".join(opened.getbands())
    if opened.mode.startswith("I") or opened.mode == "F":
        try:
            return RawMask(path, "16-bit", file_format, channels, load(opened, path))
        except FileFault as fault:  # a compression or a layout that Pillow lacks, or damage: tifffile tells
            return _without_pillow(source, path, fault, known=True)
    load(opened, path)
    try:
        colors = to_rgb(opened)
        shape = _shape_in_alpha(opened, colors)
        if shape is not None:
            return _of_alpha(shape, colors, path, file_format)
        return RawMask(path, "colors", file_format, channels, colors)
    except (OSError, ValueError) as error:  # a mode that Pillow does not turn into RGB
        raise FileFault(unreadable(path, error, IMAGE_EXPECTED)) from None


def read_raw(path: Path, label_map: LabelMap | None = None) -> RawMask:
    """Decode a mask that can become one of class ids.

    Raises:
        FileFault: it is damaged, was saved with loss, has more than FEW_COLORS colours or colours that are blends of
            their neighbours, or its values are none of SOURCE_NUMBERS.
    """
    raw = decode(path)
    if raw.format in ("JPEG", "WEBP"):
        raise FileFault(wrong_mask(path, open_image(path)))
    raw = raw.counted()
    if raw.kind == "colors" and len(raw.counts) > 2 and is_blended(raw.colors()):
        found = f"has {len(raw.counts)} colours, of which many only blend the two regions they lie between"
        remedy = "Export the mask again without smoothing and compression, as class ids in an 8-bit PNG."
        raise FileFault(Finding(path, found, "one colour for each class", remedy, "mask-smoothed"))
    return raw if label_map is None else raw.through(label_map)


def image_shape(content: bytes, name: str) -> tuple[int, int]:
    """(H, W) of an image when upright by its EXIF orientation, from its header alone; FileFault if there is none."""
    image = _opened(content, Path(name))
    width, height = upright_size(image, image.size)
    return height, width


def _require_unsigned(image: Image.Image, path: Path) -> None:
    """Refuse a TIFF of bytes from -128 to 127, which Pillow takes for 0 to 255."""
    if image.mode == "L" and getattr(image, "tag_v2", {}).get(TiffImagePlugin.SAMPLEFORMAT) == (2,):
        raise FileFault(unreadable(path, "has bytes with a sign", IMAGE_EXPECTED))


def _opened(source: Path | bytes, path: Path) -> Image.Image:
    try:
        return open_image(source)
    except FileFault as fault:
        raise FileFault(fault.finding._replace(file=path)) from None


def _of_8_bits(opened: Image.Image, path: Path) -> RawMask:
    try:
        values = mask_values(opened, path)
    except FileFault as fault:  # that speaks of PNG, as training takes no other
        raise FileFault(fault.finding._replace(expected=IMAGE_EXPECTED)) from None
    return gray_or_palette(opened, values, path)


def gray_or_palette(opened: Image.Image, values: Image.Image, path: Path) -> RawMask:
    """What a mask of one channel and 8 bits or less holds, of which `reading.mask_values` made `values`."""
    kind, file_format = _KINDS[opened.mode], opened.format or "TIFF"  # one that tifffile has read has no format
    shown = _palette(opened) if kind == "palette" else _grays(opened, values)
    if kind == "palette" and file_format == "GIF" and all(is_gray(shown[value]) for value in count_ids(values)):
        kind = "gray palette"
    return RawMask(path, kind, file_format, "+".join(opened.getbands()), values, shown)


def _palette(opened: Image.Image) -> dict[int, Color]:
    listed = opened.getpalette("RGB") or []
    listed += [0] * (768 - len(listed))  # past the palette is black
    return dict(enumerate(zip(listed[::3], listed[1::3], listed[2::3], strict=True)))


def _shape_in_alpha(opened: Image.Image, colors: Image.Image) -> Image.Image | None:
    """The transparency of an image of one colour, where it varies: then the object is drawn in it, and nowhere else."""
    if "A" not in opened.getbands() or not colors.getcolors(maxcolors=1):
        return None
    alpha = opened.getchannel("A")
    low, high = alpha.getextrema()
    return alpha if low != high else None


def _of_alpha(shape: Image.Image, colors: Image.Image, path: Path, file_format: str) -> RawMask:
    """A mask drawn in its transparency: gray, or its colour on black, as other files may have other colours."""
    pixel = colors.getpixel((0, 0))
    if isinstance(pixel, tuple) and len(set(pixel)) > 1:
        drawn = Image.composite(colors, Image.new("RGB", colors.size), shape)
        return RawMask(path, "colors", file_format, ALPHA, drawn)
    return RawMask(path, "gray", file_format, ALPHA, shape, {value: (value,) * 3 for value in range(256)})


def _grays(opened: Image.Image, values: Image.Image) -> dict[int, Color]:
    step = 1
    if values is not opened:  # of fewer bits than 8, which are shown brighter than they are stored
        brightest, largest = max(count_ids(opened)), max(count_ids(values))
        step = brightest // largest if largest else 1
    return {value: (step * value, step * value, step * value) for value in range(255 // step + 1)}


def _without_pillow(source: Path | bytes, path: Path, fault: FileFault, *, known: bool) -> RawMask:
    """An array, or a TIFF that Pillow refuses with `fault`, although it may have `known` the kind; else `fault`."""
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError:
        raise fault from None
    if content.startswith(MAGIC):
        return _of_numbers(read_array(content, path), path, "NPY")
    if content[:4] not in _TIFF or fault.finding.code == "decompression-bomb":
        raise fault
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            values = _one_page(file, path)
    except FileFault:
        raise
    except Exception as error:  # a decoder meets broken data with OSError, ValueError, struct.error ...
        raise (fault if known else FileFault(unreadable(path, error, IMAGE_EXPECTED))) from None
    return _of_numbers(values, path, "TIFF")


def _of_numbers(values: npt.NDArray[Any], path: Path, file_format: str) -> RawMask:
    if values.ndim == 3:
        return RawMask(path, "colors", file_format, "R+G+B", Image.fromarray(np.ascontiguousarray(values)))
    if values.dtype == np.bool_:
        return _of_8_bits(Image.fromarray(np.ascontiguousarray(values)), path)
    numbers = np.ascontiguousarray(whole_numbers(values, path))
    if values.itemsize > 1 or numbers.dtype == np.int32:
        return RawMask(path, "16-bit", file_format, "L", Image.fromarray(numbers))
    return _of_8_bits(Image.fromarray(numbers.astype(np.uint8)), path)


def _one_page(file: Any, path: Path) -> npt.NDArray[Any]:
    """(H, W) values of a `tifffile.TiffFile` of one page and channel."""
    page = file.pages[0]
    if len(file.pages) > 1 and page.shape == file.pages[1].shape:
        raise _several_pages(path, len(file.pages))
    if page.size > MAX_PIXELS:
        found, limit = f"has {page.size:,} values", f"at most {MAX_PIXELS // 10**6} million pixels"
        raise FileFault(Finding(path, found, limit, "Cut it into tiles.", "decompression-bomb"))
    values: npt.NDArray[Any] = np.squeeze(page.asarray())
    if values.ndim != 2:
        found, remedy = f"has the shape {' x '.join(map(str, values.shape))}", "Export the mask again as class ids."
        raise FileFault(Finding(path, found, "one value for each pixel", remedy, "unreadable-file"))
    return values


def _require_one_page(image: Image.Image, path: Path) -> None:
    """Refuse a stack of pages; smaller copies behind the first page, as rasters carry them, are no stack."""
    if image.format != "TIFF":
        return
    size = image.size
    try:
        pages = int(getattr(image, "n_frames", 1))
        if pages == 1:
            return
        image.seek(1)
        stacked = image.size == size
        image.seek(0)
    except Exception as error:  # counting pages meets broken data as decoding does
        raise FileFault(unreadable(path, error, IMAGE_EXPECTED)) from None
    if stacked:
        raise _several_pages(path, pages)


def _several_pages(path: Path, pages: int) -> FileFault:
    remedy = "Save each page as a file of its own."
    return FileFault(Finding(path, f"has {pages} pages", "one mask in a file", remedy, "unreadable-file"))
