"""Objects that leave nothing in a mask, or little: why, and what the counts say of several images."""

import json

import numpy as np
import pytest

from pixelwise.data.convert.formats.outlines import count_object
from pixelwise.data.convert.objects import EMPTY, MOSTLY_OUTSIDE, NO_IMAGE, NORMALISED, OUTSIDE, Furthest, Objects

SHAPE = (80, 100)  # height and width


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def counted(*outline, has_pixels=True) -> Objects:
    objects = Objects()
    count_object(objects, "it", outline, has_pixels=has_pixels, shape=SHAPE)
    return objects


@pytest.mark.parametrize(
    ("outline", "has_pixels", "reason"),
    [
        ([box(10, 10, 20, 20)], True, None),
        ([box(0, 0, 100, 80)], True, None),
        ([box(90, 10, 110, 20)], True, None),  # half is out, which is not more than half
        ([box(90, 10, 111, 20)], True, MOSTLY_OUTSIDE),
        ([box(-11, 10, 10, 20)], True, MOSTLY_OUTSIDE),
        ([box(-20, -20, 20, 20)], True, MOSTLY_OUTSIDE),  # a quarter is in
        ([box(90, 10, 111, 20), box(0, 0, 10, 10)], True, None),  # 90 + 100 of 310 are in: 120 out
        ([box(120, 10, 130, 20)], False, OUTSIDE),
        ([box(10, -30, 20, -20)], False, OUTSIDE),
        ([np.array([[10.0, 10.0], [20.0, 20.0]])], False, EMPTY),
        ([box(10, 10, 20, 10)], False, EMPTY),
        ([box(10.1, 10.1, 10.2, 10.2)], False, EMPTY),
        ([], False, EMPTY),
        ([], True, None),
        ([box(0.1, 0.2, 0.9, 1)], True, NORMALISED),
        ([box(0.1, 0.2, 0.4, 0.4)], False, NORMALISED),
    ],
)
def test_why_an_object_is_named(outline, has_pixels, reason):
    objects = counted(*outline, has_pixels=has_pixels)
    assert objects.given == 1
    assert list(objects.named) == ([] if reason is None else [reason])


def test_a_concave_polygon_is_cut_where_the_image_ends():
    comb = np.array([[0, 0], [200, 0], [200, 30], [0, 30], [0, 20], [190, 20], [190, 10], [0, 10]], dtype=float)
    # Area: 200 * 30 - 190 * 10 = 4,100; inside x <= 100: two teeth of 100 * 10 = 2,000, so that 51.2 % is outside.
    assert list(counted(comb).named) == [MOSTLY_OUTSIDE]
    comb[comb[:, 0] == 200, 0] = 195  # area 195 * 30 - 190 * 10 = 3,950: 49.4 % is outside
    assert not counted(comb).named


def test_the_first_of_a_reason_is_named_with_its_place():
    objects = counted(box(120, 10, 130, 20), has_pixels=False)
    assert objects.named[OUTSIDE] == (1, "it, x 120 to 130 and y 10 to 20 in 100 x 80 px")
    assert objects.reach == Furthest(130, 20, 100, 80)


def test_counts_of_images_add_up_and_survive_json():
    lost, sound = counted(box(120, 10, 130, 20), has_pixels=False), counted(box(1, 1, 9, 9))
    far = counted(box(120, 10, 190, 20), has_pixels=False)
    stray = Objects()
    stray.add("annotation 7", NO_IMAGE)
    whole = Objects.united(
        [Objects.from_json(json.loads(json.dumps(one.to_json()))) for one in (lost, sound, far, stray)]
    )
    assert (whole.given, whole.in_masks) == (4, 1)
    assert whole.named[OUTSIDE] == (2, "it, x 120 to 130 and y 10 to 20 in 100 x 80 px")
    assert whole.reach.x == 190
    assert whole.summary() == "objects: 4 given, 1 in masks."
    assert whole.notes() == [
        "1 of 4 objects belong to no image of their list and were passed over; the first is annotation 7.",
        "2 of 4 objects lie outside of their images; the first is it, x 120 to 130 and y 10 to 20 in 100 x 80 px.",
    ]


def test_a_refusal_says_the_likely_cause():
    assert "look normalised, as YOLO and others write them" in counted(box(0.1, 0.2, 0.9, 1)).refusal()
    outside = counted(box(120, 10, 130, 90), has_pixels=False).refusal()
    assert "Coordinates reach 130, 90 in an image of 100 x 80 px: they were drawn at another scale." in outside
    left = counted(box(-30, 10, -20, 20), has_pixels=False).refusal()
    assert "lie outside of their images" in left
    assert "Expected pixels of the images, counted from the left top corner." in left
    assert "polygons of three points or more" in counted(has_pixels=False).refusal()
