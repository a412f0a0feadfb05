"""DICOM as pydicom writes it: values after the rescale, and refusals in one sentence."""

import io

import numpy as np
import pytest

from tests.data.decoders.answers import deep, refused

pydicom = pytest.importorskip("pydicom")
uid = pytest.importorskip("pydicom.uid")

STORED = np.array([[0, 100, 1024], [2000, 3000, 4095]], dtype=np.uint16)


def dicom(stored=STORED, *, bits=12, without=(), rle=False, syntax=None, **elements):
    """A secondary capture of `stored`, one sample a pixel, or three where it has a third axis."""
    file = pydicom.Dataset()
    file.SOPClassUID, file.SOPInstanceUID = uid.SecondaryCaptureImageStorage, uid.generate_uid()
    file.Rows, file.Columns = stored.shape[:2]
    file.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    file.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    if stored.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 8 * stored.itemsize, bits, bits - 1
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    file.PixelData = stored.tobytes() + bytes(stored.nbytes % 2)
    for name, value in elements.items():
        setattr(file, name, value)
    for name in without:
        delattr(file, name)
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = syntax or uid.ExplicitVRLittleEndian
    if rle:
        file.compress(uid.RLELossless, encoding_plugin="pydicom")
    content = io.BytesIO()
    pydicom.dcmwrite(content, file, enforce_file_format=True)
    return content.getvalue()


@pytest.mark.parametrize("rle", [False, True])
def test_what_is_stored_without_a_rescale_is_what_is_read(rle):
    image = deep(dicom(rle=rle))
    assert (image.bands, image.is_color, image.size, image.stated) == (1, False, (3, 2), (0.0, 4095.0))
    assert image.depth == "uint16"
    assert np.array_equal(image.values[:, :, 0], STORED)


@pytest.mark.parametrize("rle", [False, True])
def test_slope_and_intercept_give_hounsfield_units(rle):
    image = deep(dicom(rle=rle, RescaleSlope="1", RescaleIntercept="-1024"))
    assert (image.depth, image.stated) == ("int16", (-1024.0, 3071.0))
    assert image.values[:, :, 0].tolist() == [[-1024, -924, 0], [976, 1976, 3071]]


def test_a_broken_slope_gives_floats():
    image = deep(dicom(RescaleSlope="0.5", RescaleIntercept="0"))
    odd = deep(dicom(np.array([[1, 3]], np.uint16), RescaleSlope="0.5", RescaleIntercept="0"))
    assert (odd.depth, odd.values.ravel().tolist()) == ("float32", [0.5, 1.5])
    assert image.stated == (0.0, 2047.5)


def test_of_monochrome1_more_is_brighter():
    image = deep(dicom(PhotometricInterpretation="MONOCHROME1"))
    assert image.values[:, :, 0].tolist() == [[4095, 3995, 3071], [2095, 1095, 0]]  # 4095 - v
    image = deep(dicom(PhotometricInterpretation="MONOCHROME1", RescaleSlope="2", RescaleIntercept="-100"))
    assert image.values[0, :, 0].tolist() == [8090, 7890, 6042]  # (-100 + 8090) - (2 v - 100)


def test_signed_values_stay_signed():
    stored = np.array([[-2048, -1], [0, 2047]], dtype=np.int16)
    image = deep(dicom(stored))
    assert (image.depth, image.stated) == ("int16", (-2048.0, 2047.0))
    assert np.array_equal(image.values[:, :, 0], stored)


def test_eight_bits_and_colours_are_read():
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = deep(dicom(gray, bits=8))
    assert (image.depth, image.values[:, :, 0].tolist()) == ("uint8", gray.tolist())
    colors = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = deep(dicom(colors, bits=8))
    assert (image.is_color, image.bands) == (True, 3)
    assert np.array_equal(image.values, colors)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (dicom(NumberOfFrames=4), "is DICOM of 4 frames, expected one"),
        (dicom(without=["PixelData"]), "is DICOM without an image"),
        (dicom(without=["Rows"]), "cannot be decoded"),
        (dicom(without=["BitsStored"]), "cannot be decoded"),
        (dicom(SamplesPerPixel=0), "0 bands"),
        (dicom()[:-3], "cannot be decoded"),
        (dicom(rle=True)[:-30], "ends before it"),
        (dicom(Rows=60000, Columns=60000), "is 60000 x 60000 px"),
        (dicom(syntax=uid.DeflatedExplicitVRLittleEndian), "is DICOM that is compressed as a whole"),
        (bytes(128) + b"DICM", "is DICOM without an image"),
    ],
    ids=["frames", "no-pixels", "no-rows", "no-bits", "no-bands", "cut", "cut-rle", "huge", "deflated", "empty"],
)
def test_what_is_no_image_or_damaged_is_said_in_one_sentence(content, said):
    assert said in refused(content)


def test_more_pixels_than_allowed_are_refused():
    assert "is 3 x 2 px. Expected at most 5 pixels" in refused(dicom(), max_pixels=5)


def test_every_cut_is_read_or_refused():
    content = dicom()
    for end in range(132, len(content) - 1, 11):
        refused(content[:end])
