"""Cityscapes in its own folders and in flat ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.cityscapes import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw" / "cityscapes-labelids"
IDS = np.array([[7, 8, 11, 33], [0, 34 - 5, 31, 26]], dtype=np.uint8)  # 29 (caravan) is not trained
TRAINED = [[0, 1, 2, 18], [255, 255, 16, 13]]


def add(root: Path, split: str, stem: str, ids=IDS, *, kind="gtFine_labelIds", image=True) -> None:
    city = stem.partition("_")[0]
    for top in ("leftImg8bit", kind.split("_")[0]):
        (root / top / split / city).mkdir(parents=True, exist_ok=True)
    if image:
        Image.new("RGB", ids.shape[::-1]).save(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
    Image.fromarray(ids).save(root / kind.split("_")[0] / split / city / f"{stem}_{kind}.png")


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.split, item.class_ids().tolist()) for item in conversion.items}


def test_ids_become_the_19_trained_classes_with_names_and_colours(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019")
    add(tmp_path, "val", "ulm_000000_000019")
    conversion, items = opened(tmp_path)
    assert items == {"aachen_000000_000019": ("train", TRAINED), "ulm_000000_000019": ("validation", TRAINED)}
    assert conversion.labels.num_classes == 19
    assert (conversion.labels.names[13], conversion.labels.colors[13]) == ("car", (0, 0, 142))
    assert conversion.labels.sources[18] == (33,)
    assert conversion.labels.ignored == (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30)


def test_training_ids_are_read_as_they_are(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019", np.array([[0, 18, 255]], np.uint8), kind="gtFine_labelTrainIds")
    conversion, items = opened(tmp_path)
    assert items["aachen_000000_000019"] == ("train", [[0, 18, 255]])
    assert conversion.labels.sources == ()


def test_fine_masks_and_ids_win_over_coarse_ones_and_training_ids(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019")
    add(tmp_path, "train", "aachen_000000_000019", np.zeros((2, 4), np.uint8), kind="gtFine_labelTrainIds")
    add(tmp_path, "train", "aachen_000000_000019", np.zeros((2, 4), np.uint8), kind="gtCoarse_labelIds")
    assert opened(tmp_path)[1]["aachen_000000_000019"] == ("train", TRAINED)


def test_coarse_masks_are_read_where_there_are_no_others(tmp_path):
    add(tmp_path, "train_extra", "augsburg_000000_000000", kind="gtCoarse_labelIds")
    conversion, items = opened(tmp_path)
    assert items["augsburg_000000_000000"][0] == "train"
    assert conversion.notes == ("Masks are the gtCoarse labelIds.",)


def test_empty_masks_of_the_test_split_are_passed_over(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019")
    add(tmp_path, "test", "berlin_000000_000019", np.array([[0, 1, 3, 3]], np.uint8))
    conversion, items = opened(tmp_path)
    assert list(items) == ["aachen_000000_000019"]
    assert conversion.notes[-1].startswith("The 1 test images were passed over")


def test_a_table_chooses_other_classes_by_id(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019")
    table = LabelTable.named(
        ["flat", "rest"], sources={0: [7, 8], 1: [11, 29, 31, 26, 33]}, ignored=[0]
    )  # fmt: skip
    assert opened(tmp_path, classes=table)[1]["aachen_000000_000019"][1] == [[0, 0, 1, 1], [255, 1, 1, 1]]
    with pytest.raises(SettingsError, match="2 classes are asked for, but Cityscapes trains 19"):
        opened(tmp_path, classes=LabelTable.named(["flat", "rest"]))


def test_a_value_that_is_no_id_is_an_error_of_its_mask(tmp_path):
    add(tmp_path, "train", "aachen_000000_000019", np.array([[7, 34]], np.uint8))
    with pytest.raises(DataError, match=r"gtFine_labelIds\.png: has the values 34 \(1 px\)"):
        opened(tmp_path)


def test_masks_without_images_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(DataError, match="has no masks called"):
        opened(tmp_path)
    add(tmp_path, "train", "aachen_000000_000019", image=False)
    with pytest.raises(DataError, match="Unpack leftImg8bit and gtFine into one folder"):
        opened(tmp_path)


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_flat_real_files_convert(tmp_path):
    report = convert("cityscapes", RAW, tmp_path / "out", options=Options())
    assert sum(report.images.values()) == 3
    assert not report.left_out
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]
