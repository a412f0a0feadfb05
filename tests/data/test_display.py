"""The picture that people see of an image of any depth and bands, and what is said of it."""

import math

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.display import Display, own_range
from pixelwise.data.planes import Planes, read_picture
from pixelwise.errors import SettingsError

# Of five bands the network is given the fourth, the third and the second.
BANDS = Bands("uint16", 5, (4, 3, 2), ((0.0, 1000.0), (0.0, 1000.0), (500.0, 1500.0)), is_color=False)


def scene(*bands):
    """(1, N, C) of the values of each band."""
    return np.array(bands, dtype=np.uint16).T[None]


def test_the_networks_first_three_bands_are_red_green_and_blue_from_their_ranges():
    values = scene([9, 9], [500, 1500], [0, 250], [1000, 2000], [7, 7])
    picture = Display.of(BANDS).picture(DeepImage(values, is_color=False))
    # red: band 4, 1000 and 2000 of 0..1000; green: band 3, 0 and a quarter; blue: band 2, both ends of 500..1500
    assert np.asarray(picture).tolist() == [[[255, 0, 0], [255, 64, 255]]]
    assert Display.of(BANDS).text() == (
        "Shown: bands 4, 3, 2 as red, green, blue, stretched from 0..1000, 0..1000, 500..1500"
    )


def test_planes_are_shown_as_the_whole_image_is():
    values = scene([9, 9], [500, 1500], [0, 250], [1000, 2000], [7, 7])
    planes = Planes.of(values.transpose(2, 0, 1)[[3, 2, 1]])
    display = Display.of(BANDS, (2, 3, 4))
    assert np.array_equal(display.picture(planes), display.picture(DeepImage(values, is_color=False)))
    assert np.asarray(display.picture(planes)).tolist() == [[[0, 0, 255], [255, 64, 255]]]


def test_a_band_that_the_network_is_not_given_has_the_range_of_its_own_values(tmp_path):
    first = np.arange(201, dtype=np.uint16)  # the 0.5th percentile is 1, the 99.5th 199
    values = np.stack([first, *[np.full(201, 700, dtype=np.uint16)] * 4], axis=1)[None]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    display = Display.of(BANDS, "1")
    picture = np.asarray(display.picture(read_picture(tmp_path / "a.tif", BANDS), tmp_path / "a.tif"))
    assert picture[0, [0, 1, 100, 199, 200]].tolist() == [[0] * 3, [0] * 3, [128] * 3, [255] * 3, [255] * 3]
    assert display.text() == ("Shown: band 1 in gray, stretched from each image's own 0.5th to 99.5th percentile")


def test_one_band_is_gray_and_what_is_no_number_is_black():
    bands = Bands("float32", 1, (1,), ((-1.0, 1.0),), is_color=False)
    values = np.array([[[-2.0], [0.0], [math.nan], [1.0]]], dtype=np.float32)
    picture = Display.of(bands).picture(DeepImage(values, is_color=False))
    assert np.asarray(picture).tolist() == [[[0] * 3, [128] * 3, [0] * 3, [255] * 3]]
    assert Display.of(bands).text() == "Shown: band 1 in gray, stretched from -1..1"


def test_a_photograph_is_shown_as_it_is_and_nothing_is_said():
    photograph = Image.new("RGB", (2, 1), (10, 20, 30))
    display = Display.of(PHOTOGRAPH)
    assert display.picture(photograph) is photograph
    assert display.text() == ""


def test_bands_of_a_photograph_can_be_exchanged_without_a_stretch():
    photograph = Image.new("RGB", (1, 1), (10, 20, 30))
    display = Display.of(PHOTOGRAPH, (3, 2, 1))
    assert display.picture(photograph).getpixel((0, 0)) == (30, 20, 10)
    assert display.text() == "Shown: bands 3, 2, 1 as red, green, blue"
    assert Display.of(PHOTOGRAPH, 2).picture(photograph).getpixel((0, 0)) == (20, 20, 20)


def test_a_photograph_on_its_side_is_not_turned_twice(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[0, 0] = (200, 0, 0)  # at the upper left as stored, at the upper right when upright
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=turned)
    picture = Display.of(PHOTOGRAPH, (3, 2, 1)).picture(read_picture(tmp_path / "a.png", PHOTOGRAPH))
    assert picture.size == (2, 3)
    assert picture.getpixel((1, 0)) == (0, 0, 200)


def test_an_image_of_another_kind_is_shown_by_itself(tmp_path):
    values = np.linspace(0, 1, 201, dtype=np.float32)[None]  # percentiles 0.005 and 0.995
    np.save(tmp_path / "a.npy", values)
    image = decode(tmp_path / "a.npy")
    display = Display.of_itself(image, (4, 3, 2))  # bands that this image does not have
    assert display.show == (1,)
    assert np.asarray(display.picture(image))[0, [0, 1, 199, 200]].tolist() == [[0] * 3, [0] * 3, [255] * 3, [255] * 3]
    assert own_range(np.array([3.0, math.nan, 3.0])) == (3.0, 4.0)
    assert own_range(np.array([math.nan, math.inf])) == (0.0, 1.0)


def test_bytes_that_the_network_is_not_given_are_shown_as_they_are():
    bands = Bands("uint8", 4, (4,), ((0.0, 100.0),))
    values = np.array([[[1, 2, 3, 50]]], dtype=np.uint8)
    display = Display.of(bands, (1, 2, 3))
    assert display.picture(DeepImage(values, is_color=True)).getpixel((0, 0)) == (1, 2, 3)
    assert display.text() == "Shown: bands 1, 2, 3 as red, green, blue"
    assert Display.of(bands, (4, 1, 2)).picture(DeepImage(values, is_color=True)).getpixel((0, 0)) == (128, 1, 2)
    assert Display.of_itself(DeepImage(values, is_color=True)).text() == "Shown: bands 1, 2, 3 as red, green, blue"


@pytest.mark.parametrize(
    ("show", "said"),
    [
        ("4,3", "show_bands is '4,3', expected one number of a band from 1 on, or three such as 4,3,2."),
        ("0", "show_bands is '0', expected one number"),
        ("red", "show_bands is 'red', expected one number"),
        ("", "show_bands is '', expected one number"),
        ("nan", "show_bands is 'nan', expected one number"),
        ((1.5, 2, 3), "show_bands is (1.5, 2, 3), expected one number"),
        ("6", "show_bands is 6, but the images have 5 bands. Give numbers from 1 to 5."),
    ],
)
def test_bands_that_cannot_be_shown_are_refused(show, said):
    with pytest.raises(SettingsError) as refused:
        Display.of(BANDS, show)
    assert str(refused.value).startswith(said)
