"""COCO-Stuff as PNG masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.coco.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
IDS = np.array([[0, 1, 255], [2, 2, 0]], dtype=np.uint8)


def add(root: Path, split: str, *, masks="stuffthingmaps") -> None:
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / masks / split).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2)).save(root / split / "1.jpg")
    Image.fromarray(IDS).save(root / masks / split / "1.png")


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, [(item.name, item.image, item.split, item.class_ids().tolist()) for item in conversion.items]


def test_the_labels_of_coco_stuff_are_one_more_than_the_values(tmp_path):
    add(tmp_path, "train2017")
    add(tmp_path, "val2017")
    (tmp_path / "labels.txt").write_text("0: unlabeled\n1: person\n2: bicycle\n3: car\n")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("person", "bicycle", "car")
    assert items == [
        ("1", "train2017/1.jpg", "train", IDS.tolist()),
        ("1", "val2017/1.jpg", "validation", IDS.tolist()),
    ]


def test_a_plain_list_names_the_values_in_order(tmp_path):
    add(tmp_path, "train2017")
    (tmp_path / "labels.txt").write_text("person\nbicycle\ncar\n")
    assert opened(tmp_path)[0].labels.names == ("person", "bicycle", "car")


def test_names_are_asked_for(tmp_path):
    add(tmp_path, "train2017")
    with pytest.raises(DataError, match=r"labels\.txt into the source, or give the names with --classes"):
        opened(tmp_path)
    assert opened(tmp_path, num_classes=3)[0].labels.names[0] == "class 0"


def test_two_masks_for_one_image_are_chosen_among_by_a_pattern(tmp_path):
    add(tmp_path, "train2017", masks="labels_a")
    add(tmp_path, "train2017", masks="labels_b")
    with pytest.raises(DataError, match="may both be the mask of one image"):
        opened(tmp_path, num_classes=3)
    assert len(opened(tmp_path, num_classes=3, masks="labels_b/**")[1]) == 1


def test_a_source_without_anything_of_coco_says_what_was_expected(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="neither COCO's JSON nor PNG masks"):
        opened(tmp_path)


@pytest.mark.skipif(not RAW.is_dir(), reason="the raw samples are not here")
def test_the_sample_of_coco_stuff_keeps_its_values_and_passes_check(tmp_path):
    root = RAW / "coco-stuff"
    table = LabelTable.named([f"stuff {i}" for i in range(182)])
    _, items = opened(root, classes=table)
    assert [split for _, _, split, _ in items].count("validation") == 8
    for name, image, _, ids in items:
        mask = root / image.split("/")[0].replace("_img", "_label") / f"{name}.png"
        assert np.array_equal(ids, np.asarray(Image.open(mask)))
    convert("coco", root, tmp_path / "dataset", options=Options(classes=table))
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []
