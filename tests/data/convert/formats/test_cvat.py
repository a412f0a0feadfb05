"""CVAT's archives of masks."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.cvat.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

IDS = np.array([[0, 0, 1, 1], [0, 2, 2, 1]], dtype=np.uint8)
COLORS = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], dtype=np.uint8)
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:250,50,83::\ncar: parked:51,221,255::\n"


def add(root: Path, stem: str, *, mode="RGB", ids=IDS, image=True, seed=0) -> None:
    mask = Image.fromarray(ids)
    if mode == "P":
        mask.putpalette(COLORS.tobytes())
    if mode == "RGB":
        mask = Image.fromarray(COLORS[ids])
    for folder in ("SegmentationClass", "SegmentationObject", "JPEGImages"):
        (root / folder / stem).parent.mkdir(parents=True, exist_ok=True)
    mask.save(root / "SegmentationClass" / f"{stem}.png")
    mask.save(root / "SegmentationObject" / f"{stem}.png")
    if image:
        pixels = np.random.default_rng(seed).integers(0, 256, (*ids.shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{stem}.png")
    (root / "labelmap.txt").write_text(LABELMAP)


def add_list(root: Path, name: str, *stems: str) -> None:
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{stem}\n" for stem in stems))


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.image, item.split, item.class_ids().tolist()) for item in conversion.items}


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_masks_are_read_by_colours_or_by_the_places_of_labels(tmp_path, mode):
    add(tmp_path, "frame_000000", mode=mode)
    add_list(tmp_path, "default.txt", "frame_000000")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "road", "car: parked")
    assert conversion.labels.colors == ((0, 0, 0), (250, 50, 83), (51, 221, 255))
    assert conversion.labels.sources == (((0, 0, 0),), ((250, 50, 83),), ((51, 221, 255),))
    assert items == {"frame_000000": ("JPEGImages/frame_000000.png", None, IDS.tolist())}


def test_subsets_are_splits_and_folders_stay(tmp_path):
    for stem in ("a", "cam1/b", "cam2/b"):
        add(tmp_path, stem)
    add_list(tmp_path, "Train.txt", "a", "cam1/b")
    add_list(tmp_path, "Validation.txt", "cam2/b")
    _, items = opened(tmp_path)
    assert {name: split for name, (_, split, _) in items.items()} == {
        "a": "train", "cam1/b": "train", "cam2/b": "validation",
    }  # fmt: skip
    assert items["cam2/b"][0] == "JPEGImages/cam2/b.png"


def test_an_archive_without_images_says_how_to_export(tmp_path):
    add(tmp_path, "a", image=False)
    with pytest.raises(DataError, match='"Save images" switched on, or give a folder'):
        opened(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 2)).save(tmp_path / "photos" / "a.jpg")
    assert opened(tmp_path)[1]["a"][0] == "photos/a.jpg"


def test_the_border_of_voc_is_ignored(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nroad:250,50,83::\nignored:51,221,255::\n")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "road")
    assert conversion.labels.ignored == ((51, 221, 255),)
    assert items["a"][2] == [[0, 0, 1, 1], [0, 255, 255, 1]]


def test_without_labelmap_the_colours_are_asked_for(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "labelmap.txt").unlink()
    with pytest.raises(DataError, match=r"no labelmap\.txt.*Give them with --classes"):
        opened(tmp_path)
    table = LabelTable.named(["b", "r", "c"], dict(enumerate(map(tuple, COLORS.tolist()))))
    assert opened(tmp_path, classes=table)[1]["a"][2] == IDS.tolist()


@pytest.mark.parametrize("line", ["road", "road:1,2::", "road:1,2,256::", "background:9,9,9::", "x:0,0,0::"])
def test_a_bad_line_of_labelmap_is_named(tmp_path, line):
    add(tmp_path, "a")
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{line}\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: line 2 is '"):
        opened(tmp_path)


def test_a_colour_that_labelmap_lacks_is_named(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nroad:250,50,83::\n")
    with pytest.raises(DataError, match=r"a\.png: has the colours #33ddff \(2 px\)"):
        opened(tmp_path)


def test_a_source_that_is_none_says_what_to_export(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"neither SegmentationClass nor annotations\.xml"):
        opened(tmp_path)


def test_an_archive_converts_and_passes_check(tmp_path):
    root = tmp_path / "export"
    for i, mode in enumerate(["RGB", "P", "RGB", "P", "RGB"]):
        add(root, f"frame_{i}", mode=mode, ids=np.roll(IDS, i, axis=1), seed=i)
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for path in sorted(root.rglob("*.*")):
            archive.write(path, path.relative_to(root))
    convert("cvat", tmp_path / "task.zip", tmp_path / "dataset", options=Options())
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []
    assert sum(len(list((tmp_path / "dataset" / split).iterdir())) for split in ("train", "validation")) == 5
