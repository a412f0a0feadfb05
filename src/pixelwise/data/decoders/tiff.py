"""TIFF of any depth and number of bands, by tifffile: strips, tiles, planes, LZW, Deflate, Zstandard and more."""

import contextlib
import io
from typing import Any

from PIL import Image

from pixelwise.data.decoders.deep import DeepImage, NotAnImage, PixelArray, deep_image, require_size, turned

# TIFF 6.0, section 8 and "Extra samples": what the bands mean.
_SUBFILE, _ORIENTATION, _SAMPLES, _EXTRA = 254, 274, 277, 338
_BITS, _FORMAT, _SIGNED = 258, 339, 2
_LIMITS = ((280, 340), (281, 341))  # MinSampleValue or SMinSampleValue; MaxSampleValue or SMaxSampleValue
_REDUCED_OR_MASK = 0b101
_ALPHA = (1, 2)
_RGB = 2


def loses_bands(image: Image.Image) -> bool:
    """Whether Pillow, which opened the TIFF `image`, gives fewer bands than the file has, or bits."""
    tags = getattr(image, "tag_v2", {})
    if int(tags.get(_SAMPLES, 1)) > len(image.getbands()) or image.mode.startswith(("I", "F")):
        return True
    # Of more bits Pillow may keep the upper 8, and signed numbers it takes for unsigned ones.
    return max(_numbers(tags.get(_BITS, 1))) > 8 or _SIGNED in _numbers(tags.get(_FORMAT, 1))


def read_tiff(content: bytes, *, max_pixels: int) -> DeepImage:
    """The first page that is neither a smaller version nor a mask.

    Raises:
        NotAnImage: it has values or axes that no image has.
        TooLarge: it has more than `max_pixels`.
        Exception: of many kinds, where the file is damaged.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        pages = _pages(file)
        page = pages[0]
        require_size(page.imagewidth, page.imagelength, page.samplesperpixel, max_pixels=max_pixels)
        if page.imagedepth != 1:
            raise NotAnImage(f"holds a volume of {page.imagedepth} slices")
        is_color = int(page.photometric) == _RGB and page.samplesperpixel >= 3
        values = _opaque(page, _bands_last(page, page.asarray()), is_color=is_color)
        image = deep_image(values, is_color=is_color, stated=_stated(page), frames=len(pages))
        return turned(image, int(_tag(page, _ORIENTATION, 1)))


def _pages(file: Any) -> list[Any]:
    """All that are images of their own; one at least."""
    found = [file.pages[0]]
    with contextlib.suppress(Exception):  # damage behind the first page is no reason to lose it
        found += [file.pages[i] for i in range(1, len(file.pages))]
    return [page for page in found if not int(_tag(page, _SUBFILE, 0)) & _REDUCED_OR_MASK] or found[:1]


def _bands_last(page: Any, values: PixelArray) -> PixelArray:
    """(H, W) or (H, W, C): planes lie in front, and a depth of one may stand between."""
    axes = page.axes
    for axis in [axis for axis in axes if axis not in "YXS"]:
        place = axes.index(axis)
        if values.shape[place] != 1:
            raise NotAnImage(f"holds a volume ({' x '.join(map(str, values.shape))})")
        values, axes = values.squeeze(place), axes.replace(axis, "")
    if axes == "SYX":
        return values.transpose(1, 2, 0)
    if axes not in ("YX", "YXS"):
        raise NotAnImage(f"has the axes {axes}")
    return values


def _opaque(page: Any, values: PixelArray, *, is_color: bool) -> PixelArray:
    """Without the band that says how opaque pixels are, as of photographs of 8 bits."""
    extra = [int(each) for each in page.extrasamples or ()]
    if not extra or extra[-1] not in _ALPHA or values.ndim != 3 or values.shape[2] != (4 if is_color else 2):
        return values
    return values[:, :, :-1]


def _stated(page: Any) -> tuple[float, float] | None:
    """The range that the tags give, the same for all bands."""
    low, high = (next((v for n in names if (v := _tag(page, n, None)) is not None), None) for names in _LIMITS)
    if low is None or high is None:
        return None
    low, high = min(_numbers(low)), max(_numbers(high))
    return (float(low), float(high)) if low < high else None


def _numbers(value: Any) -> tuple[Any, ...]:
    """Those of a tag, which holds one or several."""
    return value if isinstance(value, tuple) else (value,)


def _tag(page: Any, code: int, default: Any) -> Any:
    tag = page.tags.get(code)
    return default if tag is None else tag.value
