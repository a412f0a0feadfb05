"""Run lengths in CSV: columns, classes, how pixels are numbered, and what is left out."""

import numpy as np
import pytest

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

SHIP = LabelTable.named(["background", "ship"])
# In a picture of 6 x 4 px the columns hold the pixels 1..4, 5..8, 9..12, ...: this is a square of 2 x 2 px.
SQUARE = "6 2 10 2"
SQUARE_AT = [[0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]


def encoded_runs(mask, *, order="F", first=1) -> str:
    """Runs as published for Kaggle: https://www.kaggle.com/code/stainsby/fast-tested-rle, in either order."""
    pixels = np.concatenate([[0], np.asarray(mask).flatten(order=order), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    runs[::2] -= 1 - first
    return " ".join(map(str, runs))


@pytest.fixture
def listed(source, photo):
    """A source of three pictures and a CSV of the lines given."""

    def write(*lines, names=("a.jpg", "b.jpg", "c.jpg"), size=(6, 4), csv="train.csv", **more):
        files = {f"train_images/{name}": photo(i, size) for i, name in enumerate(names)}
        return source(files | {csv: "\n".join(lines) + "\n"} | more)

    return write


def test_runs_are_numbered_from_1_column_by_column(listed, converted):
    root = listed("ImageId,EncodedPixels", f"a.jpg,{SQUARE}", "b.jpg,1 1", "c.jpg,24 1")
    report, masks = converted("rle-csv", root, classes=SHIP)
    found = {name.partition("/")[2]: mask for name, mask in masks.items()}
    assert found["a"].tolist() == SQUARE_AT
    assert np.argwhere(found["b"]).tolist() == [[0, 0]]
    assert np.argwhere(found["c"]).tolist() == [[3, 5]]
    assert report.objects is not None
    assert (report.objects.given, report.objects.in_masks) == (3, 3)
    assert any("as Kaggle documents it" in note for note in report.notes)


@pytest.mark.parametrize(
    "header", ["ImageId,EncodedPixels", "id,rle", "Image,rle_mask", "file_name;encoding", "img\trle"]
)
def test_columns_are_found_by_name(listed, converted, header):
    comma = next(mark for mark in ",;\t" if mark in header)
    root = listed(header, *(f"{name}{comma}{SQUARE}" for name in "abc"))
    _, masks = converted("rle-csv", root, classes=SHIP)
    assert [mask.tolist() for mask in masks.values()] == [SQUARE_AT] * 3


@pytest.mark.parametrize(
    ("header", "row"),
    [("Image_Label,EncodedPixels", "{}.jpg_{},{}"), ("ImageId,ClassId,EncodedPixels", "{}.jpg,{},{}")],
)
def test_classes_come_with_the_image_or_in_a_column(listed, converted, header, row):
    rows = [row.format(name, kind, runs) for name in "abc" for kind, runs in (("Fish", SQUARE), ("Big_Rock", "24 1"))]
    report, masks = converted("rle-csv", listed(header, *rows))
    assert report.labels.names == ("background", "Big_Rock", "Fish")
    expected = 2 * np.array(SQUARE_AT)
    expected[3, 5] = 1
    assert [mask.tolist() for mask in masks.values()] == [expected.tolist()] * 3


def test_numbers_of_classes_are_those_of_a_table_given(listed, converted):
    rows = [f"{name}.jpg,{kind},{runs}" for name in "abc" for kind, runs in ((1, SQUARE), (2, "24 1"))]
    root = listed("ImageId,ClassId,EncodedPixels", *rows)
    _, masks = converted("rle-csv", root, classes=LabelTable.named(["nothing", "dent", "scratch"]))
    assert {int(mask[3, 5]) for mask in masks.values()} == {2}
    # No class of the table is called background, so that the rest is ignored.
    assert {int(mask[0, 0]) for mask in masks.values()} == {255}


def test_rows_without_runs_are_no_objects_and_images_of_such_rows_background(listed, converted):
    empty = ["-1", "", "NaN", "nan"]
    rows = [f"a,{SQUARE}", "b,24 1", *(f"c,{text}" for text in empty)]
    report, masks = converted("rle-csv", listed("ImageId,EncodedPixels", *rows), classes=SHIP)
    assert next(mask for name, mask in masks.items() if name.endswith("/c")).sum() == 0
    assert report.objects is not None
    assert report.objects.given == 2
    assert any("1 image has no annotation: its mask is all background" in note for note in report.notes)


def test_images_that_no_row_lists_are_left_out_and_rows_without_image_counted(listed, converted):
    root = listed("ImageId,EncodedPixels", f"a,{SQUARE}", f"b,{SQUARE}", f"x.jpg,{SQUARE}", "y.jpg,")
    report, masks = converted("rle-csv", root, classes=SHIP)
    assert len(masks) == 2
    assert report.objects is not None
    assert (report.objects.given, report.objects.in_masks) == (3, 2)
    notes = " ".join(report.notes)
    assert "1 image without a row left out: train_images/c.jpg. To take one as background" in notes
    assert "row 4 of train.csv, of the image 'x.jpg'" in notes


def test_a_table_of_which_no_image_is_here_is_refused(listed, converted):
    with pytest.raises(DataError, match=r"none of its 2 objects reaches a mask.*row 2 of train\.csv"):
        converted("rle-csv", listed("ImageId,EncodedPixels", "x,1 2", "y,3 4"), classes=SHIP)


def discs(count=3, size=(17, 12)):
    """Discs in pictures that are wider than high."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    return [((rows - 5) ** 2 + (columns - 7 - i) ** 2 <= 16).astype(np.uint8) for i in range(count)]


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("first", [0, 1])
def test_the_runs_themselves_prove_other_numberings(listed, converted, order, first):
    masks = discs()
    masks[0][0, 0] = 1  # which a numbering from 0 calls 0
    rows = [f"{name},{encoded_runs(mask, order=order, first=first)}" for name, mask in zip("abc", masks, strict=True)]
    report, found = converted("rle-csv", listed("id,rle", *rows, size=(17, 12)), classes=SHIP)
    by_name = {name.partition("/")[2]: mask.tolist() for name, mask in found.items()}
    assert by_name == {name: mask.tolist() for name, mask in zip("abc", masks, strict=True)}
    note = next(note for note in report.notes if note.startswith("Pixels are numbered from"))
    assert f"from {first}" in note
    assert ("row by row (so " in note) == (order == "C")


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ("1 2 3", "the run lengths '1 2 3'"),
        ("1 2 x 4", "the run lengths"),
        ("1 -2", "the run lengths"),
        ("1.0 2.0", "the run lengths"),
        ("9" * 5000 + " 1", "the run lengths"),
        ("5 0", "a run without a pixel, from 5 on"),
        ("5 3 7 1", "runs that overlap: 3 from 5 on, then one from 7 on"),
        ("9 2 1 2", "runs that overlap"),
        ("24 2", "has a run of 2 pixels from 24 on. Expected pixels from 1 to 24 (6 x 4 px)"),
        ("999999999 1", "has a run of 1 pixels from 999999999 on"),
    ],
)
def test_runs_that_are_none_leave_their_image_out_by_row(listed, tmp_path, runs, found):
    root = listed("ImageId,EncodedPixels", f"a,{SQUARE}", f"b,{SQUARE}", f"c,{runs}")
    report = convert("rle-csv", root, tmp_path / "dataset", options=Options(classes=SHIP))
    (finding,) = report.left_out
    assert str(finding).startswith("train.csv: row 4 (train_images/c.jpg) ")
    assert found in str(finding)


def test_a_size_in_the_table_that_is_not_the_images_leaves_it_out(listed, tmp_path):
    sizes = ("6,4", "6.0,4.0", "4,6")
    rows = [f"{name},{SQUARE},{size}" for name, size in zip("abc", sizes, strict=True)]
    root = listed("id,annotation,width,height", *rows)
    report = convert("rle-csv", root, tmp_path / "dataset", options=Options(classes=SHIP))
    assert [str(each) for each in report.left_out] == [
        "train.csv: row 4 (train_images/c.jpg) gives train_images/c.jpg 4 x 6 px. Expected 6 x 4 px. "
        "Correct the row, or give the images that the runs were made for."
    ]


def test_smaller_objects_lie_on_top(listed, converted):
    large, small = np.zeros((8, 12), dtype=np.uint8), np.zeros((8, 12), dtype=np.uint8)
    large[1:7, 1:7] = small[3:5, 3:5] = 1
    objects = ((1, encoded_runs(small)), (2, encoded_runs(large)))
    rows = [f"{name}.jpg,{kind},{runs}" for name in "abc" for kind, runs in objects]
    _, masks = converted("rle-csv", listed("ImageId,ClassId,EncodedPixels", *rows, size=(12, 8)))
    expected = np.where(small, 1, 2 * large).tolist()
    assert [mask.tolist() for mask in masks.values()] == [expected] * 3


def test_an_object_without_class_is_counted_and_ignored(listed, converted):
    rows = [f"{name}.jpg,{kind},{runs}" for name in "abc" for kind, runs in (("ship", SQUARE), ("", "24 1"))]
    report, masks = converted("rle-csv", listed("ImageId,class,EncodedPixels", *rows))
    assert {int(mask[3, 5]) for mask in masks.values()} == {255}
    assert "3 of 6 objects have no category" in " ".join(report.notes)


def test_submissions_are_passed_over_and_two_tables_of_one_image_refused(listed, converted):
    lines = ["ImageId,EncodedPixels", *(f"{name}.jpg,{SQUARE}" for name in "abc")]
    other = "\n".join([lines[0], "a.jpg,1 1"])
    report, masks = converted("rle-csv", listed(*lines, **{"sample_submission.csv": other}), classes=SHIP)
    assert {int(mask[1, 1]) for mask in masks.values()} == {1}
    assert any("sample_submission.csv passed over" in note for note in report.notes)


def test_two_tables_that_list_one_image_are_refused_with_the_flag_that_chooses(listed, converted):
    lines = ["ImageId,EncodedPixels", *(f"{name}.jpg,{SQUARE}" for name in "abc")]
    root = listed(*lines, **{"train_v2.csv": "\n".join(lines)})
    with pytest.raises(DataError, match=r'both list train_images/a\.jpg.*--masks "train\.csv"'):
        converted("rle-csv", root, classes=SHIP)
    _, masks = converted("rle-csv", root, classes=SHIP, masks="train_v2.csv")
    assert len(masks) == 3


def test_images_may_be_chosen_by_a_pattern(listed, converted, photo):
    lines = ["ImageId,EncodedPixels", *(f"{name}.jpg,{SQUARE}" for name in "abc")]
    root = listed(*lines, **{f"train_thumbnails/{name}.jpg": photo(9, (3, 2)) for name in "abc"})
    with pytest.raises(DataError, match="may be any of"):
        converted("rle-csv", root, classes=SHIP)
    _, masks = converted("rle-csv", root, classes=SHIP, images="train_images/*.jpg")
    assert len(masks) == 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b", "1,2"], "no CSV file has a column of images and one of run lengths: train.csv has a, b"),
        (["image,mask", "a.jpg,masks/a.png"], "no CSV file has a column"),
        ([""], "no CSV file has a column"),
        (["ImageId,EncodedPixels"], "has none of the images that train.csv lists"),
        (["ImageId,EncodedPixels", "a.jpg,"], "nothing says of what|none of its 1 image has an annotation"),
        (["ImageId,EncodedPixels,Width,Height", "a.jpg,1 1,wide,4"], "the size wide x 4"),
    ],
)
def test_tables_that_say_nothing_are_refused(listed, converted, lines, message):
    with pytest.raises(DataError, match=message):
        converted("rle-csv", listed(*lines), classes=SHIP)


def test_one_kind_of_object_is_named_by_the_user(listed, converted):
    root = listed("ImageId,EncodedPixels", *(f"{name},{SQUARE}" for name in "abc"))
    with pytest.raises(DataError, match="shows one kind of object and nothing says of what"):
        converted("rle-csv", root)


def test_bytes_that_are_no_text_are_refused(listed, converted):
    root = listed("ImageId,EncodedPixels", f"a.jpg,{SQUARE}")
    (root / "train.csv").write_bytes(b"ImageId,EncodedPixels\n\xff\xfe\0,1 2\n")
    with pytest.raises(DataError, match=r"train\.csv: cannot be read as CSV"):
        converted("rle-csv", root, classes=SHIP)
