"""A file that no decoder takes is named for what it is, and nothing is started to find out."""

import ast
import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.file_kinds import what_is
from pixelwise.data.masks.decoding import decode
from pixelwise.data.reading import DECODERS, read_image
from pixelwise.errors import DataError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n/loop { {} loop } def loop\n%%EOF\n"


def tiff(bands: int, bits: int = 16) -> bytes:
    """A little-endian TIFF of 2 x 2 pixels, after the specification of TIFF 6.0."""
    pixels = bytes(4 * bands * bits // 8)
    tags = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, bands), (278, 3, 1, 2), (279, 4, 1, len(pixels))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((3, 4)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is an image in HEIC, which cannot be read"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "is not an image but an MP4 video"),
        (b"%PDF-1.7\n", "is not an image but a PDF"),
        (EPS, "is not an image but a PostScript file (EPS)"),
        (b"<!DOCTYPE html>\n<html><body>403</body>", "is not an image but an HTML page"),
        (b'<svg xmlns="x" width="3"/>', "is not an image but an SVG drawing"),
        (b'{"error": "no such key"}', "is not an image"),
        (bytes(128) + b"DICM\2\0", "is an image in DICOM, which cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is not an image but a pointer of Git LFS"),
        (array(), "is not an image but a NumPy array"),
        (tiff(6), "is a TIFF of 6 bands of 16 bits, which cannot be read"),
        (tiff(8)[:30], "is a damaged TIFF, which cannot be read"),
        (b"\1\2\3\4\xff\xfe", "is not an image"),
        (bytes(600), "is not an image"),
    ],
)
def test_a_file_is_named_for_what_it_is(tmp_path, content, said):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    assert what_is(content).startswith(said)
    if "damaged" in said:
        said = "cannot be decoded"  # Pillow's decoder says more
    with pytest.raises(DataError, match=re.escape(f"photo.png: {said}")):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, decode])
def test_no_decoder_that_starts_a_program_is_asked(tmp_path, monkeypatch, read):
    monkeypatch.setattr("subprocess.Popen", lambda *_arguments, **_options: pytest.fail("a program was started"))
    path = tmp_path / "x.png"
    path.write_bytes(EPS)
    with pytest.raises(DataError, match="PostScript"):
        read(path)


WRITTEN = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM", "TGA", "AVIF"]


@pytest.mark.parametrize("form", [form for form in WRITTEN if form in DECODERS])
def test_what_decoders_of_the_list_write_is_read(form):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (250, 10, 10)).save(file, form)
    image = read_image(file.getvalue())
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert np.abs(np.asarray(image).astype(int) - (250, 10, 10)).max() < 12


def test_every_door_opens_files_by_a_list_of_decoders():
    source = Path(__file__).resolve().parents[2] / "src" / "pixelwise"
    calls = [
        f"{path.relative_to(source)}:{node.lineno}"
        for path in sorted(source.rglob("*.py"))
        if path.name != "demo.py"  # which opens what it has drawn
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open"
        if "formats" not in {keyword.arg for keyword in node.keywords}
    ]
    assert calls == []
