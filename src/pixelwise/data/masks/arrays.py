"""Masks in NumPy's .npy files (numpy.lib.format): numbers alone, and nothing in a file is ever executed."""

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.reading import MAX_PIXELS
from pixelwise.phrases import counted

_MOST_HEADER = 10_000  # bytes; that of an array of numbers has about 100
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_EXPECTED = "one array (H, W) of numbers"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str  # "C" or "F"
    offset: int  # where the numbers begin

    @property
    def described(self) -> str:
        return " x ".join(map(str, self.shape)) or "none (a single number)"


def read_array(content: bytes, path: Path) -> npt.NDArray[Any]:
    """(H, W) numbers or booleans, or (H, W, 3) uint8 colours, of an .npy file, in C or in Fortran order.

    An axis of length 1 before or behind the other two is left off, and a one-hot array (K, H, W) or (H, W, K), in which
    just one entry of each pixel is 1 and the others are 0, gives the place of this entry.

    Raises:
        FileFault: it holds objects or records, is damaged, truncated or longer than its array, has more than
            MAX_PIXELS pixels or another shape, or could be one-hot in two ways.
    """
    header = _header(content, path)
    if header.dtype.kind not in "biufc":
        what = "Python objects, which are never loaded" if header.dtype.hasobject else f"{header.dtype.name} values"
        raise _fault(path, f"is a NumPy array of {what}", "Save class ids, such as array.astype(np.uint8).")
    needed, there = math.prod(header.shape) * header.dtype.itemsize, len(content) - header.offset
    if min(header.shape, default=0) < 1:
        raise _fault(path, f"is a NumPy array of the shape {header.described}", "Save the mask again.")
    if needed > there:
        found = f"ends after {there:,} of {needed:,} bytes of its array"
        raise FileFault(Finding(path, found, "a complete array", "Save or copy it again.", "truncated-file"))
    if needed < there:
        found = f"has {counted(there - needed, 'byte')} behind its first array"
        raise _fault(path, found, "Save each array in a file of its own.")
    flat = np.frombuffer(content, header.dtype, offset=header.offset)
    plane = _plane(flat.reshape(header.shape, order="F" if header.order == "F" else "C"), header, path)
    if plane.shape[0] * plane.shape[1] > MAX_PIXELS:
        limit = f"at most {MAX_PIXELS // 10**6} million pixels"
        raise FileFault(Finding(path, f"has {plane.size:,} values", limit, "Cut it into tiles.", "decompression-bomb"))
    return plane


def _header(content: bytes, path: Path) -> _Header:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:  # 3.0 is for the names of records
            raise ValueError(f"version {version[0]}.{version[1]}, which is for records")
        shape, in_columns, dtype = _READERS[version](file, max_header_size=_MOST_HEADER)
        if min(shape, default=0) < 0:
            raise ValueError(f"the shape {shape}")
    except Exception as error:  # what a header holds is parsed as Python: ValueError, SyntaxError, RecursionError ...
        reason = str(error).partition("\n")[0][:100]
        found = f"is a NumPy array whose header cannot be read ({reason})"
        raise _fault(path, found, "Save it again with np.save.") from None
    return _Header(shape, dtype, "F" if in_columns else "C", file.tell())


def _plane(array: npt.NDArray[Any], header: _Header, path: Path) -> npt.NDArray[Any]:
    if array.ndim == 2:
        return array
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        return array[:, :, 0] if array.shape[2] == 1 else array[0]
    if array.ndim == 3:
        found = _one_hot(array, header, path)
        if found is not None:
            return found
        if array.dtype == np.uint8 and array.shape[2] == 3 and array.max() > 1:
            return array
    remedy = "Save one class id for each pixel: np.save(path, array.argmax(axis)) where an axis holds the classes."
    why = " and is not one-hot: some pixels have no class, or several" if array.ndim == 3 else ""
    raise _fault(path, f"is a NumPy array of the shape {header.described}{why}", remedy)


def _one_hot(array: npt.NDArray[Any], header: _Header, path: Path) -> npt.NDArray[Any] | None:
    """(H, W) places of the ones along the axis of the classes; None where neither can be it."""
    if array.dtype.kind == "c" or not ((array == 0) | (array == 1)).all():
        return None
    axes = [axis for axis in (0, 2) if (np.count_nonzero(array, axis=axis) == 1).all()]
    if len(axes) > 1:
        found = f"is a NumPy array of the shape {header.described}, one-hot along its first and along its last axis"
        raise _fault(path, found, "Save one class id for each pixel: np.save(path, array.argmax(axis)).")
    return array.argmax(axis=axes[0]).astype(np.uint16) if axes else None


def _fault(path: Path, found: str, remedy: str) -> FileFault:
    return FileFault(Finding(path, found, _EXPECTED, remedy, "unreadable-file"))
