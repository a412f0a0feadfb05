import colorsys

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.augment import PADDING_COLOR, augment, color_matrix, flipped
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.settings import Settings

PLAIN = Settings(crop_size=32, scale_min=1, scale_max=1, flip=0, color_jitter=0, blur=0)
SAME = tuple(range(8))


def draw(image, mask, settings, seed=0, mirrored=SAME):
    return augment(image, mask, settings, generator=np.random.default_rng(seed), mirrored=mirrored)


def checkered(width, height, square=16):
    """A mask of classes 0 and 1 in squares, and an image that is black and white just there."""
    rows, columns = np.mgrid[:height, :width] // square
    ids = ((rows + columns) % 2).astype(np.uint8)
    return Image.fromarray(ids * 255).convert("RGB"), Image.fromarray(ids)


def test_at_scale_one_the_crop_is_a_piece_of_the_image():
    pixels = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    ids = pixels[..., 0] % 8
    sample = draw(Image.fromarray(pixels), Image.fromarray(ids), PLAIN)
    places = [
        (top, left)
        for top in range(50 - 32 + 1)
        for left in range(60 - 32 + 1)
        if np.array_equal(pixels[top : top + 32, left : left + 32].transpose(2, 0, 1), sample.image)
    ]
    ((top, left),) = places
    assert np.array_equal(ids[top : top + 32, left : left + 32], sample.class_ids)


def test_every_place_of_the_crop_can_happen():
    ids = np.arange(34 * 33, dtype=np.int64).reshape(34, 33) % 251
    mask = Image.fromarray(ids.astype(np.uint8))
    corners = {int(draw(Image.new("RGB", (33, 34)), mask, PLAIN, seed).class_ids[0, 0]) for seed in range(200)}
    assert corners == {int(ids[top, left]) for top in range(3) for left in range(2)}


@pytest.mark.parametrize("factor", [0.3, 0.77, 1.0, 1.9, 3.3])
@pytest.mark.parametrize("flip", [0, 1])
def test_image_and_mask_stay_aligned(factor, flip):
    # At each border of the squares the image passes middle grey within half a pixel of the mask's border:
    # the pixel that the mask assigns to a side is on that side of grey, borders that fall on it apart.
    image, mask = checkered(160, 128)
    settings = PLAIN.changed(crop_size=96, scale_min=factor, scale_max=factor, flip=flip)
    for seed in range(5):
        sample = draw(image, mask, settings, seed)
        labelled = sample.class_ids != IGNORE
        assert labelled.any()
        grey = sample.image[0].astype(int)
        wrong = labelled & (np.abs(grey - 255 * (sample.class_ids == 1)) > 128 + 8)
        assert wrong.sum() == 0


def test_a_crop_equals_resizing_the_whole_image_and_cropping_then():
    pixels = np.random.default_rng(2).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    mask = Image.fromarray(pixels[..., 0] % 8)
    settings = PLAIN.changed(scale_min=0.8, scale_max=0.8)
    sample = draw(image, mask, settings)
    whole = np.asarray(image.resize((64, 48), Image.Resampling.BILINEAR)).astype(int)
    whole_ids = np.asarray(mask.resize((64, 48), Image.Resampling.NEAREST))
    matches = [
        (top, left)
        for top in range(48 - 32 + 1)
        for left in range(64 - 32 + 1)
        if np.array_equal(whole_ids[top : top + 32, left : left + 32], sample.class_ids)
    ]
    ((top, left),) = matches
    crop = whole[top : top + 32, left : left + 32].transpose(2, 0, 1)
    assert np.abs(crop - sample.image).max() <= 2


def test_padding_is_ignored_in_the_mask_and_the_mean_colour_in_the_image():
    image, mask = Image.new("RGB", (10, 20), (1, 2, 3)), Image.new("L", (10, 20), 4)
    for settings in (PLAIN, PLAIN.changed(flip=1), PLAIN.changed(color_jitter=0.4, blur=1)):
        sample = draw(image, mask, settings)
        inside = sample.class_ids == 4
        assert inside.sum() == 10 * 20
        assert set(np.unique(sample.class_ids)) == {4, IGNORE}
        assert (sample.image[:, ~inside] == np.array(PADDING_COLOR)[:, None]).all()
    assert (draw(image, mask, PLAIN).image[:, inside_of(draw(image, mask, PLAIN))] == [[1], [2], [3]]).all()


def inside_of(sample):
    return sample.class_ids != IGNORE


def test_an_image_smaller_than_the_crop_lies_anywhere_in_it():
    image, mask = Image.new("RGB", (30, 32)), Image.new("L", (30, 32))
    lefts = {int(np.argmax(inside_of(draw(image, mask, PLAIN, seed))[0])) for seed in range(60)}
    assert lefts == {0, 1, 2}


def test_base_size_sets_the_long_side():
    image, mask = Image.new("RGB", (200, 100)), Image.new("L", (200, 100))
    settings = PLAIN.changed(crop_size=64, base_size=50)
    inside = inside_of(draw(image, mask, settings))
    assert (inside.any(axis=0).sum(), inside.any(axis=1).sum()) == (50, 25)


def test_scales_fill_their_range_evenly():
    image, mask = Image.new("RGB", (100, 100)), Image.new("L", (100, 100))
    settings = PLAIN.changed(crop_size=200, scale_min=0.5, scale_max=1.5)
    sides = [inside_of(draw(image, mask, settings, seed)).any(axis=0).sum() for seed in range(300)]
    assert 50 <= min(sides) < 55
    assert 145 < max(sides) <= 150
    assert abs(np.mean(sides) - 100) < 6  # standard error 1.7


def test_a_flip_mirrors_and_swaps_left_and_right_classes():
    labels = LabelTable.named(["background", "left arm", "right arm"])
    image = Image.fromarray(np.array([[[10] * 3, [20] * 3, [30] * 3]], dtype=np.uint8))
    mask = Image.fromarray(np.array([[0, 1, IGNORE]], dtype=np.uint8))
    image, mask = flipped(image, mask, labels.mirrored())
    assert np.asarray(image)[0, :, 0].tolist() == [30, 20, 10]
    assert np.asarray(mask).tolist() == [[IGNORE, 2, 0]]


def test_flips_are_as_frequent_as_the_setting_says():
    image, mask = checkered(32, 32)
    ids = np.asarray(mask)[:, ::-1]
    settings = PLAIN.changed(flip=0.25)
    share = np.mean([np.array_equal(draw(image, mask, settings, seed).class_ids, ids) for seed in range(400)])
    assert abs(share - 0.25) < 0.07  # standard error 0.022


def test_without_strength_colours_stay():
    matrix = np.array(color_matrix(0.0, np.ones(4))).reshape(3, 4)
    assert np.allclose(matrix, np.eye(3, 4), atol=1e-3)


def test_brightness_contrast_and_saturation_do_what_they_say():
    def apply(draws, color):
        return Image.new("RGB", (1, 1), color).convert("RGB", color_matrix(0.5, np.array(draws))).getpixel((0, 0))

    assert apply([1, 0, 0, 0], (100, 40, 20)) == pytest.approx((150, 60, 30), abs=1)
    assert apply([0, 1, 0, 0], (100, 40, 20)) == pytest.approx((86, 0, 0), abs=1)
    # Half way to the luma 0.299 * 100 + 0.587 * 40 + 0.114 * 20 = 55.66.
    assert apply([0, 0, -1, 0], (100, 40, 20)) == pytest.approx((78, 48, 38), abs=1)


def test_hue_turns_colours_and_leaves_greys():
    matrix = color_matrix(0.4, np.array([0.0, 0, 0, 1]))
    grey = Image.new("RGB", (1, 1), (90, 90, 90)).convert("RGB", matrix).getpixel((0, 0))
    assert grey == pytest.approx((90, 90, 90), abs=1)
    turned = Image.new("RGB", (1, 1), (150, 80, 80)).convert("RGB", matrix).getpixel((0, 0))
    degrees = colorsys.rgb_to_hsv(*turned)[0] * 360
    assert 8 < min(degrees, 360 - degrees) < 30


def test_blur_softens_the_image_only():
    image, mask = checkered(32, 32, square=4)
    for seed in range(3):
        sharp, soft = draw(image, mask, PLAIN, seed), draw(image, mask, PLAIN.changed(blur=1), seed)
        assert soft.image.astype(float).std() < sharp.image.astype(float).std()
        assert np.array_equal(sharp.class_ids, soft.class_ids)


def test_one_generator_state_gives_one_sample():
    image, mask = checkered(100, 80)
    settings = Settings(crop_size=48, blur=0.5)
    first, again, other = (draw(image, mask, settings, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.class_ids, again.class_ids)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_extreme_shapes_give_a_crop(size):
    settings = Settings(crop_size=32, base_size=40, scale_min=0.01)
    for seed in range(10):
        sample = draw(Image.new("RGB", size), Image.new("L", size), settings, seed)
        assert sample.image.shape == (3, 32, 32)
        assert inside_of(sample).any()
