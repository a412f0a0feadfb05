"""HEIC and HEIF images, as phones write them, through Pillow (extra `heif`)."""

from pixelwise.errors import MissingExtra

FORMAT = "HEIF"
"""What Pillow calls them once they are registered."""


def register() -> None:
    """Give Pillow the decoder; MissingExtra where it is not installed."""
    try:
        import pi_heif  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("heif", "Reading HEIC images") from None
    pi_heif.register_heif_opener()
