"""Masks of numbers in every type of file; what the numbers mean is given, never guessed."""

import io
import json

import numpy as np
import pytest
import tifffile

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
TWO = LabelTable.named(["background", "vessel"])


def halves(first, second, dtype=np.uint8):
    """(4, 6): three columns of one value and three of another."""
    return np.array([first] * 3 + [second] * 3, dtype=dtype)[None].repeat(4, axis=0)


@pytest.fixture
def folders(source, photo, encoded):
    """Three photographs and their masks of one pair of values: folders(0, 7, kind="TIFF")."""

    def write(first, second, *, kind="PNG", dtype=np.uint8, extra=None):
        masks = {f"masks/{i}.{kind.lower()}": encoded(halves(first, second, dtype), kind) for i in range(3)}
        return source({f"images/{i}.jpg": photo(i) for i in range(3)} | masks | (extra or {}))

    return write


def one(masks):
    return next(iter(masks.values()))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_ids_of_any_file_type_stay_what_they_are(folders, converted, kind):
    report, masks = converted("id-masks", folders(0, 1, kind=kind), classes=TWO)
    assert one(masks).tolist() == halves(0, 1).tolist()
    assert report.labels.names == ("background", "vessel")
    assert report.labels.sources == ()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_0_and_255_of_two_classes_become_0_and_1(folders, converted, kind):
    report, masks = converted("id-masks", folders(0, 255, kind=kind), classes=TWO)
    assert one(masks).tolist() == halves(0, 1).tolist()
    assert report.labels.sources == ((0,), (255,))
    assert any("255 became class 1 (vessel)" in note for note in report.notes)


def test_beside_a_second_class_255_is_ignored(folders, converted, encoded):
    thirds = np.array([[0, 0, 1, 1, 255, 255]] * 4, dtype=np.uint8)
    folder = folders(0, 1, extra={f"masks/{i}.png": encoded(thirds) for i in range(3)})
    _, masks = converted("id-masks", folder, classes=TWO)
    assert one(masks).tolist() == thirds.tolist()


def test_values_become_classes_by_their_sources(folders, converted):
    labels = LabelTable.from_json(
        [{"id": 0, "name": "road", "source": [300, 7]}, {"id": 1, "name": "car", "source": 1000}], source="test"
    )
    report, masks = converted("id-masks", folders(1000, 300, dtype=np.uint16), classes=labels)
    assert one(masks).tolist() == halves(1, 0).tolist()
    assert report.labels.sources == ((300, 7), (1000,))


def test_values_that_are_declared_ignored_become_255(folders, converted, encoded):
    thirds = np.array([[0, 0, 3, 3, 4, 4]] * 4, dtype=np.uint8)
    folder = folders(3, 4, extra={f"masks/{i}.png": encoded(thirds) for i in range(3)})
    table = [{"id": 0, "name": "a", "source": 3}, {"id": 1, "name": "b", "source": 4}]
    table += [{"id": 255, "name": "void", "source": [0]}]
    report, masks = converted("id-masks", folder, classes=LabelTable.from_json(table, source="test"))
    assert one(masks).tolist() == [[255, 255, 0, 0, 1, 1]] * 4
    assert report.labels.ignored == (0,)


def test_without_names_they_are_asked_for_with_every_value(folders, converted):
    with pytest.raises(
        DataError, match=r"nothing says which classes .*3 \(50 % of pixels, 3 masks, e\.g\. masks/0\.png\)"
    ):
        converted("id-masks", folders(3, 9))


def test_a_value_that_the_table_lacks_is_asked_for(folders, converted):
    with pytest.raises(DataError, match=r'lacks values of the masks: 7 .*"id": 255, "name": "ignored", "source": 7'):
        converted("id-masks", folders(0, 7), classes=TWO)


def test_the_names_of_a_classes_file_in_the_source_count(folders, converted):
    report, _ = converted("id-masks", folders(0, 1, extra={"classes.json": '{"0": "sky", "1": "sea"}'}))
    assert report.labels.names == ("sky", "sea")


def test_a_number_of_classes_says_that_values_are_ids(folders, converted):
    report, masks = converted("id-masks", folders(0, 2), num_classes=3)
    assert report.labels.num_classes == 3
    assert one(masks).tolist() == halves(0, 2).tolist()


def test_as_many_other_values_as_classes_are_numbered_in_order(folders, converted):
    report, masks = converted("id-masks", folders(2000, 1000, dtype=np.uint16), num_classes=2)
    assert one(masks).tolist() == halves(1, 0).tolist()
    assert report.labels.names == ("value 1000", "value 2000")
    assert report.labels.sources == ((1000,), (2000,))


def test_150_classes_do_not_make_150_an_id(folders, converted):
    # The ids of ADE20K are 0 (other) to 150: whether 0 is a class or 150 is one too many is not for us to say.
    with pytest.raises(DataError, match="lacks values of the masks: 150"):
        converted("id-masks", folders(0, 150), num_classes=150)


def test_num_classes_and_the_table_must_agree(folders, converted):
    with pytest.raises(SettingsError, match="num_classes is 3, but the table of classes has 2"):
        converted("id-masks", folders(0, 1), classes=TWO, num_classes=3)


def test_one_damaged_mask_is_left_out_and_all_damaged_are_an_error(folders, converted):
    folder = folders(0, 1, extra={"masks/2.png": b"broken"})
    report, masks = converted("id-masks", folder, classes=TWO)
    assert len(masks) == 2
    assert [finding.file.as_posix() for finding in report.left_out] == ["masks/2.png"]
    for path in (folder / "masks").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"masks/0\.png"):
        converted("id-masks", folder, classes=TWO)


def test_masks_of_another_scale_are_brought_to_their_image(source, photo, encoded, converted):
    files = {f"images/{i}.jpg": photo(i, (12, 8)) for i in range(3)}
    files |= {f"masks/{i}.png": encoded(halves(0, 1)) for i in range(3)}
    report, masks = converted("id-masks", source(files), classes=TWO)
    assert one(masks).tolist() == halves(0, 1).repeat(2, axis=0).repeat(2, axis=1).tolist()
    assert any(note.startswith("3 of 3 masks looked at have the proportions") for note in report.notes)


def test_masks_of_another_shape_are_left_out(folders, converted, encoded):
    report, masks = converted(
        "id-masks", folders(0, 1, extra={"masks/2.png": encoded(np.zeros((6, 4), np.uint8))}), classes=TWO
    )
    assert len(masks) == 2
    assert [finding.code for finding in report.left_out] == ["size-mismatch"]


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_fundus_photographs_as_tiff_with_gif_masks(converted):
    folder = RAW / "fundus-tif-gif"
    with pytest.raises(DataError, match=r"training/1st_manual may hold masks too.*--images"):
        converted("id-masks", folder, classes=TWO)
    patterns = {"images": "training/images/{name}_training.tif", "masks": "training/1st_manual/{name}_manual1.gif"}
    report, masks = converted("id-masks", folder, classes=TWO, **patterns)
    assert sum(report.images.values()) == 8
    assert {value for mask in masks.values() for value in np.unique(mask).tolist()} == {0, 1}


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_photographs_of_people_with_smaller_masks(converted):
    report, _ = converted("id-masks", RAW / "human-0-255", classes=LabelTable.named(["background", "person"]))
    assert sum(report.images.values()) == 40
    assert not report.left_out


def npy(array) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_arrays_are_read_where_a_folder_has_no_pictures(source, photo, converted):
    masks = {f"masks/{i}.npy": npy(halves(0, 1, np.int64)) for i in range(3)}
    files = {f"images/{i}.jpg": photo(i) for i in range(3)}
    report, found = converted("id-masks", source(files | masks), classes=TWO)
    assert one(found).tolist() == halves(0, 1).tolist()
    assert report.left_out == ()


def test_arrays_beside_pictures_are_left_out_and_counted(folders, converted):
    report, found = converted("id-masks", folders(0, 1, extra={"masks/0.npy": npy(halves(1, 0))}), classes=TWO)
    assert one(found).tolist() == halves(0, 1).tolist()
    assert "1 array beside masks left out: masks/0.npy." in report.notes


def test_an_array_of_objects_is_left_out_by_name(folders, tmp_path):
    content = io.BytesIO()
    np.save(content, np.array([[None]]), allow_pickle=True)
    masks = {f"masks/{i}.npy": npy(halves(0, 1)) for i in range(2)} | {"masks/2.npy": content.getvalue()}
    root = folders(0, 1)
    for path in (root / "masks").iterdir():
        path.unlink()
    for name, array in masks.items():
        (root / name).write_bytes(array)
    report = convert("id-masks", root, tmp_path / "dataset", options=Options(classes=TWO))
    assert [(each.file.as_posix(), each.found) for each in report.left_out] == [
        ("masks/2.npy", "is a NumPy array of Python objects, which are never loaded")
    ]


def tiff(array) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, array, photometric="minisblack")
    return content.getvalue()


def raster(nodata):
    """(4, 6): three columns without data, in front of class 0 above class 1."""
    values = halves(nodata, 1, np.int16)
    values[0, 3:] = 0
    return values


@pytest.fixture
def rasters(source, photo):
    """Three rasters of 0, 1 and -1 (no data), of a type of numbers."""

    def write(dtype):
        masks = {f"masks/{i}.tif": tiff(raster(-1).astype(dtype)) for i in range(3)}
        return source({f"images/{i}.jpg": photo(i) for i in range(3)} | masks)

    return write


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.float32])
def test_values_below_0_are_ignored_by_a_table(rasters, converted, dtype):
    entries = [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}, {"id": 255, "name": "nodata", "source": [-1, -9999]}]
    report, masks = converted("id-masks", rasters(dtype), classes=LabelTable.from_json(entries, source="t"))
    assert one(masks).tolist() == raster(255).tolist()
    assert report.labels.ignored == (-1, -9999)
    assert report.labels.sources == ((0,), (1,))


def test_values_below_0_may_be_a_class(rasters, converted):
    entries = [{"id": 0, "name": "a", "source": [-1, 0]}, {"id": 1, "name": "b", "source": 1}]
    report, masks = converted("id-masks", rasters(np.int16), classes=LabelTable.from_json(entries, source="t"))
    assert one(masks).tolist() == raster(0).tolist()
    assert report.labels.sources == ((-1, 0), (1,))


@pytest.mark.parametrize("options", [{}, {"num_classes": 2}, {"num_classes": 3}])
def test_a_value_below_0_that_nothing_lists_is_named_with_what_lists_it(rasters, converted, options):
    with pytest.raises(DataError, match=r"-1 \(\d\d % of pixels, 3 masks") as caught:
        converted("id-masks", rasters(np.int16), **options)
    assert '{"id": 255, "name": "ignored", "source": -1}' in str(caught.value)


def test_the_table_that_the_refusal_shows_is_one(rasters, converted):
    with pytest.raises(DataError) as caught:
        converted("id-masks", rasters(np.int16))
    shown = str(caught.value).partition("such as ")[2].rpartition(", in which")[0]
    table = LabelTable.from_json(json.loads(shown), source="shown")
    assert one(converted("id-masks", rasters(np.int16), classes=table)[1]).tolist() == raster(255).tolist()
