"""Single-frame DICOM images, rescaled as the file says (extra `dicom`)."""

import io
import warnings
from typing import Any

import numpy as np

from pixelwise.data.decoders.deep import DeepImage, NotAnImage, PixelArray, deep_image, require_size
from pixelwise.errors import MissingExtra

_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax (DICOM PS3.5, A.5), which stands in the file's meta group
_META_BYTES = 2048


def read_dicom(content: bytes, *, max_pixels: int) -> DeepImage:
    """The pixels after slope and intercept (DICOM PS3.3, C.11.1), MONOCHROME1 inverted so that more is brighter.

    Raises:
        NotAnImage: there are no pixels, or several frames.
        TooLarge: it has more than `max_pixels`.
        MissingExtra: pydicom is not installed.
        Exception: of many kinds, where the file is damaged.
    """
    try:
        import pydicom
        from pydicom.pixels.processing import apply_rescale
    except ImportError:
        raise MissingExtra("dicom", "Reading DICOM files") from None
    if _DEFLATED in content[:_META_BYTES]:  # of which a few bytes can become as many as there is memory
        raise NotAnImage("is DICOM that is compressed as a whole (Deflated Explicit VR Little Endian)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that the standard does not allow and that do not concern pixels
        file: Any = pydicom.dcmread(io.BytesIO(content))
        frames = int(file.get("NumberOfFrames", 1) or 1)
        if "PixelData" not in file:
            raise NotAnImage("is DICOM without an image, or ends before it")
        if frames > 1:
            raise NotAnImage(f"is DICOM of {frames} frames, expected one")
        require_size(int(file.Columns), int(file.Rows), int(file.SamplesPerPixel), max_pixels=max_pixels)
        stored: PixelArray = file.pixel_array
        if stored.ndim == 3:
            return deep_image(stored, is_color=True)
        rescaled = _narrowed(np.asarray(apply_rescale(stored, file)))
        low, high = _stored_range(file)
        stated = sorted(float(apply_rescale(np.array([[value]]), file)[0, 0]) for value in (low, high))
    if file.get("PhotometricInterpretation") == "MONOCHROME1":
        rescaled = (stated[0] + stated[1] - rescaled).astype(rescaled.dtype)
    return deep_image(rescaled, stated=(stated[0], stated[1]))


def _stored_range(file: Any) -> tuple[int, int]:
    bits = int(file.BitsStored)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if int(file.get("PixelRepresentation", 0)) else (0, (1 << bits) - 1)


def _narrowed(values: PixelArray) -> PixelArray:
    """Rescaled values, which come as float64, as int16 where the slope is a whole number: Hounsfield units."""
    if values.dtype.kind != "f" or not np.array_equal(values, np.round(values)):
        return values
    limits = np.iinfo(np.int16)
    fits = limits.min <= values.min() and values.max() <= limits.max
    return values.astype(np.int16) if fits else values
