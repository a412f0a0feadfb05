"""Deep images through the same cuts, colours and flips as photographs."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve1d

from pixelwise.data.augment import PADDING_COLOR, augment, padding
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.planes import Planes
from pixelwise.labels import IGNORE
from pixelwise.settings import Settings

PLAIN = Settings(crop_size=32, scale_min=1, scale_max=1, flip=0, color_jitter=0, blur=0)
WILD = Settings(crop_size=40, scale_min=0.5, scale_max=2, flip=0.5, color_jitter=0.4, blur=0)
SAME = tuple(range(8))


def of(depth, count, *, is_color=False, high=None):
    high = {"uint8": 255.0, "uint16": 65535.0, "int16": 1000.0, "float32": 1.0}[depth] if high is None else high
    return Bands(depth, count, tuple(range(1, count + 1)), ((0.0, high),) * count, is_color)


def draw(image, mask, settings, bands, seed=0):
    generator = np.random.default_rng(seed)
    return augment(image, mask, settings, generator=generator, mirrored=SAME, bands=bands)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "int16", "float32"])
def test_at_scale_one_a_crop_has_the_very_numbers_of_the_file(depth):
    generator = np.random.default_rng(1)
    values = (generator.random((5, 32, 32)) * 1000).astype(depth)
    ids = np.zeros((32, 32), dtype=np.uint8)
    sample = draw(Planes.of(values), Image.fromarray(ids), PLAIN, of(depth, 5))
    assert sample.image.dtype == depth
    assert np.array_equal(sample.image, values)


def test_planes_of_8_bits_are_cut_scaled_flipped_and_recoloured_as_a_photograph_is():
    pixels = np.random.default_rng(2).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    mask = Image.fromarray(pixels[..., 0] % 8)
    bands = of("uint8", 3, is_color=True)
    for seed in range(20):
        photo = draw(Image.fromarray(pixels), mask, WILD, PHOTOGRAPH, seed)
        planes = draw(Planes.of(pixels.transpose(2, 0, 1)), mask, WILD, bands, seed)
        assert np.array_equal(photo.class_ids, planes.class_ids)
        # Pillow rounds colours in its own way; what differs is one level.
        assert np.abs(photo.image.astype(int) - planes.image.astype(int)).max() <= 1


def test_12_bits_scaled_have_more_than_256_levels():
    ramp = np.linspace(0, 4095, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    settings = PLAIN.changed(scale_min=0.5, scale_max=0.5)
    sample = draw(Planes.of(ramp), Image.new("L", (64, 64)), settings, of("uint16", 1, high=4095.0))
    # Half the size: each pixel is about the mean of four.
    expected = ramp[0].reshape(32, 2, 32, 2).mean(axis=(1, 3))
    assert len(np.unique(sample.image)) > 256
    assert np.abs(sample.image[0, 2:-2, 2:-2] - expected[2:-2, 2:-2]).max() <= 2


def test_colour_jitter_leaves_bands_that_are_no_colours():
    values = np.random.default_rng(3).integers(0, 60000, (5, 40, 40), dtype=np.uint16)
    jitter = PLAIN.changed(crop_size=40, color_jitter=1.0)
    plain = draw(Planes.of(values), Image.new("L", (40, 40)), jitter, of("uint16", 5))
    assert np.array_equal(plain.image, values)
    beside_colors = draw(Planes.of(values), Image.new("L", (40, 40)), jitter, of("uint16", 5, is_color=True))
    assert not np.array_equal(beside_colors.image[:3], values[:3])
    assert np.array_equal(beside_colors.image[3:], values[3:])


def test_blur_is_a_gaussian_in_the_depth_of_the_file():
    values = np.zeros((1, 33, 33), dtype=np.uint16)
    values[0, 16, 16] = 60000
    settings = PLAIN.changed(crop_size=33, blur=1.0)
    sample = draw(Planes.of(values), Image.new("L", (33, 33)), settings, of("uint16", 1), seed=5)
    radius = np.random.default_rng(5).random(6)[5]  # the sixth draw, as a share of one pixel
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / radius) ** 2)
    kernel /= kernel.sum()
    expected = convolve1d(convolve1d(values[0].astype(float), kernel, axis=0), kernel, axis=1)
    assert np.abs(sample.image[0] - expected).max() <= 60000 * 1e-3


def test_padding_is_what_the_network_takes_for_about_0():
    assert padding(PHOTOGRAPH) == PADDING_COLOR
    assert padding(of("uint16", 3, is_color=True)) == tuple(value * 257 for value in PADDING_COLOR)
    (gray,) = padding(of("float32", 1))
    assert gray == pytest.approx((124 + 116 + 104) / 765)
    values = np.full((1, 8, 8), 3, dtype=np.int16)
    sample = draw(Planes.of(values), Image.new("L", (8, 8)), PLAIN, of("int16", 1))
    outside = sample.class_ids == IGNORE
    assert outside.sum() == 32 * 32 - 64
    assert set(sample.image[0][outside].tolist()) == {round(1000 * (124 + 116 + 104) / 765)}
