"""Masks in NumPy's .npy files: what they hold, and what is refused before anything of it is used."""

import io
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.data.findings import FileFault
from pixelwise.data.masks.decoding import decode
from pixelwise.data.repair.dataset import repair
from pixelwise.scoring.folders import score_folders

IDS = [[0, 1, 2], [2, 1, 0]]


def saved(array, *, allow_pickle=False) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(array), allow_pickle=allow_pickle)
    return content.getvalue()


def with_header(header: bytes, body: bytes = b"", version=b"\x01\x00") -> bytes:
    """A file after the specification of numpy.lib.format, whatever the header says."""
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(header)) + header + body


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i4", ">i8", "f2", "<f4", ">f8"])
def test_whole_numbers_of_any_type_are_values(dtype):
    assert decode(saved(np.array(IDS, dtype=dtype)), "a.npy").values().tolist() == IDS


def test_booleans_are_0_and_1_and_seen_as_black_and_white():
    mask = decode(saved([[True, False]]), "a.npy")
    assert (mask.values().tolist(), mask.gray().tolist()) == ([[1, 0]], [[255, 0]])


def test_numbers_below_0_stay():
    assert decode(saved(np.array([[-1, 5]], dtype=np.int16)), "a.npy").values().tolist() == [[-1, 5]]


def test_the_order_of_the_bytes_makes_no_difference():
    assert decode(saved(np.asfortranarray(IDS)), "a.npy").values().tolist() == IDS


@pytest.mark.parametrize("shape", [(2, 3, 1), (1, 2, 3)])
def test_an_axis_of_one_is_left_off(shape):
    assert decode(saved(np.array(IDS, dtype=np.uint8).reshape(shape)), "a.npy").values().tolist() == IDS


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.float32])
def test_one_hot_arrays_give_the_place_of_the_one(axis, dtype):
    # 2 x 3 px and 4 classes, of which the last has no pixel: along the other axis not all sums are 1.
    one_hot = np.moveaxis(np.eye(4, dtype=dtype)[np.array(IDS)], 2, axis)
    assert decode(saved(one_hot), "a.npy").values().tolist() == IDS


def test_an_array_that_is_one_hot_in_two_ways_is_refused():
    both = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], dtype=np.uint8)  # every row and every column has one 1
    with pytest.raises(FileFault, match=r"a\.npy: .*2 x 2 x 2, one-hot along its first and along its last axis"):
        decode(saved(both), "a.npy")


def test_bytes_in_three_channels_are_colours():
    mask = decode(saved(np.array([[[255, 0, 16]], [[0, 0, 0]]], dtype=np.uint8)), "a.npy")
    assert mask.colors().tolist() == [[0xFF0010], [0]]
    with pytest.raises(FileFault, match="has colours"):
        mask.values()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (saved(np.array([[{"a": 1}]], dtype=object), allow_pickle=True), "Python objects, which are never loaded"),
        (saved(np.zeros((2, 2), dtype=[("a", "u1")])), "void8 values"),
        (saved(np.array([["a"]])), "str32 values"),
        (saved(np.zeros((2, 2), dtype=complex)), "holds complex128 values"),
        (saved(np.zeros((2, 2, 2, 2))), "2 x 2 x 2 x 2"),
        (saved(np.full((3, 2, 2), 0.4)), "3 x 2 x 2 and is not one-hot"),
        (saved(np.zeros((0, 4))), "the shape 0 x 4"),
        (saved(7), "a single number"),
        (saved([1, 2]), "the shape 2"),
        (saved([[0.5, 1]]), "has fractions"),
        (saved([[np.nan, 1]]), "nan"),
        (saved(IDS)[:-1], "ends after 47 of 48 bytes"),
        (saved(IDS) + saved(IDS), "behind its first array"),
        (b"\x93NUMPY", "header cannot be read"),
        (with_header(b"{"), "header cannot be read"),
        (with_header(b"(" * 5000), "header cannot be read"),
        (with_header(b"{'descr': 'u1', 'fortran_order': False, 'shape': (1, 1)}" + b" " * 20000), "cannot be read"),
        (with_header(b"{'descr': 'u1', 'fortran_order': False, 'shape': (-1, 4)}"), "cannot be read"),
        (with_header(b"{'descr': 'u1', 'fortran_order': False, 'shape': (10**9, 4)}"), "cannot be read"),
        (with_header(b"{'descr': 'u1', 'fortran_order': False, 'shape': (1000000000, 4)}"), "ends after 0 of 4,000"),
        (with_header(b"{}", version=b"\x03\x00"), "version 3.0"),
        (with_header(b"{}", version=b"\x09\x00"), "version 9.0"),
    ],
)
def test_what_is_no_array_of_class_ids_is_named(content, found):
    with pytest.raises(FileFault, match=r"^a\.npy: ") as caught:
        decode(content, "a.npy").values()
    assert found in str(caught.value)


def test_nothing_in_a_file_is_executed(tmp_path):
    class Writes:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}"
    with pytest.raises(FileFault, match="never loaded"):
        decode(with_header(header, pickle.dumps(Writes())), "a.npy")
    assert not (tmp_path / "written").exists()


@pytest.fixture
def dataset(tmp_path):
    """Two pairs, whose masks are arrays."""
    for split in ("train", "validation"):
        for folder in (split, f"{split}_annotation"):
            (tmp_path / "set" / folder).mkdir(parents=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "set" / split / "a.png")
        np.save(tmp_path / "set" / f"{split}_annotation" / "a.npy", np.array(IDS))
    return tmp_path / "set"


def test_check_names_arrays_and_fix_makes_masks_of_them(dataset, tmp_path):
    opened = open_dataset(dataset)
    report = check_dataset(opened)
    assert {(each.file.name, each.code) for each in report.faults} >= {("a.npy", "mask-format")}
    assert any("is a NumPy array" in str(each) and "`--fix`" in str(each) for each in report.faults)
    assert repair(opened, report, tmp_path / "out").left_out == ()
    assert np.asarray(Image.open(tmp_path / "out" / "train_annotation" / "a.png")).tolist() == IDS


def test_arrays_beside_pictures_are_something_else(dataset, tmp_path):
    masks = dataset / "train_annotation"
    Image.fromarray(np.array(IDS, dtype=np.uint8)).save(masks / "a.png")
    np.save(masks / "a_probabilities.npy", np.zeros((3, 2, 3)))
    found = [each for each in check_dataset(open_dataset(dataset)).findings if each.file.parent == masks]
    assert {each.code for each in found} == {"stray-file"}
    score = score_folders(masks, masks, num_classes=3)
    assert score.scores.mean_iou == 1
    assert "2 files of other types" in " ".join(score.notes)


def test_score_reads_arrays(dataset, tmp_path):
    (tmp_path / "predicted").mkdir()
    Image.fromarray(np.array([[0, 1, 2], [2, 1, 1]], dtype=np.uint8)).save(tmp_path / "predicted" / "a.png")
    scores = score_folders(dataset / "train_annotation", tmp_path / "predicted").scores
    # Of 2 pixels of each class one of class 0 was taken for class 1: 1/2, 2/3 and 1.
    assert scores.iou.tolist() == pytest.approx([1 / 2, 2 / 3, 1])
