"""What an endpoint is sent: the bytes of an image, under any of its content types, and how they are refused."""

from typing import NamedTuple

from PIL import Image

from pixelwise.data.bands import Bands
from pixelwise.data.decoders.arrays import MAGIC
from pixelwise.data.decoders.deep import PixelArray
from pixelwise.data.decoders.formats import IMAGE_FORMATS, readable_formats
from pixelwise.data.display import Display
from pixelwise.data.file_kinds import FIRST_BYTES, image_format, kind_of
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.planes import Planes
from pixelwise.errors import DataError, MissingExtra
from pixelwise.inference.pictures import open_picture
from pixelwise.inference.predictor import pixels_of
from pixelwise.phrases import listed
from pixelwise.serving.limits import Refusal
from pixelwise.serving.media_types import parse_media_type

ANY_IMAGE = "application/x-image"
"""The content type of an image of any format, as SageMaker's algorithm has it."""

_ANY = (ANY_IMAGE, "image/*", "*/*", "")  # the last: no header


class Received(NamedTuple):
    """A decoded image of a request."""

    pixels: PixelArray  # (H, W, C) as the network is given it: RGB of 8 bits as a rule
    bands: Bands
    notes: tuple[str, ...] = ()  # what of the file was left out

    def picture(self) -> Image.Image:
        """It in RGB, for people."""
        if self.bands.is_photograph:
            return Image.fromarray(self.pixels)
        return Display.of(self.bands).picture(Planes.of(self.pixels.transpose(2, 0, 1)))


def require_image_type(content_type: str) -> None:
    """Refusal 415 unless a request says that it holds an image; which, its bytes decide."""
    formats = readable_formats()
    if parse_media_type(content_type).name not in {*_ANY, *(name for each in formats for name in each.media_types)}:
        usual = listed((each.media_types[0] for each in formats), 8)
        raise Refusal(415, f"Content-Type is {content_type}, expected {usual}, or {ANY_IMAGE} for any of them.")


def receive(content: bytes, bands: Bands, *, max_pixels: int) -> Received:
    """The image of a request for a network of `bands`, upright.

    Raises:
        Refusal: 413, the image has more than `max_pixels`; 415, the body is something else.
        DataError: the image cannot be decoded, or is not of the bands that the model takes.
    """
    try:
        opened = open_picture(content, bands, max_pixels=max_pixels)
    except MissingExtra:
        raise _unsupported(image_format(content[:FIRST_BYTES]) or "of a format that is not read here") from None
    except FileFault as fault:
        raise _refused(fault.finding, content, max_pixels) from None
    return Received(pixels_of(opened.picture), bands, opened.notes)


def _refused(finding: Finding, content: bytes, max_pixels: int) -> DataError:
    """What is wrong with a body, in words for who sent it."""
    if finding.code == "decompression-bomb":
        what = f"The image {finding.found}, expected at most {max_pixels} pixels."
        return Refusal(413, f"{what} Make it smaller or cut it into tiles.")
    if finding.code in ("image-depth", "image-bands"):
        return DataError(f"The image {finding.found}, expected {finding.expected}. Send such an image.")
    kind = None if content.startswith(MAGIC) or _is_read(content) else kind_of(content)
    if kind is not None and "damaged" not in kind:
        return _unsupported(kind)
    return DataError(f"The body {finding.found}, expected {finding.expected}. Send the whole file of an image.")


def _is_read(content: bytes) -> bool:
    name = image_format(content[:FIRST_BYTES])
    return any(name == each.name for each in readable_formats())


def _unsupported(kind: str) -> Refusal:
    return Refusal(415, f"The body is {kind}, expected an image in one of {IMAGE_FORMATS}. Convert it.")
