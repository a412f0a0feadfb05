"""Counting what masks hold."""

import numpy as np
import pytest

from pixelwise.data.convert.survey import Seen, shares, survey, value_counts
from pixelwise.errors import DataError

PLANES = {"a": np.array([[5, 5, 1]]), "b": np.array([[5, 9, 9]]), "c": None}


def read(name):
    if PLANES[name] is None:
        raise DataError(f"{name}: broken")
    return PLANES[name]


def test_values_are_counted_over_all_masks_that_can_be_read():
    assert survey(["a", "b", "c"], read) == {1: Seen(1, 1, "a"), 5: Seen(3, 2, "a"), 9: Seen(2, 1, "b")}


def test_without_any_readable_mask_the_first_error_is_raised():
    with pytest.raises(DataError, match="c: broken"):
        survey(["c"], read)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_pixels_are_counted_by_value(dtype):
    plane = np.random.default_rng(0).integers(0, 5, (7, 11)).astype(dtype)
    assert value_counts(plane) == {value: int((plane == value).sum()) for value in range(5)}


def test_shares_are_told_from_the_most_frequent_on():
    seen = {i: Seen(i, 1, "m") for i in range(1, 15)}
    text = shares(seen, 105, str)
    assert text.startswith("14 (13 % of pixels, 1 mask, e.g. m); 13 (12 %")
    assert text.endswith("; and 2 more")
