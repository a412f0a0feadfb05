"""Images and masks find each other by folders or by patterns, and where that is unclear, the user is asked."""

from pathlib import Path

import pytest

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.matching.pairing import find_matches, single_masks, split_of
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError, SettingsError


def matched(names, **options):
    """{name: (split, image, masks)} and notes."""
    matches, notes = find_matches(Source(Path("source"), names, lambda _: b""), Options(**options))
    return {one.name: (one.split, one.image, *(file for _, file in one.masks)) for one in matches}, notes


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"), ("image", "mask"), ("JPEGImages", "SegmentationClass"), ("img", "labels"), ("imgs", "gt"),
        ("data/photos", "data/annotations"), ("Original_Images", "Ground_Truth"), ("x", "x_annotation"),
    ],
)  # fmt: skip
def test_common_folder_names_are_known(images, masks):
    found, notes = matched([f"{images}/a.jpg", f"{images}/b.c.jpg", f"{masks}/a.png", f"{masks}/b.c.png"])
    assert {name: files[1:] for name, files in found.items()} == {
        "a": (f"{images}/a.jpg", f"{masks}/a.png"),
        "b.c": (f"{images}/b.c.jpg", f"{masks}/b.c.png"),
    }
    assert notes == []


@pytest.mark.parametrize(
    ("images", "masks"),
    [("{}/images", "{}/masks"), ("images/{}", "masks/{}"), ("{}_img", "{}_label"), ("{}", "{}_annotation")],
)
def test_splits_are_told_by_folders(images, masks):
    names = [f"{pattern.format(part)}/{part}.png" for pattern in (images, masks) for part in ("train", "val", "test")]
    found, _ = matched(names)
    assert {name: files[0] for name, files in found.items()} == {"train": "train", "val": "validation", "test": "test"}


def test_folders_below_stay_in_the_name():
    found, _ = matched([f"set/{kind}/{tile}/1.png" for kind in ("image", "mask") for tile in ("t1", "t2")])
    assert found == {
        f"{tile}/1": (None, f"set/image/{tile}/1.png", f"set/mask/{tile}/1.png") for tile in ("t1", "t2")
    }  # fmt: skip


def test_what_all_names_have_in_common_is_set_apart():
    found, notes = matched(["images/21_training.tif", "images/22_training.tif", "masks/21_m1.gif", "masks/22_m1.gif"])
    assert found["21_training"] == (None, "images/21_training.tif", "masks/21_m1.gif")
    assert notes == ['Images "{name}_training" in images were matched with masks "{name}_m1" in masks.']


def test_numbers_are_never_cut():
    # Both begin with 1 or 2 throughout, and yet 10 is not 20.
    with pytest.raises(DataError, match="no folder of images"):
        matched(["images/10.jpg", "images/11.jpg", "masks/20.png", "masks/21.png"])


def test_images_and_masks_without_a_partner_are_told():
    found, notes = matched(["images/a.jpg", "images/b.jpg", "masks/a.png", "masks/c.png"])
    assert set(found) == {"a"}
    assert notes == ["1 image without a mask left out: images/b.jpg.", "1 mask without an image left out: masks/c.png."]


def test_instances_and_pictures_for_people_are_no_masks():
    found, _ = matched([f"{folder}/a.png" for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject")])
    assert found["a"][2] == "SegmentationClass/a.png"
    found, _ = matched([f"train_{kind}/a.png" for kind in ("img", "label", "inst")])
    assert found["a"][2] == "train_label/a.png"


@pytest.mark.parametrize(
    "names",
    [
        ["images/a.jpg", "masks/a.png", "labels/a.png"],
        ["images/21_t.tif", "1st_manual/21_m.gif", "mask/21_mask.gif"],
        ["a/1.jpg", "a/1.png"],
        ["images/a.jpg"],
        ["masks/a.png"],
        [],
    ],
)
def test_what_is_unclear_is_asked_for_with_an_example(names):
    with pytest.raises(DataError, match=r'--images "photos/\{name\}\.jpg" --masks "truth/\{name\}_mask\.png"'):
        matched(names)


def test_patterns_find_any_layout():
    names = ["a/1.jpg", "a/1.png", "a/2.jpg", "a/2.png", "b/notes.txt"]
    found, _ = matched(names, images="a/{name}.jpg", masks="a/{name}.png")
    assert found == {"1": (None, "a/1.jpg", "a/1.png"), "2": (None, "a/2.jpg", "a/2.png")}


def test_masks_that_the_pattern_of_images_fits_too_are_no_images():
    found, notes = matched(["a/1.png", "a/1_mask.png"], images="a/{name}.png", masks="a/{name}_mask.png")
    assert found == {"1": (None, "a/1.png", "a/1_mask.png")}
    assert notes == []


def test_a_pattern_may_say_the_split():
    names = ["train/1.jpg", "train/1_m.png", "val/2.jpg", "val/2_m.png"]
    found, _ = matched(names, images="{split}/{name}.jpg", masks="{split}/{name}_m.png")
    assert {name: files[0] for name, files in found.items()} == {"1": "train", "2": "validation"}
    with pytest.raises(DataError, match="stands for 'fold1', expected one of train"):
        matched(["fold1/1.jpg", "fold1/1.png"], images="{split}/{name}.jpg", masks="{split}/{name}.png")


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ({"images": "a/{name}.jpg"}, "--images is given without --masks"),
        ({"masks": "a/{name}.jpg"}, "--masks is given without --images"),
        ({"images": "a/*.jpg", "masks": "a/{name}.png"}, r"--images is 'a/\*\.jpg', expected a pattern with {name}"),
    ],
)
def test_patterns_that_cannot_work_are_refused(patterns, found):
    with pytest.raises(SettingsError, match=found):
        matched(["a/1.jpg", "a/1.png"], **patterns)


def test_patterns_that_fit_nothing_tell_what_there_is():
    with pytest.raises(
        DataError, match=r"fits 1 images and --masks 'b/\{name\}\.png' 0 masks.*The source has a \(1 \.jpg\)"
    ):
        matched(["a/1.jpg"], images="a/{name}.jpg", masks="b/{name}.png")


def test_two_images_of_one_name_are_refused():
    with pytest.raises(DataError, match=r"a/1\.jpg and b/1\.jpg are both called 1"):
        matched(["a/1.jpg", "b/1.jpg", "m/1.png"], images="*/{name}.jpg", masks="m/{name}.png")


def test_several_masks_of_an_image_are_refused_where_one_is_needed():
    source = Source(Path("source"), ["a/1.jpg", "m/1/x.png", "m/1/y.png"], lambda _: b"")
    matches, _ = find_matches(source, Options(images="a/{name}.jpg", masks="m/{name}/*.png"))
    with pytest.raises(DataError, match=r"a/1\.jpg has 2 masks \(m/1/x\.png, m/1/y\.png\), expected one"):
        single_masks(matches, source)


@pytest.mark.parametrize(
    ("path", "split"),
    [("Training_Images", "train"), ("a/val", "validation"), ("train/test", None), ("contest/trainer", None)],
)
def test_the_split_is_a_word_of_the_path(path, split):
    assert split_of(path) == split


def test_masks_beside_their_images_are_known_by_their_ending():
    names = [f"{part}/{name}" for part in ("train", "valid") for name in ("1.jpg", "1_mask.png", "2.jpg", "2_mask.png")]
    matches, notes = find_matches(Source(Path("source"), [*names, "train/3.jpg"], lambda _: b""), Options())
    assert [(one.name, one.split, one.image, one.masks) for one in matches] == [
        ("1", "train", "train/1.jpg", ((None, "train/1_mask.png"),)),
        ("2", "train", "train/2.jpg", ((None, "train/2_mask.png"),)),
        ("1", "validation", "valid/1.jpg", ((None, "valid/1_mask.png"),)),
        ("2", "validation", "valid/2.jpg", ((None, "valid/2_mask.png"),)),
    ]
    assert notes == [
        'Masks lie beside their images and end in "_mask" or the like.',
        "1 image without a mask left out: train/3.jpg.",
    ]
