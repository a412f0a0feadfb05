"""Crops laid around classes of few pixels."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.augment import augment
from pixelwise.data.bands import Bands
from pixelwise.data.batches import TrainingBatches
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.planes import Planes
from pixelwise.data.rare import rare_classes, rare_pixel
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.settings import Settings

AROUND = Settings(crop_size=32, scale_min=1, scale_max=1, flip=0, color_jitter=0, rare_crops=1)
SAME = tuple(range(8))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ((984, 16), (1,)),  # cracks in roads: less than a half
        ((500, 500), ()),
        ((90, 6, 0, 4), (1, 3)),  # a third is even among the three that occur
        ((34, 33, 33), (1, 2)),
        ((0, 7), ()),
        ((0, 0), ()),
        ((), ()),
    ],
)
def test_rare_classes_hold_less_than_an_even_share(pixels, expected):
    assert rare_classes(pixels) == expected


def test_each_class_that_is_present_is_as_likely_and_each_of_its_pixels_too():
    mask = Image.fromarray(np.array([[0, 1, 1, IGNORE], [3, 1, 0, 1]], dtype=np.uint8))
    draws = np.random.default_rng(0).random((3000, 2))
    found = Counter(rare_pixel(mask, (1, 2, 3), *pair) for pair in draws.tolist())
    assert found.keys() == {(1, 0), (2, 0), (1, 1), (3, 1), (0, 1)}
    # Half of the draws are class 3, which has one pixel; class 1 has four.
    assert abs(found[0, 1] - 1500) < 110
    assert all(abs(found[place] - 375) < 75 for place in found if place != (0, 1))


def test_the_first_and_the_last_pixel_are_reached():
    ids = np.zeros((5, 4), dtype=np.uint8)
    ids[1, 2] = ids[3, 0] = ids[3, 3] = 1
    mask = Image.fromarray(ids)
    assert rare_pixel(mask, (1,), 0.0, 0.0) == (2, 1)
    assert rare_pixel(mask, (1,), 0.999, 0.5) == (0, 3)
    assert rare_pixel(mask, (1,), 0.999, 0.9999999) == (3, 3)


def test_an_image_without_a_rare_class_gives_an_ordinary_crop():
    pixels = np.random.default_rng(1).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    image, mask = Image.fromarray(pixels), Image.fromarray(pixels[..., 0] % 2)
    assert rare_pixel(mask, (2, 3), 0.5, 0.5) is None
    for seed in range(10):
        around, ordinary = (
            augment(image, mask, settings, generator=np.random.default_rng(seed), mirrored=SAME, rare=(2, 3))
            for settings in (AROUND, AROUND.changed(rare_crops=0))
        )
        assert np.array_equal(around.image, ordinary.image)


def lone(width, height, column, row):
    ids = np.zeros((height, width), dtype=np.uint8)
    ids[row, column] = 1
    return Image.new("RGB", (width, height)), Image.fromarray(ids)


def places(image, mask, settings, number=300):
    """Where the pixel lies in the crops: (column, row), None where it does not."""
    found = []
    for seed in range(number):
        sample = augment(image, mask, settings, generator=np.random.default_rng(seed), mirrored=SAME, rare=(1,))
        rows, columns = np.nonzero(sample.class_ids == 1)
        found.append((int(columns[0]), int(rows[0])) if len(rows) else None)
    return found


def test_the_pixel_lies_anywhere_in_the_crop():
    found = places(*lone(200, 150, 100, 75), AROUND, 2000)
    columns, rows = zip(*found, strict=True)
    assert set(columns) == set(rows) == set(range(32))
    # Of numbers from 0 to 31 the mean is 15.5; its standard error is 9.2 / sqrt(2000) = 0.21.
    assert abs(np.mean(columns) - 15.5) < 0.9
    assert abs(np.mean(rows) - 15.5) < 0.9


def test_near_a_corner_only_the_places_inside_the_image_are_left():
    found = places(*lone(200, 150, 2, 149), AROUND)
    assert {column for column, _ in found} == {0, 1, 2}
    assert {row for _, row in found} == {31}


@pytest.mark.parametrize("factor", [1.0, 1.7, 3.0])
def test_no_crop_misses_the_pixel_in_an_enlarged_image(factor):
    settings = AROUND.changed(scale_min=factor, scale_max=factor)
    for column, row in ((0, 0), (37, 20), (59, 44)):
        assert None not in places(*lone(60, 45, column, row), settings, 60)


def test_in_a_shrunk_image_crops_hold_the_object_around_the_pixel():
    ids = np.zeros((200, 200), dtype=np.uint8)
    ids[100:104, 20:24] = 1
    settings = AROUND.changed(scale_min=0.5, scale_max=0.5)
    assert None not in places(Image.new("RGB", (200, 200)), Image.fromarray(ids), settings, 100)


def test_the_share_of_such_crops_is_the_setting():
    # By chance a crop of 32 of 400 x 400 pixels holds the pixel in 32 x 32 of 369 x 369 places, which is 0.75 %.
    found = places(*lone(400, 400, 200, 200), AROUND.changed(rare_crops=0.33), 1000)
    assert abs(1 - found.count(None) / 1000 - 0.335) < 0.06  # standard error 0.015


def test_an_image_smaller_than_the_crop_is_padded_as_ever():
    found = places(*lone(20, 10, 5, 5), AROUND, 200)
    assert {column for column, _ in found} == set(range(5, 5 + 13))
    assert {row for _, row in found} == set(range(5, 5 + 23))


def test_deep_images_are_laid_around_rare_classes_too():
    values = np.arange(90 * 80, dtype=np.uint16).reshape(1, 90, 80)
    ids = (values[0] == 4321).astype(np.uint8)
    bands = Bands("uint16", 1, (1,), ((0.0, 7200.0),), False)
    for seed in range(20):
        sample = augment(
            Planes.of(values),
            Image.fromarray(ids),
            AROUND,
            generator=np.random.default_rng(seed),
            mirrored=SAME,
            bands=bands,
            rare=(1,),
        )
        assert sample.image[0][sample.class_ids == 1].tolist() == [4321]


def lone_pairs(folder):
    pairs = []
    for i in range(4):
        image, mask = lone(300, 200, 40 * i + 9, 30 * i + 5)
        pair = Pair(str(i), folder / f"{i}.bmp", folder / f"{i}.png")
        image.save(pair.image)
        mask.save(pair.mask)
        pairs.append(pair)
    return pairs


def test_batches_know_rare_classes_from_the_pixels_of_the_split(tmp_path):
    pairs, labels = lone_pairs(tmp_path), LabelTable.numbered(2)
    settings = AROUND.changed(mini_batch_size=4, num_workers=2, scale_max=2)
    balance = (4 * (300 * 200 - 1), 4)
    one, again = (TrainingBatches(pairs, labels, settings, class_pixels=balance) for _ in range(2))
    for epoch in range(3):
        (batch,), (same,) = one.of_epoch(epoch), again.of_epoch(epoch)
        assert (batch.class_ids == 1).any(dim=(1, 2)).all()
        assert (batch.class_ids == same.class_ids).all()
    assert not (batch.class_ids == next(iter(one.of_epoch(0))).class_ids).all()


def test_batches_with_rare_crops_ask_for_the_pixels_of_the_classes(tmp_path):
    with pytest.raises(ValueError, match="rare_crops needs the pixels of each class"):
        TrainingBatches(lone_pairs(tmp_path), LabelTable.numbered(2), AROUND)
