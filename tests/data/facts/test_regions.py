import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pixelwise.data.facts.regions import NO_REGIONS, RegionSizes, regions
from tests.conftest import REAL_DATA

CAMVID = REAL_DATA / "camvid" / "validation_annotation"


def mask(*rows):
    return np.array([[255 if mark == "." else int(mark) for mark in row] for row in rows], dtype=np.uint8)


def listed(found):
    return sorted(zip(*(column.tolist() for column in found), strict=True))


def by_scipy(class_ids):
    expected = []
    for class_id in np.unique(class_ids[class_ids != 255]).tolist():
        labels, number = ndimage.label(class_ids == class_id, np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=number + 1)[1:].tolist()
        for area, (rows, columns) in zip(areas, ndimage.find_objects(labels), strict=True):
            expected.append((class_id, area, rows.stop - rows.start, columns.stop - columns.start))
    return sorted(expected)


def test_regions_of_a_small_mask_by_hand():
    found = regions(mask("0011", "2001", ".201"))
    # (class, area, height, width); the two pixels of class 2 touch at a corner.
    assert listed(found) == [(0, 5, 3, 3), (1, 4, 3, 2), (2, 2, 2, 2)]


def test_regions_are_listed_by_their_first_pixel():
    assert regions(mask("3.1", "..1", "2..")).class_id.tolist() == [3, 1, 2]


def test_regions_that_touch_at_a_corner_in_either_direction_are_one():
    assert listed(regions(mask("1.", ".1"))) == [(1, 2, 2, 2)]
    assert listed(regions(mask(".1", "1."))) == [(1, 2, 2, 2)]


def test_the_end_of_a_row_does_not_touch_the_beginning_of_the_next():
    assert listed(regions(mask("...1", "1..."))) == [(1, 1, 1, 1), (1, 1, 1, 1)]


def test_two_arms_that_meet_further_down_are_one_region():
    assert listed(regions(mask("1.1.1", "1.1.1", "11111"))) == [(1, 11, 3, 5)]


@pytest.mark.parametrize("num_values", [2, 3, 6, 200])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (33, 47)])
def test_regions_of_random_masks_agree_with_scipy(shape, num_values):
    values = np.random.default_rng(num_values).integers(0, num_values, shape).astype(np.uint8)
    values[values == num_values - 1] = 255
    assert listed(regions(values)) == by_scipy(values)


def test_regions_of_large_shapes_agree_with_scipy():
    rows, columns = np.mgrid[:80, :110]
    rings = (np.hypot(rows - 40, columns - 50) // 7 % 3).astype(np.uint8)
    stripes = np.where((rows + columns) % 9 < 2, 255, rings).astype(np.uint8)
    assert listed(regions(rings)) == by_scipy(rings)
    assert listed(regions(stripes)) == by_scipy(stripes)
    assert listed(regions(stripes.T)) == by_scipy(stripes.T)


@pytest.mark.skipif(not CAMVID.is_dir(), reason="needs the CamVid masks")
def test_regions_of_real_masks_agree_with_scipy():
    for path in sorted(CAMVID.iterdir())[::25]:
        class_ids = np.asarray(Image.open(path))
        assert listed(regions(class_ids)) == by_scipy(class_ids)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (3, 4)])
def test_masks_without_labelled_pixels_have_no_regions(shape):
    assert regions(np.full(shape, 255, dtype=np.uint8)).area.tolist() == []


def test_sizes_over_two_masks_by_hand():
    sizes = RegionSizes()
    sizes.add(mask("11....1...", ".........."))  # class 1: 2 and 1 of 20 pixels
    sizes.add(mask("1111"))  # class 1: 4 of 4
    found = sizes.result(2)[1]
    assert found.count == 3
    assert (found.smallest, found.largest) == (1 / 20, 1.0)
    assert found.median == pytest.approx(2 / 20, rel=0.005)
    assert (found.median_extent_px, found.largest_extent_px) == (2.0, 4.0)
    # 7 pixels: 1 in a region of extent 1, 2 of extent 2, 4 of extent 4; the fourth pixel lies in the last.
    assert found.typical_extent_px == 4.0
    assert found.typical_thickness_px == pytest.approx(1.0, rel=0.005)


def test_thickness_is_that_of_the_rectangle_of_equal_length_and_area():
    sizes = RegionSizes()
    sizes.add(np.kron(mask("0.", ".1"), np.ones((12, 3), dtype=np.uint8)))
    for found in sizes.result(2):
        assert found.typical_extent_px == 12.0
        assert found.typical_thickness_px == pytest.approx(3.0, rel=0.005)


def test_medians_agree_with_numpy_within_their_resolution():
    sizes, shares, extents = RegionSizes(), [], []
    for seed in range(5):
        smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(90, 160)), 3)
        class_ids = np.digitize(smooth, [-0.05, 0.05]).astype(np.uint8)
        sizes.add(class_ids)
        found = regions(class_ids)
        shares += (found.area[found.class_id == 1] / class_ids.size).tolist()
        extents += found.extent[found.class_id == 1].tolist()
    result = sizes.result(3)[1]
    assert result.median == pytest.approx(np.quantile(shares, 0.5, method="inverted_cdf"), rel=0.0051)
    assert result.median_extent_px == np.quantile(extents, 0.5, method="inverted_cdf")
    assert (result.count, result.largest_extent_px) == (len(extents), max(extents))


def test_sizes_of_parts_add_up_to_those_of_the_whole():
    masks = [np.random.default_rng(seed).integers(0, 2 + seed, (20, 30)).astype(np.uint8) for seed in range(6)]
    whole, left, right = RegionSizes(), RegionSizes(), RegionSizes()
    for i, class_ids in enumerate(masks):
        whole.add(class_ids)
        (left if i < 2 else right).add(class_ids)
    left += right
    assert left.result(8) == (*whole.result(7), NO_REGIONS)
    empty = RegionSizes()
    empty += whole
    whole += RegionSizes()
    assert empty.result(7) == whole.result(7)


def test_absent_classes_have_no_sizes_and_values_past_the_classes_do_not_count():
    sizes = RegionSizes()
    sizes.add(mask("0...5"))
    found = sizes.result(3)
    assert [each.count for each in found] == [1, 0, 0]
    assert math.isnan(found[2].median)
    assert found[2].to_json()["median"] is None
    assert found[0].to_json()["smallest"] == 1 / 5


def test_254_classes_each_have_their_region():
    sizes = RegionSizes()
    sizes.add(np.arange(254, dtype=np.uint8).reshape(2, 127))
    assert [found.count for found in sizes.result(254)] == [1] * 254


def test_the_extent_of_a_region_as_large_as_the_mask_is_its_side():
    sizes = RegionSizes()
    sizes.add(np.zeros((300, 431), dtype=np.uint8))
    found = sizes.result(1)[0]
    assert (found.median, found.largest) == (1.0, 1.0)
    assert found.largest_extent_px == 431
    assert found.typical_extent_px == pytest.approx(431, rel=0.005)
