"""Widths of drawn stripes, by hand; the border and ignored pixels are no edges of an object."""

import math

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.dataset.pairs import Pair, find_pairs
from pixelwise.data.facts.sampling import Bound, sampled, spread
from pixelwise.data.facts.widths import pixel_widths, widths_of
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable
from tests.conftest import REAL_DATA

LABELS = LabelTable.numbered(4)


def pairs_of(folder, *masks):
    pairs = []
    for i, mask in enumerate(masks):
        pair = Pair(str(i), folder / f"{i}.jpg", folder / f"{i}.png")
        Image.fromarray(np.asarray(mask, dtype=np.uint8)).save(pair.mask)
        pairs.append(pair)
    return pairs


def stripe(width, degrees, size=161):
    """Class 1 along a line through the middle, so wide across."""
    rows, columns = np.mgrid[:size, :size] - size // 2
    across = columns * math.sin(math.radians(degrees)) + rows * math.cos(math.radians(degrees))
    # Half a thousandth off, so that no pixel lies just on an edge.
    return (np.abs(across + 5e-4) < width / 2).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("degrees", [0, 90])
def test_a_stripe_along_rows_or_columns_is_as_wide_as_drawn(tmp_path, width, degrees):
    mask = np.zeros((50, 60))
    mask[15 : 15 + width] = 1
    pairs = pairs_of(tmp_path, mask if degrees else mask.T)
    assert widths_of(pairs, LABELS)[1] == width


@pytest.mark.parametrize("degrees", [10, 22.5, 30, 45, 60, 100, 135, 160])
@pytest.mark.parametrize("width", [5, 9, 20])
def test_a_stripe_in_any_direction_is_wider_by_8_percent_and_a_pixel_at_most(tmp_path, width, degrees):
    found = widths_of(pairs_of(tmp_path, stripe(width, degrees)), LABELS)[1]
    assert width - 1 <= found <= 1.083 * width + 1


def test_the_lines_through_a_pixel_by_hand():
    mask = np.zeros((5, 6), dtype=np.uint8)
    mask[1:3, 1:5] = 1  # 2 rows of 4
    widths = pixel_widths(mask)
    # A corner ends both of its diagonals: one pixel long is one through it, which is sqrt(2) across.
    assert widths[1, 1] == pytest.approx(math.sqrt(2))
    assert widths[1, 2] == widths[2, 3] == 2
    # Every line through the corner of the ground ends at the border: each counts as far as it is seen.
    assert widths[0, 0] == pytest.approx(math.sqrt(2))


def test_half_of_the_pixels_lie_where_the_class_is_no_wider(tmp_path):
    mask = np.zeros((60, 100))
    mask[10:14] = 1  # 400 pixels, 4 wide
    mask[30:33, :] = 2  # 300 pixels, 3 wide
    mask[40:50, :] = 2  # 1000 pixels, 10 wide
    assert widths_of(pairs_of(tmp_path, mask), LABELS) == {0: pytest.approx(10, abs=3), 1: 4, 2: 10}


def test_a_net_is_as_wide_as_its_lines_though_it_is_one_region(tmp_path):
    mask = np.zeros((200, 200))
    for at in range(10, 200, 40):
        mask[at : at + 3] = 1
        mask[:, at : at + 3] = 1
    assert widths_of(pairs_of(tmp_path, mask), LABELS)[1] == 3


def test_a_disc_is_less_wide_than_its_diameter_and_more_than_half_of_it(tmp_path):
    rows, columns = np.mgrid[:101, :101] - 50
    found = widths_of(pairs_of(tmp_path, rows**2 + columns**2 <= 20**2), LABELS)[1]
    # The shorter of four chords through a pixel; half of the pixels lie farther out than 0.71 radii.
    assert 20 < found < 41


def test_an_ignored_band_is_no_edge(tmp_path):
    mask = np.zeros((40, 90))
    mask[10:16] = 1
    cut = mask.copy()
    cut[:, 40:43] = IGNORE  # across the stripe: its lines along the columns are whole
    assert widths_of(pairs_of(tmp_path, mask), LABELS)[1] == 6
    cut_folder = tmp_path / "cut"
    cut_folder.mkdir()
    assert widths_of(pairs_of(cut_folder, cut), LABELS)[1] == 6
    # One side hidden: the lines across say only that it is wider; those along the rows end at the border.
    halved = np.zeros((1, 9), dtype=np.uint8)
    halved[0, 2:6], halved[0, 6:] = 1, IGNORE
    assert pixel_widths(halved)[0, 3] == 1  # all four are open: a column of one row is the shortest


def test_a_line_with_an_open_end_counts_only_where_all_do():
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[0:3, 2:7] = 1  # at the upper border: of the columns 3 pixels are seen, the rows are whole
    widths = pixel_widths(mask)
    assert widths[1, 4] == 5
    alone = pixel_widths(np.ones((3, 7), dtype=np.uint8))
    assert (alone <= 3).all()
    assert alone[1, 3] == 3


def test_classes_that_never_occur_have_no_width(tmp_path):
    assert widths_of(pairs_of(tmp_path, np.full((9, 9), IGNORE)), LABELS) == {}
    assert widths_of([], LABELS) == {}
    folder = tmp_path / "one"
    folder.mkdir()
    assert set(widths_of(pairs_of(folder, [[0, 3], [3, IGNORE]]), LABELS)) == {0, 3}


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (17, 3)])
def test_masks_of_any_shape_have_widths(shape):
    ids = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    widths = pixel_widths(ids)
    assert widths.shape == shape
    assert (widths >= 1).all()


def test_a_mask_that_is_broken_is_named(tmp_path):
    pairs = pairs_of(tmp_path, np.zeros((4, 4)))
    pairs[0].mask.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"0\.png"):
        widths_of(pairs, LABELS)


def test_every_beginning_of_the_order_is_spread_evenly():
    assert sorted(spread(50)) == list(range(50))
    for number in (5, 10, 20):
        chosen = sorted(spread(100)[:number])
        gaps = np.diff([0, *chosen, 100])
        assert gaps.max() <= 2.7 * 100 / number


def test_looking_ends_with_the_pixels_that_are_granted_but_not_before_the_least_number(tmp_path):
    pairs = pairs_of(tmp_path, *[np.zeros((4, 4))] * 30)
    assert len(sampled(pairs, lambda pair: (10, pair.name), Bound(most=20, least=3, pixels=10**6))) == 20
    assert len(sampled(pairs, lambda pair: (10, pair.name), Bound(most=20, least=3, pixels=75))) == 8
    few = sampled(pairs, lambda pair: (10, int(pair.name)), Bound(most=20, least=3, pixels=1))
    assert few == sorted(few)
    assert len(few) == 3


@pytest.mark.parametrize(("name", "least", "most"), [("crackforest", 3, 5.5), ("drive", 3, 5)])
def test_thin_classes_of_real_sets_are_as_wide_as_people_say(name, least, most):
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip("the shared data is not here")
    pairs, _ = find_pairs(folder / "train", folder / "train_annotation")
    assert least <= widths_of(pairs[:12], LabelTable.numbered(2))[1] <= most
