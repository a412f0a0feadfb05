"""Counting what masks hold."""

import numpy as np
import pytest

from pixelwise.data.convert.classes.survey import Seen, shares, survey
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


def test_shares_are_told_from_the_most_frequent_on():
    seen = {i: Seen(i, 1, "m") for i in range(1, 15)}
    text = shares(seen, 105, str)
    assert text.startswith("14 (13 % of pixels, 1 mask, e.g. m); 13 (12 %")
    assert text.endswith("; and 2 more")
