"""What gray values draw: classes up to 255, or ids beside ignored pixels."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.classes.survey import Seen
from pixelwise.data.convert.classes.tables import value_meaning
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.masks.judging import drawn_grays, listed_values, source_entries, spread_grays
from pixelwise.data.repair.dataset import repair
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable


@pytest.mark.parametrize(
    ("values", "grays"),
    [
        ({0, 85, 170, 255}, {0: 0, 85: 1, 170: 2, 255: 3}),
        ({0, 127, 255}, {0: 0, 127: 1, 255: 2}),
        ({0, 127, 128, 255}, {0: 0, 127: 1, 128: 1, 255: 2}),
        ({0, 64, 128, 192, 255}, {0: 0, 64: 1, 128: 2, 192: 3, 255: 4}),
        ({0, 51, 102, 153, 204, 255}, {0: 0, 51: 1, 102: 2, 153: 3, 204: 4, 255: 5}),
        ({0, 85, 255}, {0: 0, 85: 1, 255: 2}),  # nobody drew the third of four classes
    ],
)
def test_evenly_spread_grays_up_to_255_are_classes(values, grays):
    assert spread_grays(values) == drawn_grays(values) == grays


@pytest.mark.parametrize(
    "values",
    [
        {0, 1, 255},
        {0, 1, 2, 3, 255},
        {1, 2, 255},
        {0, 85, 170},
        {0, 90, 255},
        {0, 21845, 43690, 65535},
        {*range(21), 255},  # Pascal VOC
        {*range(150), 255},
        {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 255},  # Cityscapes
        {*range(0, 251, 10), 255},
        set(range(256)),
    ],
)
def test_ids_beside_ignored_pixels_are_no_grays(values):
    assert spread_grays(values) == drawn_grays(values) == {}


def test_0_and_255_alone_draw_two_classes_but_are_no_spread():
    assert (drawn_grays({0, 255}), spread_grays({0, 255})) == ({0: 0, 255: 1}, {})


def test_a_table_lists_values_only_where_they_are_no_ids():
    two = LabelTable.named(["a", "b"], sources={0: [0], 1: [255]})
    assert listed_values({0, 255}, two) == {0: 0, 255: 1}
    assert listed_values({0, 1, 255}, two) == listed_values({0}, two) == {}
    ignored = LabelTable.named(["a", "b"], ignored=[255])
    assert listed_values({0, 255}, ignored) == {}


def dataset(root, gray=85, classes=4, smooth=False):
    """Two pairs of squares in each split, class i drawn as i * gray, the last as 255."""
    for split in ("train", "validation"):
        for i in range(2):
            mask = Image.new("L", (64, 64))
            for class_id in range(1, classes):
                left = 6 + 18 * (class_id - 1)
                value = 255 if class_id == classes - 1 else class_id * gray
                ImageDraw.Draw(mask).rectangle((left, 5 + 9 * i, left + 11, 40 + 9 * i), fill=value)
            if smooth:
                mask = mask.resize((32, 32), Image.Resampling.BOX).resize((64, 64), Image.Resampling.NEAREST)
            image = Image.effect_noise((64, 64), 90).convert("RGB")
            for folder, picture in ((split, image), (f"{split}_annotation", mask)):
                (root / folder).mkdir(parents=True, exist_ok=True)
                picture.save(root / folder / f"{split}{i}.png")
    return open_dataset(root)


@pytest.mark.parametrize(("gray", "classes"), [(85, 4), (127, 3), (128, 3)])
@pytest.mark.parametrize("is_given", [False, True])
def test_check_finds_spread_grays_and_the_repair_makes_classes_of_all(tmp_path, gray, classes, is_given):
    given = dataset(tmp_path / "data", gray, classes)
    if is_given:
        names = {str(i): f"name {i}" for i in range(classes)}
        (tmp_path / "data" / "classes.json").write_text(json.dumps(names))
        given = open_dataset(tmp_path / "data")
    report = check_dataset(given)
    shown = ", ".join(str(gray * i if i < classes - 1 else 255) for i in range(classes))
    assert [(each.code, each.found) for each in report.faults] == [
        ("mask-spread-gray", f"holds masks of the values {shown} only")
    ] * 2
    assert f"draw {classes} classes" in report.faults[0].remedy
    assert "`--fix`" in report.faults[0].remedy
    repaired = repair(given, report, tmp_path / "copy")
    assert (repaired.changes, repaired.left_out) == ({"mask-spread-gray": 4}, ())
    entries = json.loads((tmp_path / "copy" / "classes.json").read_text())
    assert [entry["source"] for entry in entries] == [*range(0, gray * (classes - 1), gray), 255]
    was = np.array(Image.open(tmp_path / "data" / "train_annotation" / "train0.png"))
    became = np.array(Image.open(tmp_path / "copy" / "train_annotation" / "train0.png"))
    assert np.array_equal(became == classes - 1, was == 255)
    changes = (tmp_path / "copy" / "changes.jsonl").read_text()
    assert f"255 -> {classes - 1}" in changes
    assert check_dataset(open_dataset(tmp_path / "copy")).sound


def test_a_split_of_ids_beside_one_of_grays_stays_as_it_is(tmp_path):
    dataset(tmp_path / "data")
    for path in (tmp_path / "data" / "validation_annotation").iterdir():
        Image.open(path).point([value // 85 for value in range(256)]).save(path)
    given = open_dataset(tmp_path / "data")
    report = check_dataset(given)
    assert [(each.code, each.file.name) for each in report.faults] == [("mask-spread-gray", "train_annotation")]
    repaired = repair(given, report, tmp_path / "copy")
    assert (repaired.changes, repaired.left_out) == ({"mask-spread-gray": 2}, ())
    train, validation = (
        np.array(Image.open(tmp_path / "copy" / f"{split}_annotation" / f"{split}0.png"))
        for split in ("train", "validation")
    )
    assert np.array_equal(train, validation)


def test_borders_that_smoothing_left_between_0_and_255_are_no_class(tmp_path):
    report = check_dataset(dataset(tmp_path, 127, 2, smooth=False))
    assert [each.code for each in report.faults] == ["mask-0-255"] * 2
    smoothed = Image.new("L", (64, 64))
    ImageDraw.Draw(smoothed).rectangle((9, 9, 41, 41), fill=127)
    ImageDraw.Draw(smoothed).rectangle((10, 10, 40, 40), fill=255)
    smoothed.save(tmp_path / "train_annotation" / "train0.png")
    faults = {each.code: each.file.name for each in check_dataset(open_dataset(tmp_path)).faults}
    assert faults["mask-smoothed"] == "train0.png"


def test_convert_shows_the_table_that_makes_classes_of_spread_grays(tmp_path):
    seen = {value: Seen(1, 1, "a.png") for value in (0, 85, 170, 255)}
    with pytest.raises(DataError) as caught:
        value_meaning(seen, None, None, tmp_path)
    shown = source_entries(spread_grays(seen.keys()))
    assert json.loads(shown)[3] == {"id": 3, "name": "class 3", "source": 255}
    assert shown in str(caught.value)
    labels = LabelTable.from_json(json.loads(shown), source="shown")
    assert value_meaning(seen, labels, None, tmp_path).ids == {0: 0, 85: 1, 170: 2, 255: 3}
