import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.display import Display
from pixelwise.data.findings import Finding
from pixelwise.labels import LabelTable
from pixelwise.report.check import drawing
from pixelwise.report.check.drawing import UNKNOWN_COLORS, File, drawings

LABELS = LabelTable.named(["ground", "square"], {0: (10, 20, 30), 1: (200, 100, 0)})
RED = (214, 0, 0)


def save(path, pixels, **options):
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **options)
    return path


def finding(path, *, code="id-out-of-range", place=None):
    return Finding(path, "found", "expected", "remedy", code, place)


def draw(*files, **finding_parts):
    return drawings(finding(files[0].path, **finding_parts), files, LABELS)


def test_a_mask_is_drawn_in_the_colours_of_its_classes(tmp_path):
    mask = save(tmp_path / "a.png", [[0, 1], [1, 1]])
    (drawn,) = draw(File(mask, True))
    assert drawn.caption == "mask a.png, 2 x 2 px"
    assert drawn.values == (1, 0)
    assert drawn.picture.size == (256, 256)
    assert drawn.picture.getpixel((10, 10)) == (10, 20, 30)
    assert drawn.picture.getpixel((200, 10)) == (200, 100, 0)


def test_a_value_without_a_class_is_checked_in_two_loud_colours(tmp_path):
    (drawn,) = draw(File(save(tmp_path / "a.png", [[0, 7]]), True))
    right = np.asarray(drawn.picture)[:, 128:].reshape(-1, 3)
    assert {tuple(color) for color in right.tolist()} == set(UNKNOWN_COLORS)


def test_ignored_pixels_are_hatched_in_gray(tmp_path):
    (drawn,) = draw(File(save(tmp_path / "a.png", [[255, 255]]), True))
    colors = {tuple(color) for color in np.asarray(drawn.picture).reshape(-1, 3).tolist()}
    assert colors == {(150, 150, 150), (200, 200, 200)}


def test_one_stray_pixel_is_seen_in_a_picture_of_a_million(tmp_path):
    pixels = np.zeros((1000, 1000))
    pixels[600, 333] = 9
    (drawn,) = draw(File(save(tmp_path / "a.png", pixels), True))
    loud = (np.asarray(drawn.picture) != (10, 20, 30)).any(axis=2)
    rows, columns = np.nonzero(loud)
    assert loud.sum() == 49
    assert (round(rows.mean()), round(columns.mean())) == (153, 85)  # 600 and 333 times 0.256, rounded down
    assert drawn.values == (9, 0)


def test_the_place_is_in_the_middle_and_framed_in_mask_and_image(tmp_path):
    pixels = np.zeros((400, 600))
    pixels[200:204, 300:304] = 9
    mask = save(tmp_path / "a.png", pixels)
    image = save(tmp_path / "a.jpg", np.full((400, 600, 3), 128))
    drawn = draw(File(mask, True), File(image, False), place=(300, 200, 304, 204))
    assert [each.picture.size for each in drawn] == [(270, 270)] * 2
    assert drawn[0].caption == "mask a.png, 600 x 400 px, columns 270 to 333, rows 170 to 233"
    assert drawn[1].caption == "image a.jpg, 600 x 400 px, columns 270 to 333, rows 170 to 233"
    for each in drawn:  # at four times the size and with a margin of 7, the place begins at 127 and ends before 143
        assert [each.picture.getpixel((x, 135)) == RED for x in (121, 122, 123)] == [True, True, False]
        assert [each.picture.getpixel((x, 135)) == RED for x in (146, 147, 148)] == [False, True, True]
    assert {drawn[0].picture.getpixel((x, 135)) for x in range(127, 143)} == set(UNKNOWN_COLORS)


@pytest.mark.parametrize("place", [(0, 0, 1, 1), (19, 9, 20, 10), (0, 0, 20, 10), (-5, -5, 99, 99), (50, 50, 60, 60)])
def test_a_place_at_the_border_or_beyond_is_drawn_too(tmp_path, place):
    (drawn,) = draw(File(save(tmp_path / "a.png", np.zeros((10, 20))), True), place=place)
    assert drawn.picture.size == (254, 134)


def test_a_place_in_a_picture_of_one_pixel_is_no_trouble(tmp_path):
    (drawn,) = draw(File(save(tmp_path / "a.png", [[7]]), True), place=(0, 0, 1, 1))
    assert drawn.picture.size == (270, 270)


def test_pictures_whose_sizes_are_at_fault_have_one_scale(tmp_path):
    mask = save(tmp_path / "a.png", np.zeros((180, 240)))
    image = save(tmp_path / "a.jpg", np.zeros((384, 512, 3)))
    drawn = draw(File(mask, True), File(image, False), code="size-scaled")
    assert [each.picture.size for each in drawn] == [(120, 90), (256, 192)]


def test_an_image_is_drawn_upright_by_its_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = save(tmp_path / "a.jpg", np.zeros((40, 60, 3)), exif=exif)
    (drawn,) = draw(File(image, False), code="image-alpha")
    assert drawn.caption == "image a.jpg, 40 x 60 px"
    assert drawn.picture.size == (160, 240)


def test_a_label_map_says_what_is_drawn(tmp_path):
    (tmp_path / "map.json").write_text('{"map": {"1": 200}}')
    label_map = LabelMap.read(tmp_path / "map.json")
    (drawn,) = draw(File(save(tmp_path / "a.png", [[200, 200]]), True, label_map))
    assert drawn.values == (1,)


def test_a_colour_mask_is_drawn_as_it_is(tmp_path):
    (drawn,) = draw(File(save(tmp_path / "a.png", [[[1, 2, 3]]]), True), code="mask-colors")
    assert drawn.picture.getpixel((5, 5)) == (1, 2, 3)
    assert drawn.values == ()


def test_ids_of_sixteen_bits_are_told_apart(tmp_path):
    Image.fromarray(np.array([[0, 3]], dtype=np.uint16)).save(tmp_path / "a.png")
    (drawn,) = draw(File(tmp_path / "a.png", True), code="mask-16-bit")
    assert drawn.picture.getpixel((5, 5)) == (0, 0, 0)
    assert drawn.picture.getpixel((200, 5)) == (255, 255, 255)


def test_a_broken_file_is_said_to_be_so_beside_the_one_that_is_not(tmp_path):
    image = save(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (90, 90, 3)))
    truncated, empty, text = tmp_path / "t.jpg", tmp_path / "e.png", tmp_path / "x.png"
    truncated.write_bytes(image.read_bytes()[:3000])
    empty.write_bytes(b"")
    text.write_text("no image")
    files = [File(path, False) for path in (truncated, empty, text, tmp_path / "absent.png", tmp_path, image)]
    drawn = draw(*files)
    assert [each.picture is None for each in drawn] == [True] * 5 + [False]
    assert "truncated" in drawn[0].problem
    assert [each.problem for each in drawn[1:]] == [
        "is empty (0 bytes)", "is not an image", "is not there", "is not there", "",
    ]  # fmt: skip


def test_a_picture_too_large_to_decode_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "MAX_PIXELS", 99)
    (drawn,) = draw(File(save(tmp_path / "a.png", np.zeros((10, 10))), True))
    assert drawn.picture is None
    assert drawn.problem == "is too large to be drawn"


def test_a_large_jpeg_is_decoded_no_finer_than_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "MAX_PIXELS", 100_000)
    (drawn,) = draw(File(save(tmp_path / "a.jpg", np.zeros((2048, 2048, 3))), False))
    assert drawn.picture.size == (256, 256)


FIVE = Bands("uint16", 5, (1, 2, 3, 4, 5), ((0.0, 1000.0),) * 5, is_color=False)


def deep_tiff(path, *bands, depth="uint16"):
    """An image of 2 x 1 px, of whose bands the two values are given."""
    values = np.array(bands, dtype=depth).T[None]
    tifffile.imwrite(path, values, photometric="minisblack", planarconfig="contig" if len(bands) > 1 else None)
    return path


def test_an_image_of_five_bands_is_drawn_in_the_datasets_ranges_and_this_is_said(tmp_path):
    image = deep_tiff(tmp_path / "a.tif", [0, 500], [1000, 0], [2000, 0], [0, 0], [0, 1000])
    (drawn,) = drawings(finding(image), [File(image, False)], LABELS, Display.of(FIVE, (5, 1, 2)))
    assert drawn.caption == ("image a.tif, 2 x 1 px. Shown: bands 5, 1, 2 as red, green, blue, stretched from 0..1000")
    # band 5: 0 and 1; band 1: 0 and a half, 127.5, to even; band 2: 1 and 0
    assert [drawn.picture.getpixel((x, 10)) for x in (10, 200)] == [(0, 0, 255), (255, 128, 0)]


def test_an_image_that_is_none_of_the_dataset_is_drawn_in_its_own_range(tmp_path):
    image = deep_tiff(tmp_path / "a.tif", [0.0, 1.0], depth="float32")
    (drawn,) = drawings(finding(image, code="image-depth"), [File(image, False)], LABELS, Display.of(FIVE, (5, 1, 2)))
    assert drawn.caption == (
        "image a.tif, 2 x 1 px. Shown: band 1 in gray, stretched from each image's own 0.5th to 99.5th percentile"
    )
    assert [drawn.picture.getpixel((x, 10)) for x in (10, 200)] == [(0, 0, 0), (255, 255, 255)]


def test_bands_of_photographs_are_exchanged_where_this_is_asked_for(tmp_path):
    image = save(tmp_path / "a.png", [[[10, 20, 30]]])
    (drawn,) = drawings(finding(image), [File(image, False)], LABELS, Display.of(PHOTOGRAPH, (3, 2, 1)))
    assert drawn.caption == "image a.png, 1 x 1 px. Shown: bands 3, 2, 1 as red, green, blue"
    assert drawn.picture.getpixel((0, 0)) == (30, 20, 10)
