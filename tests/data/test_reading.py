import io

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.decoders import opening
from pixelwise.data.reading import decode_mask, image_size, read_image, read_mask, read_pair, read_sample
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from tests.conftest import REAL_DATA

LABELS = LabelTable.numbered(3)
CLASS_IDS = np.array([[0, 1, 2], [255, 0, 2]], dtype=np.uint8)
ORIENTATION = 0x0112


def save(path, image, **options):
    image.save(path, **options)
    return path


def save_mask(path, class_ids=CLASS_IDS):
    return save(path, Image.fromarray(class_ids))


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 10), (77, 77, 77)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
        ("I;16", 77 * 257, (77, 77, 77)),
    ],
)
def test_any_mode_becomes_rgb(tmp_path, mode, color, expected):
    image = read_image(save(tmp_path / "a.png", Image.new(mode, (4, 3), color)))
    assert (image.mode, image.size) == ("RGB", (4, 3))
    assert image.getpixel((1, 1)) == expected


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("I", 200, 200), ("I", 257 * 90, 90), ("F", 0.5, 128), ("F", 90.2, 90), ("F", float("nan"), 0)],
)
def test_wide_gray_values_become_eight_bits(tmp_path, mode, value, expected):
    image = read_image(save(tmp_path / "a.tif", Image.new(mode, (2, 2), value)))
    assert image.getpixel((0, 0)) == (expected,) * 3


def test_a_palette_with_transparency_gives_its_colours_without_a_warning(tmp_path):
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    path = save(tmp_path / "a.png", image, transparency=bytes([255, 0]))
    assert read_image(path).getpixel((0, 0)) == (10, 20, 30)


def test_cmyk_and_ycbcr_jpegs_become_rgb(tmp_path):
    cmyk = read_image(save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0))))
    ycbcr = read_image(save(tmp_path / "b.jpg", Image.new("RGB", (8, 8), (255, 0, 0)).convert("YCbCr")))
    for image in (cmyk, ycbcr):
        assert np.allclose(image.getpixel((4, 4)), (255, 0, 0), atol=4)


def test_the_first_frame_of_a_tiff_counts(tmp_path):
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    path = save(tmp_path / "a.tif", frames[0], save_all=True, append_images=frames[1:])
    assert read_image(path).getpixel((0, 0)) == (255, 0, 0)


# Where the top left pixel of the upright picture lies in the stored one (EXIF 2.3, tag 0x0112).
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    ("orientation", "stored_place"),
    [(1, (0, 0)), (2, (2, 0)), (3, (2, 1)), (4, (0, 1)), (5, (0, 0)), (6, (0, 1)), (7, (2, 1)), (8, (2, 0))],
)
def test_an_image_is_turned_as_exif_says(tmp_path, suffix, orientation, stored_place):
    image = Image.new("RGB", (3, 2))
    image.putpixel(stored_place, (255, 255, 255))
    path = save(tmp_path / f"a.{suffix}", image, exif=exif(orientation))
    upright = read_image(path)
    assert upright.size == ((2, 3) if orientation > 4 else (3, 2)) == image_size(path)
    assert upright.getpixel((0, 0)) == (255, 255, 255)


def test_bytes_and_open_images_are_read_too():
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(buffer, "png")
    assert read_image(buffer.getvalue()).size == (5, 4)
    assert read_image(Image.new("L", (5, 4))).mode == "RGB"


def test_a_gray_mask_keeps_its_values(tmp_path):
    assert np.array_equal(read_mask(save_mask(tmp_path / "m.png"), LABELS), CLASS_IDS)


def test_a_palette_mask_gives_indices_and_not_colours(tmp_path):
    palette = Image.frombytes("P", (3, 2), CLASS_IDS.tobytes())
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0] + [50] * 759)
    read = read_mask(save(tmp_path / "m.png", palette), LABELS)
    assert (read.mode, np.asarray(read).tolist()) == ("L", CLASS_IDS.tolist())


def test_masks_of_fewer_bits_keep_their_values(tmp_path):
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    for bits in (2, 4):
        path = save(tmp_path / f"p{bits}.png", palette, bits=bits)
        assert np.asarray(decode_mask(path)).tolist() == [[0, 1, 2]]
    one_bit = save(tmp_path / "one.png", Image.fromarray(np.array([[True, False]])))
    assert np.asarray(read_mask(one_bit, LABELS)).tolist() == [[1, 0]]


@pytest.mark.parametrize(("bits", "row"), [(2, 0b00_01_10_11), (4, 0x0F)])
def test_gray_masks_of_fewer_bits_are_not_stretched_to_255(tmp_path, bits, row):
    # Written by hand: Pillow does not write gray PNGs of 2 or 4 bits.
    width = 8 // bits
    path = tmp_path / "m.png"
    path.write_bytes(gray_png(width, bits, row))
    assert np.asarray(decode_mask(path)).tolist() == [[0, 1, 2, 3] if bits == 2 else [0, 15]]


def gray_png(width, bits, row):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, row]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_exif_does_not_turn_a_mask(tmp_path):
    path = save(tmp_path / "m.png", Image.fromarray(CLASS_IDS), exif=exif(6))
    assert read_mask(path, LABELS).size == (3, 2)


@pytest.mark.parametrize(
    ("mode", "suffix", "found"),
    [
        ("RGB", "png", "channels R\\+G\\+B and 1 colours \\(#000000\\)"),
        ("RGBA", "png", "channels R\\+G\\+B\\+A"),
        ("LA", "png", "channels L\\+A"),
        ("I;16", "png", "16 bits"),
        ("L", "jpg", "is a JPEG"),
        ("L", "tif", "is a TIFF"),
    ],
)
def test_masks_of_a_wrong_type_are_refused(tmp_path, mode, suffix, found):
    path = save(tmp_path / f"m.{suffix}", Image.new(mode, (4, 4)))
    with pytest.raises(DataError, match=found):
        read_mask(path, LABELS)


def test_ids_out_of_range_are_refused_with_their_pixel_counts(tmp_path):
    path = save_mask(tmp_path / "m.png", np.array([[0, 3, 3], [255, 7, 1]], dtype=np.uint8))
    with pytest.raises(
        DataError,
        match=r"m\.png: has the values 3 \(2 px\), 7 \(1 px\), from column 1, row 0 on\. Expected 0 to 2 or 255",
    ):
        read_mask(path, LABELS)


def test_a_sample_is_contiguous_channels_first(tmp_path):
    image = Image.new("RGB", (3, 2))
    image.putpixel((2, 1), (10, 20, 30))
    pair = Pair("a", save(tmp_path / "a.png", image), save_mask(tmp_path / "m.png"))
    sample = read_sample(pair, LABELS)
    assert sample.image.shape == (3, 2, 3)
    assert sample.image[:, 1, 2].tolist() == [10, 20, 30]
    assert sample.image.flags["C_CONTIGUOUS"]
    assert np.array_equal(sample.class_ids, CLASS_IDS)


def test_unequal_sizes_are_refused(tmp_path):
    pair = Pair("a", save(tmp_path / "a.png", Image.new("RGB", (4, 2))), save_mask(tmp_path / "m.png"))
    with pytest.raises(DataError, match=r"m\.png: is 3 x 2 px but its image a\.png is 4 x 2 px\."):
        read_pair(pair, LABELS)


def test_a_size_that_disagrees_only_after_exif_says_so(tmp_path):
    image = save(tmp_path / "a.jpg", Image.new("RGB", (3, 2)), exif=exif(6))
    with pytest.raises(DataError, match="upright by its EXIF orientation"):
        read_pair(Pair("a", image, save_mask(tmp_path / "m.png")), LABELS)


def test_a_pair_without_mask_is_refused_where_truth_is_needed(tmp_path):
    pair = Pair("a", save(tmp_path / "a.png", Image.new("RGB", (3, 2))), None)
    with pytest.raises(DataError, match="has no mask"):
        read_pair(pair, LABELS)


def noise_image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("read", [read_image, image_size])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_truncated_files_are_refused_by_name(tmp_path, suffix, read):
    path = save(tmp_path / f"a.{suffix}", noise_image())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=rf"a\.{suffix}"):
        read(path)


@pytest.mark.parametrize("number", [0, 9, 270])
def test_an_orientation_that_exif_does_not_know_is_upright(tmp_path, number):
    path = save(tmp_path / "a.jpg", Image.new("RGB", (30, 20)), exif=exif(number))
    assert read_image(path).size == image_size(path) == (30, 20)


@pytest.mark.parametrize(("content", "found"), [(b"", r"is empty \(0 bytes\)"), (b"hello, world", "is not an image")])
def test_files_that_are_no_images_are_refused(tmp_path, content, found):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for read in (read_image, decode_mask):
        with pytest.raises(DataError, match=f"a.jpg: {found}"):
            read(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_image(path)


def test_images_above_pillows_limit_are_read_and_above_ours_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.new("1", (200, 100)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow would refuse 20,000 pixels
    assert read_image(path).size == (200, 100)
    assert Image.MAX_IMAGE_PIXELS == 1000
    monkeypatch.setattr(opening, "MAX_PIXELS", 19_999)
    with pytest.raises(DataError, match="200 x 100 px"):
        read_image(path)


DATA = REAL_DATA


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
def test_real_palette_masks_agree_with_the_gray_ones_they_were_made_from():
    compared = 0
    for path in sorted((DATA / "raw/voc-palette/SegmentationClass").glob("*.png")):
        for split in ("train", "validation"):
            gray = DATA / "camvid" / f"{split}_annotation" / path.name
            if gray.is_file():
                palette_ids, gray_ids = (np.asarray(decode_mask(each)).astype(int) for each in (path, gray))
                # The VOC copy counts its classes from some other number: only the partition is compared.
                assert len(set(zip(palette_ids.ravel(), gray_ids.ravel(), strict=True))) == len(np.unique(gray_ids))
                compared += 1
    assert compared
