import io
import types
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pixelwise.bundle import Bundle
from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.errors import DataError
from pixelwise.inference.predictor import Prediction, Predictor
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

CPU = Runtime(torch.device("cpu"), torch.float32)
LABELS = LabelTable.named(["dark", "bright"])


class Output(NamedTuple):
    main: torch.Tensor


class Brightness(nn.Module):
    """Class 1 where the red channel is above 127."""

    def forward(self, images):
        red = images[:, :1].float() - 127.5
        return Output(torch.cat([-red, red], dim=1))


@pytest.fixture
def predictor():
    return predictor_of(temperature=1.0)


def predictor_of(temperature):
    bundle = types.SimpleNamespace(
        labels=LABELS, bands=PHOTOGRAPH, temperature=temperature, build_model=lambda: Brightness().eval()
    )
    return Predictor(bundle, CPU)


# Wider than high, bright at the upper left only.
PIXELS = np.zeros((16, 32), dtype=np.uint8)
PIXELS[:8, :8] = 255
EXPECTED = (PIXELS > 127).astype(np.uint8)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_paths_bytes_images_and_arrays_give_the_same_class_map(predictor, tmp_path):
    image = Image.fromarray(PIXELS).convert("RGB")
    path = tmp_path / "a.png"
    image.save(path)
    for source in (path, str(path), path.read_bytes(), memoryview(path.read_bytes()), image, np.asarray(image), PIXELS):
        prediction = predictor.predict(source)
        assert prediction.class_ids.dtype == np.uint8
        assert np.array_equal(prediction.class_ids, EXPECTED)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_an_image_of_any_mode_is_seen_alike(predictor, mode):
    gray = Image.fromarray(PIXELS)
    if mode in ("I;16", "I"):
        image = Image.fromarray(PIXELS.astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    else:
        image = gray.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "RGBA") else gray.convert(mode)
    assert image.mode == mode
    assert np.array_equal(predictor.predict(image).class_ids, EXPECTED)


def test_a_16_bit_png_is_seen_as_viewers_show_it(predictor):
    content = encoded(Image.fromarray(PIXELS.astype(np.uint16) * 257))
    assert np.array_equal(predictor.predict(content).class_ids, EXPECTED)


def test_the_class_map_lies_as_the_exif_orientation_shows_the_image(predictor):
    image = Image.fromarray(PIXELS).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: the upper left goes to the upper right
    class_ids = predictor.predict(encoded(image, "JPEG", exif=exif, quality=100)).class_ids
    assert class_ids.shape == (32, 16)
    assert np.array_equal(class_ids, np.rot90(EXPECTED, -1))


def test_probabilities_come_on_request_and_sum_to_one(predictor):
    assert predictor.predict(PIXELS).probabilities is None
    prediction = predictor.predict(np.full((2, 3), 127, dtype=np.uint8), probabilities=True)
    assert prediction.probabilities.shape == (2, 2, 3)
    assert prediction.probabilities.dtype == np.float32
    # logits 0.5 and -0.5: the logistic function of 1
    assert prediction.probabilities[0] == pytest.approx(np.full((2, 3), 0.7310586))
    assert prediction.probabilities.sum(axis=0) == pytest.approx(np.ones((2, 3)))


def test_the_temperature_softens_the_probabilities_and_leaves_the_class_ids():
    pixels = np.full((2, 3), 127, dtype=np.uint8)
    prediction = predictor_of(temperature=2.0).predict(pixels, probabilities=True)
    # logits 0.25 and -0.25: the logistic function of 1 / 2
    assert prediction.probabilities[0] == pytest.approx(np.full((2, 3), 0.6224593))
    assert np.array_equal(prediction.class_ids, predictor_of(temperature=1.0).predict(pixels).class_ids)


def test_tiles_can_be_asked_for(predictor):
    predictor.tile = 32
    large = np.kron(PIXELS, np.ones((5, 5), dtype=np.uint8))
    assert np.array_equal(predictor.predict(large).class_ids, np.kron(EXPECTED, np.ones((5, 5), dtype=np.uint8)))


def test_a_saved_prediction_is_a_gray_png_of_class_ids(predictor, tmp_path):
    predictor.predict(PIXELS).save(tmp_path / "deep" / "a.png")
    with Image.open(tmp_path / "deep" / "a.png") as saved:
        assert (saved.mode, saved.size) == ("L", (32, 16))
        assert np.array_equal(np.asarray(saved), EXPECTED)
        assert np.array_equal(np.asarray(saved.convert("L")), EXPECTED)


@pytest.mark.parametrize("reader", ["imageio.v3", "skimage.io"])
def test_other_libraries_read_class_ids_from_a_saved_prediction(tmp_path, reader):
    read = pytest.importorskip(reader).imread
    class_ids = np.array([[0, 1, 3], [6, 8, 253]], dtype=np.uint8)
    Prediction(class_ids, LabelTable.numbered(254)).save(tmp_path / "a.png")
    found = read(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, class_ids)


def test_a_prediction_saved_with_a_palette_shows_the_colours_of_its_classes(predictor, tmp_path):
    predictor.predict(PIXELS).save(tmp_path / "a.png", palette=True)
    with Image.open(tmp_path / "a.png") as saved:
        assert (saved.mode, saved.size) == ("P", (32, 16))
        assert np.array_equal(np.asarray(saved), EXPECTED)
        assert np.asarray(saved.convert("RGB"))[0, 0].tolist() == list(LABELS.colors[1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"garbage", "not an image.*Leave it out or replace it"),
        (b"", "empty"),
        (encoded(Image.fromarray(PIXELS))[:60], "cannot be decoded|not an image"),
        ("no/such/file.jpg", "file.jpg: cannot be read"),
        (None, "Found NoneType where an image was expected"),
        (PIXELS.astype(np.float32) / 255, r"float32 \(16, 32\), expected uint8"),
        (PIXELS[None], r"uint8 \(1, 16, 32\), expected"),
        (np.zeros((0, 5), dtype=np.uint8), r"\(0, 5\), expected"),
    ],
)
def test_what_is_no_image_ends_in_one_message(predictor, source, message):
    with pytest.raises(DataError, match=message):
        predictor.predict(source)


@pytest.mark.parametrize("size", [(1, 1), (37, 51), (64, 32)])
def test_a_real_network_answers_at_exactly_the_size_of_the_image(size):
    settings = Settings(algorithm="fcn", backbone="mobilenetv2_035")
    state = build_segmenter(settings, 3, load_weights=False).state_dict()
    predictor = Predictor(Bundle(settings, LabelTable.numbered(3), {}, {}, state), CPU)
    prediction = predictor.predict(np.zeros((*size, 3), dtype=np.uint8), probabilities=True)
    assert prediction.class_ids.shape == size
    assert prediction.probabilities.shape == (3, *size)
    assert np.array_equal(prediction.probabilities.argmax(axis=0), prediction.class_ids)
