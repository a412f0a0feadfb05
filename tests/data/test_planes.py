import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.display import Display
from pixelwise.data.findings import FileFault
from pixelwise.data.planes import Planes, read_picture

GRAY = Bands("uint16", 1, (1,), ((0.0, 4095.0),), False)
COLORS = Bands("uint16", 3, (1, 2, 3), ((0.0, 1000.0),) * 3, True)
INFRARED = Bands("uint8", 4, (4, 1), ((0.0, 255.0),) * 2, True)
BANDS_LAST = {"planarconfig": "contig", "photometric": "minisblack"}
HEIGHTS = Bands("float32", 1, (1,), ((-10.0, 90.0),), False)


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def numbers(shape, dtype, seed=0):
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_planes_hold_every_number_of_their_depth(dtype):
    values = numbers((2, 5, 7), dtype)
    planes = Planes.of(values)
    assert planes.size == (7, 5)
    assert planes.values().dtype == dtype
    assert np.array_equal(planes.values(), values)


def test_planes_hold_floats_as_they_are():
    values = np.random.default_rng(0).normal(0, 1e6, (2, 5, 7)).astype(np.float32)
    assert np.array_equal(Planes.of(values).values(), values)


def test_chosen_bands_are_read_in_their_order():
    values = numbers((6, 8, 4), "uint8")
    picture = read_picture(tiff(values, photometric="rgb", extrasamples=["unspecified"]), INFRARED)
    assert isinstance(picture, Planes)
    assert np.array_equal(picture.values(), values[:, :, [3, 0]].transpose(2, 0, 1))


def test_gray_stands_for_colours_where_these_are_wanted():
    values = numbers((6, 8), "uint16")
    assert np.array_equal(read_picture(tiff(values), COLORS).values(), np.stack([values] * 3))


def test_bands_of_photographs_can_be_chosen_too():
    pixels = numbers((6, 8, 3), "uint8")
    blue_first = Bands(chosen=(3, 2, 1))
    assert np.array_equal(read_picture(Image.fromarray(pixels), blue_first).values(), pixels.transpose(2, 0, 1)[::-1])


def test_what_is_no_number_is_the_lowest_of_its_band():
    values = np.array([[np.nan, 5.0], [np.inf, -np.inf]], dtype=np.float32)
    assert read_picture(tiff(values), HEIGHTS).values().tolist() == [[[-10.0, 5.0], [-10.0, -10.0]]]


@pytest.mark.parametrize(
    ("values", "options", "bands", "found", "code"),
    [
        (numbers((4, 4), "uint8"), {}, GRAY, "has 3 bands of uint8", "image-depth"),
        (numbers((4, 4, 3), "uint16"), {}, GRAY, "has 3 bands of uint16", "image-bands"),
        (numbers((4, 4), "int16"), {}, PHOTOGRAPH, "has 1 band of int16", "image-depth"),
        (numbers((4, 4, 5), "uint8"), BANDS_LAST, PHOTOGRAPH, "has 5 bands of uint8", "image-bands"),
    ],
)  # fmt: skip
def test_an_image_of_another_kind_is_named_for_what_it_has(values, options, bands, found, code):
    with pytest.raises(FileFault, match=found) as error:
        read_picture(tiff(values, **options), bands)
    assert error.value.finding.code == code


def test_16_bits_are_divided_by_257_where_photographs_are_wanted():
    image = read_picture(tiff(np.array([[0, 257, 65535, 12850]], dtype=np.uint16)), PHOTOGRAPH)
    assert np.asarray(image).tolist() == [[[0] * 3, [1] * 3, [255] * 3, [50] * 3]]


def test_people_are_shown_the_range_stretched_to_8_bits():
    gray = DeepImage(np.array([[[0], [4095], [5000], [1365]]], dtype=np.uint16), is_color=False)
    assert np.asarray(Display.of(GRAY).picture(gray)).tolist() == [[[0] * 3, [255] * 3, [255] * 3, [85] * 3]]
    colors = DeepImage(np.array([[[0, 500, 1000]]], dtype=np.uint16), is_color=True)
    assert np.asarray(Display.of(COLORS).picture(colors)).tolist() == [[[0, 128, 255]]]
