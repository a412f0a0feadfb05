"""HEIC and HEIF images, as phones write them, through Pillow (extra `heif`)."""

from pixelwise.errors import MissingExtra

FORMAT = "HEIF"
"""What Pillow calls them once they are registered."""


BITS = "bits"
"""In the `info` of an opened image: the bits a channel of its file, where the decoder keeps 8 of them."""

_PIXI = b"pixi\0\0\0\0"  # the property of an item that has a number of channels and the bits of each (ISO/IEC 23008-12)
_PROPERTIES = 1 << 16  # bytes in which they stand


def bits_of(content: bytes) -> int:
    """Bits a channel of a HEIC or AVIF image; 8 where the file does not say."""
    place = content.find(_PIXI, 0, _PROPERTIES) + len(_PIXI)
    return max(content[place + 1 : place + 1 + content[place]], default=8) if len(_PIXI) <= place < len(content) else 8


def register() -> None:
    """Give Pillow the decoder; MissingExtra where it is not installed."""
    try:
        import pi_heif  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("heif", "Reading HEIC images") from None
    pi_heif.register_heif_opener()
