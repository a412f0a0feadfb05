"""MXNet's parameter files are read exactly, and nothing in them can do harm."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pixelwise.errors import ModelError
from pixelwise.sagemaker.artefact.ndarray_list import read_ndarray_list
from tests.sagemaker.artefact.gluon_reference import write_list

BY_MXNET = Path(__file__).parent / "data" / "mxnet_arrays.params"
KINDS = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64")
EXPECTED = {**{kind: np.arange(6).reshape(2, 3).astype(kind) for kind in KINDS}, "cube": np.ones((2, 1, 3), "float32")}

HEAD = struct.pack("<QQ", 0x112, 0)


def array(shape=(2,), *, magic=0xF993FAC9, storage=0, flag=0, values=None):
    head = struct.pack("<Iii", magic, storage, len(shape)) + struct.pack(f"<{len(shape)}q", *shape)
    return head + struct.pack("<iii", 1, 0, flag) + (b"\0" * 8 if values is None else values)


def names(*texts):
    return struct.pack("<Q", len(texts)) + b"".join(struct.pack("<Q", len(text)) + text for text in texts)


def one(**given):
    return HEAD + struct.pack("<Q", 1) + array(**given) + names(b"a")


def test_a_file_that_mxnet_wrote_is_read_value_for_value():
    arrays = read_ndarray_list(BY_MXNET)
    assert list(arrays) == list(EXPECTED)
    for name, values in EXPECTED.items():
        assert arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(arrays[name], values)


def test_the_writer_of_these_tests_gives_mxnets_bytes(tmp_path):
    write_list(tmp_path / "ours.params", EXPECTED)
    assert (tmp_path / "ours.params").read_bytes() == BY_MXNET.read_bytes()


def test_arrays_under_numpy_semantics_are_read_as_well(tmp_path):
    path = tmp_path / "model_best.params"
    path.write_bytes(one(magic=0xF993FACA, values=struct.pack("<ff", 0.5, -2)))
    assert read_ndarray_list(path)["a"].tolist() == [0.5, -2]


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    content = BY_MXNET.read_bytes()
    path = tmp_path / "model_best.params"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError, match=r"model_best\.params: .*copy the artefact again"):
            read_ndarray_list(path)


def test_any_changed_byte_gives_arrays_or_a_clear_error(tmp_path):
    content = BY_MXNET.read_bytes()
    path = tmp_path / "model_best.params"
    refused = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        try:
            assert len(read_ndarray_list(path)) == len(EXPECTED)
        except ModelError:
            refused += 1
    assert refused > len(content) / 4


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\3\4" + b"\0" * 40, "begins with 0x4034b50 instead of 0x112"),
        (HEAD + struct.pack("<Q", 1 << 60), "claims 1152921504606846976 arrays"),
        (one(shape=(1 << 40, 1 << 40)), "takes 4835703278458516698824704 bytes"),
        (one(shape=(-1,)), r"has the shape \(-1,\)"),
        (one(shape=(0, 2)), r"has the shape \(0, 2\)"),
        (one(shape=()), "has 0 dimensions"),
        (HEAD + struct.pack("<QIii", 1, 0xF993FAC9, 0, -1) + b"\0" * 99, "has -1 dimensions"),
        (HEAD + struct.pack("<QIii", 1, 0xF993FAC9, 0, 1 << 30) + b"\0" * 99, "has 1073741824 dimensions"),
        (one(storage=1), "is sparse"),
        (one(magic=0xF993FAC8), "begins with 0xf993fac8 instead of 0xf993fac9, an older or another format"),
        (one(flag=12), r"elements of an unknown type \(12\)"),
        (HEAD + struct.pack("<Q", 1) + array() + names(), "holds 1 arrays and 0 names"),
        (HEAD + struct.pack("<Q", 2) + 2 * array() + names(b"a", b"a"), "the name 'a' twice"),
        (HEAD + struct.pack("<Q", 1) + array() + names(b"\xff"), "name 1 of 1 is not text"),
        (HEAD + struct.pack("<Q", 1) + array() + struct.pack("<QQ", 1, 1 << 50), "claims 1125899906842624 bytes"),
        (one() + b"more", "goes on for 4 bytes"),
    ],
)
def test_what_parameters_never_are_is_named(tmp_path, content, found):
    path = tmp_path / "model_algo-1"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=found):
        read_ndarray_list(path)


def test_absurd_claims_cost_no_memory(tmp_path):
    path = tmp_path / "model_best.params"
    path.write_bytes(one(shape=(1 << 34,)))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="takes 68719476736 bytes"):
            read_ndarray_list(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_ndarray_list(tmp_path / "model_best.params")
