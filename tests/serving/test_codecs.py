import io
import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError, SettingsError
from pixelwise.inference.predictor import Prediction
from pixelwise.labels import LabelTable
from pixelwise.serving import codecs
from pixelwise.serving.codecs import choose_reply, decode_image, require_default, require_room, summary
from pixelwise.serving.limits import Refusal
from pixelwise.serving.protobuf_record import decode_record
from tests.serving.conftest import PIXELS, encoded

LABELS = LabelTable.named(["sky", "road", "car"], {0: (0, 0, 255), 1: (0, 255, 0), 2: (255, 0, 0)})
CLASS_IDS = np.array([[0, 0, 1], [0, 1, 1]], dtype=np.uint8)
SHARES = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
PREDICTION = Prediction(CLASS_IDS, LABELS, SHARES)
PHOTO = np.full((2, 3, 3), 100, dtype=np.uint8)


def reply(accept):
    return choose_reply(accept).encode(PHOTO, PREDICTION)


@pytest.mark.parametrize("accept", ["", "*/*", "image/png", "image/png; palette=false"])
def test_a_png_holds_class_ids_in_gray(accept):
    image = Image.open(io.BytesIO(reply(accept)))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (3, 2))
    assert np.array_equal(np.asarray(image), CLASS_IDS)


def test_a_png_with_a_palette_holds_class_ids_and_their_colours():
    image = Image.open(io.BytesIO(reply("image/png; palette=true")))
    assert (image.format, image.mode, image.size) == ("PNG", "P", (3, 2))
    assert np.array_equal(np.asarray(image), CLASS_IDS)
    assert np.asarray(image.convert("RGB"))[0, 2].tolist() == [0, 255, 0]


def test_an_overlay_is_the_photo_under_the_colours():
    overlaid = np.asarray(Image.open(io.BytesIO(reply("image/png; overlay=true; opacity=0.5"))))
    assert overlaid.shape == (2, 3, 3)
    assert np.abs(overlaid[0, 0].astype(int) - (50, 50, 178)).max() <= 1  # halfway from 100 to (0, 0, 255)
    assert np.asarray(Image.open(io.BytesIO(reply("image/png;overlay;opacity=1"))))[0, 0].tolist() == [0, 0, 255]


def test_a_palette_can_be_the_default():
    require_default("image/png; palette=true")
    encoded_mask = choose_reply("*/*", default="image/png; palette=true").encode(PHOTO, PREDICTION)
    assert Image.open(io.BytesIO(encoded_mask)).mode == "P"


def test_an_overlay_has_no_palette():
    with pytest.raises(Refusal, match="overlay and palette") as caught:
        choose_reply("image/png; overlay=true; palette=true")
    assert caught.value.status == 400


@pytest.mark.parametrize("opacity", ["2", "-1", "nan", "much"])
def test_an_opacity_out_of_range_is_refused(opacity):
    with pytest.raises(Refusal, match="opacity") as caught:
        choose_reply(f"image/png;overlay=true;opacity={opacity}")
    assert caught.value.status == 400


def test_the_summary_counts_column_by_column():
    classes = summary(PREDICTION)["classes"]
    # columns: 0 0 | 0 1 | 1 1
    assert [entry["rle"]["counts"] for entry in classes] == [[0, 3, 3], [3, 3], [6]]
    assert [entry["pixels"] for entry in classes] == [3, 3, 0]
    assert [entry["area"] for entry in classes] == [0.5, 0.5, 0]
    assert classes[1] == {
        "id": 1, "name": "road", "color": "#00ff00", "pixels": 3, "area": 0.5,
        "rle": {"size": [2, 3], "counts": [3, 3]},
    }  # fmt: skip
    assert json.loads(reply("application/json")) == summary(PREDICTION)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_cocos_own_tools_read_the_run_lengths():
    mask = pytest.importorskip("pycocotools.mask")
    class_ids = np.random.default_rng(0).integers(0, 3, (37, 23), dtype=np.uint8)
    for entry in summary(Prediction(class_ids, LABELS))["classes"]:
        decoded = mask.decode(mask.frPyObjects(entry["rle"], *entry["rle"]["size"]))
        assert np.array_equal(decoded, class_ids == entry["id"])


def test_numpy_reads_class_ids_and_probabilities():
    class_ids = np.load(io.BytesIO(reply("application/x-npy")))
    assert class_ids.dtype == np.uint8
    assert np.array_equal(class_ids, CLASS_IDS)
    assert np.array_equal(np.load(io.BytesIO(reply("application/x-npy; probabilities=true"))), SHARES)


@pytest.mark.parametrize("name", ["application/x-protobuf", "application/x-recordio-protobuf"])
def test_both_protobuf_names_give_probabilities_under_the_name_asked_for(name):
    chosen = choose_reply(name)
    assert (chosen.content_type, chosen.needs_probabilities) == (name, True)
    assert np.array_equal(decode_record(chosen.encode(PHOTO, PREDICTION)), SHARES)


def test_probabilities_too_large_for_a_record_are_refused_before_they_are_computed(monkeypatch):
    monkeypatch.setattr(codecs, "LARGEST_RECORD", 171)  # 4 bytes for each of 3 classes and 6 pixels, and the rest
    require_room(choose_reply("image/png"), PHOTO, 3)
    with pytest.raises(Refusal, match="3 classes for 3 x 2 px") as caught:
        require_room(choose_reply("application/x-protobuf"), PHOTO, 3)
    assert caught.value.status == 413


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_an_image_of_any_usual_format_is_decoded(kind):
    pixels = decode_image(encoded(PIXELS, kind), max_pixels=512)
    assert (pixels.shape, pixels.dtype) == ((16, 32, 3), np.uint8)
    assert np.abs(pixels[..., 0].astype(int) - PIXELS).max() <= 60


def test_more_pixels_than_allowed_are_refused_by_the_header_alone():
    with pytest.raises(Refusal, match="32 x 16 px, expected at most 511 pixels") as caught:
        decode_image(encoded(PIXELS), max_pixels=511)
    assert caught.value.status == 413


def test_formats_whose_decoders_run_programs_are_refused():
    with pytest.raises(Refusal, match="EPS") as caught:
        decode_image(encoded(PIXELS, "EPS"), max_pixels=10**6)
    assert caught.value.status == 415


def test_what_is_another_kind_of_file_is_named():
    with pytest.raises(Refusal, match="The body is an image in HEIC, expected an image in one of JPEG") as caught:
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", max_pixels=10**6)
    assert caught.value.status == 415


@pytest.mark.parametrize("content", [b"garbage", encoded(PIXELS)[:60], encoded(PIXELS, "JPEG")[:-200]])
def test_what_is_no_image_is_said_to_be_none(content):
    with pytest.raises(DataError, match="image"):
        decode_image(content, max_pixels=10**6)


def test_a_default_reply_must_exist():
    require_default("application/json; x=1")
    with pytest.raises(SettingsError, match="text/html"):
        require_default("text/html")
