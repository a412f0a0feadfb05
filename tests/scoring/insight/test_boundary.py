import json
import math

import numpy as np
import pytest
from scipy import ndimage

from pixelwise.labels import IGNORE
from pixelwise.scoring.insight.boundary import WIDTHS, BoundaryTally, near_boundary
from tests.scoring.insight.scored import scored


def mask_to_boundary(mask, distance):
    """The paper's own function with SciPy in place of OpenCV: pad by 0, erode with 3 x 3, subtract."""
    padded = np.pad(mask, 1)
    eroded = ndimage.binary_erosion(padded, structure=np.ones((3, 3)), iterations=distance)
    return mask & ~eroded[1:-1, 1:-1]


def blobs(seed, shape=(60, 80), num_classes=4):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((num_classes, *shape)), (0, 6, 6))
    return noise.argmax(axis=0).astype(np.uint8)


def row(*values):
    return np.array([values], dtype=np.uint8)


def tally(truth, predicted, num_classes=4):
    counts = BoundaryTally(num_classes)
    counts.add(scored(truth, predicted))
    return counts.result()


@pytest.mark.parametrize("reach", [1, 2, 3, 5, 12, 40, 100])
@pytest.mark.parametrize("shape", [(60, 80), (7, 33), (1, 50)])
def test_edge_regions_are_those_of_the_papers_function(reach, shape):
    class_ids = blobs(0, shape)
    expected = np.zeros(shape, dtype=np.bool_)
    for class_id in range(4):
        expected |= mask_to_boundary(class_ids == class_id, reach)
    assert np.array_equal(near_boundary(class_ids, reach, frame=True), expected)


def test_boundary_iou_is_that_of_the_papers_regions_summed_over_images():
    counts, overlap, union = BoundaryTally(4), np.zeros(4), np.zeros(4)
    for seed, shape, distance in ((0, (60, 80), 2), (1, (120, 90), 3), (2, (33, 10), 1)):  # 2 % of the diagonal
        truth, predicted = blobs(seed, shape), blobs(seed + 10, shape)
        counts.add(scored(truth, predicted))
        for i in range(4):
            one, other = (mask_to_boundary(each == i, distance) for each in (truth, predicted))
            overlap[i] += (one & other).sum()
            union[i] += (one | other).sum()
    assert counts.result().boundary_iou == pytest.approx(overlap / union)
    assert counts.result().mean_boundary_iou == pytest.approx((overlap / union).mean())


@pytest.mark.parametrize("reach", WIDTHS)
def test_pixels_near_a_boundary_are_those_near_to_another_labelled_class(reach):
    class_ids = blobs(3)
    class_ids[np.random.default_rng(0).random(class_ids.shape) < 0.3] = IGNORE
    expected = np.zeros(class_ids.shape, dtype=np.bool_)
    for class_id in range(4):
        other = (class_ids != class_id) & (class_ids != IGNORE)
        steps = ndimage.distance_transform_cdt(~other, metric="chessboard")
        expected |= (class_ids == class_id) & (steps <= reach)
    assert np.array_equal(near_boundary(class_ids, reach), expected)


def test_a_perfect_prediction_has_a_boundary_iou_of_1_and_an_absent_class_none():
    truth = np.zeros((20, 20), dtype=np.uint8)
    truth[5:12, 5:12] = 1
    result = tally(truth, truth)
    assert result.boundary_iou[:2] == (1.0, 1.0)
    assert math.isnan(result.boundary_iou[2])
    assert result.mean_boundary_iou == result.interior_accuracy == 1.0
    assert math.isnan(result.errors_at_boundary)


def test_a_square_moved_by_one_pixel_by_hand():
    # 10 x 10 px: d = round(0.02 * 14.1) = 0, of which one pixel is the least. The edge of a 4 x 4 square has 12 px;
    # moved by one to the right, two 3 px runs at top and bottom and nothing else of it coincide.
    truth, predicted = np.zeros((10, 10), dtype=np.uint8), np.zeros((10, 10), dtype=np.uint8)
    truth[3:7, 3:7] = 1
    predicted[3:7, 4:8] = 1
    assert tally(truth, predicted).boundary_iou[1] == pytest.approx(6 / (12 + 12 - 6))


def test_a_width_reaches_as_many_pixels_on_either_side():
    assert near_boundary(row(0, 0, 0, 1, 1, 1), 1).tolist() == [[False, False, True, True, False, False]]
    assert near_boundary(row(0, 0, 0, 1, 1, 1), 2).tolist() == [[False, True, True, True, True, False]]


def test_ignored_pixels_make_no_boundary_and_hide_none():
    assert not near_boundary(row(0, 0, 255, 255, 0, 0), 32).any()
    assert not near_boundary(row(255, 255, 255), 1, frame=True).any()
    assert near_boundary(row(0, 0, 255, 1, 1), 2).tolist() == [[False, True, False, True, False]]
    # Alone between ignored pixels, far from the edge of the image, a class has no edge at all.
    truth = np.full((200, 200), IGNORE, dtype=np.uint8)
    truth[90:110, 90:110] = 2
    assert math.isnan(tally(truth, truth).mean_boundary_iou)


def test_a_trimap_counts_the_pixels_within_its_width():
    truth = np.repeat(np.array([0, 1], dtype=np.uint8), 50)[None].repeat(3, axis=0)
    predicted = truth.copy()
    predicted[:, 49] = 1  # wrong within 1 px
    predicted[:, 40] = 1  # wrong within 10 px
    result = tally(truth, predicted, 2)
    assert result.trimap_accuracy == pytest.approx([1 / 2, 3 / 4, 7 / 8, 15 / 16, 30 / 32, 62 / 64])
    # Within 2 px: class 0 has 1 of 2 right, class 1 has 2 right and 1 more predicted.
    assert result.trimap_mean_iou[1] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert result.errors_at_boundary == 0.5
    assert result.pixels_at_boundary == 8 / 100
    assert result.interior_accuracy == pytest.approx(91 / 92)


def test_what_is_predicted_where_the_truth_is_ignored_counts_for_nothing():
    truth, predicted = blobs(1), blobs(2)
    truth[20:30] = IGNORE
    truth[:, 7] = IGNORE
    other = np.where(truth == IGNORE, np.uint8(3), predicted)
    assert tally(truth, predicted) == tally(truth, other)


def test_parts_add_up():
    pairs = [(blobs(seed), blobs(seed + 5)) for seed in range(4)]
    whole, first, second = BoundaryTally(4), BoundaryTally(4), BoundaryTally(4)
    for i, pair in enumerate(pairs):
        whole.add(scored(*pair))
        (first if i % 2 else second).add(scored(*pair))
    first += second
    assert first.result() == whole.result()


def test_nothing_labelled_is_null_in_json():
    content = tally(np.full((4, 4), 255, dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8)).to_json()
    json.dumps(content, allow_nan=False)
    assert content["mean_boundary_iou"] is None
    assert content["errors_at_boundary"] is None
    assert [point["pixel_accuracy"] for point in content["trimap"]] == [None] * len(WIDTHS)


@pytest.mark.parametrize(("truth", "predicted"), [(row(0, 4), row(0, 0)), (row(0, 0), row(4, 0)), (row(0), row(255))])
def test_a_programming_error_is_refused(truth, predicted):
    with pytest.raises(ValueError, match="class id of 4 or more"):
        tally(truth, predicted)
