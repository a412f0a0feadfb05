"""MXNet's parameter files, read without MXNet and without executing anything.

The format is that of `MXNDArrayListSave` (MXNet 1.x, src/ndarray/ndarray.cc and src/c_api/c_api.cc), little-endian:

    uint64 0x112, uint64 reserved, uint64 number of arrays, the arrays, uint64 number of names, the names
    array: uint32 0xF993FAC9, int32 storage type (0: dense), int32 dimensions, int64 each, int32 device type,
           int32 device number, int32 element type, the elements
    name:  uint64 length, UTF-8 bytes
"""

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ModelError

LIST_MAGIC = 0x112

# Arrays of MXNet 1.x, and the same under its NumPy semantics; one of a single value has no dimensions there.
ARRAY_MAGIC, NUMPY_ARRAY_MAGIC = 0xF993FAC9, 0xF993FACA

MAX_ARRAYS = 4096
"""The largest network that is imported has 700."""

MAX_DIMENSIONS = 32
MAX_NAME = 1024

# Element types by their flag in mshadow (3rdparty/mshadow/mshadow/base.h).
_ELEMENTS = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?"}


def read_ndarray_list(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file that Gluon's `save_parameters` wrote, by name.

    Nothing is read or allocated beyond the size of the file, whatever its numbers claim.

    Raises:
        ModelError: the file cannot be read, is no such file, is incomplete, or holds what parameters never are.
    """
    try:
        with path.open("rb") as stream:
            return _read(_Reader(stream, path, os.fstat(stream.fileno()).st_size))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}). Check that it may be read.") from None


class _Reader(NamedTuple):
    """A file of a known size; every read is checked against what is left."""

    stream: BinaryIO
    path: Path
    size: int

    def numbers(self, form: str, what: str) -> tuple[int, ...]:
        """Integers as `struct` knows them."""
        length = struct.calcsize(form)
        self.require(length, what)
        return struct.unpack(form, self.stream.read(length))

    def require(self, length: int, what: str) -> None:
        left = self.size - self.stream.tell()
        if length > left:
            raise self.fault(f"{what} takes {length} bytes and {left} are left: the file is incomplete or damaged")

    def fault(self, found: str) -> ModelError:
        return ModelError(
            f"{self.path}: {found}. Expected parameters as Gluon saves them (model_best.params or model_algo-1); "
            "copy the artefact again from where it was trained."
        )


def _read(reader: _Reader) -> dict[str, npt.NDArray[Any]]:
    if reader.size < 24:
        raise reader.fault(f"has {reader.size} bytes and is no list of arrays")
    magic, _, count = reader.numbers("<QQQ", "the header")
    if magic != LIST_MAGIC:
        raise reader.fault(f"begins with {magic:#x} instead of {LIST_MAGIC:#x} and is no list of arrays")
    if count > MAX_ARRAYS:
        raise reader.fault(f"claims {count} arrays, more than the {MAX_ARRAYS} that are read")
    arrays = [_array(reader, f"array {i + 1} of {count}") for i in range(count)]
    (named,) = reader.numbers("<Q", "the number of names")
    if named != count:
        raise reader.fault(f"holds {count} arrays and {named} names")
    names = [_name(reader, f"name {i + 1} of {count}") for i in range(count)]
    if len(set(names)) != count:
        twice = next(name for name in names if names.count(name) > 1)
        raise reader.fault(f"holds the name {twice!r} twice")
    if reader.stream.tell() != reader.size:
        raise reader.fault(f"goes on for {reader.size - reader.stream.tell()} bytes after its end")
    return dict(zip(names, arrays, strict=True))


def _array(reader: _Reader, what: str) -> npt.NDArray[Any]:
    magic, storage, dimensions = reader.numbers("<Iii", f"the head of {what}")
    if magic not in (ARRAY_MAGIC, NUMPY_ARRAY_MAGIC):
        raise reader.fault(f"{what} begins with {magic:#x} instead of {ARRAY_MAGIC:#x}, an older or another format")
    if storage != 0:
        raise reader.fault(f"{what} is sparse (storage type {storage}), which weights of these networks never are")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise reader.fault(f"{what} has {dimensions} dimensions")
    shape = reader.numbers(f"<{dimensions}q", f"the shape of {what}")
    if min(shape) < 1:
        raise reader.fault(f"{what} has the shape {shape}")
    *_, flag = reader.numbers("<iii", f"the type of {what}")
    if flag not in _ELEMENTS:
        raise reader.fault(f"{what} has elements of an unknown type ({flag})")
    element, number = np.dtype(_ELEMENTS[flag]), math.prod(shape)
    reader.require(number * element.itemsize, f"{what}, of the shape {shape},")
    values = np.frombuffer(bytearray(reader.stream.read(number * element.itemsize)), element)  # one that may be written
    return values.reshape(shape)


def _name(reader: _Reader, what: str) -> str:
    (length,) = reader.numbers("<Q", f"the length of {what}")
    if length > MAX_NAME:
        raise reader.fault(f"{what} claims {length} bytes, more than the {MAX_NAME} that are read")
    reader.require(length, what)
    try:
        return reader.stream.read(length).decode()
    except UnicodeDecodeError:
        raise reader.fault(f"{what} is not text") from None
