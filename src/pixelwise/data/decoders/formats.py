"""Formats: every kind of image file that is read, by name, suffixes and content types; all doors take this list."""

from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

from pixelwise.phrases import listed

PROBABILITIES = "_probabilities.npy"
"""How files end that `predict` writes beside masks: arrays, and no images."""


class FileFormat(NamedTuple):
    """A kind of image file."""

    name: str  # as people call it
    suffixes: tuple[str, ...]  # in lower case; the first is the usual one
    media_types: tuple[str, ...]  # of requests and replies (RFC 9110, 8.3); the first is the usual one
    decoders: tuple[str, ...] = ()  # what Pillow calls it; none: another library reads it
    feature: str | None = None  # of Pillow, which not every build has
    extra: str | None = None  # of ours, which brings `package`
    package: str | None = None


FORMATS = (
    FileFormat(
        "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("image/jpeg", "image/jpg", "image/pjpeg"), ("JPEG",)
    ),
    FileFormat("PNG", (".png", ".apng"), ("image/png", "image/apng", "image/x-png"), ("PNG",)),
    FileFormat("WebP", (".webp",), ("image/webp",), ("WEBP",), feature="webp"),
    FileFormat("BMP", (".bmp", ".dib"), ("image/bmp", "image/x-bmp", "image/x-ms-bmp"), ("BMP", "DIB")),
    FileFormat("TIFF", (".tif", ".tiff"), ("image/tiff", "image/x-tiff"), ("TIFF",)),
    FileFormat("GIF", (".gif",), ("image/gif",), ("GIF",)),
    FileFormat(
        "JPEG 2000", (".jp2", ".j2k"), ("image/jp2", "image/jpx", "image/j2c"), ("JPEG2000",), feature="jpg_2000"
    ),
    FileFormat("AVIF", (".avif",), ("image/avif",), ("AVIF",), feature="avif"),
    FileFormat("HEIC", (".heic", ".heif", ".hif"), ("image/heic", "image/heif"), extra="heif", package="pi_heif"),
    FileFormat("DICOM", (".dcm", ".dicom"), ("application/dicom",), extra="dicom", package="pydicom"),
    FileFormat("NumPy", (".npy",), ("application/x-npy",)),
    FileFormat(
        "PPM",
        (".ppm", ".pgm", ".pbm", ".pnm"),
        tuple(f"image/x-portable-{kind}" for kind in ("pixmap", "graymap", "bitmap", "anymap")),
        ("PPM",),
    ),
    FileFormat("TGA", (".tga",), ("image/x-tga", "image/x-targa"), ("TGA",)),
    FileFormat("PCX", (".pcx",), ("image/x-pcx", "image/vnd.zbrush.pcx"), ("PCX",)),
    FileFormat("SGI", (".sgi",), ("image/sgi", "image/x-sgi"), ("SGI",)),
    FileFormat("DDS", (".dds",), ("image/vnd-ms.dds", "image/x-dds"), ("DDS",)),
    FileFormat("ICO", (".ico",), ("image/x-icon", "image/vnd.microsoft.icon"), ("ICO",)),
    FileFormat("ICNS", (".icns",), ("image/icns", "image/x-icns"), ("ICNS",)),
    FileFormat("QOI", (".qoi",), ("image/qoi", "image/x-qoi"), ("QOI",)),
)
"""What is read, the usual ones first; a name that `file_kinds` knows by its first bytes is the same there."""

ARRAY_SUFFIXES = frozenset({".npy"})
"""Of arrays, which may be images; they count where a folder has no pictures, beside which they are something else."""

IMAGE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes) - ARRAY_SUFFIXES
"""Of all other files that are taken for images by their names."""

IMAGE_FORMATS = listed((each.name for each in FORMATS), 11)
"""For messages: "JPEG, PNG, WebP, BMP ... and 8 more"."""


@cache
def readable_formats() -> tuple[FileFormat, ...]:
    """Those of FORMATS that this machine has the decoders for."""
    here = (each for each in FORMATS if each.feature is None or _is_built_in(each.feature))
    return tuple(each for each in here if each.package is None or find_spec(each.package) is not None)


def _is_built_in(feature: str) -> bool:
    """Whether this build of Pillow has a decoder; asked one by one, as the list of all would load Tk."""
    from PIL import features

    if feature in features.modules:
        return bool(features.check_module(feature))
    return feature in features.codecs and bool(features.check_codec(feature))
