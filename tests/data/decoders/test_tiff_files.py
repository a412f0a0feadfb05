"""TIFFs of every layout and depth give the arrays that tifffile was given, and damage is one sentence."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.decoders.opening import read_image
from pixelwise.errors import DataError

GRAY = {"photometric": "minisblack"}
NUMBERS = np.random.default_rng(0)


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def pages(*many):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for values, options in many:
            writer.write(values, metadata=None, **options)
    return file.getvalue()


def drawn(bands, dtype=np.uint16, height=40, width=48):
    limits = np.iinfo(dtype)
    return NUMBERS.integers(limits.min, int(limits.max) + 1, (height, width, bands)).astype(dtype)


def deep(content):
    image = decode(content)
    assert isinstance(image, DeepImage)
    return image


def refused(content):
    with pytest.raises(DataError) as caught:
        decode(content)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize(
    "layout",
    [
        {"planarconfig": "contig"},
        {"planarconfig": "contig", "rowsperstrip": 7},
        {"planarconfig": "contig", "tile": (16, 16)},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "tile": (16, 32)},
        {"planarconfig": "contig", "byteorder": ">"},
        {"planarconfig": "separate", "bigtiff": True},
        {"planarconfig": "contig", "bigtiff": True, "byteorder": ">"},
    ],
)
def test_five_bands_in_every_layout(layout, compression):
    values = drawn(5)
    given = values.transpose(2, 0, 1) if layout["planarconfig"] == "separate" else values
    image = deep(tiff(given, compression=compression, **GRAY, **layout))
    assert (image.depth, image.bands, image.size, image.frames) == ("uint16", 5, (48, 40), 1)
    assert not image.is_color
    assert np.array_equal(image.values, values)


@pytest.mark.parametrize("predictor", [True, 3])
def test_predictors_are_undone(predictor):
    values = drawn(4) if predictor is True else NUMBERS.normal(size=(40, 48, 4)).astype(np.float32)
    image = deep(tiff(values, compression="deflate", predictor=predictor, planarconfig="contig", **GRAY))
    assert np.array_equal(image.values, values)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 8, 13, 16])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_up_to_sixteen_bands_are_read(bands, dtype):
    values = drawn(bands, dtype)
    given = values[:, :, 0] if bands == 1 else values
    options = GRAY if bands == 1 else {"planarconfig": "contig", **GRAY}
    image = deep(tiff(given, **options))
    assert (image.depth, image.bands) == (np.dtype(dtype).name, bands)
    assert np.array_equal(image.values, values)


def test_seventeen_bands_are_refused_in_numbers():
    assert "has 17 bands, which are more than 16" in refused(tiff(drawn(17), planarconfig="contig", **GRAY))


@pytest.mark.parametrize(
    ("dtype", "depth"),
    [("int8", "int16"), ("float16", "float32"), ("float32", "float32"), ("float64", "float32"), ("int32", "float32")],
)
def test_other_numbers_become_the_depth_that_holds_them(dtype, depth):
    values = np.array([[-128, -1, 0], [1, 100, 127]], dtype=dtype)
    image = deep(tiff(values, **GRAY))
    assert image.depth == depth
    assert image.values[:, :, 0].tolist() == [[-128, -1, 0], [1, 100, 127]]


def test_numbers_of_32_bits_without_a_sign_are_exact_up_to_24_bits():
    assert deep(tiff(np.array([[0, 2**24], [7, 65536]], np.uint32), **GRAY)).values.ravel().tolist() == [
        0, 2**24, 7, 65536,
    ]  # fmt: skip


def test_complex_numbers_are_no_image():
    assert "complex64" in refused(tiff(np.ones((3, 4), np.complex64), **GRAY))


def test_near_infrared_beside_red_green_and_blue_is_a_band():
    for dtype in (np.uint8, np.uint16):
        values = drawn(4, dtype)
        image = deep(tiff(values, photometric="rgb", extrasamples=["unspecified"], planarconfig="contig"))
        assert (image.bands, image.is_color) == (4, True)
        assert np.array_equal(image.values, values)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_transparency_is_no_band(kind):
    values = drawn(4)
    image = deep(tiff(values, photometric="rgb", extrasamples=[kind], planarconfig="contig"))
    assert (image.bands, image.is_color) == (3, True)
    assert np.array_equal(image.values, values[:, :, :3])
    gray = drawn(2)
    image = deep(tiff(gray, extrasamples=[kind], planarconfig="contig", **GRAY))
    assert np.array_equal(image.values, gray[:, :, :1])


def test_eight_bits_of_red_green_and_blue_stay_with_pillow_with_and_without_transparency():
    for bands, extra in ((3, None), (4, ["unassalpha"])):
        values = drawn(bands, np.uint8)
        opened = decode(tiff(values, photometric="rgb", extrasamples=extra, planarconfig="contig"))
        assert isinstance(opened, Image.Image)
        assert np.array_equal(np.asarray(read_image(opened)), values[:, :, :3])


@pytest.mark.parametrize("bands", [1, 5])
def test_an_orientation_of_6_is_turned_by_90_degrees_to_the_right(bands):
    values = drawn(bands)
    given, options = (values[:, :, 0], GRAY) if bands == 1 else (values, {"planarconfig": "contig", **GRAY})
    image = deep(tiff(given, extratags=[(274, 3, 1, 6, True)], **options))
    assert image.size == (40, 48)
    assert np.array_equal(image.values, np.rot90(values, -1))  # TIFF 6.0: row 0 is the right side, column 0 the top


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90),
        (9, lambda a: a),
    ],
)
def test_every_orientation_is_undone(orientation, turned):
    values = drawn(4)
    content = tiff(values, planarconfig="contig", extratags=[(274, 3, 1, orientation, True)], **GRAY)
    assert np.array_equal(deep(content).values, turned(values))


def test_of_pages_the_first_is_taken_and_all_are_counted():
    first, second = drawn(5), drawn(5)
    options = {"planarconfig": "contig", **GRAY}
    image = deep(pages((first, options), (second, options), (second, options)))
    assert image.frames == 3
    assert np.array_equal(image.values, first)


def test_overviews_and_masks_are_no_pages():
    first, small = drawn(5), drawn(5, height=20, width=24)
    options = {"planarconfig": "contig", **GRAY}
    content = pages((small, options | {"subfiletype": 1}), (first, options), (small, options | {"subfiletype": 1}))
    image = deep(content)
    assert image.frames == 1
    assert np.array_equal(image.values, first)
    alone = deep(pages((small, options | {"subfiletype": 1})))  # nothing larger is there
    assert np.array_equal(alone.values, small)


@pytest.mark.parametrize("place", [10**6, 9, 2**32 - 2])
def test_damage_behind_the_first_page_loses_nothing(place):
    values = drawn(5)
    content = bytearray(tiff(values, planarconfig="contig", metadata=None, **GRAY))
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    end = first + 2 + 12 * entries
    content[end : end + 4] = struct.pack("<I", place)
    image = deep(bytes(content))
    assert np.array_equal(image.values, values)


def test_every_cut_is_a_refusal_in_one_sentence():
    content = tiff(drawn(5, height=8, width=8), planarconfig="contig", compression="lzw", metadata=None, **GRAY)
    for end in range(0, len(content) - 1, 37):
        refused(content[:end])


def test_random_damage_is_read_or_refused_and_nothing_else():
    content = tiff(drawn(3, height=8, width=8), planarconfig="contig", compression="deflate", metadata=None, **GRAY)
    for _ in range(150):
        changed = bytearray(content)
        for place in NUMBERS.integers(0, len(content), 3):
            changed[place] = int(NUMBERS.integers(256))
        try:
            decode(bytes(changed))
        except DataError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_claimed_sizes_are_refused_before_memory_is_asked_for():
    content = bytearray(tiff(drawn(5, height=8, width=8), planarconfig="contig", metadata=None, **GRAY))
    first = int.from_bytes(content[4:8], "little")
    for i in range(int.from_bytes(content[first : first + 2], "little")):
        entry = first + 2 + 12 * i
        if int.from_bytes(content[entry : entry + 2], "little") in (256, 257):
            content[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 2_000_000)
    message = refused(bytes(content))
    assert "2000000 x 2000000 px" in message
    assert "Cut it into tiles" in message


def test_a_volume_is_refused():
    volume = tiff(np.zeros((5, 32, 32), np.uint16), volumetric=True, tile=(16, 16, 16), **GRAY)
    assert "volume" in refused(volume)


def test_the_range_comes_from_the_tags():
    content = tiff(drawn(1)[:, :, 0], extratags=[(280, 3, 1, 10, True), (281, 3, 1, 4095, True)], **GRAY)
    assert deep(content).stated == (10.0, 4095.0)
    assert deep(tiff(drawn(1)[:, :, 0], **GRAY)).stated is None
