"""COCO's layouts: instances, stuff and panoptic."""

import json
import shutil
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
from pixelwise.labels import IGNORE, LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person", "color": [220, 20, 60]}]
WHOLE = {"size": [4, 4], "counts": [0, 16]}
SQUARE = {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}  # the four pixels in the middle
COLUMN = {"size": [4, 4], "counts": [0, 4, 12]}  # the four on the left
CENTRE = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def noise(path: Path, seed=0, size=(4, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def write(root: Path, name: str, annotations, *, images=("a.jpg",), categories=CATEGORIES, folder="val2017") -> None:
    listed = [{"id": i, "file_name": image, "height": 4, "width": 4} for i, image in enumerate(images)]
    for i, image in enumerate(images):
        noise(root / folder / image, seed=i)
    content = {"images": listed, "annotations": annotations, "categories": categories}
    path = root / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def annotation(category, segmentation, *, image=0, **more):
    return {"id": 1, "image_id": image, "category_id": category, "segmentation": segmentation, "iscrowd": 0, **more}


def opened(root: Path, **options):
    """(conversion, {name: (split, class ids)}) of a folder."""
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: (item.split, item.class_ids().tolist()) for item in conversion.items}


def test_instances_have_a_background_and_ids_without_gaps(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, SQUARE)])
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "person", "toothbrush")
    assert conversion.labels.colors[1] == (220, 20, 60)
    assert conversion.labels.sources == ((), (1,), (90,))
    assert items == {"a": ("validation", CENTRE)}


def test_smaller_objects_lie_on_top_and_crowds_beneath(tmp_path):
    crowd = annotation(90, SQUARE, iscrowd=1)
    write(tmp_path, "instances_val2017.json", [annotation(1, COLUMN), crowd, annotation(90, WHOLE)])
    conversion, items = opened(tmp_path)
    assert items["a"][1] == [[1, 2, 2, 2]] * 4
    write(tmp_path, "instances_val2017.json", [crowd, annotation(1, WHOLE)])
    assert opened(tmp_path)[1]["a"][1] == [[1] * 4] * 4
    assert "the smaller one is on top" in conversion.notes[0]


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' decode
def test_polygons_are_filled_as_pycocotools_fills_them(tmp_path):
    masks = pytest.importorskip("pycocotools.mask")
    triangle = [0.4, 0.2, 3.6, 1.1, 1.3, 3.9]
    write(tmp_path, "instances_val2017.json", [annotation(1, [triangle])])
    expected = masks.decode(masks.frPyObjects([triangle], 4, 4))[:, :, 0]
    assert opened(tmp_path)[1]["a"][1] == expected.tolist()


def test_images_without_objects_are_background_throughout(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, SQUARE)], images=("a.jpg", "b.jpg"))
    assert opened(tmp_path)[1]["b"][1] == [[0] * 4] * 4


def test_stuff_leaves_pixels_without_a_segment_out(tmp_path):
    write(tmp_path, "stuff_val2017.json", [annotation(1, SQUARE)], images=("a.jpg", "b.jpg"))
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("person", "toothbrush")
    inside = [IGNORE, 0, 0, IGNORE]
    assert items == {"a": ("validation", [[IGNORE] * 4, inside, inside, [IGNORE] * 4])}
    assert conversion.notes == ("annotations/stuff_val2017.json: 1 images have no annotation and were left out.",)


def panoptic(root: Path, colors, segments, *, name="panoptic_train2017") -> None:
    folder = root / "annotations" / name
    folder.mkdir(parents=True)
    Image.fromarray(np.array(colors, dtype=np.uint8)).save(folder / "a.png")
    entry = {"image_id": 0, "file_name": "a.png", "segments_info": segments}
    write(root, f"{name}.json", [entry], folder="train2017")


def test_panoptic_colours_are_ids_with_red_first(tmp_path):
    void, first, second = (0, 0, 0), (3, 2, 1), (1, 2, 3)  # 0, 3 + 2 * 256 + 65536, 1 + 2 * 256 + 3 * 65536
    segments = [{"id": 66051, "category_id": 90}, {"id": 197121, "category_id": 1}]
    panoptic(tmp_path, [[void, first, first, second]] * 4, segments)
    conversion, items = opened(tmp_path)
    assert items == {"a": ("train", [[IGNORE, 1, 1, 0]] * 4)}
    assert conversion.labels.sources == ((1,), (90,))


def test_a_segment_that_the_list_lacks_is_named(tmp_path):
    panoptic(tmp_path, [[(7, 0, 0)] * 4] * 4, [{"id": 8, "category_id": 1}])
    with open_source(tmp_path) as source, pytest.raises(DataError, match="the segment 7, which annotations/panoptic_"):
        read(source, Options()).items[0].class_ids()


def test_missing_panoptic_masks_are_missed_with_the_archive_that_has_them(tmp_path):
    panoptic(tmp_path, [[(7, 0, 0)] * 4] * 4, [{"id": 8, "category_id": 1}])
    shutil.rmtree(tmp_path / "annotations" / "panoptic_train2017")
    with open_source(tmp_path) as source, pytest.raises(DataError, match=r"Unpack annotations/panoptic_train2017\.zip"):
        read(source, Options()).items[0].class_ids()


def test_several_kinds_are_chosen_among_by_masks(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, SQUARE)])
    write(tmp_path, "stuff_val2017.json", [annotation(1, SQUARE)])
    write(tmp_path, "captions_val2017.json", [{"image_id": 0, "caption": "a person"}])
    with pytest.raises(DataError, match=r"several kinds: instances, stuff\. Choose one with --masks"):
        opened(tmp_path)
    conversion, _ = opened(tmp_path, masks="**/stuff_*.json")
    assert conversion.labels.names == ("person", "toothbrush")


def test_files_of_several_splits_must_agree_on_the_categories(tmp_path):
    write(tmp_path, "instances_train.json", [annotation(1, SQUARE)], folder="train")
    write(tmp_path, "instances_val.json", [annotation(1, SQUARE)], categories=[{"id": 1, "name": "car"}], folder="val")
    with pytest.raises(DataError, match=r"instances_val\.json: category 1 is called 'car', in .*'person'"):
        opened(tmp_path)


def test_a_file_without_its_images_is_left_out_and_none_at_all_is_an_error(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, SQUARE)])
    write(tmp_path, "instances_train2017.json", [annotation(1, SQUARE)], images=("t.jpg",), folder="train2017")
    shutil.rmtree(tmp_path / "train2017")
    conversion, items = opened(tmp_path)
    assert list(items) == ["a"]
    assert "annotations/instances_train2017.json: none of its 1 images is here; the file was left out." in (
        conversion.notes
    )
    shutil.rmtree(tmp_path / "val2017")
    with pytest.raises(DataError, match="has none of the images"):
        opened(tmp_path)


def test_an_object_with_a_box_alone_is_no_truth(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, [], bbox=[0, 0, 2, 2])])
    with open_source(tmp_path) as source, pytest.raises(DataError, match=r"annotation 1 of a\.jpg has"):
        read(source, Options()).items[0].class_ids()


def test_a_given_table_orders_merges_and_ignores_categories(tmp_path):
    write(tmp_path, "instances_val2017.json", [annotation(1, SQUARE), annotation(90, COLUMN)])
    table = LabelTable.from_json(
        [{"id": 0, "name": "person"}, {"id": 1, "name": "background"}, {"id": 255, "name": "void", "source": 90}],
        source="table",
    )
    conversion, items = opened(tmp_path, classes=table)
    assert items["a"][1] == [[255, 1, 1, 1], [255, 0, 0, 1], [255, 0, 0, 1], [255, 1, 1, 1]]
    assert conversion.labels.ignored == (90,)


@pytest.mark.parametrize("form", ["instances", "panoptic"])
def test_a_conversion_passes_check(tmp_path, form):
    root = tmp_path / "source"
    for split in ("train", "val"):
        if form == "instances":
            names = [f"{split}{i}.jpg" for i in range(3)]
            objects = [annotation(c, s, image=i) for i in range(3) for c, s in ((1, SQUARE), (90, COLUMN))]
            write(root, f"instances_{split}2017.json", objects, images=names, folder=f"{split}2017")
        else:
            colors = [[(0, 0, 0), (1, 0, 0), (1, 0, 0), (2, 0, 0)]] * 4
            segments = [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 90}]
            panoptic(root, colors, segments, name=f"panoptic_{split}2017")
            noise(root / f"{split}2017" / "a.jpg", seed=len(split))
    convert("coco", root, tmp_path / "dataset", options=Options())
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' decode
@pytest.mark.skipif(not RAW.is_dir(), reason="the raw samples are not here")
def test_labelmes_coco_export_is_what_pycocotools_makes_of_it(tmp_path):
    masks = pytest.importorskip("pycocotools.mask")
    root = RAW / "labelme" / "instance_segmentation"
    content = json.loads((root / "coco" / "annotations.json").read_text())
    conversion, items = opened(root)
    assert conversion.labels.names[:2] == ("_background_", "aeroplane")
    for image in content["images"]:
        expected = np.zeros((image["height"], image["width"]), dtype=np.uint8)
        own = [entry for entry in content["annotations"] if entry["image_id"] == image["id"]]
        for entry in sorted(own, key=lambda entry: -entry["area"]):
            parts = masks.frPyObjects(entry["segmentation"], image["height"], image["width"])
            expected[masks.decode(masks.merge(parts)) == 1] = entry["category_id"]
        assert np.array_equal(items[Path(image["file_name"]).stem][1], expected)
