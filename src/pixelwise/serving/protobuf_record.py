"""Probabilities as a RecordIO-framed `aialgs.data.Record`: the protobuf reply, and a decoder for clients.

The messages (https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html, package `aialgs.data`) are few, and
the wire format (https://protobuf.dev/programming-guides/encoding/) is small, so both are written out here.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

LARGEST_RECORD = (1 << 29) - 1
"""Bytes that one RecordIO part can hold: its length has 29 bits, the upper 3 say how parts belong together."""

_MAGIC = 0xCED7230A
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5  # wire types
_FEATURES, _KEY, _VALUE = 1, 1, 2  # Record.features; key and value of a map's entry
_FLOAT32, _FLOAT64, _INT32, _VALUES = 2, 3, 7, 1  # fields of Value; `values` of each tensor
_PROTOBUF = "the bytes that an endpoint answers to `Accept: application/x-recordio-protobuf`"


def record_size(shape: tuple[int, int, int]) -> int:
    """Bytes that the probabilities take in a reply, to within a hundred."""
    return 4 * shape[0] * shape[1] * shape[2] + 100


def encode_record(probabilities: NDArray[np.float32]) -> bytes:
    """A framed Record of probabilities (K, H, W).

    `features["target"].float32_tensor.values` are the values in C order; `features["shape"].int32_tensor.values` is
    1, K, H, W.
    """
    values = np.ascontiguousarray(probabilities, dtype="<f4").tobytes()
    shape = b"".join(_varint(side) for side in (1, *probabilities.shape))
    record = _feature("target", _FLOAT32, values) + _feature("shape", _INT32, shape)
    padding = b"\0" * (-len(record) % 4)
    return b"".join([struct.pack("<II", _MAGIC, len(record)), record, padding])


def decode_record(content: bytes) -> NDArray[np.float32]:
    """Probabilities (K, H, W) float32 from a protobuf reply, framed in RecordIO or bare.

    `decode_record(reply).argmax(axis=0)` is the class map.

    Raises:
        DataError: the bytes are cut off or something else.
    """
    features = dict(_features(_unframed(content)))
    if "target" not in features or "shape" not in features:
        raise DataError(f"The record has the features {sorted(features)}, expected target and shape. Give {_PROTOBUF}.")
    shape = [int(side) for side in features["shape"]]
    values = features["target"]
    if len(shape) != 4 or shape[0] != 1 or math.prod(shape) != values.size:
        raise DataError(f"The record has {values.size} values for the shape {shape}. Give {_PROTOBUF}.")
    return values.astype(np.float32, copy=False).reshape(shape[1:])


def _feature(name: str, tensor: int, values: bytes) -> bytes:
    content = _field(tensor, _field(_VALUES, values))
    return _field(_FEATURES, _field(_KEY, name.encode()) + _field(_VALUE, content))


def _field(number: int, content: bytes) -> bytes:
    return b"".join([_varint(number << 3 | _LENGTH), _varint(len(content)), content])


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _unframed(content: bytes) -> memoryview:
    if len(content) < 8 or struct.unpack_from("<I", content)[0] != _MAGIC:
        return memoryview(content)
    (length,) = struct.unpack_from("<I", content, 4)
    if 8 + length > len(content):
        raise DataError(f"The record is cut off: {len(content) - 8} of {length} bytes are there. Give {_PROTOBUF}.")
    return memoryview(content)[8 : 8 + length]


def _features(record: memoryview) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for number, entry in _fields(record):
        if number != _FEATURES:
            continue
        parts = dict(_fields(entry))
        for tensor, content in _fields(parts.get(_VALUE, memoryview(b""))):
            # A tensor is written in one piece or value by value; readers must take both.
            pieces = [values for field, values in _fields(content) if field == _VALUES]
            yield bytes(parts.get(_KEY, b"")).decode(errors="replace"), _values(tensor, b"".join(pieces))


def _values(tensor: int, content: bytes) -> NDArray[np.generic]:
    if tensor in (_FLOAT32, _FLOAT64):
        size = 4 if tensor == _FLOAT32 else 8
        if len(content) % size:
            raise DataError(f"The record is damaged: {len(content)} bytes of {size}-byte numbers. Give {_PROTOBUF}.")
        return np.frombuffer(content, dtype=f"<f{size}")
    numbers, place = [], 0
    while tensor == _INT32 and place < len(content):
        number, place = _read_varint(memoryview(content), place)
        numbers.append(number & 0xFFFFFFFF)  # a damaged one may have up to 70 bits
    return np.array(numbers, dtype=np.int64)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; a varint's content are its bytes."""
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        kind, start = tag & 7, place
        if kind == _VARINT:
            _, place = _read_varint(message, place)
        elif kind == _LENGTH:
            length, start = _read_varint(message, place)
            place = start + length
        elif kind in (_FIXED_32, _FIXED_64):
            place += 4 if kind == _FIXED_32 else 8
        else:
            raise DataError(f"The record is damaged: wire type {kind} at byte {start}. Give {_PROTOBUF}.")
        if place > len(message):
            raise DataError(f"The record is cut off at byte {len(message)}. Give {_PROTOBUF}.")
        yield tag >> 3, message[start:place]


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise DataError(f"The record is cut off at byte {len(message)}. Give {_PROTOBUF}.")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise DataError(f"The record is damaged: a number of more than 64 bits at byte {place}. Give {_PROTOBUF}.")
