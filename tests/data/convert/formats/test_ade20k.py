"""ADE20K: the benchmark of 150 classes and the full release."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.ade20k.benchmark import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw" / "ade20k"
INFO = "Idx\tRatio\tTrain\tVal\tName\n" + "".join(f"{i} \t0.1\t9\t9\tname{i}, other {i}\n" for i in range(1, 151))


def add(root: Path, split: str, stem: str) -> None:
    for folder in ("images", "annotations"):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 1)).save(root / "images" / split / f"{stem}.jpg")
    Image.fromarray(np.array([[0, 1, 150]], np.uint8)).save(root / "annotations" / split / f"{stem}.png")


def add_full(root: Path, split: str, stem: str, indices: list[int], names: dict[int, str] | None) -> None:
    """An image whose pixels have class indices, encoded as the release does, and its JSON."""
    folder = root / "images" / "ADE" / split / "urban" / "street"
    folder.mkdir(parents=True, exist_ok=True)
    # One instance number a pixel in blue; red also counts instances of parts in its last digit.
    pixels = [[i // 256 * 10, i % 256, place + 1] for place, i in enumerate(indices)]
    Image.fromarray(np.array([pixels], np.uint8)).save(folder / f"{stem}_seg.png")
    Image.new("RGB", (len(indices), 1)).save(folder / f"{stem}.jpg")
    if names is not None:
        objects = [{"id": 0, "name": name, "name_ndx": i} for i, name in names.items()]
        content = json.dumps({"annotation": {"object": objects}}, ensure_ascii=False)
        (folder / f"{stem}.json").write_bytes(content.encode("latin-1"))


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.split, item.class_ids().tolist()) for item in conversion.items}


def test_zero_is_ignored_and_classes_count_from_one(tmp_path):
    add(tmp_path, "training", "ADE_train_00000001")
    add(tmp_path, "validation", "ADE_val_00000001")
    (tmp_path / "objectInfo150.txt").write_text(INFO)
    conversion, items = opened(tmp_path)
    assert items["ADE_train_00000001"] == ("train", [[255, 0, 149]])
    assert items["ADE_val_00000001"][0] == "validation"
    assert conversion.labels.names[:2] == ("name1", "name2")
    assert conversion.labels.sources[149] == (150,)
    assert conversion.labels.ignored == (0,)


def test_names_that_the_source_lacks_are_asked_for(tmp_path):
    add(tmp_path, "training", "ADE_train_00000001")
    with pytest.raises(DataError, match=r"has no objectInfo150\.txt"):
        opened(tmp_path)
    (tmp_path / "objectInfo150.txt").write_text(INFO[:200])
    with pytest.raises(DataError, match="expected lines that begin with 1 to 150"):
        opened(tmp_path)
    with pytest.raises(SettingsError, match="2 classes are asked for, but the benchmark has 150"):
        opened(tmp_path, classes=LabelTable.named(["a", "b"]))


def test_a_table_joins_classes_of_the_benchmark(tmp_path):
    add(tmp_path, "training", "ADE_train_00000001")
    table = LabelTable.named(["a", "b"], sources={0: [1], 1: [149, 150]}, ignored=[0])
    assert opened(tmp_path, classes=table)[1]["ADE_train_00000001"][1] == [[255, 0, 1]]


def test_the_full_release_keeps_the_classes_asked_for(tmp_path):
    names = {3: "café", 2978: "wall", 300: "door, doors"}
    add_full(tmp_path, "training", "ADE_train_00000001", [0, 3, 2978, 300], names)
    conversion, items = opened(tmp_path, classes=LabelTable.named(["Wall", "door"]))
    # 2978 = 11 * 256 + 162 is stored as red 110, green 162.
    assert items["ADE_train_00000001"] == ("train", [[255, 255, 0, 1]])
    assert conversion.labels.sources == ((2978,), (300,))
    assert conversion.notes == ("2 of 3 classes were kept, the rest is ignored.",)


def test_the_full_release_without_a_table_says_how_many_classes_there_are(tmp_path):
    add_full(tmp_path, "training", "ADE_train_00000001", [1, 2], {1: "sky", 2: "sea"})
    add_full(tmp_path, "training", "ADE_train_00000002", [2, 3], {2: "sea", 3: "sea, ocean"})
    with pytest.raises(DataError, match=r"has 3 classes \(sea, .*--classes FILE"):
        opened(tmp_path)
    most = opened(tmp_path, num_classes=2)[0].labels
    assert (most.names, most.sources) == (("sea", "sky"), ((2,), (1,)))


def test_unknown_and_ambiguous_names_are_refused(tmp_path):
    add_full(tmp_path, "training", "ADE_train_00000001", [1, 2], {1: "bag, purse", 2: "bag, sack"})
    with pytest.raises(DataError, match="has no class 'house'"):
        opened(tmp_path, classes=LabelTable.named(["house", "bag"]))
    with pytest.raises(DataError, match=r"several classes 'bag': 1 \(bag, purse\); 2 \(bag, sack\)"):
        opened(tmp_path, classes=LabelTable.named(["bag", "x"]))
    labels = opened(tmp_path, classes=LabelTable.named(["bag, sack", "bag, purse"]))[0].labels
    assert labels.sources == ((2,), (1,))


def test_masks_that_disagree_with_their_json_are_refused(tmp_path):
    add_full(tmp_path, "training", "ADE_train_00000001", [7], {8: "sky"})
    with pytest.raises(DataError, match=r"has the classes \[7\], which its JSON does not name"):
        opened(tmp_path, num_classes=2)


def test_the_release_of_2016_is_named_by_its_index(tmp_path):
    add_full(tmp_path, "validation", "ADE_val_00000001", [1, 2], None)
    with pytest.raises(DataError, match="neither in JSON files beside the images nor in index_ade20k"):
        opened(tmp_path, num_classes=2)
    names = np.array(["sky", "sea, ocean"], dtype=object)
    savemat(tmp_path / "index_ade20k.mat", {"index": {"objectnames": names, "objectcounts": np.array([4.0, 9.0])}})
    conversion, items = opened(tmp_path, num_classes=2)
    assert conversion.labels.names == ("sea", "sky")
    assert items["ADE_val_00000001"] == ("validation", [[1, 0]])


def test_what_is_no_ade20k_is_refused(tmp_path):
    with pytest.raises(DataError, match="has neither annotations"):
        opened(tmp_path)


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_the_real_sample_converts(tmp_path):
    report = convert("ade20k", RAW, tmp_path / "out", options=Options())
    assert report.labels.names[:3] == ("wall", "building", "sky")
    assert sum(report.images.values()) == 3
    assert not report.left_out
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]
