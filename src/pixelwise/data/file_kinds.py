"""What a file is, by its first bytes: images by their format, other files so that a message can name them."""

import io
import re
import struct

from PIL import TiffImagePlugin

FIRST_BYTES = 132
"""So many tell the format of an image."""

_IMAGES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF.{4}WEBP",
    "BMP": rb"BM.{4}\0{4}",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "AVIF": rb".{4}ftypavi[fs]",
    "HEIC": rb".{4}ftyp(he[iv][cmsx]|mi[af]1|msf1)",
    "JPEG XL": rb"\0\0\0\x0cJXL \r\n\x87\n",
    "Photoshop": rb"8BPS\0",
    "GIMP": rb"gimp xcf",
    "DICOM": rb".{128}DICM",
    "FITS": rb"SIMPLE  =",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Radiance HDR": rb"#\?(RADIANCE|RGBE)",
    "raw": rb"FUJIFILMCCD-RAW|IIRO|IIU\0|.{4}ftypcrx ",
}
_SIGNS = re.compile(b"|".join(b"(%b)" % re.sub(rb"\((?!\?)", b"(?:", sign) for sign in _IMAGES.values()), re.DOTALL)
_COMMON = {"JPEG", "PNG", "GIF", "WebP", "BMP", "JPEG 2000"}  # a decoder that refuses these has said why

# Where the bytes stand, what they are, and what such a file is called.
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF"),
    (0, b"%!PS", "a PostScript file (EPS)"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file (EPS)"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (4, b"ftypqt  ", "a QuickTime video"),
    (4, b"ftyp", "an MP4 video"),
    (8, b"AVI LIST", "an AVI video"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself: `git lfs pull` fetches it"),
)
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)?(<!doctype html|<html|<head)", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(rb"\s*<(\?xml|svg)", re.IGNORECASE)
_ENTRIES = 4096  # a directory of tags that claims more is damaged


def image_format(head: bytes) -> str | None:
    """The name of the format of an image, read here or not, by its FIRST_BYTES; None for other files."""
    found = _SIGNS.match(head)  # all of them at once: this is asked of every file
    return None if found is None else list(_IMAGES)[(found.lastindex or 1) - 1]


def what_is(content: bytes) -> str:
    """Such as "is not an image but an HTML page" or "is a TIFF of 6 bands of 16 bits, which cannot be read"."""
    kind = kind_of(content)
    if kind is None:
        return "is not an image"
    is_image = image_format(content[:FIRST_BYTES]) is not None
    return f"is {kind}, which cannot be read" if is_image else f"is not an image but {kind}"


def kind_of(content: bytes) -> str | None:
    """Such as "an HTML page", "an image in HEIC", "a TIFF of 6 bands of 16 bits"; None where the bytes tell nothing.

    Nor is there anything to tell of formats that every decoder knows.
    """
    head = content[:512]
    name = image_format(head)
    if name == "TIFF":
        return _kind_of_tiff(content)
    if name is not None:
        return None if name in _COMMON else f"an image in {name}"
    known = (kind for place, sign, kind in _OTHERS if head[place:].startswith(sign))
    return next(known, None) or _kind_of_text(head)


def _kind_of_text(head: bytes) -> str | None:
    if _HTML.match(head):
        return "an HTML page, as a server sends it in place of a file"
    if _MARKUP.match(head):
        return "an SVG drawing" if b"<svg" in head.lower() else "an XML file"
    return None


def _kind_of_tiff(content: bytes) -> str:
    """With its bands and bits, which its first directory of tags says."""
    try:
        order = "<" if content[:2] == b"II" else ">"
        (start,) = struct.unpack(f"{order}I", content[4:8])
        (entries,) = struct.unpack(f"{order}H", content[start : start + 2])
        if entries > _ENTRIES:
            return "a damaged TIFF"
        tags = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
        file = io.BytesIO(content)
        file.seek(start)
        tags.load(file)
        bands, bits = int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)), tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        depth = max(int(each) for each in (bits if isinstance(bits, tuple) else (bits,)))
    except Exception:  # broken tags raise struct.error, KeyError, TypeError, OverflowError ...
        return "a damaged TIFF"
    return f"a TIFF of {bands} band{'' if bands == 1 else 's'} of {depth} bits"
