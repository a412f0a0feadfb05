"""Label Studio's exports: regions of every kind, annotations that count, and images by the names it gives them."""

import base64
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.formats.label_studio.brush import brush
from pixelwise.data.convert.formats.label_studio.regions import Labelled, drawn
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError

SIZE = (20, 10)  # width and height of the pictures
LEFT_TOP = [[0, 0], [50, 0], [50, 50], [0, 50]]  # in percent: columns 0..9, rows 0..4


def packed(words, *, width=8, sizes=(3, 4, 8, 16)) -> list[int]:
    """Words packed after the README of @thi.ng/rle-pack, written from it alone: repeats and literal stretches."""
    bits = f"{len(words):032b}{width - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    place = 0
    while place < len(words):
        run = 1
        while place + run < len(words) and words[place + run] == words[place] and run < 2 ** sizes[-1]:
            run += 1
        is_repeated = run > 1
        if not is_repeated:
            while place + run < len(words) and words[place + run] != words[place + run - 1] and run < 2 ** sizes[-1]:
                run += 1
        which = next(i for i, size in enumerate(sizes) if run <= 2**size)
        bits += f"{int(is_repeated)}{which:02b}{run - 1:0{sizes[which]}b}"
        bits += "".join(f"{word:0{width}b}" for word in words[place : place + (1 if is_repeated else run)])
        place += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def stroke(mask) -> list[int]:
    """What Label Studio stores of a mask: red, green, blue and alpha of each pixel."""
    return packed(np.repeat(np.asarray(mask, dtype=np.uint8).ravel() * 255, 4).tolist())


def polygon(points=LEFT_TOP, label="Car", **more):
    return {
        "id": "r1", "type": "polygonlabels", "original_width": SIZE[0], "original_height": SIZE[1],
        "image_rotation": 0, "value": {"points": points, "closed": True, "polygonlabels": [label]}, **more,
    }  # fmt: skip


def valued(value, kind="rectanglelabels", **more):
    return polygon(**{"type": kind, "value": value, **more})


def task(number, image, *annotations, **more):
    return {"id": number, "data": {"image": image}, "annotations": list(annotations), "predictions": [], **more}


def annotation(*results, **more):
    return {"id": 1, "was_cancelled": False, "result": list(results), **more}


@pytest.fixture
def export(source, photo):
    """A source of an export and pictures a.jpg, b.jpg."""

    def write(content, names=("a.jpg", "b.jpg"), **more):
        files = {f"images/{name}": photo(i, SIZE) for i, name in enumerate(names)}
        return source(files | {"project.json": json.dumps(content)} | more)

    return write


def two(*annotations):
    return [task(1, "/data/upload/1/a.jpg", *annotations), task(2, "/data/upload/1/b.jpg", *annotations)]


def filled(rows=slice(0, 5), columns=slice(0, 10), value=1):
    plane = np.zeros(SIZE[::-1], dtype=np.uint8)
    plane[rows, columns] = value
    return plane.tolist()


def test_polygons_are_percent_of_the_image(export, converted):
    report, masks = converted("label-studio", export(two(annotation(polygon()))))
    assert report.labels.names == ("background", "Car")
    assert [mask.tolist() for mask in masks.values()] == [filled()] * 2
    assert report.objects is not None
    assert (report.objects.given, report.objects.in_masks) == (2, 2)


def test_rectangles_turn_about_their_first_corner_clockwise(export, converted):
    # 8 x 2 px from column 10, row 0 on: turned by 90 degrees it runs downwards, to the left of its corner.
    value = {"x": 50, "y": 0, "width": 40, "height": 20, "rotation": 90, "rectanglelabels": ["Car"]}
    tasks = [
        task(1, "a.jpg", annotation(valued(value))),
        task(2, "b.jpg", annotation(valued({**value, "rotation": 0}))),
    ]
    _, masks = converted("label-studio", export(tasks))
    found = {name.partition("/")[2]: mask.tolist() for name, mask in masks.items()}
    assert found == {"a": filled(slice(0, 8), slice(8, 10)), "b": filled(slice(0, 2), slice(10, 18))}


def test_ellipses_are_those_that_pillow_draws(export, converted):
    region = Labelled("r", "Car", {"x": 50, "y": 50, "radiusX": 30, "radiusY": 25, "rotation": 0}, (None, None), 0)
    plane = drawn([region], (400, 800), {"Car": 1}, 0).class_ids
    image = Image.new("L", (800, 400))
    ImageDraw.Draw(image).ellipse([400 - 240, 200 - 100, 400 + 240, 200 + 100], fill=1)
    assert np.count_nonzero(plane != np.asarray(image)) < 0.02 * np.count_nonzero(plane)


@pytest.mark.parametrize("sizes", [(3, 4, 8, 16), (1, 2, 3, 4), (8, 8, 8, 8)])
def test_brushes_are_unpacked(sizes):
    rng = np.random.default_rng(0)
    for alpha in (rng.integers(0, 2, SIZE[::-1]) * 255, np.zeros(SIZE[::-1]), np.full(SIZE[::-1], 7)):
        rgba = np.stack([rng.integers(0, 256, SIZE[::-1])] * 3 + [alpha], axis=2).astype(np.uint8)
        found = brush(packed(rgba.ravel().tolist(), sizes=sizes), SIZE[::-1])
        assert found.tolist() == (alpha > 0).tolist()


def test_a_stroke_packed_by_hand():
    # 4 words of 8 bits (32 + 5 bits), counts of 3, 4, 8 and 16 bits (16 bits); then 4 times 255: 1 00 011 11111111.
    bits = f"{4:032b}" + "00111" + "0010" + "0011" + "0111" + "1111" + "1" + "00" + "011" + "11111111" + "00000"
    assert brush([int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)], (1, 1)).tolist() == [[True]]


def test_brushes_and_outlines_lie_in_their_order(export, converted):
    mask = np.zeros(SIZE[::-1], dtype=np.uint8)
    mask[3:8, 5:15] = 1
    brushed = valued({"format": "rle", "rle": stroke(mask), "brushlabels": ["Road"]}, "brushlabels")
    report, masks = converted("label-studio", export(two(annotation(polygon(), brushed))))
    expected = np.array(filled())
    expected[3:8, 5:15] = 2
    assert report.labels.names == ("background", "Car", "Road")
    assert [found.tolist() for found in masks.values()] == [expected.tolist()] * 2


@pytest.mark.parametrize(
    ("rle", "found"),
    [
        (stroke(np.ones((4, 4))), "a brush stroke of 16 pixels"),
        (stroke(np.ones(SIZE[::-1]))[:6], "ends early"),
        ([], "ends early"),
        (None, "ends early"),
        ("abc", "ends early"),
        ([256], "the brush stroke"),
        ([1.5], "the brush stroke"),
        ([None], "the brush stroke"),
        ([255] * 40, "a brush stroke of 1.07374e+09 pixels"),
    ],
)
def test_bytes_that_are_no_stroke_are_refused(rle, found):
    with pytest.raises(NoRegion) as caught:
        brush(rle, SIZE[::-1])
    assert found in caught.value.args[0]


def test_json_min_is_read(export, converted):
    mask = np.zeros(SIZE[::-1], dtype=np.uint8)
    mask[8:, 15:] = 1
    size = {"original_width": SIZE[0], "original_height": SIZE[1]}
    shapes = [{"points": LEFT_TOP, "polygonlabels": ["Car"], **size}]
    strokes = [{"format": "rle", "rle": stroke(mask), "brushlabels": ["Road"], **size}]
    entries = [
        {"image": f"/data/upload/1/0a1b2c3d-{name}.jpg", "id": i, "label": shapes, "brush": strokes, "annotator": 1,
         "annotation_id": i, "updated_at": "2026-01-01T00:00:00Z", "lead_time": 3.5}
        for i, name in enumerate("ab")
    ]  # fmt: skip
    old = {**entries[0], "label": [], "brush": [], "annotation_id": 9, "updated_at": "2025-01-01T00:00:00Z"}
    report, masks = converted("label-studio", export([*entries, old]))
    expected = np.array(filled())
    expected[8:, 15:] = 2
    assert [found.tolist() for found in masks.values()] == [expected.tolist()] * 2
    assert "1 older annotation passed over: of a task the newest counts (0)." in report.notes


@pytest.mark.parametrize(
    "reference",
    [
        "/data/upload/1/0a1b2c3d-{}.jpg",
        "/data/upload/{}.jpg",
        "/data/local-files/?d=sub%20folder/images/{}.jpg",
        "https://host.example/bucket/images/{}.jpg?X-Amz-Signature=abc.png",
        "s3://bucket/images/{}.jpg",
        "upload\\1\\{}.jpg",
        "{}.jpg",
        "fileuri",
    ],
)
def test_images_are_found_by_every_name(export, converted, reference):
    def called(name):
        if reference == "fileuri":
            address = base64.urlsafe_b64encode(f"s3://bucket/{name}.jpg".encode()).decode().rstrip("=")
            return f"/tasks/1/resolve/?fileuri={address}"
        return reference.format(name)

    tasks = [task(i, called(name), annotation(polygon())) for i, name in enumerate("ab")]
    _, masks = converted("label-studio", export(tasks))
    assert {name.partition("/")[2] for name in masks} == {"a", "b"}


def test_names_that_an_upload_changed_are_found_and_those_that_begin_alike_kept(export, converted):
    names = ("my photo (1).jpg", "0a1b2c3d-b.jpg", "b.jpg")
    tasks = [
        task(1, "/data/upload/1/99999999-my_photo_1.jpg", annotation(polygon())),
        task(2, "/data/upload/1/0a1b2c3d-b.jpg", annotation(polygon(label="Road"))),
    ]
    _, masks = converted("label-studio", export(tasks, names=names))
    assert {name.partition("/")[2] for name in masks} == {"my photo (1)", "0a1b2c3d-b"}


def test_of_several_annotations_the_newest_counts_and_skipped_ones_never(export, converted):
    whole = [[0, 0], [100, 0], [100, 100], [0, 100]]
    annotations = [
        annotation(polygon(), updated_at="2026-02-01T00:00:00Z"),
        annotation(polygon(whole), updated_at="2026-01-01T00:00:00Z"),
        annotation(polygon(whole), updated_at="2026-03-01T00:00:00Z", was_cancelled=True),
    ]
    tasks = [*two(*annotations), task(3, "c.jpg"), task(4, "d.jpg", annotation(was_cancelled=True))]
    report, masks = converted("label-studio", export(tasks, names=("a.jpg", "b.jpg", "c.jpg", "d.jpg")))
    assert [mask.tolist() for mask in masks.values()] == [filled()] * 2
    assert "3 skipped annotations passed over." in report.notes
    assert "2 older annotations passed over: of a task the newest counts (1, 2)." in report.notes
    assert "2 tasks without an annotation left out: c.jpg, d.jpg." in report.notes


def test_an_annotation_without_a_region_is_background(export, converted):
    tasks = [*two(annotation(polygon())), task(3, "c.jpg", annotation())]
    report, masks = converted("label-studio", export(tasks, names=("a.jpg", "b.jpg", "c.jpg")))
    assert next(mask for name, mask in masks.items() if name.endswith("/c")).sum() == 0
    assert any("1 image has no annotation: its mask is all background" in note for note in report.notes)


def test_what_has_no_area_no_label_or_lies_outside_is_counted(export, converted):
    regions = [
        polygon(),
        valued({"x": 3, "y": 4, "width": 1, "keypointlabels": ["Eye"]}, "keypointlabels", id="k"),
        valued({"points": [[0, 0], [25, 0], [25, 50], [0, 50]]}, "polygon", id="u"),
        polygon([[0, 0], [50, 50]], id="thin"),
        polygon([[200, 200], [300, 200], [300, 300]], id="far"),
        valued({"choices": ["day"]}, "choices", id="c"),
    ]
    report, masks = converted("label-studio", export(two(annotation(*regions))))
    assert report.labels.names == ("background", "Car")
    assert report.objects is not None
    named = {reason: found.objects for reason, found in report.objects.named.items()}
    assert (report.objects.given, named) == (10, {"passed-over": 2, "no-category": 2, "empty": 2, "outside": 2})
    assert {int(mask[0, 0]) for mask in masks.values()} == {255}  # a shape that nobody named
    assert any("2 regions without an area passed over; the first is region k of task 1" in n for n in report.notes)


def test_a_shape_and_its_labels_may_be_two_results_of_one_id(export, converted):
    shape = valued({"points": LEFT_TOP}, "polygon")
    labels = valued({"points": LEFT_TOP, "labels": ["Car"]}, "labels")
    report, masks = converted("label-studio", export(two(annotation(shape, labels))))
    assert next(iter(masks.values())).tolist() == filled()
    assert report.objects is not None
    assert report.objects.given == 2


@pytest.mark.parametrize(
    ("region", "found"),
    [
        (polygon(original_width=40), "region r1 of task 3 of project.json on 40 x 10 px"),
        (polygon(image_rotation=90), "on its image turned by 90 degrees"),
        (polygon("abc"), "the points abc"),
        (polygon([[0, 0], [1]]), "the points"),
        (polygon([[0, 0], [1, None], [2, 2]]), "the coordinate 'None'"),
        (polygon([[0, 0], [1, 10**400], [2, 2]]), "the coordinate '1000000000000"),
        (polygon([[0, 0], [1, float("nan")], [2, 2]]), "the coordinate 'nan'"),
        (polygon([[0, 0], [1e9, 0], [2, 2]]), "the coordinate '1000000000.0'"),
        (polygon([[0, 0], [1e5, 0], [2, 2]]), "the polygon"),
        (valued({"x": 0, "y": 0, "width": "5", "height": 1, "rectanglelabels": ["Car"]}), "the coordinate '5'"),
        (valued({"x": 0, "y": 0, "radiusX": 5, "ellipselabels": ["Car"]}), "the coordinate 'None'"),
        (valued({"format": "png", "rle": [], "brushlabels": ["Car"]}), "of the format 'png'"),
    ],
)
def test_a_region_that_cannot_be_leaves_its_image_out_by_name(export, tmp_path, region, found):
    tasks = [*two(annotation(polygon())), task(3, "c.jpg", annotation(region))]
    root = export(tasks, names=("a.jpg", "b.jpg", "c.jpg"))
    report = convert("label-studio", root, tmp_path / "dataset", options=Options())
    (finding,) = report.left_out
    assert finding.file.as_posix() == "project.json"
    assert found in str(finding)
    assert "task 3" in str(finding)


def test_a_missing_image_is_left_out_by_name_and_all_missing_refused(export, tmp_path):
    root = export([*two(annotation(polygon())), task(3, "/data/upload/9/zz.jpg", annotation(polygon()))])
    report = convert("label-studio", root, tmp_path / "dataset", options=Options())
    assert [str(each).partition(".")[0] for each in report.left_out] == ["zz"]
    (root / "project.json").write_text(json.dumps([task(3, "../../zz.jpg", annotation(polygon()))]))
    with pytest.raises(DataError, match=r"has none of the images that project\.json refers to, such as \.\./\.\./zz"):
        convert("label-studio", root, tmp_path / "other", options=Options())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "none of its 1 JSON files is an export of Label Studio"),
        ({"a": 1}, "none of its 1 JSON files is an export"),
        ([1, 2], "none of its 1 JSON files is an export"),
        ([{"data": {"image": "a.jpg"}, "annotations": 5}], "expected a list of annotations|Expected a list of annota"),
        ([{"id": 1, "data": {}, "annotations": []}], "Expected an image among its data"),
        ([{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": "x"}]}], "a list as its result"),
        ([{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}], "none of the 1 task of project.json has a region"),
        ([{"id": 1, "data": {"image": 5}, "annotations": [{"result": []}]}], "Expected an image among its data"),
    ],
)
def test_what_is_no_export_is_refused(export, converted, content, message):
    with pytest.raises(DataError, match=message):
        converted("label-studio", export(content))


def test_masks_of_brushes_without_their_json_are_named(source, photo, encoded, converted):
    names = [f"project-1-at-2026-01-01/task-{i}-annotation-{i}-by-1-tag-dent-0.png" for i in (1, 2)]
    root = source(
        {"images/0a1b2c3d-a.jpg": photo(0)} | {name: encoded(np.zeros((4, 6), dtype=np.uint8)) for name in names}
    )
    with pytest.raises(
        DataError, match=r"masks by the number of a task \(project-1.*task-1-annotation-1.*export it so"
    ):
        converted("label-studio", root)


def test_of_several_labels_the_first_counts_and_this_is_said(export, converted):
    both = valued({"points": LEFT_TOP, "polygonlabels": ["Car", "Wet"]}, "polygonlabels")
    report, _ = converted("label-studio", export(two(annotation(both))))
    assert report.labels.names == ("background", "Car")
    assert any(
        note.startswith("2 regions with several labels became the first; such as region r1") for note in report.notes
    )


def test_a_task_of_several_pictures_is_refused(export, converted):
    results = [polygon(to_name="left"), polygon(to_name="right")]
    with pytest.raises(DataError, match=r"task 1 has regions on several pictures \(left, right\)"):
        converted("label-studio", export(two(annotation(*results))))


def test_annotations_of_cloud_storage_lie_one_in_a_file(export, converted):
    ones = {
        f"{i}.json": json.dumps({**annotation(polygon()), "task": {"id": i, "data": {"image": f"{name}.jpg"}}})
        for i, name in enumerate("ab")
    }
    report, masks = converted("label-studio", export({"no": "export"}, **ones))
    assert [mask.tolist() for mask in masks.values()] == [filled()] * 2
    assert "1 JSON file passed over: no export of Label Studio." in report.notes
