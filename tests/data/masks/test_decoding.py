"""Stored values, colours and gray of every kind of file that masks come in."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.findings import FileFault
from pixelwise.data.masks import decoding
from pixelwise.data.masks.decoding import image_shape


def value_plane(content, name):
    return decoding.decode(content, name).values()


def color_plane(content, name):
    return decoding.decode(content, name).colors()


def gray_plane(content, name):
    return decoding.decode(content, name).gray()


def gray_png(depth: int, row: bytes, width: int) -> bytes:
    """One row of a gray PNG, put together after the PNG specification (W3C, 2003, section 11)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, 1, depth, 0, 0, 0, 0)
    data = zlib.compress(b"\0" + row)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "row", "values"),
    [
        (1, b"\xa0", [1, 0, 1]),
        (2, b"\x1b", [0, 1, 2, 3]),
        (4, b"\x0f\x50", [0, 15, 5]),
        (8, b"\x00\x07\xff", [0, 7, 255]),
        (16, b"\x01\x00\x00\x07", [256, 7]),
    ],
)
def test_gray_png_of_every_depth_gives_the_numbers_in_the_file(depth, row, values):
    assert value_plane(gray_png(depth, row, len(values)), "a.png").tolist() == [values]


def test_one_bit_is_seen_as_black_and_white():
    assert gray_plane(gray_png(1, b"\xa0", 3), "a.png").tolist() == [[255, 0, 255]]


def test_fewer_bits_than_8_are_seen_brighter_than_they_are_stored():
    # W3C PNG specification, section 13.12: a sample of n bits is scaled by 255 / (2^n - 1), here 85 and 17.
    assert gray_plane(gray_png(2, b"\x1b", 4), "a.png").tolist() == [[0, 85, 170, 255]]
    assert gray_plane(gray_png(4, b"\x0f\x50", 3), "a.png").tolist() == [[0, 255, 85]]


def test_a_file_gives_what_its_bytes_give_and_is_named_in_errors(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(gray_png(2, b"\x1b", 4))
    assert decoding.decode(path).values().tolist() == value_plane(path.read_bytes(), "a.png").tolist()
    path.write_bytes(b"II*\0nothing")
    for missing in (path, tmp_path / "missing.tif"):
        with pytest.raises(FileFault, match=f"^{missing}: "):
            decoding.decode(missing)


def test_8_bits_stay_8_bits(encoded):
    ids = np.array([[0, 255]], dtype=np.uint8)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        assert value_plane(encoded(ids, kind), "a").dtype == np.uint8
    assert value_plane(encoded(ids.astype(np.uint16)), "a").dtype == np.uint16


def test_palettes_give_indices_as_values_and_their_colours_as_colours(encoded):
    image = Image.fromarray(np.array([[0, 2]], dtype=np.uint8))
    image.putpalette([1, 2, 3, 0, 0, 0, 255, 0, 16])
    for kind in ("PNG", "TIFF", "BMP"):
        assert value_plane(encoded(image, kind), "a").tolist() == [[0, 2]]
        assert color_plane(encoded(image, kind), "a").tolist() == [[0x010203, 0xFF0010]]


def test_transparency_leaves_colours_as_they_are(encoded):
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 31, 255]]], dtype=np.uint8)
    assert color_plane(encoded(pixels), "a.png").tolist() == [[0x0A141E, 0x0A141F]]


def test_one_colour_throughout_is_drawn_in_its_transparency(encoded):
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], dtype=np.uint8)
    assert color_plane(encoded(pixels), "a.png").tolist() == [[0, 0x0A141E]]


def test_a_gif_of_grays_gives_the_grays_and_one_of_colours_its_indices(encoded):
    # Writers of GIF renumber: the grays 3 and 200 are stored as indices into a palette of two.
    gray = Image.frombytes("P", (2, 1), b"\x00\x01")
    gray.putpalette([3, 3, 3, 200, 200, 200])
    assert value_plane(encoded(gray, "GIF"), "a.gif").tolist() == [[3, 200]]
    colored = Image.frombytes("P", (2, 1), b"\x00\x01")
    colored.putpalette([3, 3, 3, 200, 0, 0])
    assert value_plane(encoded(colored, "GIF"), "a.gif").tolist() == [[0, 1]]


def test_the_first_frame_of_a_gif_counts(encoded):
    frames = [Image.fromarray(np.full((1, 2), value, dtype=np.uint8)) for value in (0, 255)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert value_plane(content, "a.gif").tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32, np.float64]
)
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_tiff_of_every_number_type_gives_its_values(dtype, tile):
    content = io.BytesIO()
    tifffile.imwrite(content, np.array([[0, 7], [100, 3]], dtype=dtype), tile=tile, photometric="minisblack")
    assert value_plane(content.getvalue(), "a.tif").tolist() == [[0, 7], [100, 3]]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.float32])
@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
def test_numbers_below_0_stay_as_they_are(dtype, compression):
    content = io.BytesIO()
    values = np.array([[0, -1], [-100, 3]], dtype=dtype)
    tifffile.imwrite(content, values, photometric="minisblack", compression=compression)
    assert value_plane(content.getvalue(), "a.tif").tolist() == [[0, -1], [-100, 3]]


@pytest.mark.parametrize(("value", "found"), [(70000, "70000"), (-3e38, "e[+]38"), (0.5, "fractions"), (np.nan, "nan")])
def test_numbers_that_are_no_ids_are_refused(value, found):
    content = io.BytesIO()
    tifffile.imwrite(content, np.array([[0, value]], dtype=np.float32), photometric="minisblack")
    with pytest.raises(FileFault, match=f"a.tif: .*{found}.* Expected whole numbers"):
        value_plane(content.getvalue(), "a.tif")


def test_a_stack_of_pages_is_refused_and_smaller_copies_behind_a_page_are_not(encoded):
    page, copy = (Image.fromarray(np.ones(shape, dtype=np.uint8)) for shape in ((4, 6), (2, 3)))
    pyramid = encoded(page, "TIFF", save_all=True, append_images=[copy])
    assert value_plane(pyramid, "a.tif").shape == (4, 6)
    stack = encoded(page, "TIFF", save_all=True, append_images=[page, page])
    for decode in (value_plane, color_plane, gray_plane):
        with pytest.raises(FileFault, match="3 pages"):
            decode(stack, "a.tif")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_colour_files_have_no_values_and_no_gray(encoded, kind):
    content = encoded(np.array([[[1, 2, 3]]], dtype=np.uint8), kind)
    for decode in (value_plane, gray_plane):
        with pytest.raises(FileFault, match=r"masks/a: has colours") as caught:
            decode(content, "masks/a")
        assert caught.value.finding.code == "mask-colors"


def test_gray_in_three_channels_is_gray(encoded):
    assert gray_plane(encoded(np.full((1, 1, 3), 9, dtype=np.uint8)), "a.png").tolist() == [[9]]


@pytest.mark.parametrize("decode", [value_plane, color_plane, gray_plane, image_shape])
@pytest.mark.parametrize("content", [b"", b"II*\0nothing", b"MM\0*", b"GIF89a", b"no image at all"])
def test_what_is_no_image_is_refused_by_name(decode, content):
    with pytest.raises(FileFault, match=r"^masks/b: "):
        decode(content, "masks/b")


def test_truncated_files_are_refused(encoded):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    for kind in ("PNG", "TIFF", "BMP"):
        for decode in (value_plane, color_plane, gray_plane):
            with pytest.raises(FileFault):
                decode(encoded(noise, kind)[:700], "a")


def test_the_shape_is_that_of_the_upright_image(encoded):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image = Image.fromarray(np.zeros((4, 6, 3), dtype=np.uint8))
    assert image_shape(encoded(image, "JPEG"), "a.jpg") == (4, 6)
    assert image_shape(encoded(image, "JPEG", exif=exif), "a.jpg") == (6, 4)
    assert image_shape(encoded(image, "TIFF", exif=exif), "a.tif") == (6, 4)
