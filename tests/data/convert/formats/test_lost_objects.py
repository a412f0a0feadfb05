"""Every reader of objects: what leaves nothing in a mask is counted and named; all lost is a refusal."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError

pytest.importorskip("pycocotools")

SIZE = (20, 10)  # width and height of every image
INSIDE = [2, 2, 6, 2, 6, 6, 2, 6]
OUTSIDE = [30, 2, 36, 2, 36, 6, 30, 6]
MOSTLY = [18, 2, 28, 2, 28, 6, 18, 6]  # 2 of 10 columns are in the image
NORMALISED = [0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9]
FLAT = [2, 2, 6, 2]
CATEGORIES = [{"id": 1, "name": "dent"}, {"id": 2, "name": "scratch"}]


def pictures(root: Path, count: int) -> list[str]:
    root.mkdir(parents=True, exist_ok=True)
    names = [f"p{i}.png" for i in range(count)]
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return names


def coco(root: Path, *objects, images=3, ids=int, name="instances.json", **more) -> None:
    """`objects` are (image, category, polygon or run lengths, ...)."""
    listed = [
        {"id": ids(i), "file_name": file, "width": SIZE[0], "height": SIZE[1]}
        for i, file in enumerate(pictures(root, images))
    ]
    annotations = [
        {"id": i, "image_id": image, "category_id": kind, "segmentation": [drawn] if isinstance(drawn, list) else drawn}
        for i, (image, kind, drawn) in enumerate(objects)
    ]
    content = {"images": listed, "annotations": annotations, "categories": CATEGORIES} | more
    (root / name).write_text(json.dumps(content))


def points(polygon) -> list[list[float]]:
    return [list(pair) for pair in zip(polygon[::2], polygon[1::2], strict=True)]


def labelme(root: Path, *objects, images=3) -> None:
    for i, file in enumerate(pictures(root, images)):
        shapes = [
            {"label": "dent", "points": points(drawn), "shape_type": "polygon"} for j, _, drawn in objects if i == j
        ]
        content = {
            "shapes": shapes,
            "imagePath": file,
            "imageData": None,
            "imageWidth": SIZE[0],
            "imageHeight": SIZE[1],
        }
        (root / f"p{i}.json").write_text(json.dumps(content))


def cvat(root: Path, *objects, images=3, extra="") -> None:
    listed = ""
    for i, file in enumerate(pictures(root, images)):
        texts = [";".join(f"{x},{y}" for x, y in points(drawn)) for j, _, drawn in objects if i == j]
        shapes = "".join(f'<polygon label="dent" points="{text}" z_order="0"/>' for text in texts) + extra
        listed += f'<image id="{i}" name="{file}" width="{SIZE[0]}" height="{SIZE[1]}">{shapes}</image>'
    labels = "<label><name>dent</name></label>"
    (root / "annotations.xml").write_text(
        f"<annotations><meta><task><labels>{labels}</labels></task></meta>{listed}</annotations>"
    )


WRITERS = {"coco": coco, "cvat": cvat, "labelme": labelme}


def mask(dataset: Path, name: str) -> np.ndarray:
    return np.array(Image.open(next(dataset.glob(f"*_annotation/{name}.png"))))


@pytest.fixture
def run(tmp_path):
    def call(form: str):
        return convert(form, tmp_path / "source", tmp_path / "dataset", options=Options())

    return call


@pytest.mark.parametrize("form", WRITERS)
def test_lost_objects_are_counted_and_the_first_is_named(tmp_path, run, form):
    objects = [(0, 1, INSIDE), (0, 1, OUTSIDE), (1, 1, MOSTLY), (1, 1, OUTSIDE), (1, 1, INSIDE)]
    WRITERS[form](tmp_path / "source", *objects)
    report = run(form)
    assert (report.objects.given, report.objects.in_masks) == (5, 3)
    notes = "\n".join(report.notes)
    assert "2 of 5 objects lie outside of their images; the first is " in notes
    assert "1 of 5 objects lie more than half outside of their images; the first is " in notes
    assert "x 30 to 36 and y 2 to 6 in 20 x 10 px" in notes
    assert "1 image has no annotation: its mask is all background." in notes
    assert not mask(tmp_path / "dataset", "p2").any()
    assert mask(tmp_path / "dataset", "p0")[3, 3] == 1


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(
    ("drawn", "cause"),
    [(OUTSIDE, "Coordinates reach 36, 6 in an image of 20 x 10 px: they were drawn"), (NORMALISED, "look normalised")],
)
def test_where_all_are_lost_nothing_is_written_and_the_likely_cause_is_said(tmp_path, run, form, drawn, cause):
    WRITERS[form](tmp_path / "source", *((i, 1, drawn) for i in range(3)))
    with pytest.raises(DataError, match=f"source: none of its 3 objects reaches a mask: 3 .*{cause}"):
        run(form)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_polygons_of_two_points_leave_nothing(tmp_path, run, form):
    WRITERS[form](tmp_path / "source", (0, 1, FLAT), (1, 1, INSIDE), (2, 1, INSIDE))
    report = run(form)
    assert (report.objects.given, report.objects.in_masks) == (3, 2)
    assert any(note.startswith("1 of 3 objects have no area of a pixel") for note in report.notes)


def test_a_shape_of_labelme_that_a_later_one_covers_is_not_lost(tmp_path, run):
    labelme(tmp_path / "source", *((i, 1, INSIDE) for i in range(3)), *((i, 1, INSIDE) for i in range(3)))
    assert run("labelme").objects.to_json() == {"given": 6, "in_masks": 6, "named": {}, "reach": [0, 0, 0, 0]}


def test_a_task_of_lines_alone_is_refused(tmp_path, run):
    cvat(tmp_path / "source", extra='<polyline label="dent" points="0,0;4,3"/>')
    with pytest.raises(DataError, match="none of its 3 objects reaches a mask: 3 are of a kind that has no area"):
        run("cvat")


def test_empty_run_lengths_are_named_and_all_empty_is_refused(tmp_path, run):
    empty = {"size": [10, 20], "counts": [200]}
    coco(tmp_path / "source", (0, 1, empty), (1, 1, INSIDE))
    assert any("the first is annotation 0 of p0.png" in note for note in run("coco").notes)
    coco(tmp_path / "again", (0, 1, empty), (1, 1, empty))
    with pytest.raises(DataError, match="none of its 2 objects reaches a mask: 2 have no area of a pixel"):
        convert("coco", tmp_path / "again", tmp_path / "other", options=Options())


@pytest.mark.parametrize(
    ("ids", "image", "category"), [(int, "1", "2"), (str, 1, 2), (lambda i: f"00{i}", 1, "2"), (int, 1.0, 2.0)]
)
def test_ids_that_are_text_in_one_place_and_numbers_in_another_are_the_same(tmp_path, run, ids, image, category):
    coco(tmp_path / "source", (image, category, INSIDE), ids=ids)
    report = run("coco")
    assert (report.objects.given, report.objects.in_masks) == (1, 1)
    assert mask(tmp_path / "dataset", "p1")[3, 3] == 2


def test_texts_that_are_the_same_number_stay_apart(tmp_path, run):
    names = iter(("1", "01", "001"))
    coco(tmp_path / "source", ("1", 1, INSIDE), ("01", 2, INSIDE), (1, 1, INSIDE), ids=lambda i: next(names))
    report = run("coco")
    assert [int(mask(tmp_path / "dataset", f"p{i}")[3, 3]) for i in range(3)] == [1, 2, 0]
    assert any("1 of 3 objects belong to no image of their list" in note for note in report.notes)


def test_categories_whose_ids_are_text_are_the_same(tmp_path, run):
    categories = [{"id": "1", "name": "dent"}, {"id": "2", "name": "scratch"}]
    coco(tmp_path / "source", (0, 2, INSIDE), categories=categories)
    run("coco")
    assert mask(tmp_path / "dataset", "p0")[3, 3] == 2


def test_orphans_of_coco_are_counted_and_named(tmp_path, run):
    coco(tmp_path / "source", (0, 1, INSIDE), (7, 1, INSIDE), (8, 1, INSIDE), (1, 9, INSIDE), ("x", 1, INSIDE))
    report = run("coco")
    assert (report.objects.given, report.objects.in_masks) == (5, 1)
    assert (
        "3 of 5 objects belong to no image of their list and were passed over; the first is annotation 1 of "
        "instances.json, whose image_id is 7." in report.notes
    )
    assert (
        "1 of 5 objects have no category of the list; their pixels are ignored; the first is annotation 3 of p1.png, "
        "whose category_id is 9." in report.notes
    )
    assert mask(tmp_path / "dataset", "p1")[3, 3] == 255


@pytest.mark.parametrize(
    ("objects", "cause"),
    [
        ([(7, 1, INSIDE), (8, 1, INSIDE)], "belong to no image of their list"),
        ([(0, 8, INSIDE), (1, 9, INSIDE)], "have no category of the list"),
    ],
)
def test_a_source_of_orphans_alone_is_refused(tmp_path, run, objects, cause):
    coco(tmp_path / "source", *objects)
    with pytest.raises(DataError, match=f"source: none of its 2 objects reaches a mask: 2 {cause}.*Export the file"):
        run("coco")
    assert not (tmp_path / "dataset").exists()


def test_images_without_a_json_of_labelme_are_named(tmp_path, run):
    labelme(tmp_path / "source", *((i, 1, INSIDE) for i in range(3)))
    (tmp_path / "source" / "p2.json").unlink()
    report = run("labelme")
    assert sum(report.images.values()) == 2
    assert any(note.startswith("1 image without a JSON file left out") and "p2.png" in note for note in report.notes)


def test_a_file_of_coco_without_annotations_holds_negative_images(tmp_path, run):
    coco(tmp_path / "source" / "train", (0, 1, INSIDE), images=1)
    coco(tmp_path / "source" / "val", images=2)
    report = run("coco")
    assert report.images == {"train": 1, "validation": 2}
    assert "2 images have no annotation: their masks are all background." in " ".join(report.notes)


@pytest.mark.parametrize("name", ["instances.json", "stuff.json"])
def test_files_of_coco_without_any_annotation_are_refused(tmp_path, run, name):
    coco(tmp_path / "source", name=name)
    with pytest.raises(DataError, match=f"source: {name} lists no annotation, expected objects"):
        run("coco")


def test_panoptic_orphans_and_ids_of_text(tmp_path, run):
    Image.fromarray(np.full((10, 20, 3), (5, 0, 0), dtype=np.uint8)).save(tmp_path / "m.png")  # segment 5 everywhere
    segments = [{"id": "5", "category_id": "2"}]
    annotations = [{"image_id": str(i), "file_name": f"m{i}.png", "segments_info": segments} for i in (0, 1, 7)]
    coco(tmp_path / "source", images=2, name="panoptic.json", annotations=annotations)
    (tmp_path / "source" / "panoptic").mkdir()
    for i in range(2):
        (tmp_path / "source" / "panoptic" / f"m{i}.png").write_bytes((tmp_path / "m.png").read_bytes())
    report = run("coco")
    assert (mask(tmp_path / "dataset", "p1") == 1).all()
    assert any("1 of 3 objects belong to no image" in note and "image_id is '7'" in note for note in report.notes)


@pytest.mark.parametrize("form", ["cvat", "labelme"])
def test_a_source_on_which_nobody_drew_is_refused(tmp_path, run, form):
    WRITERS[form](tmp_path / "source")
    with pytest.raises(DataError, match=r"none of its 3 (images has an annotation|JSON files of LabelMe has a shape)"):
        run(form)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize("form", WRITERS)
def test_where_most_lie_outside_the_note_says_that_the_scale_may_be_another(tmp_path, run, form):
    WRITERS[form](tmp_path / "source", *((i, 1, MOSTLY) for i in range(3)))
    assert any(
        note.startswith("Most objects lie outside. Coordinates reach 28, 6 in an image of 20 x 10 px")
        for note in run(form).notes
    )


def test_stuff_whose_objects_are_all_outside_is_refused_for_this_reason(tmp_path, run):
    coco(tmp_path / "source", (0, 1, OUTSIDE), (1, 2, OUTSIDE), name="stuff.json")
    with pytest.raises(DataError, match="none of its 2 objects reaches a mask: 2 lie outside of their images"):
        run("coco")


@pytest.mark.parametrize("drawn", [[INSIDE], INSIDE, points(INSIDE)], ids=str)
def test_polygons_of_coco_may_be_one_flat_list_or_points(tmp_path, run, drawn):
    run_lengths = {"size": [10, 20], "counts": [0]}
    coco(tmp_path / "source", (0, 1, run_lengths), (1, 1, INSIDE))
    content = json.loads((tmp_path / "source" / "instances.json").read_text())
    content["annotations"][0]["segmentation"] = drawn
    (tmp_path / "source" / "instances.json").write_text(json.dumps(content))
    report = run("coco")
    assert (report.objects.given, report.objects.in_masks) == (2, 2)
    expected = np.zeros((10, 20))
    expected[2:6, 2:6] = 1
    assert np.array_equal(mask(tmp_path / "dataset", "p0"), expected)
