"""The closer look at pictures whose fingerprints are near."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from pixelwise.data.check.duplicates import across, fingerprint
from pixelwise.data.check.second_look import ALIKE, detail_agreement, relation
from tests.conftest import REAL_DATA

SIZE = (400, 300)


def picture(seed):
    """Something like a photograph: shapes of every size, and some noise."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", SIZE, (120, 130, 140))
    draw = ImageDraw.Draw(image)
    for radius in random.integers(4, 60, 150).tolist():
        x, y, *color = random.integers(0, [400, 300, 256, 256, 256]).tolist()
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=tuple(color))
    noisy = np.asarray(image) + random.normal(0, 4, (300, 400, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def disc(seed, *, noise=6):
    """A bright disc on black with a texture of its own, as tomography and retinas have it."""
    inside = np.hypot(*np.mgrid[-150:150, -150:150]) < 130
    texture = np.random.default_rng(seed).normal(0, noise, (300, 300))
    return Image.fromarray((inside * (120 + texture)).clip(0, 255).astype(np.uint8))


def written(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


COPIES = {
    "q50": lambda image: recompressed(image, 50),
    "q95": lambda image: recompressed(image, 95),
    "half the size": lambda image: image.resize((200, 150), Image.Resampling.BICUBIC),
    "nine tenths": lambda image: image.resize((360, 270), Image.Resampling.BICUBIC),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.4),
    "shifted": lambda image: image.transform(image.size, Image.Transform.AFFINE, (1, 0, 4, 0, 1, 3)),
    "cropped": lambda image: image.crop((4, 3, 400, 300)),
    "gray": lambda image: image.convert("L"),
}


def recompressed(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_near(tmp_path, change):
    first = written(tmp_path, "a.png", picture(1))
    assert relation(first, written(tmp_path, "b.png", COPIES[change](picture(1)))) == "near"


def test_equal_pixels_are_the_same_and_flat_ones_are_no_more_than_that(tmp_path):
    first = written(tmp_path, "a.png", picture(1))
    assert relation(first, written(tmp_path, "b.bmp", picture(1))) == "same"
    plain = written(tmp_path, "c.png", Image.new("RGB", SIZE, (90, 90, 90)))
    assert relation(plain, written(tmp_path, "d.png", Image.new("RGB", SIZE, (90, 90, 90)), compress_level=0)) == "same"
    assert relation(plain, written(tmp_path, "e.png", Image.new("RGB", SIZE, (90, 90, 91)))) == "unlike"
    assert detail_agreement(Image.new("L", SIZE), Image.new("L", SIZE, 9)) is None


def test_discs_of_one_outline_are_unlike_though_their_fingerprints_are_near(tmp_path):
    rows = [fingerprint(disc(seed))[None] for seed in (1, 2)]
    assert len(across(*rows)) == 1
    first = written(tmp_path, "a.png", disc(1))
    assert relation(first, written(tmp_path, "b.png", disc(2))) == "unlike"
    assert relation(first, written(tmp_path, "c.jpg", disc(1), quality=60)) == "near"


def test_a_rotated_photograph_is_compared_as_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    first = written(tmp_path, "a.png", picture(1))
    turned = written(tmp_path, "b.jpg", picture(1).transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert relation(first, turned) == "near"


def test_a_file_that_does_not_decode_is_unlike_all(tmp_path):
    first = written(tmp_path, "a.png", picture(1))
    (tmp_path / "b.png").write_bytes(first.read_bytes()[:900])
    assert relation(first, tmp_path / "b.png") == relation(tmp_path / "none.png", first) == "unlike"


def test_agreement_is_the_correlation_that_three_quarters_of_the_blocks_reach():
    # Noise at a scale of one pixel of the 128, a known share of it shared: the correlation in each block is that share.
    random = np.random.default_rng(0)
    own, other, shared = (random.normal(0, 20, (128, 128)) for _ in range(3))
    pictures = [
        Image.fromarray((128 + shared * 0.8 + each * 0.6).clip(0, 255).astype(np.uint8)) for each in (own, other)
    ]
    assert detail_agreement(*pictures) == pytest.approx(0.64, abs=0.06)
    assert detail_agreement(pictures[0], pictures[0]) == pytest.approx(1)
    assert (
        detail_agreement(*(Image.fromarray((128 + each).clip(0, 255).astype(np.uint8)) for each in (own, other)))
        < ALIKE
    )


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs the real data")
def test_retinas_of_different_patients_are_unlike():
    files = sorted((REAL_DATA / "drive").glob("*/*_training.tif"))
    assert len(files) == 20
    rows = [fingerprint(Image.open(file))[None] for file in files]
    near = [(a, b) for a in range(20) for b in range(a) if across(rows[a], rows[b])]
    assert len(near) > 5
    assert {relation(files[a], files[b]) for a, b in near[:6]} == {"unlike"}
