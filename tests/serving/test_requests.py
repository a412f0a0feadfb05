"""What the endpoint takes: every format under every content type, and refusals in its own words."""

import io
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.decoders.formats import FORMATS, readable_formats
from pixelwise.errors import DataError
from pixelwise.serving import requests
from pixelwise.serving.limits import Refusal
from pixelwise.serving.requests import receive, require_image_type
from tests.serving.conftest import PIXELS, encoded

FIVE = Bands("uint16", 5, (1, 2, 3, 4, 5), ((0.0, 4095.0),) * 5, is_color=False)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
HUGE = 10**9


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def five_bands(height=4, width=6):
    return np.arange(height * width * 5, dtype=np.uint16).reshape(height, width, 5) * 7


def refused(content, bands=PHOTOGRAPH, max_pixels=HUGE):
    with pytest.raises(DataError) as caught:
        receive(content, bands, max_pixels=max_pixels)
    message = str(caught.value)
    assert "pair" not in message
    assert len(message.splitlines()) == 1
    return getattr(caught.value, "status", 400), message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM", "TGA"])
def test_an_image_of_any_usual_format_is_decoded(kind):
    received = receive(encoded(PIXELS, kind), PHOTOGRAPH, max_pixels=512)
    assert (received.pixels.shape, received.pixels.dtype, received.notes) == ((16, 32, 3), np.uint8, ())
    assert np.abs(received.pixels[..., 0].astype(int) - PIXELS).max() <= 60
    assert np.array_equal(np.asarray(received.picture()), received.pixels)


@pytest.mark.parametrize("name", ["", "*/*", "image/*", "IMAGE/TIFF; application=geotiff", "image/jpg"])
def test_a_content_type_says_that_there_is_an_image_and_no_more(name):
    require_image_type(name)


def test_every_content_type_of_every_format_is_taken():
    for each in readable_formats():
        for name in each.media_types:
            require_image_type(name)


@pytest.mark.parametrize("name", ["text/csv", "application/json", "video/mp4", "image/svg+xml", "image"])
def test_another_content_type_is_refused_with_those_that_are_taken(name):
    with pytest.raises(Refusal, match=r"expected image/jpeg, image/png, .*application/x-image") as caught:
        require_image_type(name)
    assert caught.value.status == 415


def test_five_bands_of_uint16_arrive_as_they_are_from_tiff_and_npy():
    values = five_bands()
    for content in (
        tiff(values, photometric="minisblack", planarconfig="contig", compression="zstd"),
        tiff(values.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate"),
        npy(np.tile(values, (5, 3, 1))),  # more rows than there can be bands
    ):
        received = receive(content, FIVE, max_pixels=HUGE)
        assert received.pixels.dtype == np.uint16
        assert np.array_equal(received.pixels[:4, :6], values)


def test_a_photograph_for_a_model_of_other_bands_is_refused_in_numbers():
    status, message = refused(encoded(PIXELS), FIVE)
    assert (status, message) == (
        400,
        "The image has 3 bands of uint8, expected 5 bands of uint16, as the model takes them. Send such an image.",
    )


def test_other_bands_for_a_model_of_photographs_are_refused_in_numbers():
    status, message = refused(tiff(five_bands(), photometric="minisblack", planarconfig="contig"))
    assert (status, message) == (
        400,
        "The image has 5 bands of uint16, expected 3 bands of uint8, as the model takes them. Send such an image.",
    )


@pytest.mark.parametrize(
    "content",
    [
        encoded(np.zeros((40, 40), np.uint8)),
        tiff(np.zeros((40, 40, 5), np.uint16), photometric="minisblack", planarconfig="contig"),
        tiff(np.zeros((40, 40), np.float32)),
        npy(np.zeros((40, 40, 5), np.uint16)),
        npy(np.zeros((5, 40, 40), np.uint16)),
    ],
)
def test_more_pixels_than_allowed_are_refused_by_the_header_alone(content, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)
    monkeypatch.setattr(np, "load", None)
    status, message = refused(content, FIVE, max_pixels=1599)
    assert status == 413
    assert message.startswith("The image is 40 x 40 px, expected at most 1599 pixels.")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (encoded(PIXELS, "EPS"), "EPS"),
        (b"<!DOCTYPE html>\n<html><body>403</body>", "an HTML page"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "an MP4 video"),
        (b"8BPS\0\1" + bytes(20), "an image in Photoshop"),
    ],
)
def test_what_is_another_kind_of_file_is_named(content, kind):
    status, message = refused(content)
    assert status == 415
    assert kind in message
    assert "expected an image in one of JPEG, PNG" in message


def test_a_format_whose_package_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(requests, "readable_formats", lambda: FORMATS[:3])
    assert refused(HEIC) == (
        415,
        "The body is HEIC, expected an image in one of JPEG, PNG, WebP, BMP, TIFF, GIF, JPEG 2000, AVIF, HEIC, DICOM, "
        "NumPy and 8 more. Convert it.",
    )
    with pytest.raises(Refusal, match="image/heic, expected image/jpeg"):
        require_image_type("image/heic")


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        encoded(PIXELS)[:60],
        encoded(PIXELS, "JPEG")[:-200],
        HEIC,
        bytes(128) + b"DICM" + bytes(40),
        tiff(np.zeros((40, 40, 5), np.uint16), photometric="minisblack", planarconfig="contig")[:-9000],
        npy(np.zeros((20, 40), np.uint8))[:200],
        npy(np.array([{}], dtype=object)),
        npy(np.zeros(3)),
    ],
)
def test_what_cannot_be_decoded_is_said_in_the_endpoints_words(content):
    status, message = refused(content)
    assert status == 400
    assert message.startswith("The body ")
    assert message.endswith("Send the whole file of an image.")


def test_frames_levels_and_hidden_colours_are_noted():
    frames = [Image.new("RGB", (8, 6), (20 * i, 0, 0)) for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    assert receive(file.getvalue(), PHOTOGRAPH, max_pixels=HUGE).notes == ("the first of 3 frames was used",)
    # 12 bits: v / 257 rounds to 0 for 100, 1 for 257 and for 300, 16 for 4095
    gray = np.array([[100, 257], [300, 4095]], np.uint16)
    received = receive(tiff(gray), PHOTOGRAPH, max_pixels=HUGE)
    assert received.notes == ("16 bits a channel were reduced to 8: 3 of 256 levels are left",)
    assert received.pixels[:, :, 0].tolist() == [[0, 1], [1, 16]]
    file = io.BytesIO()
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (9, 9, 9, 255)
    Image.fromarray(clear).save(file, "PNG")
    notes = receive(file.getvalue(), PHOTOGRAPH, max_pixels=HUGE).notes
    assert notes == ("75.0 % of it is transparent; the colours hidden there were used",)
