import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pixelwise.report.run.viewer.panels import choose, make_panel
from tests.report.drawn_report import blank_image


def images(*values):
    return [SimpleNamespace(mean_iou=value) for value in values]


def test_the_worst_the_median_and_the_best_images_are_chosen():
    found = choose(images(0.9, 0.1, 0.5, 0.2, 0.8, 0.6, 0.4), each=1)
    assert found == {"worst": [1], "median": [2], "best": [0]}


def test_extremes_come_first_in_their_group():
    found = choose(images(0.5, 0.1, 0.9, 0.2, 0.8, 0.4), each=2)
    assert found == {"worst": [1, 3], "median": [5, 0], "best": [2, 4]}


def test_no_image_is_in_two_groups_however_few_there_are():
    for number in range(30):
        groups = choose(images(*(i / 30 for i in range(number))), each=8)
        chosen = [i for group in groups.values() for i in group]
        assert len(chosen) == len(set(chosen)) == min(number, 24)


def test_a_single_image_is_among_the_worst():
    assert choose(images(0.5)) == {"worst": [0], "median": [], "best": []}


def test_images_that_were_not_measured_are_left_out():
    assert choose(images(math.nan, 0.5, math.nan)) == {"worst": [1], "median": [], "best": []}


def test_a_large_image_is_made_small_without_new_class_ids():
    truth = np.zeros((1000, 1280), dtype=np.uint8)
    truth[:, 640:] = 200
    panel = make_panel("a", blank_image((1280, 1000)), truth, truth, np.full(truth.shape, 0.5))
    assert panel.image.size == (640, 500)
    assert panel.truth.shape == panel.predicted.shape == panel.confidence.shape == (500, 640)
    assert np.array_equal(np.unique(panel.truth), [0, 200])
    assert np.array_equal(panel.truth[0], np.repeat([0, 200], 320))
    assert np.array_equal(np.unique(panel.confidence), [128])


def test_a_small_image_is_kept_as_it_is():
    truth = np.array([[3, 255]], dtype=np.uint8)
    panel = make_panel("a", Image.new("L", (2, 1)), truth, truth, np.array([[1.0, math.nan]]))
    assert panel.image.mode == "RGB"
    assert np.array_equal(panel.truth, truth)
    assert panel.confidence.tolist() == [[255, 0]]


def test_a_confidence_in_bytes_is_kept():
    plane = np.array([[7, 8]], dtype=np.uint8)
    assert make_panel("a", blank_image((2, 1)), plane, plane, plane).confidence.tolist() == [[7, 8]]


def test_a_very_long_image_keeps_a_pixel_of_height():
    plane = np.zeros((1, 5000), dtype=np.uint8)
    assert make_panel("a", blank_image((5000, 1)), plane, plane, plane).image.size == (640, 1)


def test_planes_of_another_size_are_a_mistake_of_the_caller():
    plane = np.zeros((2, 2), dtype=np.uint8)
    with pytest.raises(ValueError, match="a: "):
        make_panel("a", blank_image((3, 2)), plane, plane, plane)
