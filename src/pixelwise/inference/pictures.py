"""An image file as a network is given it, in the words of prediction, and what of the file did not get so far."""

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixelwise.data.bands import Bands
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.decoders.heif import BITS
from pixelwise.data.decoders.opening import MAX_PIXELS, open_image, read_content
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.planes import Picture, read_picture
from pixelwise.phrases import percent

# Of an MPO, which many phones write, the other frames are previews and depths; layers of a PSD are no frames.
_FRAMED = ("GIF", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")
_TIFF_SUBFILE, _TIFF_REDUCED_OR_MASK = 254, 0b101

_REMEDY = "Leave it out or replace it."
_OF_THE_FILE = ("empty-file", "truncated-file", "unreadable-file")
_OF_ITS_KIND = ("image-depth", "image-bands")


class Opened(NamedTuple):
    """An image, and what people should know of how it was read."""

    picture: Picture
    notes: tuple[str, ...]  # such as "the first of 3 frames was used"


def open_picture(source: Path | bytes, bands: Bands, *, max_pixels: int = MAX_PIXELS) -> Opened:
    """The image of a file for a network of `bands`, upright, and what of the file was left out or used unseen.

    Raises:
        FileFault: the file cannot be read, has more than `max_pixels` (code "decompression-bomb", before it is
            decoded), or is not of the depth or the number of bands ("image-depth", "image-bands").
        MissingExtra: a package that reads it is not installed.
    """
    name = source if isinstance(source, Path) else Path("image")
    content = read_content(source) if isinstance(source, Path) else source
    try:
        found = decode(content, name, max_pixels=max_pixels)
        picture = read_picture(found, bands, name)
    except FileFault as fault:
        raise FileFault(in_prediction(fault.finding)) from None
    frames = found.frames if isinstance(found, DeepImage) else count_frames(content)
    notes = [f"the first of {frames} frames was used"] if frames > 1 else []
    if isinstance(found, Image.Image) and BITS in found.info:
        notes.append(f"{found.info[BITS]} bits a channel were reduced to 8")
    notes += _levels(found, picture, bands) if isinstance(found, DeepImage) else _transparency(found)
    return Opened(picture, tuple(notes))


def in_prediction(finding: Finding) -> Finding:
    """What is wrong with an image where there is no dataset: a remedy that speaks of the file alone."""
    if finding.code in _OF_THE_FILE:
        return finding._replace(remedy=_REMEDY)
    if finding.code in _OF_ITS_KIND:
        return finding._replace(expected=f"{finding.expected}, as the model takes them", remedy=_REMEDY)
    return finding


def count_frames(source: Path | bytes) -> int:
    """Frames of an animation or pages of a TIFF, without its smaller versions and masks; 1 for a single image."""
    try:
        image = open_image(source)
        frames = int(getattr(image, "n_frames", 1)) if image.format in _FRAMED else 1
        if image.format != "TIFF":
            return frames
        pages = 1
        for i in range(1, frames):
            image.seek(i)
            pages += not int(image.tag_v2.get(_TIFF_SUBFILE, 0)) & _TIFF_REDUCED_OR_MASK  # type: ignore[attr-defined]
        return pages
    except Exception:  # a damaged second frame is no reason to lose the first, which is read
        return 1


def _levels(found: DeepImage, picture: Picture, bands: Bands) -> list[str]:
    """How many of the 256 levels of a photograph are left of 16 bits."""
    if not bands.is_photograph or found.depth != "uint16" or not isinstance(picture, Image.Image):
        return []
    histogram = picture.histogram()
    levels = sum(any(histogram[level::256]) for level in range(256))
    left = f"{levels} of 256 levels {'is' if levels == 1 else 'are'} left"
    return [f"16 bits a channel were reduced to 8: {left}"]


def _transparency(image: Image.Image) -> list[str]:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return []
    try:
        clear = image.convert("RGBA").getchannel("A").histogram()[0]
    except (OSError, ValueError):  # a mode without a way to RGBA; its colours were read
        return []
    share = clear / (image.width * image.height)
    return [f"{percent(share)} of it is transparent; the colours hidden there were used"] if clear else []
