"""PASCAL VOC folders, true ones and those of other datasets."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.voc.classes import VOC_NAMES, voc_color
from pixelwise.data.convert.formats.voc.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
PALETTE = bytes(channel for i in range(256) for channel in voc_color(i))
IDS = np.array([[0, 0, 1, 1], [0, 15, 15, 255]], dtype=np.uint8)


def add(root: Path, stem: str, ids=IDS, *, color=False, masks="SegmentationClass") -> None:
    mask = Image.fromarray(ids)
    mask.putpalette(PALETTE)
    for folder in ("JPEGImages", masks):
        (root / folder / stem).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", ids.shape[::-1]).save(root / "JPEGImages" / f"{stem}.jpg")
    (mask.convert("RGB") if color else mask).save(root / masks / f"{stem}.png")


def add_list(root: Path, name: str, *stems: str) -> None:
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))


def opened(root: Path, **options):
    """(conversion, {name: (split, class ids)}) of a folder."""
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.split, item.class_ids()) for item in conversion.items}


def test_the_palette_is_that_of_the_development_kit():
    # VOClabelcolormap.m's first entries and its last.
    assert [voc_color(i) for i in (0, 1, 2, 3, 15, 20, 255)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128), (0, 64, 128), (224, 224, 192),
    ]  # fmt: skip


def test_voc_has_its_names_colours_and_lists(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for stem in ("2007_000032", "2008_000002", "2011_000003"):
        add(root, stem)
    add_list(root, "train", "2007_000032")
    add_list(root, "val", "2008_000002")
    add_list(root, "trainval", "2007_000032", "2008_000002")
    add_list(root, "test", "2008_000001")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == VOC_NAMES
    assert conversion.labels.colors[15] == (192, 128, 128)
    assert {name: split for name, (split, _) in items.items()} == {
        "2007_000032": "train",
        "2008_000002": "validation",
    }
    assert items["2007_000032"][1].tolist() == IDS.tolist()
    assert "test.txt names 1 images without masks, which are left out." in conversion.notes
    assert any(note.startswith("1 masks are in no list") for note in conversion.notes)


def test_colour_masks_are_read_by_the_palette_and_the_border_is_ignored(tmp_path):
    add(tmp_path, "2007_000032", color=True)
    conversion, items = opened(tmp_path)
    assert items["2007_000032"][1].tolist() == IDS.tolist()
    assert conversion.labels.sources[1] == ((128, 0, 0),)
    assert conversion.labels.ignored == ((224, 224, 192),)


@pytest.mark.parametrize(("folder", "stem"), [("VOC2007", "000032"), ("mine", "2012_000001")])
def test_images_called_as_voc_calls_them_are_voc(tmp_path, folder, stem):
    add(tmp_path / folder, stem)
    assert opened(tmp_path)[0].labels.names == VOC_NAMES


@pytest.mark.parametrize("stem", ["000032", "frame_1", "2007_32"])
def test_other_names_are_asked_for(tmp_path, stem):
    add(tmp_path, stem)
    with pytest.raises(DataError, match=r"does not say what its classes are \(1 masks looked at have values from 0 to"):
        opened(tmp_path)
    assert opened(tmp_path, num_classes=21)[0].labels.names[1] == "class 1"


def test_another_annotation_of_voc_images_is_not_given_vocs_names(tmp_path):
    add(tmp_path, "2007_000032", masks="SegmentationClassContext")
    with pytest.raises(DataError, match="does not say what its classes are"):
        opened(tmp_path)


def test_a_table_says_what_the_values_mean(tmp_path):
    add(tmp_path, "a")
    table = LabelTable.named(["thing", "person"], sources={0: [1], 1: [15]}, ignored=[0])
    conversion, items = opened(tmp_path, classes=table)
    assert conversion.labels is table
    assert items["a"][1].tolist() == [[255, 255, 0, 0], [255, 1, 1, 255]]


def test_class_names_are_taken_by_line(tmp_path):
    add(tmp_path, "a", np.array([[0, 1], [255, 1]], dtype=np.uint8))
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\ncat\n")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "cat")
    assert items["a"][1].tolist() == [[0, 1], [255, 1]]


def test_a_label_map_of_cvat_gives_names_and_colours(tmp_path):
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nsky:10,20,30::\nbackground:0,0,0::\n")
    add(tmp_path, "sub/a", np.zeros((1, 2), dtype=np.uint8))
    pixels = np.array([[[10, 20, 30], [0, 0, 0]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "SegmentationClass" / "sub" / "a.png")
    add_list(tmp_path, "Train", "sub/a")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("sky", "background")
    assert conversion.labels.colors == ((10, 20, 30), (0, 0, 0))
    assert items["sub/a"][0] == "train"
    assert items["sub/a"][1].tolist() == [[0, 1]]


def test_an_image_in_two_lists_is_held_out(tmp_path):
    add(tmp_path, "2007_000032")
    add_list(tmp_path, "train", "2007_000032")
    add_list(tmp_path, "val", "2007_000032")
    conversion, items = opened(tmp_path)
    assert items["2007_000032"][0] == "validation"
    assert "1 images of val.txt are in another list too and became validation." in conversion.notes


def test_only_trainval_leaves_the_division_to_the_writer(tmp_path):
    add(tmp_path, "2007_000032")
    add_list(tmp_path, "trainval", "2007_000032")
    assert opened(tmp_path)[1]["2007_000032"][0] is None


def test_what_the_lists_name_and_nobody_has_is_reported(tmp_path):
    root = tmp_path / "voc"
    for stem in ("2007_000001", "2007_000002", "2007_000003"):
        add(root, stem)
    add_list(root, "train", "2007_000001", "2007_000002", "2007_000009")
    add_list(root, "val", "2007_000003")
    (root / "JPEGImages" / "2007_000002.jpg").unlink()
    report = convert("voc", root, tmp_path / "out", options=Options())
    assert report.images == {"train": 1, "validation": 1}
    assert [finding.file.name for finding in report.left_out] == ["2007_000002.jpg", "2007_000009.jpg"]


def test_the_masks_of_sbd_are_taken_if_there_are_no_others(tmp_path):
    add(tmp_path, "2008_000002", masks="SegmentationClassAug")
    add_list(tmp_path, "trainaug", "2008_000002")
    assert opened(tmp_path)[1]["2008_000002"][0] == "train"
    add(tmp_path, "2008_000002", masks="SegmentationClassOther")
    with pytest.raises(DataError, match="SegmentationClassAug, SegmentationClassOther"):
        opened(tmp_path)


def test_a_tar_of_the_development_kit_is_read_in_place(tmp_path):
    root = tmp_path / "unpacked" / "VOCdevkit"
    for stem in ("2007_000032", "2007_000033"):
        add(root / "VOC2012", stem)
    with tarfile.open(tmp_path / "VOCtrainval.tar", "w") as archive:
        archive.add(root, "VOCdevkit")
    shutil.rmtree(root)
    report = convert("voc", tmp_path / "VOCtrainval.tar", tmp_path / "out", options=Options())
    assert report.images == {"train": 1, "validation": 1}


def test_what_is_no_voc_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no folder SegmentationClass"):
        opened(tmp_path)
    add(tmp_path, "2007_000032")
    shutil.rmtree(tmp_path / "JPEGImages")
    with pytest.raises(DataError, match="has masks but no folder JPEGImages"):
        opened(tmp_path)


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_a_real_voc_layout_without_names_asks_and_with_a_table_converts(tmp_path):
    with pytest.raises(DataError, match="values from 1 to 11"):
        convert("voc", RAW / "voc-palette", tmp_path / "out", options=Options())
    table = LabelTable.named([f"class {i}" for i in range(11)], sources={i: [i + 1] for i in range(11)})
    report = convert("voc", RAW / "voc-palette", tmp_path / "out", options=Options(classes=table))
    assert report.images == {"train": 29, "validation": 11}
    assert not report.left_out
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]
    name = "0001TP_006690"
    source = np.asarray(Image.open(RAW / "voc-palette" / "SegmentationClass" / f"{name}.png")).astype(int)
    made = np.asarray(Image.open(io.BytesIO((tmp_path / "out" / "train_annotation" / f"{name}.png").read_bytes())))
    assert np.array_equal(made, np.where(source == 255, 255, source - 1))


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_what_labelme_exports_as_voc_converts(tmp_path):
    source = RAW / "labelme" / "semantic_segmentation" / "voc"
    report = convert("voc", source, tmp_path / "out", options=Options())
    assert report.labels.names[:2] == ("background", "aeroplane")
    assert not [f for f in check_dataset(open_dataset(tmp_path / "out")).findings if f.severity == "fault"]


def test_names_may_come_from_a_file_of_another_tool(tmp_path):
    add(tmp_path, "a", np.array([[0, 1]], dtype=np.uint8))
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    conversion, _ = opened(tmp_path)
    assert conversion.labels.names == ("sky", "road")
