"""PNG, JPEG 2000, arrays, DICOM and HEIC: pixels as other libraries wrote them, and refusals in one sentence."""

import base64
import io
import struct
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.decoders.formats import FORMATS, IMAGE_SUFFIXES
from pixelwise.data.decoders.opening import open_mask, read_image
from pixelwise.data.file_kinds import image_format
from pixelwise.data.findings import FileFault
from pixelwise.data.refusals import MASK_EXPECTED
from pixelwise.errors import DataError, MissingExtra
from pixelwise.inference.pictures import open_picture
from tests.data.decoders.answers import deep, refused

NUMBERS = np.random.default_rng(1)

# 24 x 16 px, red (200, 40, 40) at the left and blue (40, 40, 200) at the right, by heif-enc of libheif 1.15.1.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAa1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5w"
    "aXRtAAAAAAACAAAAEGlkYXQAAAAAABgAEAAAADhpbG9jAQAAAERAAAIAAQAAAAAAAAHRAAEAAAAAAAAASAACAAEAAAAAAAAAAQAAAAAA"
    "AAAIAAAAOGlpbmYAAAAAAAIAAAAVaW5mZQIAAAEAAQAAaHZjMQAAAAAVaW5mZQIAAAAAAgAAZ3JpZAAAAADYaXBycAAAALZpcGNvAAAA"
    "dmh2Y0MBA3AAAAAAAAAAAAAe8AD8/fj4AAAPAyAAAQAYQAEMAf//A3AAAAMAkAAAAwAAAwAeugJAIQABACpCAQEDcAAAAwCQAAADAAAD"
    "AB6gIIEFluqumubgQEDAgAAAAwCAAAADAIQiAAEABkQBwXPBiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAFGlzcGUAAAAAAAAAGAAAABAA"
    "AAAQcGl4aQAAAAADCAgIAAAAGmlwbWEAAAAAAAAAAgABAoECAAICA4QAAAAaaXJlZgAAAAAAAAAOZGltZwACAAEAAQAAAFBtZGF0AAAA"
    "RCgBrxMhpSBo5TVT/SqXUgFgfqTALPGmzQy2QXmFNhMQwl0iNA2bs1/kU2Cs/oA3F9Iy/vrJsoDnxyo7uyTAtG/dnOhM"
)


def sixteen(*shape):
    return NUMBERS.integers(0, 65536, shape).astype(np.uint16)


def with_chunk(png, kind, data):
    """A PNG with a chunk behind IHDR (PNG, third edition, 5.3)."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize(("bands", "kept", "is_color"), [(None, 1, False), (2, 1, False), (3, 3, True), (4, 3, True)])
def test_a_png_of_16_bits_keeps_them_without_transparency(bands, kept, is_color):
    values = sixteen(6, 9) if bands is None else sixteen(6, 9, bands)
    image = deep(imagecodecs.png_encode(values))
    assert (image.depth, image.is_color, image.size, image.stated) == ("uint16", is_color, (9, 6), None)
    assert np.array_equal(image.values, values.reshape(6, 9, -1)[:, :, :kept])


@pytest.mark.parametrize(("bits", "high"), [((12,), 4095.0), ((10, 12, 11), 4095.0), ((16,), 65535.0)])
def test_a_png_says_how_many_bits_its_camera_had(bits, high):
    values = sixteen(4, 5) if len(bits) == 1 else sixteen(4, 5, 3)
    assert deep(with_chunk(imagecodecs.png_encode(values), b"sBIT", bytes(bits))).stated == (0.0, high)


def test_a_png_of_16_bits_is_turned_upright_by_its_exif():
    values = sixteen(6, 9, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = with_chunk(imagecodecs.png_encode(values), b"eXIf", exif.tobytes()[6:])
    assert np.array_equal(deep(content).values, np.rot90(values, -1))


def test_an_image_that_was_turned_is_not_turned_again():
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP"):
        file = io.BytesIO()
        Image.new("RGB", (8, 4)).save(file, kind, exif=exif)
        upright = read_image(file.getvalue())
        assert (upright.size, read_image(upright).size) == ((4, 8), (4, 8))


def test_a_photograph_of_8_bits_stays_with_pillow():
    for kind in ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"):
        file = io.BytesIO()
        Image.new("RGB", (5, 4), (10, 20, 30)).save(file, kind)
        assert isinstance(decode(file.getvalue()), Image.Image)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_jpeg_2000_keeps_16_bits(shape):
    values = sixteen(*shape)
    for codec in ("jp2", "j2k"):
        image = deep(imagecodecs.jpeg2k_encode(values, level=0, codecformat=codec, reversible=True))
        assert (image.depth, image.is_color) == ("uint16", len(shape) == 3)
        assert np.array_equal(image.values, values.reshape(20, 30, -1))


def npy(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4"])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 5), (20, 30, 3), (20, 30, 1), (5, 20, 30)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_shape_order_and_endianness(dtype, shape, order):
    values = NUMBERS.integers(0, 100, shape).astype(dtype, order=order)
    expected = values.transpose(1, 2, 0) if shape[0] == 5 else values.reshape(20, 30, -1)
    image = deep(npy(values))
    assert image.depth == np.dtype(dtype).newbyteorder("=").name
    assert image.is_color == (shape[-1] == 3)
    assert np.array_equal(image.values, expected)


def test_booleans_are_black_and_white():
    assert deep(npy(np.eye(20, dtype=bool))).values[0, :2, 0].tolist() == [255, 0]


class Planted:
    """What a pickle that is loaded would do."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(np.array([Planted()], dtype=object), allow_pickle=True), "Python objects"),
        (npy(np.zeros(3)), "shape (3,)"),
        (npy(np.zeros((4, 20, 30, 3))), "shape (4, 20, 30, 3)"),
        (npy(np.zeros((3, 20, 4))), "either end may be the bands"),
        (npy(np.zeros((17, 20, 30))), "no end is at most 16 bands"),
        (npy(np.zeros((0, 30))), "30 x 0 px"),
        (npy(np.zeros((20, 30), complex)), "complex128"),
        (npy(np.zeros((20, 30), "U3")), "<U3"),
        (npy(np.zeros((20, 30), [("a", "u1")])), "holds values of type"),
        (npy(np.zeros((20, 30)))[:-1], "cannot be decoded"),
        (npy(np.zeros((20, 30)))[:40], "cannot be decoded"),
        (b"\x93NUMPY", "cannot be decoded"),
        (b"\x93NUMPY\x07\x00" + bytes(90), "cannot be decoded"),
        (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 117 + b"\n", "cannot be decoded"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**6) + b"[" * 10**6, "cannot be decoded"),
    ],
)
def test_arrays_that_are_no_images_are_refused_and_nothing_is_loaded(content, said):
    assert said in refused(content)


def test_the_claimed_size_of_an_array_is_refused_before_memory_is_asked_for():
    header = b"{'descr': '<u2', 'fortran_order': False, 'shape': (3000000, 3000000), }"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    assert "3000000 x 3000000 px" in refused(content)
    assert "30 x 20 px" in refused(npy(np.zeros((5, 20, 30))), max_pixels=599)


def test_a_heic_is_read_by_pillow():
    pytest.importorskip("pi_heif")
    pixels = np.asarray(read_image(decode(HEIC))).astype(int)
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels[:, :10] - (200, 40, 40)).max() < 25
    assert np.abs(pixels[:, 14:] - (40, 40, 200)).max() < 25
    for end in range(12, len(HEIC), 41):
        try:
            read_image(decode(HEIC[:end]))
        except DataError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize(("package", "content"), [("pi_heif", HEIC), ("pydicom", bytes(128) + b"DICM" + bytes(20))])
def test_without_its_package_a_format_names_the_extra(monkeypatch, package, content):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="pip install"):
        decode(content)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [("a.npy", npy(np.zeros((4, 5), np.uint8)), "is a NumPy array"), ("a.dcm", bytes(128) + b"DICM", "is a DICOM")],
)
def test_an_array_in_place_of_a_mask_is_a_fault_of_the_mask(tmp_path, name, content, found):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileFault) as caught:
        open_mask(path)
    finding = caught.value.finding
    assert (finding.code, finding.found, finding.expected) == ("mask-format", found, MASK_EXPECTED)
    assert "8-bit PNG" in finding.remedy


def test_no_two_formats_share_a_suffix_a_content_type_or_a_decoder():
    for many in (
        [suffix for each in FORMATS for suffix in each.suffixes],
        [name for each in FORMATS for name in each.media_types],
        [name for each in FORMATS for name in each.decoders],
    ):
        assert len(set(many)) == len(many)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in IMAGE_SUFFIXES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "AVIF"])
def test_a_format_has_the_name_that_its_first_bytes_have(kind):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {kind}")
    file = io.BytesIO()
    Image.new("RGB", (5, 4)).save(file, kind)
    (known,) = [each for each in FORMATS if kind in each.decoders]
    assert image_format(file.getvalue()[:132]) == known.name


def test_a_name_for_bytes_stands_in_the_message(tmp_path):
    assert refused(b"junk", name=tmp_path / "a.png").startswith(f"{tmp_path / 'a.png'}: is not an image.")
    assert "is empty (0 bytes)" in refused(b"")
    assert "cannot be read" in refused(tmp_path / "none.tif")


@pytest.mark.parametrize(("kind", "bands"), [(5, 1), (6, 3)])
def test_portable_maps_of_12_bits_keep_their_numbers(kind, bands):
    values = NUMBERS.integers(0, 4096, (5, 7, bands), dtype=np.uint16)
    content = b"P%d\n# 12 bits\n7 5\n4095\n" % kind + values.astype(">u2").tobytes()
    image = deep(content)
    assert (image.depth, image.bands, image.is_color, image.stated) == ("uint16", bands, kind == 6, (0.0, 4095.0))
    assert np.array_equal(image.values, values)
    with pytest.raises(DataError, match="cannot be decoded"):
        decode(content[:-1])


def test_portable_maps_of_8_bits_stay_photographs():
    assert not isinstance(decode(b"P6 1 1 255\n" + bytes([1, 2, 3])), DeepImage)
    assert not isinstance(decode(b"P3 1 1 255\n1 2 3\n"), DeepImage)


def test_bits_that_the_decoder_of_heic_drops_are_named(tmp_path):
    ten = HEIC.replace(b"pixi\0\0\0\0\3\x08\x08\x08", b"pixi\0\0\0\0\3\x0a\x0a\x0a")  # what the file says of itself
    assert ten != HEIC
    pytest.importorskip("pi_heif")
    assert open_picture(ten, PHOTOGRAPH).notes == ("10 bits a channel were reduced to 8",)
    assert open_picture(HEIC, PHOTOGRAPH).notes == ()


def test_sgi_of_16_bits_is_named_and_not_halved():
    head = struct.pack(">HBBHHHHII", 474, 0, 2, 3, 2, 2, 3, 0, 65535)
    assert "SGI image of 16 bits" in refused(head.ljust(512, b"\0") + bytes(2 * 2 * 3 * 2))
