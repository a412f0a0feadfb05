from pathlib import Path

import pytest
from PIL import Image

from pixelwise.data.dataset.pairs import Pair, find_pairs, open_dataset
from pixelwise.errors import DataError, SettingsError


def make_files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content does not matter here")


def find(root):
    return find_pairs(root / "train", root / "train_annotation")


def make_folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)


FOUR = ("train", "train_annotation", "validation", "validation_annotation")


def test_images_and_masks_pair_by_stem_sorted_by_name(tmp_path):
    make_files(tmp_path, "train/b.JPG", "train/a.tiff", "train/c.d.webp")
    make_files(tmp_path, "train_annotation/a.png", "train_annotation/b.PNG", "train_annotation/c.d.png")
    pairs, faults = find(tmp_path)
    images, masks = tmp_path / "train", tmp_path / "train_annotation"
    assert faults == []
    assert list(pairs) == [
        Pair("a", images / "a.tiff", masks / "a.png"),
        Pair("b", images / "b.JPG", masks / "b.PNG"),
        Pair("c.d", images / "c.d.webp", masks / "c.d.png"),
    ]


def test_subfolders_pair_by_their_path(tmp_path):
    make_files(tmp_path, "train/x/1.jpg", "train/y/1.jpg")
    make_files(tmp_path, "train_annotation/x/1.png", "train_annotation/y/1.png")
    pairs, faults = find(tmp_path)
    assert [pair.name for pair in pairs] == ["x/1", "y/1"]
    assert faults == []


def test_a_nested_annotation_folder_is_passed_over(tmp_path):
    # An S3 prefix "train" also downloads "train_annotation" into the channel's folder.
    make_files(tmp_path, "train/a.jpg", "train/train_annotation/a.png", "train_annotation/a.png")
    pairs, (finding,) = find(tmp_path)
    assert [pair.name for pair in pairs] == ["a"]
    assert (finding.code, finding.severity) == ("nested-annotations", "warning")


def test_manifests_notes_and_hidden_files_are_tolerated(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train_annotation/a.png")
    for name in (".DS_Store", "map.json", "list.manifest", "notes.txt", "README.md", ".hidden/b.jpg"):
        make_files(tmp_path, f"train/{name}")
    pairs, faults = find(tmp_path)
    assert [pair.name for pair in pairs] == ["a"]
    assert faults == []


def test_a_file_of_another_type_is_a_warning(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train/b.psd", "train_annotation/a.png")
    (fault,) = find(tmp_path)[1]
    assert (fault.file.name, fault.severity) == ("b.psd", "warning")


def test_unmatched_files_are_found_both_ways(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train/b.jpg", "train_annotation/b.png", "train_annotation/c.png")
    pairs, faults = find(tmp_path)
    assert [pair.name for pair in pairs] == ["b"]
    assert [(fault.file.name, fault.code) for fault in faults] == [
        ("a.jpg", "image-without-mask"),
        ("c.png", "mask-without-image"),
    ]


def test_an_unmatched_file_is_told_its_likely_partner(tmp_path):
    make_files(tmp_path, "train/aachen_01_leftImg8bit.png", "train_annotation/aachen_01_gtFine.png")
    remedies = [fault.remedy for fault in find(tmp_path)[1]]
    assert "aachen_01_gtFine" in remedies[0]
    assert "aachen_01_leftImg8bit" in remedies[1]


def test_two_images_of_one_stem_are_a_fault(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train/a.png", "train_annotation/a.png")
    (fault,) = find(tmp_path)[1]
    assert fault.code == "duplicate-stem"
    assert fault.file.name == "a.png"
    assert "a.jpg" in fault.found


def test_an_empty_folder_is_one_fault_and_not_one_per_mask(tmp_path):
    make_files(tmp_path, "train_annotation/a.png", "train_annotation/b.png")
    (tmp_path / "train").mkdir()
    (fault,) = find(tmp_path)[1]
    assert (fault.file, fault.code) == (tmp_path / "train", "empty-channel")


def test_a_link_that_leads_back_up_ends(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train_annotation/a.png")
    (tmp_path / "train" / "loop").symlink_to(tmp_path / "train")
    assert [pair.name for pair in find(tmp_path)[0]] == ["a"]


def test_a_dataset_has_the_splits_whose_folders_exist(tmp_path):
    make_folders(tmp_path, *FOUR, "test")
    (tmp_path / "classes.json").write_text("{}")
    dataset = open_dataset(tmp_path)
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.splits["test"].masks is None
    assert dataset.splits["train"].masks == tmp_path / "train_annotation"
    assert dataset.classes_file == tmp_path / "classes.json"


def test_a_channel_given_by_itself_wins_over_the_root(tmp_path):
    make_folders(tmp_path, *FOUR, "elsewhere")
    dataset = open_dataset(tmp_path, channels={"validation": tmp_path / "elsewhere"})
    assert dataset.splits["validation"].images == tmp_path / "elsewhere"
    assert dataset.splits["train"].images == tmp_path / "train"


def test_channels_can_all_be_given_without_a_root(tmp_path):
    make_folders(tmp_path, "a", "b")
    channels = {"train": tmp_path / "a", "train_annotation": tmp_path / "b"}
    dataset = open_dataset(None, required=tuple(channels), channels=channels)
    assert dataset.splits["train"].images == tmp_path / "a"
    assert dataset.classes_file is None


def test_only_required_channels_must_exist(tmp_path):
    make_folders(tmp_path, "test", "test_annotation")
    assert list(open_dataset(tmp_path, required=("test",)).splits) == ["test"]
    with pytest.raises(DataError, match="no folder 'train'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("folders", "missing", "offered"),
    [
        (("train", "train_annotation", "val", "validation_annotation"), "'validation'", "val"),
        (("train", "masks", "validation", "validation_annotation"), "'train_annotation'", "masks"),
        (("images", "train_annotation", "validation", "validation_annotation"), "'train'", "images"),
        (("train", "train_annotation", "validation", "val_labels"), "'validation_annotation'", "val_labels"),
    ],
)
def test_a_missing_folder_names_what_is_there_and_what_may_be_meant(tmp_path, folders, missing, offered):
    make_folders(tmp_path, *folders)
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert missing in str(caught.value)
    assert f"{tmp_path / offered} looks like it" in str(caught.value)


def test_a_missing_root_offers_the_nearest_folder(tmp_path):
    make_folders(tmp_path, "camvid")
    with pytest.raises(DataError, match=r"does not exist.*Did you mean .*camvid\?"):
        open_dataset(tmp_path / "camvd")


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"")
    with pytest.raises(DataError, match="is a file"):
        open_dataset(tmp_path / "data.zip")


def test_a_channel_that_is_a_file_is_refused(tmp_path):
    make_folders(tmp_path, *FOUR[1:])
    (tmp_path / "train").write_bytes(b"")
    with pytest.raises(DataError, match="is a file"):
        open_dataset(tmp_path)


def test_masks_without_images_are_refused(tmp_path):
    make_folders(tmp_path, *FOUR, "test_annotation")
    with pytest.raises(DataError, match="no folder 'test'"):
        open_dataset(tmp_path)


def test_an_unknown_channel_is_refused_with_the_nearest_name():
    with pytest.raises(SettingsError, match="Did you mean 'train_annotation'"):
        open_dataset(None, channels={"train_anotation": Path()})


def test_images_may_have_any_format_that_is_read(tmp_path):
    suffixes = (".gif", ".heic", ".dcm", ".jp2", ".avif", ".ppm", ".TIF")
    make_files(tmp_path, *(f"train/{i}{suffix}" for i, suffix in enumerate(suffixes)))
    make_files(tmp_path, *(f"train_annotation/{i}.png" for i in range(len(suffixes))))
    pairs, findings = find(tmp_path)
    assert [pair.image.suffix for pair in pairs] == list(suffixes)
    assert findings == []


def test_arrays_are_images_where_there_are_no_pictures(tmp_path):
    make_files(tmp_path, "train/a.npy", "train/notes.txt", "train_annotation/a.png")
    pairs, findings = find(tmp_path)
    assert ([pair.image.name for pair in pairs], findings) == (["a.npy"], [])


def test_arrays_beside_pictures_are_strays(tmp_path):
    make_files(tmp_path, "train/a.jpg", "train/a.npy", "train_annotation/a.png", "train_annotation/a.npy")
    pairs, findings = find(tmp_path)
    assert [(pair.image.name, pair.mask.name) for pair in pairs] == [("a.jpg", "a.png")]
    assert [finding.code for finding in findings] == ["stray-file", "stray-file"]


def test_a_folder_of_text_files_in_place_of_masks_leads_to_convert(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "train" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9")
    _, findings = find_pairs(tmp_path / "train", tmp_path / "labels")
    (fault,) = (each for each in findings if each.code == "empty-channel")
    assert "`pixelwise convert` (yolo" in fault.remedy
