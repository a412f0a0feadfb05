import json

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.scoring.image_counts import ImageCounts


def matrix(*rows):
    return np.array(rows, dtype=np.int64)


def two_images():
    counts = ImageCounts(3)
    counts.add("b", matrix([5, 1, 0], [0, 2, 2], [0, 0, 0]))
    counts.add("a", matrix([1, 0, 0], [0, 0, 0], [0, 0, 7]))
    return counts


def test_an_image_contributes_its_diagonal_and_the_sums_of_its_rows_and_columns():
    counts = two_images()
    assert counts.names == ("b", "a")
    assert counts.intersection.tolist() == [[5, 2, 0], [1, 0, 7]]
    assert counts.truth.tolist() == [[6, 4, 0], [1, 0, 7]]
    assert counts.predicted.tolist() == [[5, 3, 2], [1, 0, 7]]


def test_many_images_keep_their_order_and_stay_exact_beyond_what_float32_can_count():
    counts = ImageCounts(2)
    for i in range(1000):
        counts.add(f"image{i}", matrix([2**24 + i, 1], [0, 2**40 + 1]))
    assert len(counts) == len(counts.names) == 1000
    assert counts.names[999] == "image999"
    assert counts.intersection[:, 0].tolist() == [2**24 + i for i in range(1000)]
    assert counts.truth.sum(axis=0).tolist() == [1000 * 2**24 + 999 * 500 + 1000, 1000 * 2**40 + 1000]


def test_merged_parts_are_the_whole_in_any_order_that_is_asked_for():
    first, second = ImageCounts(3), ImageCounts(3)
    first.add("b", matrix([5, 1, 0], [0, 2, 2], [0, 0, 0]))
    second.add("a", matrix([1, 0, 0], [0, 0, 0], [0, 0, 7]))
    second.merge(first)
    assert second.names == ("a", "b")
    assert second.ordered(["b", "a"]).to_json() == two_images().to_json()
    assert second.ordered(["b"]).truth.tolist() == [[6, 4, 0]]


def test_json_lists_the_classes_that_occur_and_reads_back_as_the_same():
    content = two_images().to_json()
    assert content == {
        "num_classes": 3,
        "images": [
            {
                "name": "b",
                "class_ids": [0, 1, 2],
                "intersection": [5, 2, 0],
                "truth": [6, 4, 0],
                "predicted": [5, 3, 2],
            },
            {"name": "a", "class_ids": [0, 2], "intersection": [1, 7], "truth": [1, 7], "predicted": [1, 7]},
        ],
    }
    text = json.dumps(content, allow_nan=False)
    assert ImageCounts.from_json(json.loads(text), source="images.json").to_json() == content


def test_an_image_without_a_labelled_pixel_is_kept():
    counts = ImageCounts(2)
    counts.add("empty", matrix([0, 0], [0, 0]))
    again = ImageCounts.from_json(counts.to_json(), source="images.json")
    assert again.names == ("empty",)
    assert again.truth.tolist() == [[0, 0]]


def image(**changes):
    content = {"name": "a", "class_ids": [0, 1], "intersection": [1, 1], "truth": [1, 2], "predicted": [2, 1]}
    return {"num_classes": 2, "images": [content | changes]}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"num_classes": 2},
        {"num_classes": 0, "images": []},
        {"num_classes": "2", "images": []},
        {"num_classes": 2, "images": image()["images"] * 2},
        image(name=3),
        image(class_ids=[0, 2]),
        image(class_ids=[0, -1]),
        image(class_ids=[0, 0]),
        image(class_ids=[0]),
        image(class_ids=5),
        image(truth=[1.5, 2]),
        image(truth=[1, None]),
        image(truth=[1, 2**70]),
        image(truth=[1, 2, 3]),
        image(truth=[1, 3]),
        image(intersection=[2, 1]),
        image(intersection=[-1, 1]),
    ],
)
def test_what_holds_no_counts_is_refused_by_name(content):
    with pytest.raises(DataError, match=r"old.json: does not hold counts per image"):
        ImageCounts.from_json(content, source="old.json")


def test_programming_errors_are_refused():
    counts = two_images()
    with pytest.raises(ValueError, match="counted twice"):
        counts.add("a", matrix([1, 0, 0], [0, 0, 0], [0, 0, 0]))
    with pytest.raises(ValueError, match="for 3 classes"):
        counts.add("c", matrix([1, 0], [0, 0]))
    with pytest.raises(ValueError, match="cannot merge"):
        counts.merge(ImageCounts(2))
    with pytest.raises(ValueError, match="expected 1 to 254"):
        ImageCounts(255)
    assert counts.names == ("b", "a")
