"""Supervisely's projects: datasets, polygons with holes, bitmaps and what was lost."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

SIZE = (12, 9)  # width and height
META = {
    "classes": [
        {"id": 1, "title": "car", "shape": "polygon", "color": "#FF0000", "geometry_config": {}, "hotkey": ""},
        {"id": 2, "title": "road", "shape": "bitmap", "color": "#0000ff"},
        {"id": 3, "title": "sign", "shape": "any", "color": "green"},
    ],
    "tags": [],
    "projectType": "images",
}
SQUARE = [[2, 1], [6, 1], [6, 5], [2, 5]]


def polygon(exterior, *interior, title="car", **more):
    points = {"exterior": exterior, "interior": list(interior)}
    return {"id": 7, "classTitle": title, "geometryType": "polygon", "points": points, "tags": [], **more}


def packed(region, **saving):
    """A bitmap as Supervisely's SDK writes it: a palette PNG whose index 0 is transparent."""
    image = Image.fromarray(np.array(region, dtype=np.uint8), mode=None)
    if saving.pop("palette", True):
        image.putpalette([0, 0, 0, 255, 255, 255])
        saving = {"transparency": 0} | saving
    content = io.BytesIO()
    image.save(content, "PNG", **saving)
    return base64.b64encode(zlib.compress(content.getvalue())).decode()


def bitmap(region, origin, title="road", data=None, **more):
    drawn = {"data": packed(region) if data is None else data, "origin": origin}
    return {"classTitle": title, "geometryType": "bitmap", "bitmap": drawn, **more}


def annotation(*objects, size=SIZE):
    return {"description": "", "tags": [], "size": {"height": size[1], "width": size[0]}, "objects": list(objects)}


def filled(*areas):
    plane = np.zeros(SIZE[::-1], dtype=int)
    for value, rows, columns in areas:
        plane[rows, columns] = value
    return plane.tolist()


@pytest.fixture
def project(source, photo):
    """A project of {"ds/a": annotation}; `meta` None: without meta.json."""

    def write(annotations, meta=META, *, suffix=".jpg.json", **files):
        made = dict(files)
        if meta is not None:
            made["meta.json"] = meta if isinstance(meta, str) else json.dumps(meta)
        for i, (place, content) in enumerate(annotations.items()):
            folder, _, name = place.rpartition("/")
            made[f"{folder}/img/{name}.jpg"] = photo(i, SIZE)
            if content is not None:
                text = content if isinstance(content, str) else json.dumps(content)
                made[f"{folder}/ann/{name}{suffix}"] = text
        return source(made)

    return write


def by_name(found):
    return {place.partition("/")[2]: mask.tolist() for place, mask in found.items()}


SQUARE_AREA = (1, slice(1, 6), slice(2, 7))  # the points belong to it
OTHER = annotation(polygon(SQUARE))


@pytest.mark.parametrize("suffix", [".jpg.json", ".json"])
def test_datasets_are_read_and_those_of_that_name_are_splits(converted, project, suffix):
    names = ["train/a", "val/b", "test/c"]
    report, found = converted("supervisely", project(dict.fromkeys(names, OTHER), suffix=suffix))
    assert {place: mask.tolist() for place, mask in found.items()} == dict.fromkeys(
        ["train/a", "validation/b", "test/c"], filled(SQUARE_AREA)
    )
    assert report.labels.names == ("background", "car", "road", "sign")
    assert report.labels.colors[:3] == ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def test_the_name_of_the_project_is_no_split(converted, source, photo):
    files = {"my_test_set/meta.json": json.dumps(META)}
    for i, name in enumerate(("ds0", "ds1")):
        files |= {f"my_test_set/{name}/img/a.jpg": photo(i, SIZE)}
        files |= {f"my_test_set/{name}/ann/a.jpg.json": json.dumps(OTHER)}
    _, found = converted("supervisely", source(files))
    assert sorted(place.split("/")[0] for place in found) == ["train", "validation"]


def test_holes_are_left_out(converted, project):
    hole = [[3, 2], [5, 2], [5, 4], [3, 4]]
    _, found = converted("supervisely", project({"ds/a": annotation(polygon(SQUARE, hole)), "ds/b": OTHER}))
    assert by_name(found)["a"] == filled(SQUARE_AREA, (0, slice(2, 5), slice(3, 6)))


def test_a_hole_shows_what_lies_below(converted, project):
    hole = [[3, 2], [5, 2], [5, 4], [3, 4]]
    below = bitmap(np.ones((9, 12)), [0, 0])
    content = annotation(below, polygon(SQUARE, hole))
    _, found = converted("supervisely", project({"ds/a": content, "ds/b": OTHER}))
    everywhere = (2, slice(None), slice(None))
    assert by_name(found)["a"] == filled(everywhere, SQUARE_AREA, (2, slice(2, 5), slice(3, 6)))


def test_later_objects_lie_on_top(converted, project):
    first, second = polygon(SQUARE), bitmap(np.ones((2, 12)), [0, 3])
    contents = {"ds/a": annotation(first, second), "ds/b": annotation(second, first)}
    _, found = converted("supervisely", project(contents))
    band = (2, slice(3, 5), slice(0, 12))
    assert by_name(found) == {"a": filled(SQUARE_AREA, band), "b": filled(band, SQUARE_AREA)}


REGION = np.array([[1, 0, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    "data",
    [
        packed(REGION),
        packed(REGION * 255, palette=False),
        packed(REGION, palette=False),
        packed(np.dstack([np.zeros_like(REGION)] * 3 + [REGION * 255]), palette=False),  # black, drawn in its alpha
        packed(np.dstack([REGION * 255] * 3), palette=False),
    ],
)
def test_bitmaps_lie_at_their_origin(converted, project, data):
    content = annotation(bitmap(None, [4, 5], data=data))
    _, found = converted("supervisely", project({"ds/a": content, "ds/b": OTHER}))
    expected = np.zeros((9, 12), dtype=int)
    expected[5:7, 4:7] = 2 * REGION
    assert by_name(found)["a"] == expected.tolist()


def test_a_bitmap_is_clipped_to_its_image(converted, project):
    contents = {"ds/a": annotation(bitmap(np.ones((4, 4)), [-2, 7])), "ds/b": OTHER}
    report, found = converted("supervisely", project(contents))
    assert by_name(found)["a"] == filled((2, slice(7, 9), slice(0, 2)))
    assert any("1 of 2 objects lie more than half outside of their images" in note for note in report.notes)


def test_rectangles_hold_both_corners(converted, project):
    rectangle = polygon([[8, 7], [3, 2]], geometryType="rectangle", title="sign")
    _, found = converted("supervisely", project({"ds/a": annotation(rectangle), "ds/b": OTHER}))
    assert by_name(found)["a"] == filled((3, slice(2, 8), slice(3, 9)))


def test_old_objects_are_of_the_kind_of_their_class(converted, project):
    old = {"classTitle": "road", "bitmap": {"data": packed(np.ones((2, 2))), "origin": [0, 0]}, "points": None}
    plain = {"classTitle": "car", "bitmap": None, "points": {"exterior": SQUARE, "interior": []}}
    _, found = converted("supervisely", project({"ds/a": annotation(old), "ds/b": annotation(plain)}))
    assert by_name(found) == {"a": filled((2, slice(0, 2), slice(0, 2))), "b": filled(SQUARE_AREA)}


def test_points_and_lines_are_named(converted, project):
    line, point = (polygon(SQUARE[:count], geometryType=kind) for count, kind in ((2, "line"), (1, "point")))
    report, found = converted("supervisely", project({"ds/a": annotation(line, point), "ds/b": OTHER}))
    assert (report.objects.given, report.objects.in_masks) == (3, 1)
    assert not np.any(by_name(found)["a"])
    note = next(note for note in report.notes if note.startswith("2 of 3 objects are points, lines"))
    assert note.endswith("the first is object 1 ('car') of ds/ann/a.jpg.json, a line.")


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (polygon([[2, 1], [5, 5]]), "have no area of a pixel"),
        (polygon([]), "have no area of a pixel"),
        (bitmap(np.zeros((3, 3)), [1, 1]), "have no area of a pixel"),
        (polygon([[30, 1], [40, 1], [40, 5]]), "lie outside of their images"),
        (bitmap(np.ones((3, 3)), [50, 1]), "lie outside of their images"),
        (polygon([[0.2, 0.2], [0.8, 0.2], [0.8, 0.9]]), "have coordinates from 0 to 1 alone"),
        (polygon(SQUARE, title="bus"), "have no class, several or one that is not listed"),
    ],
)
def test_lost_objects_are_named(converted, project, tmp_path, lost, reason):
    contents = {"ds/a": annotation(lost), "ds/b": OTHER, "ds/c": OTHER}
    report, _ = converted("supervisely", project(contents))
    note = next(note for note in report.notes if note.startswith(f"1 of 3 objects {reason}"))
    assert "; the first is object 1 (" in note
    folder = project(dict.fromkeys(contents, annotation(lost)))
    with pytest.raises(DataError, match=f"none of its 3 objects reaches a mask: 3 {reason}"):
        convert("supervisely", folder, tmp_path / "other", options=Options())


def test_a_small_object_in_the_corner_is_no_fault(converted, project):
    tiny = bitmap(np.ones((1, 1)), [0, 0])
    report, found = converted("supervisely", project({"ds/a": annotation(tiny), "ds/b": OTHER}))
    assert report.objects.named == {}
    assert by_name(found)["a"] == filled((2, 0, 0))


def test_without_meta_json_the_titles_are_the_classes(converted, project):
    contents = {"ds/a": annotation(polygon(SQUARE, title="sign")), "ds/b": OTHER}
    report, found = converted("supervisely", project(contents, meta=None))
    assert report.labels.names == ("background", "car", "sign")
    assert by_name(found)["a"] == filled((2, *SQUARE_AREA[1:]))
    assert any("There is no meta.json" in note for note in report.notes)


def test_a_given_table_decides(converted, project):
    table = LabelTable.named(["sign", "road", "car", "background"])
    _, found = converted("supervisely", project({"ds/a": OTHER, "ds/b": OTHER}), classes=table)
    assert np.array(by_name(found)["a"])[[0, 2], [0, 3]].tolist() == [3, 2]


def test_images_without_an_annotation_are_left_out_and_named(converted, project):
    report, found = converted(
        "supervisely", project({"ds/a": OTHER, "ds/b": annotation(), "ds/c": None, "ds/d": OTHER})
    )
    assert sorted(by_name(found)) == ["a", "b", "d"]
    notes = " ".join(report.notes)
    assert "1 image without a file in ann/ left out: ds/img/c.jpg." in notes
    assert "1 image has no annotation: its mask is all background." in notes


BOMB = base64.b64encode(zlib.compress(bytes(150_000_000), 1)).decode()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (annotation(polygon("none")), "object 1 ('car') has the points none. Expected points [x, y] near the image"),
        (annotation(polygon([[1, 2, 3]] * 3)), "has the points [[1, 2, 3]"),
        (annotation(polygon([[1, None], [2, 3], [3, 4]])), "has the points [[1, None]"),
        (annotation(polygon([[1, 10**400], [2, 3], [3, 4]])), "has the points [[1, 1000"),
        (annotation(polygon([[1, float("nan")], [2, 3], [3, 4]])), "has the points [[1, nan]"),
        (annotation(polygon([[1, 1e9], [2, 3], [3, 4]])), "has the points [[1, 1000000000.0]"),
        (annotation(polygon(SQUARE, [[1, "x"]])), "has the points [[1, 'x']"),
        (annotation(polygon(SQUARE) | {"points": {"exterior": SQUARE, "interior": 3}}), "whose interior is no list"),
        (annotation({"classTitle": "car", "geometryType": "polygon"}), "is a polygon without points"),
        (annotation(polygon(SQUARE, geometryType="rectangle")), "is a rectangle of 4 points. Expected two corners"),
        (annotation(bitmap(REGION, None)), "has the points [None]"),
        (annotation(bitmap(REGION, [1])), "has the points [[1]]"),
        (annotation({"classTitle": "road", "geometryType": "bitmap"}), "is a bitmap without data"),
        (annotation(bitmap(None, [0, 0], data="!!!")), "has a bitmap that cannot be read"),
        (annotation(bitmap(None, [0, 0], data=5)), "has a bitmap that cannot be read"),
        (annotation(bitmap(None, [0, 0], data=base64.b64encode(b"PNG").decode())), "has a bitmap that cannot be read"),
        (
            annotation(bitmap(None, [0, 0], data=base64.b64encode(zlib.compress(b"%!PS-Adobe")).decode())),
            "has a bitmap that cannot be read",
        ),
        (annotation(bitmap(None, [0, 0], data=BOMB)), "has a bitmap of more than 100,000,000 bytes"),
        (annotation(polygon(SQUARE), size=(24, 18)), "was drawn on 24 x 18 px, and its image has 12 x 9 px"),
        ("[" * 200_000, "is no JSON"),
        ("{}", "has no list of objects"),
        ("[]", "has no list of objects"),
        ('{"objects": [3]}', "has no list of objects"),
    ],
)
def test_a_broken_annotation_leaves_its_image_out_and_is_named(project, tmp_path, broken, message):
    folder = project({"ds/a": broken, "ds/b": OTHER, "ds/c": OTHER})
    report = convert("supervisely", folder, tmp_path / "dataset", options=Options())
    (finding,) = report.left_out
    assert message in str(finding)
    assert str(finding.file) == "ds/ann/a.jpg.json"


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("{", "meta.json: is no JSON"),
        ("[]", "meta.json: has no list of classes"),
        ({"classes": {}}, "has no list of classes"),
        ({"classes": [{"shape": "any"}]}, "has a class without a title"),
        ({"classes": [], "projectType": "videos"}, "is that of a project of videos"),
        ({"classes": []}, "has 1 classes, expected 2"),
    ],
)
def test_a_project_that_cannot_be_used_is_refused(project, tmp_path, meta, message):
    folder = project({"ds/a": OTHER, "ds/b": OTHER}, meta=meta)
    with pytest.raises(DataError, match=message):
        convert("supervisely", folder, tmp_path / "dataset", options=Options())


def test_annotations_without_images_are_refused(project, tmp_path):
    folder = project({"ds/a": OTHER, "ds/b": OTHER})
    (folder / "ds" / "img" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"1 convertible image to divide, .*ds/img/a\.jpg: is missing"):
        convert("supervisely", folder, tmp_path / "dataset", options=Options())
    (folder / "ds" / "img" / "b.jpg").unlink()
    with pytest.raises(DataError, match=r"none of the 2 images that ann/ speaks of is here, such as ds/img/a\.jpg"):
        convert("supervisely", folder, tmp_path / "dataset", options=Options())


def test_an_old_name_that_may_be_of_two_images_is_refused(project, photo, tmp_path):
    folder = project({"ds/a": OTHER, "ds/b": OTHER}, suffix=".json", **{"ds/img/a.png": photo(9, SIZE)})
    with pytest.raises(DataError, match=r"a\.json: may be of ds/img/a\.jpg, ds/img/a\.png\. Expected one image"):
        convert("supervisely", folder, tmp_path / "dataset", options=Options())


def test_other_folders_are_no_project(source, tmp_path):
    with pytest.raises(DataError, match="has no folder ann of JSON files"):
        convert("supervisely", source({"a/b.json": "{}"}), tmp_path / "dataset", options=Options())
