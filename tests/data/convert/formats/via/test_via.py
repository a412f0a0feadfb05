"""VIA's projects and annotations: shapes, attributes and what was lost."""

import json
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

pytest.importorskip("pycocotools")

SIZE = (40, 30)
SQUARE = {"name": "polygon", "all_points_x": [2, 6, 6, 2], "all_points_y": [3, 3, 8, 8]}
RECT = {"name": "rect", "x": 10, "y": 4, "width": 5, "height": 3}


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def entries(**regions):
    """VIA's annotations of p0.jpg and so on."""
    return {
        f"{name}.jpg{100 + i}": {"filename": f"{name}.jpg", "size": 100 + i, "regions": drawn, "file_attributes": {}}
        for i, (name, drawn) in enumerate(regions.items())
    }


def project(images, **attributes):
    return {
        "_via_settings": {"ui": {}, "core": {"default_filepath": ""}, "project": {"name": "cracks"}},
        "_via_img_metadata": images,
        "_via_attributes": {"region": attributes, "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": list(images),
    }


@pytest.fixture
def via(source, photo):
    def write(content, name="via_region_data.json", images=("p0", "p1"), folder="", **files):
        made = {f"{folder}{image}.jpg": photo(i, SIZE) for i, image in enumerate(images)}
        return source({f"{folder}{name}": json.dumps(content), **made, **files})

    return write


def by_name(found):
    return {place.partition("/")[2]: mask for place, mask in found.items()}


def filled(*areas):
    plane = np.zeros(SIZE[::-1], dtype=int)
    for value, rows, columns in areas:
        plane[rows, columns] = value
    return plane.tolist()


SQUARE_AREA = (slice(3, 8), slice(2, 6))
RECT_AREA = (slice(4, 7), slice(10, 15))


def two(first, second, **more):
    """One region on each of two images."""
    return entries(p0=[first], p1=[second], **more)


@pytest.mark.parametrize("form", ["annotations", "project", "version 1"])
def test_projects_and_annotations_of_either_version_are_read(converted, via, form):
    content = two(region(SQUARE, label="dent"), region(RECT, label="scratch"))
    if form == "project":
        content = project(content, label={"type": "text"})
    if form == "version 1":
        for entry in content.values():
            entry |= {"regions": {"0": entry["regions"][0]}, "fileref": "", "base64_img_data": ""}
    report, found = converted("via", via(content))
    assert report.labels.names == ("background", "dent", "scratch")
    assert by_name(found)["p0"].tolist() == filled((1, *SQUARE_AREA))
    assert by_name(found)["p1"].tolist() == filled((2, *RECT_AREA))
    assert "Classes are the values of label, in the order of their names." in report.notes


def test_later_regions_lie_on_top(converted, via):
    wide = {"name": "rect", "x": 0, "y": 0, "width": 20, "height": 6}
    content = entries(
        p0=[region(SQUARE, label="a"), region(wide, label="b")], p1=[region(wide, label="b"), region(SQUARE, label="a")]
    )
    _, found = converted("via", via(content))
    assert by_name(found)["p0"].tolist() == filled((1, *SQUARE_AREA), (2, slice(0, 6), slice(0, 20)))
    assert by_name(found)["p1"].tolist() == filled((2, slice(0, 6), slice(0, 20)), (1, *SQUARE_AREA))


ROUND = [
    ({"name": "circle", "cx": 20, "cy": 15, "r": 9}, (9, 9, 0)),
    ({"name": "ellipse", "cx": 20, "cy": 15, "rx": 12, "ry": 5}, (12, 5, 0)),
    ({"name": "ellipse", "cx": 20, "cy": 15, "rx": 12, "ry": 5, "theta": math.pi / 2}, (5, 12, 0)),
    ({"name": "ellipse", "cx": 20, "cy": 15, "rx": 12, "ry": 4, "theta": 0.5}, (12, 4, 0.5)),
]


@pytest.mark.parametrize(("shape", "meant"), ROUND)
def test_circles_and_ellipses_hold_the_pixels_of_their_equation(converted, via, shape, meant):
    horizontal, vertical, angle = meant
    y, x = np.mgrid[:30, :40] + 0.5
    dx, dy = x - 20, y - 15
    along, across = dx * math.cos(angle) + dy * math.sin(angle), dy * math.cos(angle) - dx * math.sin(angle)
    distance = np.hypot(along / horizontal, across / vertical)
    _, found = converted("via", via(two(region(shape, label="a"), region(SQUARE, label="a"))))
    drawn = by_name(found)["p0"] == 1
    assert not drawn[distance > 1.2].any()
    assert drawn[distance < 0.8].all()
    assert drawn.sum() == pytest.approx(math.pi * horizontal * vertical, rel=0.05)


def test_polygons_agree_with_pillow_but_for_their_edges(converted, via):
    points = [(3.2, 4.1), (35.5, 2.7), (30.1, 26.8), (17.4, 12.9), (5.0, 27.3)]
    shape = {"name": "polygon", "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}
    _, found = converted("via", via(two(region(shape, label="a"), region(SQUARE, label="a"))))
    other = Image.new("L", SIZE)
    ImageDraw.Draw(other).polygon(points, fill=1)
    edge = Image.new("L", SIZE)
    ImageDraw.Draw(edge).line([*points, points[0]], fill=1, width=3)
    differs = (by_name(found)["p0"] == 1) != (np.array(other) == 1)
    assert np.array(other).sum() > 300
    assert not (differs & (np.array(edge) == 0)).any()


def test_points_and_open_lines_are_named_and_a_closed_line_is_an_outline(converted, via):
    line = {"name": "polyline", "all_points_x": [1, 9, 9], "all_points_y": [1, 1, 9]}
    closed = {"name": "polyline", "all_points_x": [2, 6, 6, 2, 2], "all_points_y": [3, 3, 8, 8, 3]}
    point = {"name": "point", "cx": 3, "cy": 4}
    content = entries(
        p0=[region(line, label="a"), region(closed, label="a")], p1=[region(point, label="b"), region(RECT, label="b")]
    )
    report, found = converted("via", via(content))
    assert (report.objects.given, report.objects.in_masks) == (4, 2)
    assert by_name(found)["p0"].tolist() == filled((1, *SQUARE_AREA))
    note = next(note for note in report.notes if note.startswith("2 of 4 objects are points, lines"))
    assert note.endswith("the first is region 1 of p0.jpg, a polyline.")


def test_points_alone_are_refused(via, tmp_path):
    content = two(*[region({"name": "point", "cx": 3, "cy": 4}, label="a")] * 2)
    with pytest.raises(DataError, match="none of its 2 objects reaches a mask: 2 are points, lines"):
        convert("via", via(content), tmp_path / "dataset", options=Options())


OPTIONS = {"scratch": "Scratch", "dent": "A dent", "rust": ""}


@pytest.mark.parametrize("kind", ["dropdown", "radio", "checkbox"])
def test_classes_come_in_the_order_of_the_options(converted, via, kind):
    def value(name):
        return {name: True, "rust": False} if kind == "checkbox" else name

    content = project(
        two(region(SQUARE, type=value("dent")), region(RECT, type=value("scratch"))),
        type={"type": kind, "description": "", "options": OPTIONS, "default_options": {}},
    )
    report, found = converted("via", via(content))
    assert report.labels.names == ("background", "scratch", "dent", "rust")
    assert by_name(found)["p0"].tolist() == filled((2, *SQUARE_AREA))


def test_options_that_are_numbers_are_called_by_their_descriptions(converted, via):
    kinds = {"type": {"type": "radio", "options": {"1": "dent", "2": ""}}}
    report, _ = converted("via", via(project(two(region(SQUARE, type="1"), region(RECT, type="2")), **kinds)))
    assert report.labels.names == ("background", "dent", "2")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "which has no 'type'"),
        ({"type": ""}, "which has no 'type'"),
        ({"type": "undefined"}, "which has no 'type'"),
        ({"type": {"dent": False}}, "which has no 'type'"),
        ({"type": {"dent": True, "rust": True}}, "whose 'type' is dent, rust"),
        ({"type": ["dent"]}, "which has no 'type'"),
    ],
)
def test_regions_without_a_class_are_ignored_and_named(converted, via, values, why):
    content = entries(p0=[region(RECT, **values), region(SQUARE, type="dent")], p1=[region(SQUARE, type="rust")])
    report, found = converted("via", via(content))
    assert by_name(found)["p0"].tolist() == filled((255, *RECT_AREA), (1, *SQUARE_AREA))
    assert (report.objects.given, report.objects.in_masks) == (3, 2)
    assert any(f"the first is region 1 of p0.jpg, {why}." in note for note in report.notes)


def test_of_several_attributes_one_is_chosen(converted, via, tmp_path):
    content = two(region(SQUARE, label="dent", grade="3"), region(RECT, label="scratch", grade=5))
    message = r"several attributes, .*label \(such as 'dent'\), grade \(such as '3'\)\. Choose one with --attribute"
    with pytest.raises(DataError, match=message):
        convert("via", via(content), tmp_path / "dataset", options=Options())
    with pytest.raises(DataError, match=r"no region has the attribute 'colour'\. They have label"):
        convert("via", via(content), tmp_path / "dataset", options=Options(attribute="colour"))
    report, _ = converted("via", via(content), attribute="grade")
    assert report.labels.names == ("background", "3", "5")


@pytest.mark.parametrize(
    ("given", "name"), [(None, "object"), (LabelTable.named(["background", "balloon"]), "balloon")]
)
def test_regions_without_any_attribute_are_of_one_class(converted, via, given, name):
    content = two(region(SQUARE), {"shape_attributes": RECT})
    report, found = converted("via", via(content), classes=given)
    assert report.labels.names == ("background", name)
    assert by_name(found)["p0"].tolist() == filled((1, *SQUARE_AREA))
    assert f"The regions have no attribute, so all are of one class, {name}." in report.notes


def test_a_given_table_orders_the_classes_and_must_have_them(converted, via, tmp_path):
    both = [region(SQUARE, label="dent"), region(RECT, label="scratch")]
    content = entries(p0=both, p1=both)
    with pytest.raises(DataError, match="classes that the table given lacks: scratch"):
        convert("via", via(content), tmp_path / "other", options=Options(LabelTable.named(["background", "dent"])))
    report, found = converted("via", via(content), classes=LabelTable.named(["scratch", "dent"]))
    assert by_name(found)["p0"][0, 0] == 255
    assert by_name(found)["p0"][4, 4] == 1
    assert any("pixels outside all regions are ignored" in note for note in report.notes)


def test_splits_are_those_of_the_folders(converted, source, photo):
    files = {}
    for i, split in enumerate(("train", "val")):
        content = entries(a=[region(SQUARE, label="dent")])
        files |= {f"{split}/via_region_data.json": json.dumps(content), f"{split}/a.jpg": photo(i, SIZE)}
    _, found = converted("via", source(files))
    assert sorted(found) == ["train/a", "validation/a"]


def test_a_project_beside_its_export_is_read_once(converted, via, tmp_path):
    content = two(region(SQUARE, label="dent"), region(RECT, label="scratch"))
    files = {"project.json": json.dumps(project(content)), "other.json": "[1]"}
    report, _ = converted("via", via(content, **files))
    assert report.objects.given == 2
    assert "2 images listed twice with the same regions." in report.notes
    assert "1 JSON file not VIA's and passed over." in report.notes
    files = {"project.json": json.dumps(project(two(region(RECT, label="dent"), region(RECT, label="scratch"))))}
    with pytest.raises(DataError, match=r"project\.json and via_region_data\.json have other regions of p0\.jpg"):
        convert("via", via(content, **files), tmp_path / "again", options=Options())


def test_images_nobody_drew_on_are_background_and_lost_ones_are_named(via, tmp_path):
    content = two(region(SQUARE, label="a"), region(RECT, label="a"), p2=[], gone=[region(RECT, label="a")])
    folder = via(content, images=("p0", "p1", "p2"))
    report = convert("via", folder, tmp_path / "dataset", options=Options())
    assert "1 image has no annotation: its mask is all background." in " ".join(report.notes)
    assert [(str(finding.file), finding.found) for finding in report.left_out] == [("gone.jpg", "is missing")]


def test_regions_outside_are_named(converted, via):
    away = {"name": "circle", "cx": 200, "cy": 10, "r": 5}
    content = two(region(SQUARE, label="a"), region(RECT, label="a"), p2=[region(away, label="a")])
    report, _ = converted("via", via(content, images=("p0", "p1", "p2")))
    assert any("1 of 3 objects lie outside of their images; the first is region 1 of p2.jpg" in n for n in report.notes)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            region({"name": "heart"}, label="a"),
            "region 1 of p0.jpg is of the shape 'heart'. Expected one of polygon, rect",
        ),
        (region({}, label="a"), "is of the shape None"),
        (region({"name": ["a"]}, label="a"), "is of the shape a list"),
        (region(SQUARE | {"all_points_x": [1, 2]}, label="a"), "is a polygon of 2 all_points_x and 4 all_points_y"),
        (region(SQUARE | {"all_points_x": 7}, label="a"), "is a polygon of no all_points_x"),
        (region(RECT | {"x": None}, label="a"), "has None among its x. Expected numbers in pixels"),
        (region(RECT | {"x": "ten"}, label="a"), "has 'ten' among its x"),
        (region(RECT | {"x": math.nan}, label="a"), "has nan among its x"),
        (region(RECT | {"x": 10**400}, label="a"), "has 1000"),
        (region(RECT | {"x": 1e9}, label="a"), "has the polygon [1000000000.0"),
        (region(RECT | {"x": True}, label="a"), "has True among its x"),
        (7, "region 1 of p0.jpg has no shape_attributes"),
        ({"shape_attributes": 3}, "region 1 of p0.jpg has no shape_attributes"),
        ({"shape_attributes": RECT, "region_attributes": [1]}, "region 1 of p0.jpg has no shape_attributes"),
    ],
)
def test_a_broken_region_leaves_its_image_out_and_is_named(via, tmp_path, broken, message):
    content = entries(p0=[broken], p1=[region(SQUARE, label="a")], p2=[region(RECT, label="b")])
    report = convert("via", via(content, images=("p0", "p1", "p2")), tmp_path / "dataset", options=Options())
    (finding,) = report.left_out
    assert message in str(finding)
    assert str(finding.file) == "via_region_data.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "is no JSON"),
        ('{"a": ', "is no JSON"),
        ("{}", "none of its 1 JSON files is one of VIA"),
        ('{"_via_img_metadata": 3}', "none of its 1 JSON files is one of VIA"),
        ('{"project": {}, "config": {}, "metadata": {}, "view": {}, "file": {}}', "is a project of VIA 3"),
        ('{"a": {"filename": "p0.jpg", "regions": []}, "b": {"regions": []}}', "lists 'b', which has no filename"),
        ('{"a": {"filename": "../../p9.jpg", "regions": []}}', "none of the 1 image that"),
    ],
)
def test_files_that_are_not_via_are_refused(via, source, tmp_path, text, message):
    folder = via({})
    (folder / "via_region_data.json").write_text(text)
    with pytest.raises(DataError, match=message):
        convert("via", folder, tmp_path / "dataset", options=Options())
