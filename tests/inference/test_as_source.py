"""Predictions in the values or colours that the classes had in the masks people gave."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.repair.dataset import repair
from pixelwise.errors import SettingsError
from pixelwise.inference.files import predict_files
from pixelwise.inference.predictor import Prediction
from pixelwise.inference.render import source_mask
from pixelwise.labels import IGNORE, LabelTable

CLASS_IDS = np.array([[0, 1, 1]], dtype=np.uint8)
NAMES = ["road", "rest"]


class Fixed:
    """A predictor that answers every image alike."""

    def __init__(self, labels, class_ids=CLASS_IDS):
        self.labels, self.class_ids, self.bands = labels, class_ids, PHOTOGRAPH

    def predict(self, image, *, probabilities=False):
        return Prediction(self.class_ids, self.labels)


def predicted(tmp_path, labels, class_ids=CLASS_IDS):
    Image.new("RGB", (3, 1)).save(tmp_path / "photo.png")
    out = tmp_path / "predicted"
    predictor = Fixed(labels, class_ids)
    predict_files(predictor, [str(tmp_path / "photo.png")], out, overlays=None, probabilities=False, as_source=True)
    return Image.open(out / "photo.png")


def test_colours_come_back_as_rgb(tmp_path):
    labels = LabelTable.named(NAMES, sources={0: [(255, 0, 0)], 1: [(0, 0, 255), (9, 9, 9)]})
    mask = predicted(tmp_path, labels)
    assert (mask.format, mask.mode) == ("PNG", "RGB")
    assert np.asarray(mask).tolist() == [[[255, 0, 0], [0, 0, 255], [0, 0, 255]]]


def test_values_come_back_as_gray_of_8_bits(tmp_path):
    mask = predicted(tmp_path, LabelTable.named(NAMES, sources={0: [7, 8], 1: [255]}))
    assert mask.mode == "L"
    assert np.asarray(mask).tolist() == [[7, 255, 255]]


def test_large_values_come_back_as_gray_of_16_bits(tmp_path):
    mask = predicted(tmp_path, LabelTable.named(NAMES, sources={0: [7], 1: [40000]}))
    assert mask.mode == "I;16"
    assert np.asarray(mask).tolist() == [[7, 40000, 40000]]


def test_values_below_0_come_back_as_tiff_with_a_sign(tmp_path):
    labels = LabelTable.named(NAMES, sources={0: [-1], 1: [40000]})
    Image.new("RGB", (3, 1)).save(tmp_path / "photo.png")
    report = predict_files(
        Fixed(labels), [str(tmp_path / "photo.png")], tmp_path / "out", overlays=None, probabilities=False,
        as_source=True,
    )  # fmt: skip
    assert report.written == [tmp_path / "out" / "photo.tif"]
    values = tifffile.imread(report.written[0])
    assert (values.dtype, values.tolist()) == (np.int32, [[-1, 40000, 40000]])


def test_an_ignored_value_below_0_leaves_masks_as_png_as_no_model_predicts_it(tmp_path):
    labels = LabelTable.named(NAMES, sources={0: [7], 1: [8]}, ignored=[-1])
    mask = predicted(tmp_path, labels)
    assert (mask.format, np.asarray(mask).tolist()) == ("PNG", [[7, 8, 8]])
    ids = np.array([[IGNORE, 0]], dtype=np.uint8)
    assert np.asarray(source_mask(ids, labels)).tolist() == [[-1, 7]]


def test_a_tiff_of_values_never_replaces_the_image(tmp_path):
    labels = LabelTable.named(NAMES, sources={0: [-1], 1: [1]})
    Image.new("RGB", (3, 1)).save(tmp_path / "photo.tif")
    with pytest.raises(SettingsError, match=r"photo\.tif: its mask would overwrite it"):
        predict_files(
            Fixed(labels), [str(tmp_path / "photo.tif")], tmp_path, overlays=None, probabilities=False, as_source=True
        )


def test_ignored_pixels_come_back_as_what_was_ignored():
    ids = np.array([[IGNORE, 0]], dtype=np.uint8)
    numbers = LabelTable.named(NAMES, sources={0: [7], 1: [8]}, ignored=[3])
    assert np.asarray(source_mask(ids, numbers)).tolist() == [[3, 7]]
    colors = LabelTable.named(NAMES, sources={0: [(1, 2, 3)], 1: [(4, 5, 6)]}, ignored=[(0, 0, 0)])
    assert np.asarray(source_mask(ids, colors)).tolist() == [[[0, 0, 0], [1, 2, 3]]]
    without = LabelTable.named(NAMES, sources={0: [700], 1: [8]})
    assert np.asarray(source_mask(ids, without)).tolist() == [[IGNORE, 700]]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (None, "trained on masks of class ids as they were"),
        ({0: [7]}, "rest has none"),
        ({0: [7], 1: [(1, 2, 3)]}, "some are values and some are colours"),
    ],
)
def test_a_model_without_original_values_refuses_before_anything_is_written(tmp_path, sources, message):
    with pytest.raises(SettingsError, match=message):
        predicted(tmp_path, LabelTable.named(NAMES, sources=sources))
    assert not (tmp_path / "predicted").exists()


def test_original_values_have_no_palette(tmp_path):
    labels = LabelTable.named(NAMES, sources={0: [7], 1: [8]})
    with pytest.raises(SettingsError, match=r"--as-source and --palette are both given.*Give one"):
        predict_files(Fixed(labels), [], tmp_path, overlays=None, probabilities=False, as_source=True, palette=True)


def test_from_colours_to_ids_and_back(tmp_path):
    colors = np.array([[[70, 130, 180], [128, 64, 128], [128, 64, 128]]], dtype=np.uint8)
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    for folder, pixels in (("train", np.zeros_like(colors)), ("train_annotation", colors)):
        (dataset / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(dataset / folder / "a.png")
    opened = open_dataset(dataset, required=("train",))
    repair(opened, check_dataset(opened), out)
    ids = np.asarray(Image.open(out / "train_annotation" / "a.png"))
    assert ids.tolist() == [[1, 0, 0]]
    entries = json.loads((out / "classes.json").read_text(encoding="utf-8"))
    assert [entry["source"] for entry in entries] == ["#804080", "#4682b4"]
    mask = predicted(tmp_path, LabelTable.read(out / "classes.json"), ids)
    assert np.array_equal(np.asarray(mask), colors)
