"""Datasets are taken as they lie: the usual names of folders and masks, and nothing guessed where two readings fit."""

import json
from pathlib import Path

import pytest

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.layout import find_layout
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
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
