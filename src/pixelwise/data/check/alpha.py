"""What an image's transparency hides, which training will see."""

from pathlib import Path

from PIL import Image, ImageStat

from pixelwise.data.findings import Finding
from pixelwise.data.reading import to_rgb
from pixelwise.phrases import percent

_OPAQUE = 255


def transparency(path: Path, image: Image.Image) -> list[Finding]:
    """The warning about a decoded image of which some pixels are not opaque; a plane of 255 is no transparency."""
    alpha = _alpha(image)
    if alpha is None or alpha.getextrema()[0] == _OPAQUE:
        return []
    found = "has transparency"
    clear = alpha.point([_OPAQUE] + [0] * 255)
    count = clear.histogram()[_OPAQUE]
    if count and _has_colors(image, clear):
        share = percent(count / (alpha.width * alpha.height))
        found += f", which hides colours on {share} of its pixels; training sees them"
    return [Finding(path, found, "an opaque image", "Its transparency is dropped.", "image-alpha")]


def _alpha(image: Image.Image) -> Image.Image | None:
    if "A" in image.getbands():
        return image.getchannel("A")
    if "a" in image.getbands():  # premultiplied
        return image.getchannel("a")
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA").getchannel("A")
    return None


def _has_colors(image: Image.Image, clear: Image.Image) -> bool:
    """Whether more than one colour lies where `clear` is 255."""
    extrema = ImageStat.Stat(to_rgb(image), clear).extrema
    return any(low != high for low, high in extrema)
