"""One black and white mask for each class or each object."""

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
TWO = LabelTable.named(["background", "cell"])


def drawn(*columns, value=255, dtype=np.uint8):
    """(4, 6): `value` in some columns."""
    mask = np.zeros((4, 6), dtype=dtype)
    mask[:, list(columns)] = value
    return mask


def rows(*ids):
    return [list(ids)] * 4


@pytest.fixture
def folders(source, photo, encoded):
    """Three photographs and the same masks for each: folders({"masks/cat/{}.png": pixels})."""

    def write(masks):
        files = {f"images/{i}.jpg": photo(i) for i in range(3)}
        return source(files | {name.format(i): encoded(mask) for name, mask in masks.items() for i in range(3)})

    return write


def one(masks):
    return next(iter(masks.values())).tolist()


@pytest.mark.parametrize(
    "mask",
    [drawn(0, 1), drawn(0, 1, value=1), drawn(0, 1, value=65535, dtype=np.uint16), drawn(0, 1).astype(bool),
     np.dstack([drawn(0, 1)] * 3)],
)  # fmt: skip
def test_white_is_the_object_whatever_white_is(folders, converted, mask):
    _, masks = converted("binary-masks", folders({"masks/{}.png": mask}), classes=TWO)
    assert one(masks) == rows(1, 1, 0, 0, 0, 0)


def test_masks_of_objects_are_united(source, photo, encoded, converted):
    files = {}
    for i in range(3):
        files |= {f"stage1/n{i}/images/n{i}.png": photo(i), f"stage1/n{i}/masks/x.png": encoded(drawn(0, 1))}
        files |= {f"stage1/n{i}/masks/y.png": encoded(drawn(1, 5))}
    _, masks = converted("binary-masks", source(files), classes=TWO)
    assert one(masks) == rows(1, 1, 0, 0, 0, 1)


def test_an_object_class_without_a_name_is_asked_for(folders, converted):
    with pytest.raises(DataError, match=r"nothing says of what\. Give --classes FILE with two names"):
        converted("binary-masks", folders({"masks/{}.png": drawn(0)}))


def test_three_names_for_one_object_class_are_refused(folders, converted):
    with pytest.raises(DataError, match="the table has 3 classes"):
        converted("binary-masks", folders({"masks/{}.png": drawn(0)}), classes=LabelTable.named(["a", "b", "c"]))


def test_folders_name_the_classes(folders, converted):
    report, masks = converted("binary-masks", folders({"masks/cat/{}.png": drawn(0, 1), "masks/ant/{}.png": drawn(4)}))
    assert report.labels.names == ("background", "ant", "cat")
    assert one(masks) == rows(2, 2, 0, 0, 1, 0)


def test_patterns_say_where_the_class_is(source, photo, encoded, converted):
    files = {f"{kind}/Imgs/{kind}{i}.jpg": photo(i + ord(kind)) for kind in "ab" for i in range(2)}
    files |= {f"{kind}/Imgs/{kind}{i}.png": encoded(drawn(0, 1)) for kind in "ab" for i in range(2)}
    patterns = {"images": "{class}/Imgs/{name}.jpg", "masks": "{class}/Imgs/{name}.png"}
    report, masks = converted("binary-masks", source(files), **patterns)
    assert report.labels.names == ("background", "a", "b")
    found = {place.partition("/")[2]: mask[0, 0] for place, mask in masks.items()}
    assert found == {"a/a0": 1, "a/a1": 1, "b/b0": 2, "b/b1": 2}


def test_the_table_gives_the_order_and_the_later_class_counts(folders, converted):
    folder = folders({"masks/cup/{}.png": drawn(2, 3), "masks/disc/{}.png": drawn(0, 1, 2, 3)})
    labels = LabelTable.named(["background", "disc", "cup"])
    _, masks = converted("binary-masks", folder, classes=labels)
    assert one(masks) == rows(1, 1, 2, 2, 0, 0)


def test_classes_that_share_pixels_without_an_order_are_left_out(folders, converted, encoded):
    folder = folders({"masks/cup/{}.png": drawn(2), "masks/disc/{}.png": drawn(1, 3)})
    (folder / "masks/disc/0.png").write_bytes(encoded(drawn(1, 2, 3)))
    report, masks = converted("binary-masks", folder)
    assert len(masks) == 2
    assert "4 of 12 labelled pixels in the masks of two classes" in report.left_out[0].found


def test_a_class_whose_masks_are_empty_is_background(folders, converted):
    report, masks = converted("binary-masks", folders({"masks/cat/{}.png": drawn(0, 1), "masks/free/{}.png": drawn()}))
    assert report.labels.names == ("background", "cat")
    assert "The masks of free are empty: their images are background." in report.notes
    assert one(masks) == rows(1, 1, 0, 0, 0, 0)


def test_a_class_that_the_table_lacks_is_asked_for(folders, converted):
    with pytest.raises(DataError, match=r"masks of ant, which the table of classes lacks\. It has background, cat"):
        converted(
            "binary-masks", folders({"masks/cat/{}.png": drawn(0), "masks/ant/{}.png": drawn(1)}),
            classes=LabelTable.named(["background", "cat"]),
        )  # fmt: skip


def test_noise_near_black_and_white_is_told_and_cut_at_half(folders, converted):
    mask = np.array([[255, 255, 250, 128, 4, 0]] * 4, dtype=np.uint8)
    report, masks = converted("binary-masks", folders({"masks/{}.png": mask}), classes=TWO)
    assert one(masks) == rows(1, 1, 1, 1, 0, 0)
    assert "50 % of the masks' pixels are neither 0 nor 255; those above 127 count as object." in report.notes


@pytest.mark.parametrize("values", [[0, 1, 2], [0, 1, 255], [0, 100, 255], [0, 0, 0]])
def test_what_is_not_black_and_white_is_refused(folders, converted, values):
    mask = np.repeat(np.array([values], dtype=np.uint8), 4, axis=0).repeat(2, axis=1)
    with pytest.raises(DataError, match=r"not black and white|black throughout"):
        converted("binary-masks", folders({"masks/{}.png": mask}), classes=TWO)


def test_masks_of_one_image_with_two_sizes_are_left_out(folders, converted, encoded):
    folder = folders({"masks/cat/{}.png": drawn(0, 1), "masks/ant/{}.png": drawn(4, 5)})
    (folder / "masks/ant/0.png").write_bytes(encoded(drawn(1)[:2]))
    report, _ = converted("binary-masks", folder)
    assert [finding.code for finding in report.left_out] == ["size-mismatch"]


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_nuclei_with_a_mask_for_each(converted):
    report, _ = converted("binary-masks", RAW / "nuclei-instances", classes=LabelTable.named(["background", "nucleus"]))
    assert sum(report.images.values()) == len(list((RAW / "nuclei-instances" / "stage1_train").iterdir()))


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_magnetic_tiles_with_image_and_mask_in_one_folder(converted):
    patterns = {"images": "{class}/Imgs/{name}.jpg", "masks": "{class}/Imgs/{name}.png"}
    report, _ = converted("binary-masks", RAW / "magnetic-tile-folders", **patterns)
    assert report.labels.names == ("background", "MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Uneven")
    assert sum(report.images.values()) == 42


def test_a_file_of_names_in_the_source_names_the_object(source, photo, encoded, converted):
    disc = np.zeros((8, 12), dtype=np.uint8)
    disc[2:5, 3:6] = 255
    files = {f"images/{i}.jpg": photo(i, (12, 8)) for i in range(3)} | {
        f"masks/{i}.png": encoded(disc) for i in range(3)
    }
    report, _ = converted("binary-masks", source(files | {"data.yaml": b"nc: 1\nnames: [cell]\n"}))
    assert report.labels.names == ("background", "cell")
    assert "Names of the classes come from data.yaml." in report.notes
