import io
import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.errors import SettingsError
from pixelwise.inference.predictor import Prediction
from pixelwise.labels import LabelTable
from pixelwise.serving import codecs
from pixelwise.serving.codecs import choose_reply, require_default, require_room, summary
from pixelwise.serving.limits import Refusal
from pixelwise.serving.protobuf_record import decode_record
from pixelwise.serving.requests import Received

LABELS = LabelTable.named(["sky", "road", "car"], {0: (0, 0, 255), 1: (0, 255, 0), 2: (255, 0, 0)})
CLASS_IDS = np.array([[0, 0, 1], [0, 1, 1]], dtype=np.uint8)
SHARES = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
PREDICTION = Prediction(CLASS_IDS, LABELS, SHARES)
PHOTO = np.full((2, 3, 3), 100, dtype=np.uint8)


def reply(accept):
    return choose_reply(accept).encode(Received(PHOTO, PHOTOGRAPH), PREDICTION)


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


def test_an_overlay_of_deep_bands_lies_on_the_image_stretched_from_its_range():
    bands = Bands("uint16", 2, (1, 2), ((1000.0, 1200.0), (0.0, 1.0)), is_color=False)
    values = np.zeros((2, 3, 2), dtype=np.uint16)
    values[:, :, 0] = [[900, 1000, 1040], [1100, 1200, 4095]]  # 0, 0, 51, 127.5, 255 and 255 of gray
    received = Received(values, bands)
    png = choose_reply("image/png; overlay=true; opacity=0").encode(received, PREDICTION)
    shown = np.asarray(Image.open(io.BytesIO(png)))
    assert shown[0, :, 0].tolist() == [0, 0, 51]
    assert shown[1, :, 2].tolist() in ([127, 255, 255], [128, 255, 255])


def test_a_palette_can_be_the_default():
    require_default("image/png; palette=true")
    chosen = choose_reply("*/*", default="image/png; palette=true")
    encoded_mask = chosen.encode(Received(PHOTO, PHOTOGRAPH), PREDICTION)
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
    assert json.loads(reply("application/json")) == summary(PREDICTION) | {"notes": []}


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
    assert np.array_equal(decode_record(chosen.encode(Received(PHOTO, PHOTOGRAPH), PREDICTION)), SHARES)


def test_probabilities_too_large_for_a_record_are_refused_before_they_are_computed(monkeypatch):
    monkeypatch.setattr(codecs, "LARGEST_RECORD", 171)  # 4 bytes for each of 3 classes and 6 pixels, and the rest
    require_room(choose_reply("image/png"), PHOTO, 3)
    with pytest.raises(Refusal, match="3 classes for 3 x 2 px") as caught:
        require_room(choose_reply("application/x-protobuf"), PHOTO, 3)
    assert caught.value.status == 413


def test_a_default_reply_must_exist():
    require_default("application/json; x=1")
    with pytest.raises(SettingsError, match="text/html"):
        require_default("text/html")
