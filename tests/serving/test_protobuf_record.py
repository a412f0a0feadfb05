import contextlib

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.serving.protobuf_record import LARGEST_RECORD, decode_record, encode_record, record_size
from tests.serving.record_schema import schema

# Two classes, one pixel, by hand from the specifications. From the inside out: tensor, Value, map entry, feature.
RECORD = bytes.fromhex(
    "0a16" "0a06" + b"target".hex() + "120c" "120a" "0a08" "0000803e" "0000403f"  # 0.25, 0.75
    "0a11" "0a05" + b"shape".hex() + "1208" "3a06" "0a04" "01020101"
)  # fmt: skip
# Magic, 43 bytes, padded to a multiple of 4.
FRAMED = bytes.fromhex("0a23d7ce2b000000") + RECORD + b"\0"
PROBABILITIES = np.array([[[0.25]], [[0.75]]], dtype=np.float32)


def test_the_bytes_are_those_of_the_specification():
    assert encode_record(PROBABILITIES) == FRAMED


def test_a_record_comes_back_framed_and_bare():
    for content in (FRAMED, RECORD):
        decoded = decode_record(content)
        assert decoded.dtype == np.float32
        assert np.array_equal(decoded, PROBABILITIES)


def test_googles_library_reads_what_is_written():
    probabilities = np.random.default_rng(0).random((3, 130, 70), dtype=np.float32)
    content = encode_record(probabilities)
    record = schema()()
    record.ParseFromString(content[8 : 8 + int.from_bytes(content[4:8], "little")])
    assert sorted(record.features) == ["shape", "target"]
    assert list(record.features["shape"].int32_tensor.values) == [1, 3, 130, 70]
    values = np.array(record.features["target"].float32_tensor.values, dtype=np.float32)
    assert np.array_equal(values.reshape(3, 130, 70), probabilities)
    assert len(content) <= record_size(probabilities.shape)


def test_what_googles_library_writes_is_read():
    record = schema()(uid="of no interest")
    record.features["shape"].int32_tensor.values.extend([1, 2, 150, 1])
    record.features["target"].float32_tensor.values.extend(range(300))
    record.features["target"].float32_tensor.shape.extend([300])
    decoded = decode_record(record.SerializeToString())
    assert np.array_equal(decoded, np.arange(300, dtype=np.float32).reshape(2, 150, 1))


def test_values_that_are_not_packed_are_read_too():
    # each value under its own tag: fixed 32 bit (0d), varint (08)
    target = bytes.fromhex("0a06" + b"target".hex() + "120c" "120a" "0d0000803e" "0d0000403f")  # fmt: skip
    shape = bytes.fromhex("0a05" + b"shape".hex() + "120a" "3a08" "0801" "0802" "0801" "0801")  # fmt: skip
    content = b"".join(bytes([0x0A, len(entry)]) + entry for entry in (target, shape))
    assert np.array_equal(decode_record(content), PROBABILITIES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"features \[\], expected target and shape"),
        (FRAMED[:30], "cut off: 22 of 43 bytes"),
        (RECORD[:30], "cut off at byte 30"),
        (RECORD[:24], r"features \['target'\]"),
        (RECORD.replace(bytes.fromhex("01020101"), bytes.fromhex("01030101")), "2 values for the shape"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "expected target and shape"),
        (b"\x0b" + bytes(30), "wire type 3"),  # a group, which no message here has
        (RECORD[:-6] + bytes.fromhex("0a04ffffff7f"), r"2 values for the shape \[268435455\]"),
        (b"\xff" * 30, "more than 64 bits"),
    ],
)
def test_what_is_no_record_ends_in_one_message(content, message):
    with pytest.raises(DataError, match=message):
        decode_record(content)


def test_every_cut_and_every_changed_byte_ends_in_an_answer_or_in_a_message():
    damaged = [FRAMED[:end] for end in range(len(FRAMED) - 1)]
    damaged += [RECORD[:i] + bytes([value]) + RECORD[i + 1 :] for i in range(len(RECORD)) for value in (0, 1, 127, 255)]
    for content in damaged:
        with contextlib.suppress(DataError):
            assert decode_record(content).dtype == np.float32


def test_the_largest_record_is_that_of_a_length_of_29_bits():
    assert LARGEST_RECORD == 536_870_911
