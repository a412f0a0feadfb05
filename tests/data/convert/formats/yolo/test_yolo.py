"""YOLO segmentation: labels of outlines, splits and what was lost."""

import json
import re
import zipfile

import numpy as np
import pytest

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

masks = pytest.importorskip("pycocotools.mask")

# Images are 6 x 4 px: sixths and quarters are pixels.
LEFT = "0 0 0 0.5 0 0.5 1 0 1"  # columns 0 to 2
TOP = "1 0 0 1 0 1 0.25 0 0.25"  # row 0
BOX = "0 0.5 0.5 0.5 0.5"
NAMES = "names: [dent, scratch]\n"


def plane(**areas):
    """(4, 6) zeros with {"1": (rows, columns)} set, keys being "c1" and so on."""
    expected = np.zeros((4, 6), dtype=int)
    for key, place in areas.items():
        expected[place] = int(key[1:])
    return expected.tolist()


LEFT_PLANE = plane(c1=(slice(0, 4), slice(0, 3)))


@pytest.fixture
def yolo(source, photo):
    """A source of labels {"train/a": text or None, ...} in images/ and labels/, and of other files."""

    def write(labels, *, layout="{kind}/{name}", **files):
        made = {name.replace("__", "."): text for name, text in files.items()}
        for i, (name, text) in enumerate(labels.items()):
            split, _, stem = name.rpartition("/")
            where = {"name": name, "split": split, "stem": stem}
            made[layout.format(kind="images", **where) + ".jpg"] = photo(i)
            if text is not None:
                made[layout.format(kind="labels", **where) + ".txt"] = text
        return source(made)

    return write


@pytest.mark.parametrize("layout", ["{kind}/{name}", "{split}/{kind}/{stem}", "data/{split}/{stem}"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_splits_are_those_of_the_folders(converted, yolo, layout, validation):
    labels = {"train/a": LEFT, "train/b": f"{LEFT}\n{TOP}\n", f"{validation}/c": TOP, "test/d": ""}
    report, found = converted("yolo", yolo(labels, layout=layout, data__yaml=NAMES))
    assert report.labels.names == ("background", "dent", "scratch")
    assert sorted(found) == ["test/d", "train/a", "train/b", "validation/c"]
    assert found["train/a"].tolist() == LEFT_PLANE
    # The smaller of two that overlap is on top: 6 px of row 0 over 12 px.
    assert found["train/b"].tolist() == plane(c1=(slice(0, 4), slice(0, 3)), c2=(0, slice(0, 6)))
    assert not found["test/d"].any()
    assert (report.objects.given, report.objects.in_masks) == (4, 4)


def test_an_archive_is_read_as_its_folder_is(converted, yolo, tmp_path):
    folder = yolo({"train/a": LEFT, "valid/b": TOP}, layout="{split}/{kind}/{stem}", data__yaml=NAMES)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    convert("yolo", tmp_path / "export.zip", tmp_path / "of_zip", options=Options())
    converted("yolo", folder)
    first, second = (
        {p.relative_to(tmp_path / root): p.read_bytes() for p in (tmp_path / root).rglob("*.png")}
        for root in ("of_zip", "dataset")
    )
    assert first == second
    assert len(first) == 2


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' decode
def test_outlines_are_filled_as_pycocotools_fills_them(converted, source, encoded):
    shapes = {"a": (37, 53), "b": (64, 48)}
    files, expected = {"data.yaml": NAMES}, {}
    for seed, (name, (height, width)) in enumerate(shapes.items()):
        generator = np.random.default_rng(seed)
        points = generator.random((7, 2))
        files[f"images/{name}.png"] = encoded(generator.integers(0, 255, (height, width, 3), dtype=np.uint8), "PNG")
        files[f"labels/{name}.txt"] = "1 " + " ".join(f"{value:.17g}" for value in points.ravel())
        polygon = (points * [width, height]).ravel().tolist()
        expected[name] = 2 * masks.decode(masks.merge(masks.frPyObjects([polygon], height, width)))
    _, found = converted("yolo", source(files))
    by_name = {place.partition("/")[2]: mask for place, mask in found.items()}
    assert all(np.array_equal(by_name[name], expected[name]) for name in shapes)


def test_boxes_are_counted_and_not_drawn(converted, yolo):
    report, found = converted("yolo", yolo({"a": f"{BOX}\n{LEFT}", "b": TOP, "c": BOX}, data__yaml=NAMES))
    assert (report.objects.given, report.objects.in_masks) == (4, 2)
    notes = " ".join(report.notes)
    assert "2 of 4 objects are boxes, not outlines, and were passed over; the first is line 1 of labels/a.txt." in notes
    by_name = {place.partition("/")[2]: mask for place, mask in found.items()}
    assert by_name["a"].tolist() == LEFT_PLANE
    assert not by_name["c"].any()


def test_boxes_alone_are_refused(yolo, tmp_path):
    folder = yolo({"a": BOX, "b": BOX}, data__yaml=NAMES)
    message = "none of its 2 objects reaches a mask: 2 are boxes, not outlines, .* Export for segmentation"
    with pytest.raises(DataError, match=message):
        convert("yolo", folder, tmp_path / "dataset", options=Options())
    assert not (tmp_path / "dataset").exists()


def test_an_image_without_a_label_file_is_named_and_left_out(converted, yolo):
    report, found = converted("yolo", yolo({"a": LEFT, "b": TOP, "c": None, "d": ""}, data__yaml=NAMES))
    assert sorted(place.partition("/")[2] for place in found) == ["a", "b", "d"]
    notes = " ".join(report.notes)
    assert "1 image without a label file left out: images/c.jpg. To take one as background" in notes
    assert "1 image has no annotation: its mask is all background." in notes


def test_labels_without_an_image_are_counted_and_named(converted, yolo):
    folder = yolo({"a": LEFT, "b": TOP}, data__yaml=NAMES)
    (folder / "labels" / "gone.txt").write_text(f"{LEFT}\n{TOP}\n")
    (folder / "labels" / "notes.txt").write_text("drawn in May")
    report, _ = converted("yolo", folder)
    notes = " ".join(report.notes)
    assert (report.objects.given, report.objects.in_masks) == (4, 2)
    assert (
        "2 of 4 objects belong to no image of their list and were passed over; the first is that of labels/g" in notes
    )
    assert "1 text file among the labels without an image: labels/notes.txt." in notes


def test_what_lies_outside_is_clipped_and_named_where_it_is_most(converted, yolo):
    beyond = "1 -0.5 0 0.5 0 0.5 1 -0.5 1"  # half of it
    mostly = "1 0.5 0.75 0.5 1.75 1 1.75 1 0.75"  # a quarter inside: row 3, columns 3 to 5
    report, found = converted("yolo", yolo({"a": beyond, "b": mostly, "c": "0 1.5 0 1.75 0 1.75 1"}, data__yaml=NAMES))
    by_name = {place.partition("/")[2]: mask for place, mask in found.items()}
    assert by_name["a"].tolist() == plane(c2=(slice(0, 4), slice(0, 3)))
    assert by_name["b"].tolist() == plane(c2=(3, slice(3, 6)))
    notes = " ".join(report.notes)
    assert "1 of 3 objects lie more than half outside of their images; the first is line 1 of labels/b.txt" in notes
    assert "1 of 3 objects lie outside of their images; the first is line 1 of labels/c.txt" in notes


def test_outlines_in_pixels_are_named_and_refused_where_all_are(converted, yolo, tmp_path):
    pixels = "0 0 0 3 0 3 4 0 4"
    report, _ = converted("yolo", yolo({"a": LEFT, "b": TOP, "c": pixels}, data__yaml=NAMES))
    assert any(note.startswith("1 of 3 objects have coordinates in pixels") for note in report.notes)
    folder = yolo({"a": pixels, "b": pixels, "c": pixels}, data__yaml=NAMES)
    with pytest.raises(DataError, match=r"3 have coordinates in pixels, .* Divide x by the width and y by the height"):
        convert("yolo", folder, tmp_path / "other", options=Options())


def test_a_small_object_in_the_first_pixel_is_no_fault(converted, yolo):
    tiny = "0 0 0 0.16 0 0.16 0.25 0 0.25"
    report, found = converted("yolo", yolo({"a": f"{tiny}\n{TOP}", "b": LEFT}, data__yaml=NAMES))
    assert report.objects.named == {}
    assert next(mask for place, mask in found.items() if place.endswith("/a"))[0, 0] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0 0 1 0 1", "has 5 numbers behind its class\\. Expected .*an even number of them, without a confidence"),
        ("0", "has a class alone"),
        ("0 0 0 1 nan 1 1", "has 'nan'\\. Expected numbers separated by spaces"),
        ("0 0 0 1 inf 1 1", "has 'inf'"),
        ("0,0,0,1,0,1,1", "has '0,0,0,1,0,1,1'\\. Expected numbers separated by spaces"),
        ("dent 0 0 1 0 1 1", "has 'dent'"),
        ("0.5 0 0 1 0 1 1", "begins with '0.5'\\. Expected the number of a class"),
        ("-1 0 0 1 0 1 1", "begins with '-1'"),
        ("2 0 0 1 0 1 1", "is of the class 2\\. Expected one of the classes 0 to 1"),
        ("1e300 0 0 1 0 1 1", "begins with '1e300'"),
        (f"{'9' * 400} 0 0 1 0 1 1", "has '9999"),
        ("0 0 0 1 0 1 1e9", "has coordinates up to 1e\\+09\\. Expected a class and x1 y1"),
    ],
)
def test_a_line_that_cannot_be_read_leaves_its_image_out_and_is_named(yolo, tmp_path, line, message):
    folder = yolo({"a": f"{LEFT}\n\n{line}\n", "b": LEFT, "c": TOP}, data__yaml=NAMES)
    report = convert("yolo", folder, tmp_path / "dataset", options=Options())
    assert len(list((tmp_path / "dataset").glob("*_annotation/*.png"))) == 2
    (finding,) = report.left_out
    assert str(finding.file) == "labels/a.txt"
    assert re.search(f"line 3 {message}", str(finding)), str(finding)


def test_points_and_lines_have_no_area(converted, yolo):
    report, _ = converted("yolo", yolo({"a": f"{LEFT}\n0 0.5 0.5", "b": TOP}, data__yaml=NAMES))
    assert (report.objects.given, report.objects.in_masks) == (3, 2)
    assert any(note.startswith("1 of 3 objects have no area of a pixel") for note in report.notes)


def test_where_nothing_names_the_classes_they_are_numbered(converted, yolo):
    report, found = converted("yolo", yolo({"train/a": LEFT, "val/b": TOP}))
    assert report.labels.names == ("background", "class 0", "class 1")
    assert found["train/a"].tolist() == LEFT_PLANE
    assert any("name them with --classes" in note for note in report.notes)


def test_the_number_of_classes_may_be_more_than_the_labels_use(converted, yolo):
    report, _ = converted("yolo", yolo({"train/a": LEFT, "val/b": TOP}), num_classes=4)
    assert report.labels.names == ("background", "class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["dent", "scratch"], 1), (["background", "dent", "scratch"], 1), (["dent", "scratch", "background"], 0)],
)
def test_a_table_names_numbered_classes(converted, yolo, names, expected):
    report, found = converted("yolo", yolo({"train/a": LEFT, "val/b": TOP}), classes=LabelTable.named(names))
    assert sorted(report.labels.names) == ["background", "dent", "scratch"]
    assert report.labels.names.index("dent") == expected
    assert found["train/a"][0].tolist() == [expected] * 3 + [report.labels.names.index("background")] * 3
    assert "0 is dent, 1 is scratch" in " ".join(report.notes)


def test_a_table_may_say_which_numbers_a_class_takes(converted, yolo):
    table = LabelTable.named(["background", "damage"], sources={1: [0, 1]})
    _, found = converted("yolo", yolo({"train/a": LEFT, "val/b": TOP}), classes=table)
    assert found["train/a"].tolist() == LEFT_PLANE
    assert found["validation/b"].tolist() == plane(c1=(0, slice(0, 6)))


def test_a_class_beyond_all_masks_is_named_with_its_line(yolo, tmp_path):
    folder = yolo({"a": f"{LEFT}\n999999 0 0 1 0 1 1", "b": TOP})
    with pytest.raises(
        DataError, match=r"labels/a\.txt: line 2 is of the class 999999\. Expected a class from 0 to 253"
    ):
        convert("yolo", folder, tmp_path / "dataset", options=Options())


@pytest.mark.parametrize("labels", [{}, {"a": None, "b": None}])
def test_a_source_without_labels_is_refused(yolo, tmp_path, labels):
    folder = yolo(labels, data__yaml=NAMES)
    with pytest.raises(DataError, match=f"has {len(labels)} images and 0 files in labels/, and no image has a label"):
        convert("yolo", folder, tmp_path / "dataset", options=Options())


def test_what_classes_were_in_the_labels_is_kept(converted, yolo, tmp_path):
    converted("yolo", yolo({"a": LEFT, "b": TOP}, data__yaml="names: {0: dent, 1: scratch}\n"))
    entries = json.loads((tmp_path / "dataset" / "classes.json").read_text())
    assert [(entry["name"], entry.get("source")) for entry in entries] == [
        ("background", None),
        ("dent", 0),
        ("scratch", 1),
    ]
