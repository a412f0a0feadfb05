"""RecordIO, the framing in which SageMaker sends files through a pipe, read record by record.

The format is dmlc-core's (include/dmlc/recordio.h, src/recordio.cc), little-endian:

    uint32 0xced7230a, uint32 (3 bits of flag, 29 bits of length), the bytes, zeros up to a multiple of 4

The flag is 0 for a whole record and 1, 2, 3 for the first, a middle and the last part of one. A writer divides a record
where the magic number itself stands at a multiple of 4, and leaves it out there; a reader puts it back.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from pixelwise.errors import DataError

MAGIC = 0xCED7230A

LARGEST_RECORD = 1 << 30
"""Bytes of one record, 1 GiB; damaged headers may claim any number of parts."""

_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_PIECE = 1 << 20  # memory grows with the bytes that come, not with the length that a header claims

_REMEDY = "Unable to parse record. Please make sure input data is in correct recordio format."
_UNFRAMED = "Set RecordWrapperType=RecordIO for the channel, so that the platform frames every file."
_DAMAGED = "The data broke off or was damaged on its way; start the job again."


def read_records(stream: BinaryIO, *, source: str) -> Iterator[bytes]:
    """The records of a stream in its order, to its end; of the stream, one record is held at a time.

    Args:
        stream: opened for reading bytes; a FIFO or a socket may give them in pieces of any size.
        source: how errors call it, such as /opt/ml/input/data/train_0.

    Raises:
        DataError: the stream is something else, is damaged, ends within a record, or a record is above
            `LARGEST_RECORD`; the message has the position in bytes.
    """
    reader = _Reader(stream, source)
    while (record := reader.record()) is not None:
        yield record


class _Reader:
    """A stream and how many of its bytes were read."""

    def __init__(self, stream: BinaryIO, source: str) -> None:
        self.stream, self.source, self.position = stream, source, 0

    def record(self) -> bytes | None:
        """The next record with its parts joined; None at the end of the stream."""
        start = self.position
        header = self.header()
        if header is None:
            return None
        flag, length = header
        if flag not in (_WHOLE, _FIRST):
            raise self.fault(f"byte {start} begins in the middle of a record (part {flag})")
        record = self.payload(start, length)
        while flag not in (_WHOLE, _LAST):
            place = self.position
            header = self.header()
            if header is None:
                raise self.fault(f"the stream ends at byte {place}, within the record that begins at byte {start}")
            flag, length = header
            if flag not in (_MIDDLE, _LAST):
                raise self.fault(f"byte {place} begins another record (part {flag}), within the one at byte {start}")
            record += struct.pack("<I", MAGIC)
            if len(record) + length > LARGEST_RECORD:
                raise self.fault(f"the record at byte {start} has more than the {LARGEST_RECORD} bytes that are read")
            record += self.payload(start, length)
        return bytes(record)

    def header(self) -> tuple[int, int] | None:
        """Flag and length of a part; None at the end of the stream."""
        start = self.position
        content = self.read(8)
        if not content:
            return None
        if len(content) >= 4 and struct.unpack_from("<I", content)[0] != MAGIC:
            raise self.fault(
                f"The Record IO header does not start with the magic number: at byte {start} stands "
                f"{content[:4].hex(' ')}, expected {struct.pack('<I', MAGIC).hex(' ')}",
                _DAMAGED if start else _UNFRAMED,
            )
        if len(content) < 8:
            raise self.fault(f"the stream ends at byte {self.position}, within the header at byte {start}")
        (word,) = struct.unpack_from("<I", content, 4)
        flag = word >> 29
        if flag > _LAST:
            raise self.fault(f"the header at byte {start} has the flag {flag}, expected 0 to 3")
        return flag, word & 0x1FFFFFFF

    def payload(self, start: int, length: int) -> bytearray:
        """The bytes of a part without their padding."""
        padded = length + -length % 4
        content = self.read(padded)
        if len(content) < padded:
            raise self.fault(
                f"the stream ends at byte {self.position}: of the record at byte {start}, {len(content)} of {padded} "
                "bytes are there"
            )
        del content[length:]
        return content

    def read(self, length: int) -> bytearray:
        """So many bytes, fewer only at the end of the stream."""
        content = bytearray()
        while len(content) < length:
            piece = self.stream.read(min(length - len(content), _PIECE))
            if not piece:
                break
            content += piece
        self.position += len(content)
        return content

    def fault(self, found: str, advice: str = _DAMAGED) -> DataError:
        return DataError(f"{self.source}: {found}. {_REMEDY} {advice}")
