"""LabelMe's JSON files."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.labelme.reader import read
from pixelwise.data.convert.source import open_source
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]


def picture(size=(8, 6), seed=0) -> bytes:
    encoded = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def write(root: Path, stem: str, *shapes, image="{stem}.png", **more) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / f"{stem}.png").write_bytes(picture(seed=len(stem)))
    content = {"version": "5.5.0", "shapes": list(shapes), "imagePath": image.format(stem=stem), "imageData": None}
    content |= {"imageHeight": 6, "imageWidth": 8} | more
    (root / f"{stem}.json").write_text(json.dumps(content))


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}, **more}


def opened(root: Path, **options):
    with open_source(root) as source:
        conversion = read(source, Options(**options))
        return conversion, {item.name: item.class_ids().tolist() for item in conversion.items}


def filled(rows, columns, value=1, size=(6, 8)):
    plane = np.zeros(size, dtype=int)
    plane[rows, columns] = value
    return plane.tolist()


def test_without_a_list_the_classes_are_background_and_the_labels_by_name(tmp_path):
    write(tmp_path, "a", shape("road", [[0, 0], [7, 0], [7, 5], [0, 5]]), shape("car", SQUARE))
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("background", "car", "road")
    expected = np.full((6, 8), 2)
    expected[1:4, 1:4] = 1  # a polygon's outline belongs to it; later shapes lie on top
    assert items["a"] == expected.tolist()
    assert "in the order of their names" in conversion.notes[0]


def test_labels_txt_orders_the_classes_and_ignores(tmp_path):
    write(tmp_path, "a", shape("car", SQUARE), shape("__ignore__", [[5, 0], [7, 0], [7, 2], [5, 2]]))
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nroad\ncar")
    conversion, items = opened(tmp_path)
    assert conversion.labels.names == ("_background_", "road", "car")
    expected = np.array(filled(slice(1, 4), slice(1, 4), 2))
    expected[0:3, 5:8] = 255
    assert items["a"] == expected.tolist()


def test_labels_that_labels_txt_lacks_are_listed(tmp_path):
    write(tmp_path, "a", shape("car", SQUARE), shape("van", SQUARE))
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ncar\n")
    with pytest.raises(DataError, match=r"labels\.txt lacks labels that shapes have: van"):
        opened(tmp_path)


def test_two_lists_that_differ_are_refused(tmp_path):
    for name in ("x", "y"):
        write(tmp_path / name, "a", shape("car", SQUARE))
        (tmp_path / name / "labels.txt").write_text(f"car\n{name}\n")
    with pytest.raises(DataError, match=r"x/labels\.txt and y/labels\.txt differ"):
        opened(tmp_path)


def test_a_given_table_decides_and_may_lack_a_background(tmp_path):
    write(tmp_path, "a", shape("car", SQUARE), shape("road", [[5, 0], [7, 0], [7, 2], [5, 2]]))
    conversion, items = opened(tmp_path, classes=LabelTable.named(["road", "car"]))
    assert (items["a"][1][1], items["a"][0][5], items["a"][5][0]) == (1, 0, 255)
    assert "pixels outside all shapes are ignored" in conversion.notes[-1]
    with pytest.raises(DataError, match="table given lacks: road"):
        opened(tmp_path, classes=LabelTable.named(["background", "car"]))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (shape("car", [[3, 3], [1, 1]], "rectangle"), filled(slice(1, 4), slice(1, 4))),
        (shape("car", SQUARE, "rectangle"), filled(slice(1, 4), slice(1, 4))),
        (shape("car", SQUARE, None), filled(slice(1, 4), slice(1, 4))),
        (shape("car", [[4, 3], [4, 5]], "circle"), None),
        (shape("car", [[0, 2], [7, 2]], "line"), filled(slice(0, 6), slice(0, 8))),
        (shape("car", [[0, 0], [7, 5]], "point"), None),
    ],
)
def test_shapes_of_every_type_are_drawn(tmp_path, entry, expected):
    if entry["shape_type"] == "point":
        entry["points"] = entry["points"][:1]
    write(tmp_path, "a", entry)
    _, items = opened(tmp_path)
    if expected is not None:
        assert items["a"] == expected
    elif entry["shape_type"] == "circle":  # radius 2 about column 4, row 3: symmetric, its ends inside
        plane = np.array(items["a"])
        assert plane[1:6, 2:7].sum() == plane.sum() == 21
        assert plane[3, 2] == plane[3, 6] == plane[1, 4] == plane[5, 4] == 1
    else:  # a quarter of a disc of radius 5
        assert items["a"][0] == [1, 1, 1, 1, 1, 1, 0, 0]
        assert [row[0] for row in items["a"]] == [1] * 6


def test_an_embedded_mask_lies_at_its_first_point(tmp_path):
    encoded = io.BytesIO()
    Image.fromarray(np.array([[1, 0], [1, 1]], dtype=np.uint8)).save(encoded, "PNG")
    mask = base64.b64encode(encoded.getvalue()).decode()
    write(tmp_path, "a", shape("car", [[6, 4], [7, 5]], "mask", mask=mask))
    plane = np.zeros((6, 8), dtype=int)
    plane[4, 6] = plane[5, 6] = plane[5, 7] = 1
    assert opened(tmp_path)[1]["a"] == plane.tolist()


def test_an_image_inside_the_json_is_written(tmp_path):
    root = tmp_path / "source"
    for stem in ("a", "bb"):
        data = base64.b64encode(picture(seed=len(stem))).decode()
        write(root, stem, shape("car", SQUARE), image="C:\\gone\\{stem}.png", imageData=data)
        (root / f"{stem}.png").unlink()
    convert("labelme", root, tmp_path / "dataset", options=Options())
    written = sorted(
        path.read_bytes() for path in (tmp_path / "dataset").glob("*/*.png") if "_" not in path.parent.name
    )
    assert written == sorted([picture(seed=1), picture(seed=2)])


def test_images_are_found_over_windows_paths_and_elsewhere(tmp_path):
    write(tmp_path / "json", "a", shape("car", SQUARE), image="..\\images\\{stem}.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "json" / "a.png").rename(tmp_path / "images" / "a.png")
    assert opened(tmp_path)[0].items[0].image == "images/a.png"
    (tmp_path / "images").rename(tmp_path / "pictures")
    assert opened(tmp_path)[0].items[0].image == "pictures/a.png"


def test_missing_images_are_missed(tmp_path):
    write(tmp_path, "a", shape("car", SQUARE))
    write(tmp_path, "bb", shape("car", SQUARE))
    (tmp_path / "bb.png").unlink()
    with open_source(tmp_path) as source:
        items = {item.name: item for item in read(source, Options()).items}
        with pytest.raises(DataError, match=r"bb\.json: refers to the image 'bb\.png', which is not here"):
            items["bb"].class_ids()
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="none of the images that its 2 JSON files name is here"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (shape("car", [[1, 1], [2, 2]]), "a polygon of 2 points"),
        (shape("car", SQUARE, "cuboid"), "of the type 'cuboid'"),
        (shape("car", [[1, 1], [2, None], [3, 3]]), "with the points"),
        (shape("car", [[1, 1], [1e9, 2], [3, 3]]), "with the points"),
        (shape("car", [[1, 1], [10**400, 2], [3, 3]]), "with the points"),
        (shape("car", [[1, 1], [2, 2]], "mask", mask="no PNG"), "is no PNG"),
    ],
)
def test_a_shape_that_cannot_be_drawn_is_named(tmp_path, entry, message):
    write(tmp_path, "a", entry)
    with pytest.raises(DataError, match=f"a.json: has .*{message}"):
        opened(tmp_path)


def test_an_image_resized_since_is_refused(tmp_path):
    write(tmp_path, "a", shape("car", SQUARE), imageHeight=12, imageWidth=16)
    with pytest.raises(DataError, match="was drawn on 16 x 12 px, and its image has 8 x 6 px"):
        opened(tmp_path)


def test_other_json_files_are_passed_over_and_none_at_all_is_an_error(tmp_path):
    (tmp_path / "other.json").write_text('{"images": []}')
    with pytest.raises(DataError, match='none of its 1 JSON files has "shapes"'):
        opened(tmp_path)
    write(tmp_path, "a", shape("car", SQUARE))
    assert "1 JSON files are not LabelMe's and were passed over." in opened(tmp_path)[0].notes


def test_a_conversion_passes_check(tmp_path):
    root = tmp_path / "source"
    for stem in ("a", "bb", "ccc", "dddd", "eeeee"):
        write(root, stem, shape("road", [[0, 0], [7, 0], [7, 3], [0, 3]]), shape("car", SQUARE))
    convert("labelme", root, tmp_path / "dataset", options=Options())
    report = check_dataset(open_dataset(tmp_path / "dataset"))
    assert [finding for finding in report.findings if finding.severity == "fault"] == []


@pytest.mark.skipif(not RAW.is_dir(), reason="the raw samples are not here")
def test_masks_are_those_of_labelmes_own_export():
    root = RAW / "labelme" / "semantic_segmentation"
    conversion, items = opened(root)
    assert list(conversion.labels.names) == (root / "voc" / "class_names.txt").read_text().split("\n")
    for name, ids in items.items():
        exported = np.asarray(Image.open(root / "voc" / "SegmentationClass" / f"{name}.png"))
        assert np.count_nonzero(exported != np.array(ids)) <= 2  # Pillow's polygons have changed a little since
