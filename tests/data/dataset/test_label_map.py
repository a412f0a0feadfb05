import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.dataset.label_map import LabelMap, find_label_maps
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE


def read(tmp_path, content):
    path = tmp_path / "train_label_map.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return LabelMap.read(path)


def applied(label_map, values):
    return np.asarray(label_map.apply(Image.fromarray(np.array([values], dtype=np.uint8))))[0].tolist()


@pytest.mark.parametrize("scale", ["3", 3, 3.0, "3.0"])
def test_a_scale_divides_and_rounds_down(tmp_path, scale):
    # SageMaker's documentation: with scale 3, the values 0, 3, 6 are the classes 0, 1, 2.
    assert applied(read(tmp_path, {"scale": scale}), [0, 3, 6, 8, 255]) == [0, 1, 2, 2, IGNORE]


def test_in_a_map_the_key_is_the_class_and_the_value_the_pixel(tmp_path):
    # SageMaker's documentation: this map makes the classes 1, 0, 2 of the pixels 0, 5, 2.
    assert applied(read(tmp_path, {"map": {"0": 5, "1": 0, "2": 2}}), [0, 5, 2]) == [1, 0, 2]


def test_several_values_may_become_one_class_or_be_ignored(tmp_path):
    label_map = read(tmp_path, {"map": {"0": [5, "7"], "1": 0, "255": [9]}})
    assert applied(label_map, [5, 7, 0, 9, 255]) == [0, 0, 1, IGNORE, IGNORE]


def test_a_map_wins_over_a_scale(tmp_path):
    assert applied(read(tmp_path, {"scale": 1, "map": {"0": 4, "1": 2}}), [4, 2]) == [0, 1]


def test_unlisted_values_are_ignored_and_can_be_told(tmp_path):
    label_map = read(tmp_path, {"map": {"0": 5, "1": 0}})
    assert applied(label_map, [5, 8, 255]) == [0, IGNORE, IGNORE]
    assert label_map.unlisted({5: 10, 8: 3, 9: 0, 255: 7}) == {8: 3}


def test_a_map_may_list_255(tmp_path):
    assert applied(read(tmp_path, {"map": {"0": 0, "1": 255}}), [0, 255]) == [0, 1]


@pytest.mark.parametrize(
    ("scale", "num_classes", "class_of_255"),
    [
        (255, None, 1),  # 0/255 masks become 0/1
        (128, None, 1),
        (127, None, IGNORE),  # 255 would be class 2, which perhaps does not exist
        (127, 3, 2),
        (1, None, IGNORE),
        (1, 200, IGNORE),
        (3, None, IGNORE),
        (3, 3, IGNORE),  # 0, 3 and 6 are the classes; 255 would be class 85
        (85, 4, 3),  # 0, 85, 170, 255
        (85, 3, IGNORE),
    ],
)
def test_255_is_a_class_only_where_the_scale_makes_it_one_that_exists(tmp_path, scale, num_classes, class_of_255):
    assert read(tmp_path, {"scale": scale}).resolved(num_classes).table[255] == class_of_255


def test_the_number_of_classes_does_not_change_a_map(tmp_path):
    label_map = read(tmp_path, {"map": {"0": 0, "1": 255}})
    assert label_map.resolved(2) == label_map


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["cannot be read as JSON"]),
        ("[1, 2]", ["list", "expected an object"]),
        ({}, ["empty"]),
        ({"scael": 3}, ["'scael'", "Did you mean 'scale'"]),
        ({"scale": 0}, ["0", "1 to 255"]),
        ({"scale": -2}, ["-2"]),
        ({"scale": 256}, ["256"]),
        ({"scale": "three"}, ["'three'"]),
        ({"scale": True}, ["True"]),
        ({"scale": None}, ["None"]),
        ('{"scale": NaN}', ["nan"]),
        ({"map": {}}, ["expected an object"]),
        ({"map": [0, 1]}, ["expected an object"]),
        ({"map": {"256": 0}}, ["class id '256'", "0 to 255"]),
        ({"map": {"sky": 0}}, ["class id 'sky'"]),
        ({"map": {"0": 256}}, ["class 0", "256"]),
        ({"map": {"0": 1.5}}, ["class 0", "1.5"]),
        ({"map": {"0": {"value": 1}}}, ["class 0"]),
        ({"map": {"0": 7, "1": [3, 7]}}, ["pixel value 7", "classes 0 and 1", "key is the class"]),
        ('{"map": {"0": 5, "0": 7}}', ["'0' is written twice", "list"]),
    ],
)
def test_a_label_map_that_cannot_be_used_is_refused_by_name(tmp_path, content, words):
    with pytest.raises(DataError) as error:
        read(tmp_path, content)
    for word in ["train_label_map.json", *words]:
        assert word in str(error.value)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        LabelMap.read(tmp_path / "none.json")


def test_label_maps_are_found_in_their_folder_and_beside_the_splits(tmp_path):
    (tmp_path / "label_map").mkdir()
    for name in ("label_map/train_label_map.json", "train_label_map.json", "validation_label_map.json"):
        (tmp_path / name).write_text("{}")
    assert find_label_maps(tmp_path) == {
        "train": tmp_path / "label_map" / "train_label_map.json",
        "validation": tmp_path / "validation_label_map.json",
    }


def test_a_dataset_without_label_maps_has_none(tmp_path):
    assert find_label_maps(tmp_path) == {}
