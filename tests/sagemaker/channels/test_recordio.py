"""RecordIO is read as dmlc-core defines it, from streams that give any number of bytes at a time."""

import io
import os
import struct
import threading
import tracemalloc

import pytest

from pixelwise.errors import DataError
from pixelwise.sagemaker.channels import recordio
from pixelwise.sagemaker.channels.recordio import read_records

MAGIC = bytes.fromhex("0a23d7ce")  # 0xced7230a, little-endian

# What MXNet 1.9.1 (mx.recordio.MXRecordIO) wrote for RECORDS.
BY_MXNET = bytes.fromhex(
    "0a23d7ce03000000616263000a23d7ce000000000a23d7ce04000000616263640a23d7ce000000200a23d7ce000000600a23d7ce07000000"
    "780a23d7ce797a000a23d7ce04000020686561640a23d7ce050000607461696c210000000a23d7ce000000200a23d7ce000000400a23d7ce"
    "000000600a23d7ce04000020303132330a23d7ce000000400a23d7ce04000040343536370a23d7ce000000600a23d7ce0600000061620a23"
    "d7ce0000"
)
RECORDS = [
    b"abc",
    b"",
    b"abcd",
    MAGIC,
    b"x" + MAGIC + b"yz",  # not at a multiple of 4, so in one part
    b"head" + MAGIC + b"tail!",
    MAGIC + MAGIC,
    b"0123" + MAGIC + MAGIC + b"4567" + MAGIC,
    b"ab" + MAGIC,
]
REMEDY = r"Unable to parse record\. Please make sure input data is in correct recordio format\. "


class Drops(io.RawIOBase):
    """A stream that never gives more than three bytes."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def read(self, size=-1):
        return self.content.read(min(size, 3))


def part(flag, payload, padding=None):
    padding = b"\0" * (-len(payload) % 4) if padding is None else padding
    return MAGIC + struct.pack("<I", flag << 29 | len(payload)) + payload + padding


def read(content):
    return list(read_records(io.BytesIO(content), source="train_0"))


def test_what_mxnet_wrote_is_read_byte_for_byte():
    assert read(BY_MXNET) == RECORDS


def test_streams_may_come_in_drops():
    assert list(read_records(Drops(BY_MXNET), source="train_0")) == RECORDS


def test_a_fifo_is_read_to_its_end(tmp_path):
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(BY_MXNET,))
    writer.start()
    with fifo.open("rb", buffering=0) as stream:
        assert list(read_records(stream, source="train_0")) == RECORDS
    writer.join()


def test_parts_are_joined_with_the_magic_number_between_them():
    assert read(part(1, b"abcd") + part(2, b"efgh") + part(3, b"i") + part(0, b"jk")) == [
        b"abcd" + MAGIC + b"efgh" + MAGIC + b"i",
        b"jk",
    ]


def test_no_bytes_are_no_records():
    assert read(b"") == []


def test_records_come_before_the_fault_that_follows_them():
    records = read_records(io.BytesIO(part(0, b"abc") + b"garbage!"), source="train_0")
    assert next(records) == b"abc"
    with pytest.raises(DataError, match="at byte 12 stands 67 61 72 62, expected 0a 23 d7 ce"):
        next(records)


def test_a_bare_jpeg_is_refused_in_the_words_of_the_container():
    head = r"^train_0: The Record IO header does not start with the magic number: at byte 0 stands ff d8 ff e0, "
    with pytest.raises(DataError, match=head + r"expected 0a 23 d7 ce\. " + REMEDY + "Set RecordWrapperType=RecordIO"):
        read(b"\xff\xd8\xff\xe0\0\x10JFIF")


def test_a_stream_cut_off_anywhere_within_a_record_is_refused():
    starts = {0}
    for record in RECORDS:  # 8 bytes of header and the padded length, for each part
        pieces = 1 + sum(record[i : i + 4] == MAGIC for i in range(0, len(record) // 4 * 4, 4))
        starts.add(max(starts) + 8 * pieces + len(record) + -len(record) % 4 - 4 * (pieces - 1))
    assert max(starts) == len(BY_MXNET)
    for length in set(range(len(BY_MXNET))) - starts:
        with pytest.raises(
            DataError, match=rf"^train_0: the stream ends at byte {length}\b.*{REMEDY}.* start the job again"
        ):
            read(BY_MXNET[:length])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (part(2, b"abcd"), "byte 0 begins in the middle of a record"),
        (part(3, b"abcd"), "byte 0 begins in the middle of a record"),
        (part(1, b"abcd") + part(0, b"efgh"), "byte 12 begins another record .part 0., within the one at byte 0"),
        (part(1, b"abcd") + part(1, b"efgh"), "byte 12 begins another record .part 1., within the one at byte 0"),
        (part(4, b"abcd"), "the header at byte 0 has the flag 4, expected 0 to 3"),
        (part(0, b"abc", padding=b""), "the stream ends at byte 11: of the record at byte 0, 3 of 4 bytes are there"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(content, found):
    with pytest.raises(DataError, match=f"^train_0: {found}.*{REMEDY}"):
        read(content)


def test_a_header_that_claims_half_a_gigabyte_takes_no_memory():
    tracemalloc.start()
    with pytest.raises(DataError, match="0 of 536870912 bytes are there"):
        read(MAGIC + struct.pack("<I", (1 << 29) - 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_record_of_endless_parts_is_refused(monkeypatch):
    monkeypatch.setattr(recordio, "LARGEST_RECORD", 16)
    assert read(part(1, b"abcd") + part(3, b"efghijkl")) == [b"abcd" + MAGIC + b"efghijkl"]
    with pytest.raises(DataError, match="the record at byte 0 has more than the 16 bytes that are read"):
        read(part(1, b"abcd") + part(3, b"efghijklm"))


def test_one_gigabyte_is_the_limit():
    assert recordio.LARGEST_RECORD == 1024**3
