"""Crops of images without an up: all symmetries of the square, and what becomes of left and right classes."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.augment import augment, turned
from pixelwise.data.bands import Bands
from pixelwise.data.planes import Planes
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.settings import Settings

ANY_WAY = Settings(crop_size=24, scale_min=1, scale_max=1, flip=0.5, color_jitter=0, upright=False)
SAME = tuple(range(256))

# A pattern whose eight images all differ, as blocks of the crop.
IDS = np.kron(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.ones((8, 8))).astype(np.uint8)

# The group of the square, written out.
TURNS = {f"turned {quarters}": np.rot90(IDS, quarters) for quarters in range(4)}
MIRRORED = {f"mirrored, turned {quarters}": np.rot90(IDS[:, ::-1], quarters) for quarters in range(4)}
SYMMETRIES = {**TURNS, **MIRRORED}


def symmetry_of(ids):
    (name,) = (name for name, expected in SYMMETRIES.items() if np.array_equal(ids, expected))
    return name


def draw(settings, seed, mirrored=SAME, image=None, **options):
    image = image or Image.fromarray(IDS * 20).convert("RGB")
    generator = np.random.default_rng(seed)
    return augment(image, Image.fromarray(IDS), settings, generator=generator, mirrored=mirrored, **options)


def test_all_eight_symmetries_of_the_square_are_equally_likely():
    found = Counter(symmetry_of(draw(ANY_WAY, seed).class_ids) for seed in range(1600))
    assert found.keys() == SYMMETRIES.keys()
    # 200 each; the standard deviation of a count is 13.
    assert all(abs(count - 200) < 55 for count in found.values())


def test_without_mirroring_crops_are_turned_only():
    found = {symmetry_of(draw(ANY_WAY.changed(flip=0), seed).class_ids) for seed in range(60)}
    assert found == TURNS.keys()


def test_upright_crops_are_at_most_mirrored():
    found = {symmetry_of(draw(ANY_WAY.changed(upright=True), seed).class_ids) for seed in range(40)}
    assert found == {"turned 0", "mirrored, turned 0"}


def test_image_and_mask_turn_together():
    for seed in range(30):
        sample = draw(ANY_WAY, seed)
        assert np.array_equal(sample.image[1], sample.class_ids * 20)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "int16", "float32"])
def test_deep_images_turn_as_photographs_do(depth):
    values = np.stack([IDS * 20, IDS + 1]).astype(depth)
    bands = Bands(depth, 2, (1, 2), ((0.0, 255.0),) * 2, False)
    for seed in range(30):
        photo, deep = draw(ANY_WAY, seed), draw(ANY_WAY, seed, image=Planes.of(values), bands=bands)
        assert deep.image.dtype == depth
        assert np.array_equal(deep.class_ids, photo.class_ids)
        assert np.array_equal(deep.image[0], photo.image[0])
        assert np.array_equal(deep.image[1], photo.class_ids + 1)


def test_left_and_right_classes_swap_where_a_crop_is_mirrored_and_stay_where_it_is_turned():
    partners = LabelTable.named([f"class {i}" for i in range(8)] + ["left hand", "right hand"]).mirrored()
    seen = set()
    for seed in range(60):
        ids = draw(ANY_WAY, seed, partners).class_ids
        kind = symmetry_of(draw(ANY_WAY, seed).class_ids)
        seen.add(kind)
        expected = SYMMETRIES[kind].copy()
        if kind in MIRRORED:
            left, right = expected == 8, expected == 9
            expected[left], expected[right] = 9, 8
        assert np.array_equal(ids, expected)
    assert seen == SYMMETRIES.keys()


def test_a_flip_upside_down_is_a_mirror_image_of_a_half_turn():
    # So it swaps left and right classes, as `flipped` did before the turn.
    assert np.array_equal(SYMMETRIES["mirrored, turned 2"], IDS[::-1])


def test_a_turn_leaves_ignored_pixels_and_other_shapes_as_they_are():
    image = Image.fromarray(np.array([[[1] * 3, [2] * 3, [3] * 3]], dtype=np.uint8))
    mask = Image.fromarray(np.array([[0, IGNORE, 2]], dtype=np.uint8))
    image, mask = turned(image, mask, 1)
    assert np.asarray(mask).tolist() == [[2], [IGNORE], [0]]
    assert np.asarray(image)[:, 0, 0].tolist() == [3, 2, 1]


def test_the_number_of_draws_does_not_depend_on_the_settings():
    generators = [np.random.default_rng(7) for _ in range(2)]
    wild = Settings(crop_size=24)
    for generator, settings in zip(generators, (wild, wild.changed(upright=False, rare_crops=1)), strict=True):
        augment(Image.new("RGB", (40, 40)), Image.new("L", (40, 40)), settings, generator=generator, mirrored=SAME)
    assert generators[0].random() == generators[1].random()
