"""What can be asked of a decoded mask."""

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import value_counts


def test_a_label_map_sees_the_grays_of_a_gif(encoded):
    gray = Image.frombytes("P", (3, 1), b"\x00\x01\x01")
    gray.putpalette([3, 3, 3, 200, 200, 200])
    label_map = LabelMap(tuple({3: 1, 200: 0}.get(value, -1) for value in range(256)), "map")
    raw = decode(encoded(gray, "GIF"), "a.gif").through(label_map)
    assert (raw.kind, raw.counts, raw.mapped) == ("mapped", {0: 2, 1: 1}, {3: 1, 200: 0})
    assert raw.values().tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_pixels_are_counted_by_value(dtype):
    plane = np.random.default_rng(0).integers(0, 5, (7, 11)).astype(dtype)
    assert value_counts(plane) == {value: int((plane == value).sum()) for value in range(5)}
