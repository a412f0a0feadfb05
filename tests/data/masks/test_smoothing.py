import numpy as np
import pytest
from PIL import Image

from pixelwise.data.masks.smoothing import is_smoothed, place_between, share_between


def regions(size=160, num_classes=8):
    """Stripes of classes whose ids jump, as in a mask of many classes."""
    columns = np.arange(size) // 10 * 37 % num_classes
    rows = np.arange(size) // 16 * 5
    return ((columns[None] + rows[:, None]) % num_classes).astype(np.uint8)


def test_a_clean_mask_has_nothing_between_its_regions():
    mask = Image.fromarray(regions())
    assert share_between(mask) == 0
    assert not is_smoothed(mask, 8)


@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_a_mask_resized_with_smoothing_is_recognised(how):
    mask = Image.fromarray(regions() * 30).resize((100, 100), how)
    assert is_smoothed(mask, len(np.unique(np.asarray(mask))))


def test_the_share_by_hand():
    # Two borders along every row: 0 | 5 | 9 passes through 5, which lies between; 9 | 0 has nothing between.
    row = np.array([0, 0, 0, 5, 9, 9, 9, 0, 0, 0], dtype=np.uint8)
    # Pairs two apart that differ: (0, 5), (0, 9), (5, 9), (9, 0), (9, 0); between them once: 0 < 5 < 9.
    assert share_between(Image.fromarray(np.stack([row] * 4))) == pytest.approx(1 / 5)


def test_ignored_pixels_are_no_side_of_a_border():
    row = np.array([0, 0, 3, 255, 255, 3, 0, 0], dtype=np.uint8)
    assert share_between(Image.fromarray(np.stack([row] * 4))) == 0


def test_the_place_is_where_the_stray_values_are():
    mask = np.zeros((300, 400), dtype=np.uint8)
    mask[:, 200:] = 10
    mask[100:110, 199], mask[100:110, 200], mask[100:110, 201] = 3, 5, 7
    left, top, right, bottom = place_between(Image.fromarray(mask))
    assert left <= 199
    assert right > 201
    assert top <= 100
    assert bottom >= 110
    assert right - left <= 64
    assert bottom - top <= 64
