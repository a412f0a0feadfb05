"""What lists call files, and where these are."""

import pytest

from pixelwise.data.convert.matching.references import Lookup, short_names, split_of
from pixelwise.errors import DataError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("annotations/panoptic_val2017.json", "validation"),
        ("instances_train2017.json", "train"),
        ("train/_annotations.coco.json", "train"),
        ("train/val.json", "validation"),
        ("Test.txt", "test"),
        ("training/a.json", "train"),
        ("trainval.json", None),
        ("contest.json", None),
        ("train_and_val.json", None),
        ("", None),
    ],
)
def test_names_speak_of_splits(name, split):
    assert split_of(name) == split


def test_the_file_that_shares_most_of_the_end_is_found():
    lookup = Lookup(["a/images/1.png", "b/images/1.png", "masks/1.png"])
    assert lookup.find("s3://bucket/job/b/images/1.png") == "b/images/1.png"
    assert lookup.find("C:\\data\\masks\\1.png") == "masks/1.png"
    assert lookup.find("../masks/1.png") == "masks/1.png"
    assert lookup.find("file:///x/masks/1.png") == "masks/1.png"
    assert lookup.find("s3://1.png") is None
    assert lookup.find("2.png") is None


def test_of_equal_files_the_one_of_the_split_and_then_the_nearest_is_taken():
    lookup = Lookup(["train2017/1.jpg", "val2017/1.jpg", "x/a/2.jpg", "y/a/2.jpg"])
    assert lookup.find("1.jpg", near="annotations/instances_val2017.json") == "val2017/1.jpg"
    assert lookup.find("2.jpg", near="y/list.json") == "y/a/2.jpg"
    with pytest.raises(DataError, match=r"may be any of x/a/2\.jpg, y/a/2\.jpg"):
        lookup.find("2.jpg")


def test_references_without_suffix_are_found_by_stem():
    assert Lookup(["JPEGImages/a/frame.01.jpg"], stems=True).find("a/frame.01") == "JPEGImages/a/frame.01.jpg"


def test_names_are_stems_unless_two_are_equal():
    assert short_names(["images/a.jpg", "b.png"]) == ["a", "b"]
    assert short_names(["x/a.jpg", "y/A.jpg"]) == ["x/a", "y/A"]
