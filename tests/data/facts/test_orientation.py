"""Whether drawn images have an up, and whether their rows and columns differ."""

import json
import math

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pixelwise.data.bands import Bands
from pixelwise.data.dataset.pairs import Pair, find_pairs
from pixelwise.data.facts.orientation import orientation_of
from pixelwise.labels import IGNORE, LabelTable
from tests.conftest import REAL_DATA

LABELS = LabelTable.named(["ground", "thing"])


def blobs(generator, sigma=4.0, shape=(60, 80)):
    """Smooth noise, alike in all directions, and a mask of what is bright in it."""
    values = gaussian_filter(generator.normal(size=shape), sigma, mode="wrap")
    values = values / values.std()
    return values, (values > 1).astype(np.uint8)


def pairs_of(folder, draw, number=40):
    """Pairs of `draw(generator)`: values about 0 with a spread of 1, and class ids."""
    pairs = []
    for i in range(number):
        values, ids = draw(np.random.default_rng(i))
        pair = Pair(f"{i:03}", folder / f"{i:03}.bmp", folder / f"{i:03}.png")
        gray = np.clip(120 + 30 * values, 0, 255).astype(np.uint8)
        Image.fromarray(np.stack([gray] * 3, axis=-1)).save(pair.image)
        Image.fromarray(ids).save(pair.mask)
        pairs.append(pair)
    return pairs


def test_blobs_have_no_up(tmp_path):
    found = orientation_of(pairs_of(tmp_path, blobs), LABELS)
    assert not found.upright
    assert not found.up_down.differs
    assert not found.left_right.differs
    assert not found.rows_columns.differs
    assert found.images == 40
    assert found.reason.startswith("Images have no up: of 40, ")


def test_a_bright_sky_is_an_up(tmp_path):
    def draw(generator):
        values, ids = blobs(generator)
        values[:30] += 1
        return values, ids

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert found.has_up
    assert found.up_down.told >= 0.95
    # Halves 1 apart; their pixels have a spread of 1 around means 1 apart: sqrt(1 + 0.25).
    assert found.up_down.size == pytest.approx(1 / math.sqrt(1.25), abs=0.1)
    assert found.up_down.by in ("red", "green", "blue")
    assert not found.left_right.differs
    assert "of 40 are told from upside-down copies; top and bottom differ most in" in found.reason


def test_a_class_that_lies_below_is_an_up_though_the_colours_say_nothing(tmp_path):
    def draw(generator):
        values, _ = blobs(generator)
        ids = np.zeros(values.shape, dtype=np.uint8)
        row, column = generator.integers(32, 50), generator.integers(0, 60)
        ids[row : row + 10, column : column + 20] = 1
        return values, ids

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert found.has_up
    assert found.up_down.by in LABELS.names


def test_detail_below_is_an_up(tmp_path):
    def draw(generator):
        values, ids = blobs(generator)
        values[30:] = generator.normal(size=values[30:].shape)
        return values, ids

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert found.has_up
    assert found.up_down.by == "detail"


def test_a_slight_trend_in_every_image_is_no_up(tmp_path):
    def draw(generator):
        values, ids = blobs(generator, sigma=1.0)  # so fine that nothing else differs between halves
        values += np.linspace(-0.15, 0.15, 60)[:, None]
        return values, ids

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert found.up_down.told > 0.8  # nearly every image shows it
    assert found.up_down.size == pytest.approx(0.15, abs=0.03)
    assert not found.upright


def test_what_differs_in_single_images_alone_is_no_up(tmp_path):
    def draw(generator):
        values, ids = blobs(generator)
        values[:30] += generator.choice([-1, 1])
        return values, ids

    assert not orientation_of(pairs_of(tmp_path, draw, 100), LABELS).upright


def test_a_difference_of_left_and_right_is_told_and_is_no_up(tmp_path):
    def draw(generator):
        values, ids = blobs(generator)
        values[:, :40] += 1
        return values, ids

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert found.left_right.differs
    assert not found.has_up


def test_stripes_keep_their_direction_without_an_up(tmp_path):
    def draw(generator):
        values = np.repeat(gaussian_filter(generator.normal(size=80), 1.0), 60).reshape(80, 60).T
        return values / values.std() + 0.2 * generator.normal(size=values.shape), blobs(generator)[1]

    found = orientation_of(pairs_of(tmp_path, draw), LABELS)
    assert not found.has_up
    assert found.rows_columns.differs
    assert found.rows_columns.by == "detail"
    assert found.rows_columns.size > 1.25
    assert found.upright
    assert found.reason.startswith("Images keep their direction: ")


def test_ignored_halves_say_nothing(tmp_path):
    def draw(generator):
        values, ids = blobs(generator)
        ids[:30] = IGNORE
        return values, ids

    assert not orientation_of(pairs_of(tmp_path, draw), LABELS).upright


def test_few_images_are_taken_to_have_an_up(tmp_path):
    found = orientation_of(pairs_of(tmp_path, blobs, 7), LABELS)
    assert found.upright
    assert not found.is_known
    assert "7 images of the 8 that are needed" in found.reason
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["up_down"]["told"] is None
    assert orientation_of([], LABELS).upright


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1)])
def test_images_of_any_shape_are_looked_at(tmp_path, shape):
    pairs = pairs_of(tmp_path, lambda generator: (generator.normal(size=shape), np.zeros(shape, dtype=np.uint8)), 9)
    assert orientation_of(pairs, LABELS).images == 9


def test_images_of_one_colour_differ_in_nothing(tmp_path):
    found = orientation_of(
        pairs_of(tmp_path, lambda _: (np.zeros((20, 20)), np.zeros((20, 20), dtype=np.uint8))), LABELS
    )
    assert found.up_down.told == 0.5  # a draw in every image
    assert not found.upright


@pytest.mark.parametrize(("depth", "high"), [("uint16", 4095), ("float32", 1)])
def test_deep_images_are_looked_at_in_their_range(tmp_path, depth, high):
    bands = Bands(depth, 2, (1, 2), ((0.0, float(high)),) * 2, False)
    pairs = []
    for i in range(20):
        values, ids = blobs(np.random.default_rng(i))
        lit = values.copy()
        lit[:30] += 1.5
        pair = Pair(str(i), tmp_path / f"{i}.npy", tmp_path / f"{i}.png")
        planes = np.clip(0.4 + 0.1 * np.stack([values, lit], axis=-1), 0, 1) * high
        np.save(pair.image, planes.astype(depth))
        Image.fromarray(ids).save(pair.mask)
        pairs.append(pair)
    found = orientation_of(pairs, LABELS, bands)
    assert found.has_up
    assert found.up_down.by == "band 2"


@pytest.mark.parametrize(
    ("name", "upright"), [("camvid", True), ("clothing", True), ("epfl-roads", False), ("digital-rock", False)]
)
def test_real_sets_have_the_up_that_people_see(name, upright):
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip("the shared data is not here")
    pairs, _ = find_pairs(folder / "train", folder / "train_annotation")
    labels = LabelTable.read(folder / "classes.json")
    assert orientation_of(pairs[:: max(1, len(pairs) // 40)], labels).upright == upright
