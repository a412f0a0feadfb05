"""What a file is that no decoder takes, by its first bytes: so that a message can name it."""

import io
import re
import struct

from PIL import TiffImagePlugin

# Where the bytes stand, what they are, and what such a file is called.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF"),
    (0, b"%!PS", "a PostScript file (EPS)"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file (EPS)"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (128, b"DICM", "a DICOM file"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"gimp xcf", "a GIMP file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself: `git lfs pull` fetches it"),
)
_PICTURES = ("HEIC", "AVIF", "WebP", "Photoshop file", "GIMP file", "DICOM file", "FITS file")
_AVIF, _HEIC = {b"avif", b"avis"}, {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
_TIFF = (b"II*\0", b"MM\0*")
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)?(<!doctype html|<html|<head)", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(rb"\s*<(\?xml|svg)", re.IGNORECASE)
_ENTRIES = 4096  # no sound file has more in its first directory


def what_is(content: bytes) -> str:
    """Such as "is not an image but an HTML page" or "is a TIFF of 6 bands of 16 bits, which is not read"."""
    kind = kind_of(content)
    if kind is None:
        return "is not an image"
    is_picture = kind.endswith(_PICTURES) or " TIFF" in kind
    return f"is {kind}, which is not read" if is_picture else f"is not an image but {kind}"


def kind_of(content: bytes) -> str | None:
    """Such as "an HTML page" or "a TIFF of 6 bands of 16 bits"; None where the bytes tell nothing."""
    head = content[:512]
    for place, signature, kind in _SIGNATURES:
        if head[place:].startswith(signature):
            return kind
    if head[4:8] == b"ftyp":
        return _kind_of_container(head[8:12])
    if head[:4] == b"RIFF":
        return {b"AVI ": "an AVI video", b"WEBP": "a damaged WebP", b"WAVE": "a sound"}.get(head[8:12])
    return _kind_of_tiff(content) if head[:4] in _TIFF else _kind_of_text(head)


def _kind_of_text(head: bytes) -> str | None:
    if _HTML.match(head):
        return "an HTML page, as a server sends it in place of a file"
    if _MARKUP.match(head):
        return "an SVG drawing" if b"<svg" in head.lower() else "an XML file"
    return None


def _kind_of_container(brand: bytes) -> str:
    if brand in _AVIF:
        return "an AVIF"
    return "a HEIC" if brand in _HEIC else "a QuickTime video" if brand == b"qt  " else "an MP4 video"


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
