"""Datasets are taken as they lie: the usual names of folders and masks, and nothing guessed where two readings fit."""

import json
import shutil
from pathlib import Path

import pytest

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.layout import find_layout
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.errors import DataError, SettingsError
from tests.conftest import TINY_FLAGS, draw_pair


@pytest.fixture
def lay(tmp_path):
    """Draws the tiny dataset and moves its channels to the folders that are given."""

    def laid(folders, ending=""):
        drawn, root = tmp_path / "drawn", tmp_path / "dataset"
        for split, count in (("train", 4), ("validation", 2)):
            for i in range(count):
                draw_pair(drawn, split, f"{split}{i}", seed=100 * count + i)
        for channel, folder in folders.items():
            (root / folder).mkdir(parents=True)
            for path in (drawn / channel).iterdir():
                end = ending if channel.endswith("_annotation") else ""
                path.rename(root / folder / f"{path.stem}{end}{path.suffix}")
        return root

    return laid


def below(root: Path, folders):
    return {channel: folder.relative_to(root).as_posix() for channel, folder in folders.items()}


LAYOUTS = [
    ("images/train", "masks/train", "images/val", "masks/val"),
    ("img_dir/train", "ann_dir/train", "img_dir/val", "ann_dir/val"),
    ("Images/Training", "Labels/Training", "Images/Valid", "Labels/Valid"),
    ("train/images", "train/masks", "valid/images", "valid/masks"),
    ("train/img", "train/gt", "validation/img", "validation/gt"),
]


@pytest.mark.parametrize("folders", LAYOUTS)
def test_folders_of_the_usual_names_are_the_channels(lay, folders):
    channels = dict(zip(("train", "train_annotation", "validation", "validation_annotation"), folders, strict=True))
    root = lay(channels)
    assert below(root, find_layout(root)) == channels
    report = check_dataset(open_dataset(root))
    assert report.faults == ()
    assert {name: len(pairs) for name, pairs in report.pairs.items()} == {"train": 4, "validation": 2}
    said = f"train from {folders[0]} and {folders[1]}, validation from {folders[2]} and {folders[3]}"
    assert report.layout == said
    assert f"Taken as it lies: {said}." in report.text()
    assert report.to_json()["layout"] == said


@pytest.mark.parametrize("ending", ["_mask", "_label", "_seg", "_gt"])
def test_masks_may_be_named_after_their_images(lay, ending):
    root = lay(
        {"train": "images/train", "train_annotation": "masks/train", "validation": "images/val",
         "validation_annotation": "masks/val"}, ending=ending,
    )  # fmt: skip
    report = check_dataset(open_dataset(root))
    assert report.faults == ()
    pair = report.pairs["train"][0]
    assert (pair.name, pair.mask.name) == ("train0", f"train0{ending}.png")


def test_a_mask_beside_one_of_its_images_own_name_is_named_and_not_dropped(lay):
    root = lay({"train": "images/train", "train_annotation": "masks/train", "validation": "images/val",
                "validation_annotation": "masks/val"}, ending="_mask")  # fmt: skip
    masks = root / "masks" / "train"
    (masks / "train0.png").write_bytes((masks / "train0_mask.png").read_bytes())
    (fault,) = check_dataset(open_dataset(root)).faults
    assert (fault.code, fault.file) == ("mask-without-image", masks / "train0_mask.png")


def test_channels_of_their_own_names_are_what_they_were(dataset):
    (dataset / "images" / "train").mkdir(parents=True)
    (dataset / "masks" / "train").mkdir(parents=True)
    opened = open_dataset(dataset)
    assert opened.layout is None
    assert opened.splits["train"].images == dataset / "train"


def test_two_readings_are_an_error_that_shows_both(lay):
    root = lay({"train": "images/train", "train_annotation": "masks/train"})
    (root / "labels" / "train").mkdir(parents=True)
    with pytest.raises(DataError) as error:
        open_dataset(root)
    message = str(error.value)
    assert "images/train and masks/train" in message
    assert "images/train and labels/train" in message
    assert "--train-annotation" in message


def test_two_folders_of_one_split_are_an_error(lay):
    root = lay({"train": "images/train", "train_annotation": "masks/train"})
    (root / "images" / "training").mkdir()
    with pytest.raises(DataError, match=r"both named after the train split.*one by one"):
        open_dataset(root)


def test_a_channel_that_is_given_wins_over_the_layout(lay, tmp_path):
    root = lay({"train": "images/train", "train_annotation": "masks/train", "validation": "elsewhere/v",
                "validation_annotation": "elsewhere/m"})  # fmt: skip
    given = {"validation": root / "elsewhere" / "v", "validation_annotation": root / "elsewhere" / "m", "test": None}
    opened = open_dataset(root, channels=given)
    assert opened.splits["validation"].images == given["validation"]
    assert opened.splits["train"].masks == root / "masks" / "train"


# {what lies there: how it is said}: folders of train, of train's masks, an ending of the masks.
WITHOUT_SPLITS = [
    ("images", "masks", "", "train from images and masks"),
    ("Img", "GT", "", "train from Img and GT"),
    ("images", "labels", "_label", "train from images and labels"),
    ("image", "groundTruth", "", "train from image and groundTruth"),
    ("img_dir", "ann_dir", "", "train from img_dir and ann_dir"),
    ("images/train", "masks/train", "", "train from images/train and masks/train"),
    ("train/images", "train/masks", "_mask", "train from train/images and train/masks"),
    ("train", "train_masks", "_mask", "train from train and train_masks"),
    ("train_img", "train_label", "", "train from train_img and train_label"),
    ("Training_Images", "Ground_Truth", "", "train from Training_Images and Ground_Truth"),
    ("imagesTr", "labelsTr", "", "train from imagesTr and labelsTr"),
    ("data", "data", "_mask", "train from the folder itself, masks beside the images"),
    (".", ".", "-label", "train from the folder itself, masks beside the images"),
    ("images", "images", "_gt", "train from images, masks beside the images"),
    ("train", "train", "_seg", "train from train, masks beside the images"),
    ("images/train", "images/train", "_mask", "train from images/train, masks beside the images"),
]


@pytest.mark.parametrize(("images", "masks", "ending", "said"), WITHOUT_SPLITS)
def test_a_dataset_without_validation_is_taken_as_it_lies(tmp_path, images, masks, ending, said):
    for i in range(6):
        draw_pair(tmp_path / "drawn", "train", f"p{i}", seed=i)
    root = tmp_path / "dataset"
    for channel, folder, end in (("train", images, ""), ("train_annotation", masks, ending)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for path in (tmp_path / "drawn" / channel).iterdir():
            path.rename(root / folder / f"{path.stem}{end}{path.suffix}")
    report = check_dataset(open_dataset(root))
    assert report.faults == ()
    assert report.layout == said
    names = [name for pairs in report.pairs.values() for name in pairs.names]
    prefix = "data/" if images == "data" else ""
    assert sorted(names) == [f"{prefix}p{i}" for i in range(6)]
    assert list(report.pairs) == ["train", "validation"]
    assert "of 6 pairs" in report.understood[1]


def test_patients_in_folders_of_their_own_with_masks_beside(tmp_path):
    # As in the LGG set of brain MRI: kaggle_3m/PATIENT/PATIENT_1.tif and PATIENT_1_mask.tif.
    for patient in "abc":
        for i in range(3):
            draw_pair(tmp_path / "drawn", "train", f"{patient}_{i}", seed=ord(patient) + 7 * i)
            (tmp_path / "set" / patient).mkdir(parents=True, exist_ok=True)
            for channel, end in (("train", ""), ("train_annotation", "_mask")):
                drawn = tmp_path / "drawn" / channel / f"{patient}_{i}.png"
                drawn.rename(tmp_path / "set" / patient / f"{patient}_{i}{end}.png")
    report = check_dataset(open_dataset(tmp_path / "set", rule=SplitRule("{}/*")))
    assert report.faults == ()
    assert report.division.groups == 3


def test_a_test_split_comes_along(lay):
    root = lay({"train": "images", "train_annotation": "masks", "validation": "test/images",
                "validation_annotation": "test/masks"})  # fmt: skip
    report = check_dataset(open_dataset(root))
    assert report.layout == "train from images and masks, test from test/images and test/masks"
    assert {name: len(pairs) for name, pairs in report.pairs.items()}["test"] == 2


def test_the_cases_of_nnu_net_are_called_by_their_masks(lay):
    root = lay({"train": "imagesTr", "train_annotation": "labelsTr", "validation": "imagesTs"})
    for path in [*(root / "imagesTr").iterdir(), *(root / "imagesTs").iterdir()]:
        path.rename(path.with_stem(f"{path.stem}_0000"))
    opened = open_dataset(root)
    assert opened.layout == "train from imagesTr and labelsTr, test from imagesTs without masks"
    report = check_dataset(opened)
    assert report.faults == ()
    pair = next(pair for pairs in report.pairs.values() for pair in pairs if pair.name == "train0")
    assert (pair.image.name, pair.mask.name) == ("train0_0000.png", "train0.png")


def test_a_file_for_each_channel_is_refused_with_what_to_do(lay):
    root = lay({"train": "imagesTr", "train_annotation": "labelsTr"})
    for path in list((root / "imagesTr").iterdir()):
        path.with_stem(f"{path.stem}_0001").write_bytes(path.read_bytes())
        path.rename(path.with_stem(f"{path.stem}_0000"))
    with pytest.raises(DataError, match=r"a file for each channel \(train0_0000.png, train0_0001.png of the mask"):
        check_dataset(open_dataset(root))


def test_numbered_images_with_masks_of_equal_names_are_no_channels(lay):
    root = lay({"train": "images", "train_annotation": "masks"})
    for folder in ("images", "masks"):
        for i, path in enumerate(sorted((root / folder).iterdir())):
            path.rename(path.with_name(f"scan_{i:04}.png"))
    (root / "images" / "scan.png").write_bytes((root / "images" / "scan_0001.png").read_bytes())
    (root / "masks" / "scan.png").write_bytes((root / "masks" / "scan_0001.png").read_bytes())
    assert check_dataset(open_dataset(root)).faults == ()


def test_boxes_in_text_files_are_no_second_reading(lay):
    root = lay({"train": "images", "train_annotation": "masks"})
    (root / "labels").mkdir()
    (root / "labels" / "train0.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert open_dataset(root).layout == "train from images and masks"


@pytest.mark.parametrize(
    ("extra", "other"),
    [("labels/train0.png", "images and labels"), ("images/train0_mask.png", "images, masks beside the images")],
)
def test_two_readings_without_splits_show_both_and_the_flags_decide(lay, extra, other):
    root = lay({"train": "images", "train_annotation": "masks"})
    (root / extra).parent.mkdir(exist_ok=True)
    (root / extra).write_bytes((root / "masks" / "train0.png").read_bytes())
    with pytest.raises(DataError, match=r"--train and --train-annotation") as error:
        open_dataset(root)
    assert "train from images and masks" in str(error.value)
    assert f"train from {other}" in str(error.value)
    given = {"train": root / "images", "train_annotation": root / "masks"}
    assert open_dataset(root, channels=given).splits["validation"].masks == root / "masks"


def test_names_that_do_not_match_at_all_are_one_fault_with_examples_of_both(lay):
    root = lay({"train": "images", "train_annotation": "masks"}, ending="_x7")
    (fault,) = check_dataset(open_dataset(root)).faults
    assert "4 images such as train0.png, train1.png" in fault.found
    assert "such as train0_x7.png, train1_x7.png" in fault.found
    assert "--masks 'masks/{name}_x7.png'" in fault.remedy


def test_masks_a_folder_deeper_are_named(lay):
    root = lay({"train": "images", "train_annotation": "annotations/trimaps"})
    (fault,) = check_dataset(open_dataset(root)).faults
    assert str(root / "annotations" / "trimaps") in fault.remedy


@pytest.mark.parametrize(
    ("folders", "lone"),
    [
        (("images/train", "masks/train", "images/val"), "images/val"),
        (("train/images", "train/masks", "val/masks"), "val"),
        (("images", "masks", "validation_images"), "validation_images"),
    ],
)
def test_validation_that_cannot_be_paired_is_not_passed_over(lay, folders, lone):
    root = lay(dict(zip(("train", "train_annotation", "validation"), folders, strict=True)))
    with pytest.raises(DataError, match=f"{lone} is named after validation"):
        open_dataset(root)


def test_splits_of_images_alone_are_refused_with_what_to_do(lay):
    root = lay({"train": "images/train", "train_annotation": "masks", "validation": "images/val"})
    with pytest.raises(
        DataError, match=r"images has folders of splits \(train, val\) and masks has none.*Divide masks"
    ):
        open_dataset(root)


def test_validation_by_another_name_beside_train_annotation(lay):
    root = lay({"train": "train", "train_annotation": "train_annotation", "validation": "val",
                "validation_annotation": "val_annotation"})  # fmt: skip
    opened = open_dataset(root)
    assert opened.rule is None
    assert opened.splits["validation"].masks == root / "val_annotation"
    assert opened.layout == "validation from val and val_annotation"


def test_train_alone_is_divided_and_a_pattern_needs_no_validation(dataset):
    with pytest.raises(SettingsError, match="the split is given by folders"):
        open_dataset(dataset, rule=SplitRule("{}_*"))
    for name in ("validation", "validation_annotation"):
        shutil.rmtree(dataset / name)
    report = check_dataset(open_dataset(dataset))
    assert report.layout is None
    assert {name: len(pairs) for name, pairs in report.pairs.items()}["test"] == 2
    assert len(report.pairs["train"]) + len(report.pairs["validation"]) == 8
    assert open_dataset(dataset, required=("train", "train_annotation")).rule is None


def test_a_layout_trains_and_is_evaluated_as_it_lies(lay, tmp_path, run):
    root = lay({"train": "images/train", "train_annotation": "masks/train", "validation": "images/val",
                "validation_annotation": "masks/val"}, ending="_mask")  # fmt: skip
    code, _, err = run("train", root, "--output", tmp_path / "run", *TINY_FLAGS)
    assert code == 0, err
    said = "Taken as it lies: train from images/train and masks/train, validation from images/val and masks/val."
    assert said in (tmp_path / "run" / "log.txt").read_text()
    assert run("check", root, "--output", tmp_path / "page")[0] == 0
    assert said in (tmp_path / "page" / "index.html").read_text()
    code, out, err = run("evaluate", tmp_path / "run", root, "--split", "validation", "--json")
    assert code == 0, err
    assert json.loads(out)["images"] == 2
