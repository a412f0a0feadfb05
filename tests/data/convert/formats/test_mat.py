"""MATLAB's label maps: variables, structs, names, and files that cannot be read."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

RAW = REAL_DATA / "raw"
IDS = np.array([[0, 0, 1, 1, 2, 2]] * 4, dtype=np.uint8)
THREE = LabelTable.named(["sky", "sea", "sand"])


def mat(**variables) -> bytes:
    content = io.BytesIO()
    savemat(content, variables)
    return content.getvalue()


def cells(*names):
    return np.array(names, dtype=object)


@pytest.fixture
def folders(source, photo):
    def write(*, extra=None, **variables):
        files = {f"photos/{i}.jpg": photo(i) for i in range(3)} | {f"truth/{i}.mat": mat(**variables) for i in range(3)}
        return source(files | (extra or {}))

    return write


def one(masks):
    return next(iter(masks.values())).tolist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
def test_the_matrix_of_the_images_size_is_the_label_map(folders, converted, dtype):
    report, masks = converted("mat", folders(S=IDS.astype(dtype), other=np.eye(3), scale=2.0, text="x"), classes=THREE)
    assert one(masks) == IDS.tolist()
    assert "Label maps are in S." in report.notes


def test_names_come_from_a_list_of_labels(folders, converted):
    folder = folders(S=IDS, extra={"label_list.mat": mat(label_list=cells("sky", "sea", "sand"))})
    report, _ = converted("mat", folder)
    assert report.labels.names == ("sky", "sea", "sand")


def test_values_from_1_to_the_number_of_names_are_numbered_as_matlab_does(folders, converted):
    folder = folders(S=IDS + 1, extra={"classes.mat": mat(names=cells("sky", "sea", "sand"))})
    report, masks = converted("mat", folder)
    assert one(masks) == IDS.tolist()
    assert report.labels.sources == ((1,), (2,), (3,))


def test_where_the_names_may_begin_with_0_or_with_1_they_are_asked_for(folders, converted):
    folder = folders(S=np.clip(IDS, 1, 2), extra={"classes.mat": mat(names=cells("sky", "sea", "sand"))})
    with pytest.raises(DataError, match="nothing says which classes"):
        converted("mat", folder)


def test_berkeleys_struct_gives_its_segmentation(folders, converted):
    struct = {"Segmentation": IDS, "Boundaries": IDS > 1}
    report, masks = converted("mat", folders(groundTruth=struct), classes=THREE)
    assert "Label maps are in groundTruth.Segmentation." in report.notes
    assert one(masks) == IDS.tolist()


def test_of_several_variables_one_is_asked_for_and_can_be_given(folders, converted):
    several = np.empty((1, 2), dtype=object)
    several[0, 0], several[0, 1] = {"Segmentation": IDS}, {"Segmentation": IDS[:, ::-1]}
    folder = folders(groundTruth=several)
    with pytest.raises(DataError, match=r"several variables .* --attribute 'groundTruth\(1\)\.Segmentation'"):
        converted("mat", folder, classes=THREE)
    _, masks = converted("mat", folder, classes=THREE, attribute="groundTruth(2).Segmentation")
    assert one(masks) == IDS[:, ::-1].tolist()


def test_a_file_without_the_variable_is_left_out(folders, converted):
    folder = folders(S=IDS, extra={"truth/1.mat": mat(T=IDS)})
    report, masks = converted("mat", folder, classes=THREE)
    assert len(masks) == 2
    assert "has no variable S (it has T: 4 x 6 uint8)" in report.left_out[0].found


def test_without_a_matrix_of_the_size_all_variables_are_listed(folders, converted):
    with pytest.raises(DataError, match=r"no variable has the size of photos/0\.jpg \(4 x 6\); found S: 2 x 2 float64"):
        converted("mat", folders(S=np.eye(2)), classes=THREE)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b" "), r"version 7\.3 \(HDF5\).*-v7"),
        (mat(S=IDS)[:150], "cannot be decoded"),
        (b"", "cannot be decoded|is empty"),
    ],
    # Of their own: the second has the time of its writing in it, and workers must collect the same names.
    ids=["of version 7.3", "cut", "empty"],
)  # fmt: skip
def test_files_that_cannot_be_read_say_why(folders, converted, content, found):
    with pytest.raises(DataError, match=found):
        converted("mat", folders(S=IDS, extra={f"truth/{i}.mat": content for i in range(3)}), classes=THREE)


def test_values_that_are_no_ids_are_refused(folders, converted):
    with pytest.raises(DataError, match="has fractions"):
        converted("mat", folders(S=IDS + 0.5), classes=THREE)


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_clothes_with_their_list_of_names(converted):
    report, masks = converted("mat", RAW / "clothing-mat")
    assert report.labels.num_classes == 59
    assert report.labels.names[58] == "wedges"
    assert len(masks) == 40


@pytest.mark.skipif(not RAW.exists(), reason="needs the shared data")
def test_cracks_whose_values_need_a_table(converted):
    with pytest.raises(DataError, match=r"nothing says which classes .*: 1 .*; 2 .*; 3 .*; 4 "):
        converted("mat", RAW / "crackforest-mat")
    table = [{"id": 0, "name": "road", "source": [1, 3, 4]}, {"id": 1, "name": "crack", "source": 2}]
    report, masks = converted("mat", RAW / "crackforest-mat", classes=LabelTable.from_json(table, source="test"))
    assert len(masks) == 40
    assert report.labels.sources == ((1, 3, 4), (2,))
