import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageEnhance

from pixelwise.data.check.duplicates import (
    NEAR,
    WORDS,
    across,
    fingerprint,
    same_picture,
    video_neighbours,
)
from tests.conftest import REAL_DATA

REAL = REAL_DATA


def picture(seed, size=(320, 240)):
    """Something like a photograph: large soft shapes of many brightnesses."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    ImageDraw.Draw(image).ellipse([int(v) for v in random.integers(20, 100, 2)] + [200, 200], fill=(20, 90, 160))
    return image


def as_jpeg(image, quality=95):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def fingerprints(*images):
    return np.array([fingerprint(image) for image in images]).reshape(-1, WORDS)


def distance(first, second):
    """Distance of two pictures, or None where they are not near."""
    matches = across(fingerprints(first), fingerprints(second))
    return matches[0].distance if matches else None


def eighth(image):
    image.draft(None, (1, 1))
    return image


COPIES = {
    "recompressed": lambda image: as_jpeg(image, 40),
    "decoded at an eighth": lambda image: eighth(as_jpeg(image)),
    "half the size": lambda image: image.resize((160, 120), Image.Resampling.LANCZOS),
    "twice the size": lambda image: image.resize((640, 480), Image.Resampling.BICUBIC),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "fewer colours": lambda image: ImageEnhance.Color(image).enhance(0.3),
    "gray": lambda image: image.convert("L"),
    "a palette": lambda image: image.quantize(128),
    "transparency": lambda image: image.convert("RGBA"),
    "print": lambda image: image.convert("CMYK"),
    "16 bits": lambda image: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_near_its_original(change):
    assert distance(picture(1), COPIES[change](picture(1))) <= NEAR


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.rotate(90),
        lambda image: picture(2),
    ],
)
def test_another_picture_is_not_near(change):
    assert distance(picture(1), change(picture(1))) is None


def test_each_picture_gets_its_nearest_in_the_order_of_the_second_set():
    shifted = picture(3).crop((2, 2, 320, 240))
    first = fingerprints(picture(1), shifted, picture(3))
    assert 0 < distance(shifted, picture(3)) <= NEAR
    second = fingerprints(picture(3), picture(4), picture(1))
    assert [tuple(match) for match in across(first, second)] == [(2, 0, 0.0), (0, 2, 0.0)]


def test_the_distance_is_the_share_of_meaningful_differences_that_disagree():
    # 40 differences count in the one, the first 20 of them and 10 others in the other: 50 in either. The signs
    # differ in three places that count and in one that does not.
    def row(signs, counts):
        bits = np.zeros((2, 256), dtype=bool)
        bits[0, signs], bits[1, counts] = True, True
        words = np.packbits(bits, axis=1).view(np.uint64)
        return np.concatenate([np.zeros(1, np.uint64), words[0], words[1], np.zeros(1, np.uint64)])[None]

    one = row([0, 1, 30, 200], list(range(40)))
    other = row([0, 45], [*range(20), *range(40, 50)])
    assert across(one, other) == [(0, 0, 3 / 50)]


def test_blocks_do_not_change_what_is_found():
    random = np.random.default_rng(0)
    first = random.integers(0, 2**63, (5000, WORDS), dtype=np.uint64)
    first[:, -1] = 0
    asked = [4999, 0, 2047, 2048, 130]
    assert [match.first for match in across(first, np.tile(first[asked], (60, 1)))] == asked * 60


def test_thousands_of_equal_pictures_are_found_without_comparing_all():
    same = np.tile(fingerprints(picture(1)), (5000, 1))
    assert [tuple(match) for match in across(same, same[:3])] == [(0, 0, 0.0), (0, 1, 0.0), (0, 2, 0.0)]


def test_flat_pictures_match_only_their_equals():
    black, white = (Image.new("RGB", (60, 45), color) for color in ("black", "white"))
    red, blue = (Image.new("RGB", (60, 45), color) for color in ("#4c0000", "#0000c8"))  # equal in gray
    faint = Image.fromarray(np.linspace(90, 100, 60 * 45).reshape(45, 60).astype(np.uint8))
    first = fingerprints(black, white, red, faint, picture(1))
    assert [match.first for match in across(first, fingerprints(white, blue, faint))] == [1, 3]
    assert distance(black, Image.new("RGB", (45, 60))) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (16, 5), (17, 16)])
def test_the_smallest_pictures_have_fingerprints_too(size):
    assert distance(picture(1, size), picture(1, size)) == 0.0


def test_nothing_is_near_in_an_empty_set():
    assert across(fingerprints(), fingerprints(picture(1))) == []
    assert across(fingerprints(picture(1)), fingerprints()) == []


def test_the_same_picture_in_other_bytes_is_the_same(tmp_path):
    image = picture(1)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.png", compress_level=0)
    image.save(tmp_path / "c.jpg")
    image.rotate(180).save(tmp_path / "d.png")
    (tmp_path / "e.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert [
        same_picture(tmp_path / "a.png", tmp_path / f"{name}") for name in ("b.png", "c.jpg", "d.png", "e.png")
    ] == [
        True,
        False,
        False,
        True,
    ]


def test_deep_images_are_compared_in_their_own_depth(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (8, 9, 5), dtype=np.uint16)
    other = values.copy()
    other[3, 4, 4] ^= 1  # one bit of one band, which 8 bits or three bands would not show
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(tmp_path / "b.tif", values.transpose(2, 0, 1), photometric="minisblack", planarconfig="separate")
    tifffile.imwrite(tmp_path / "c.tif", other, photometric="minisblack", planarconfig="contig")
    np.save(tmp_path / "d.npy", values.astype(np.float32))
    found = [same_picture(tmp_path / "a.tif", tmp_path / name) for name in ("b.tif", "c.tif", "d.npy")]
    assert found == [True, False, False]


def test_deep_images_with_the_same_gaps_are_the_same(tmp_path):
    values = np.array([[0.5, np.nan], [2.0, 3.0]], dtype=np.float32)
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", values, description=name)
    assert same_picture(tmp_path / "a.tif", tmp_path / "b.tif")


def test_a_damaged_file_is_the_same_as_nothing_else(tmp_path):
    picture(1).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    assert not same_picture(tmp_path / "a.png", tmp_path / "b.png")
    assert not same_picture(tmp_path / "a.png", tmp_path / "none.png")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("0001TP_006690", "0001TP_006720", True),  # CamVid: every thirtieth frame
        ("frame_0012", "frame_0013", True),
        ("frame9", "frame10", True),
        ("drive/a-12.left", "drive/a-13.left", True),
        ("0001TP_006690", "0001TP_006780", False),  # three seconds
        ("0001TP_006690", "0006TP_006690", True),  # only a number apart; whether it is a frame nobody can tell
        ("0001TP_006690", "0006TP_006720", False),  # two numbers differ
        ("frame_0012", "frame_0012", False),
        ("frame_0012", "photo_0012", False),
        ("frame_a", "frame_b", False),
        ("frame_1", "frame", False),
        ("1403636579763555584", "1403636579813555456", True),  # ns, a twentieth of a second apart
        ("1403636579763555584", "1403636583763555584", False),  # four seconds
    ],
)
def test_neighbouring_frames_are_known_by_their_names(first, second, expected):
    assert video_neighbours(first, second) is expected
    assert video_neighbours(second, first) is expected


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real data")
def test_the_two_photographs_that_clothing_has_twice_are_found_and_no_others():
    # Looked at: the same photographs in other colours; the next nearest show other people.
    names, rows = {}, {}
    for split in ("train", "validation"):
        files = sorted((REAL / "clothing" / split).glob("*.jpg"))
        names[split] = [file.stem for file in files]
        rows[split] = fingerprints(*(eighth(Image.open(file)) for file in files))
    matches = across(rows["train"], rows["validation"])
    found = [(names["train"][match.first], names["validation"][match.second]) for match in matches]
    assert found == [("0984", "0078"), ("0990", "0907")]
