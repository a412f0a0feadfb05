"""Values and colours of masks to class ids."""

import numpy as np
import pytest

from pixelwise.data.convert.classes.mapping import class_ids_of, colors_of, values_of
from pixelwise.data.findings import FileFault
from pixelwise.labels import LabelTable

TABLE = LabelTable.named(["sky", "road"], {0: (0, 0, 9), 1: (1, 0, 0)}, sources={0: [3], 1: [7, 1000]}, ignored=[0])


def test_values_become_the_classes_whose_sources_they_are():
    plane = np.array([[0, 3], [7, 1000]], dtype=np.uint16)
    assert class_ids_of(plane, values_of(TABLE), "a.png").tolist() == [[255, 0], [1, 1]]


def test_without_sources_values_are_class_ids_and_colours_the_classes_own():
    plain = LabelTable(TABLE.names, TABLE.colors)
    assert values_of(plain) == {0: 0, 1: 1, 255: 255}
    colors = np.array([[0x000009, 0x010000]], dtype=np.uint32)
    assert class_ids_of(colors, colors_of(plain), "a.png").tolist() == [[0, 1]]


def test_sources_may_be_colours():
    table = LabelTable.named(["sky", "road"], sources={0: [(0, 0, 1)], 1: [(255, 0, 0)]}, ignored=[(9, 9, 9)])
    assert colors_of(table) == {0x000001: 0, 0xFF0000: 1, 0x090909: 255}


def test_values_above_255_in_a_table_do_not_trouble_masks_of_8_bits():
    plane = np.array([[0, 3], [7, 7]], dtype=np.uint8)
    assert class_ids_of(plane, values_of(TABLE), "a.png").tolist() == [[255, 0], [1, 1]]
    with pytest.raises(FileFault, match=r"0 \(1 px\), 3 \(1 px\), 7 \(2 px\)\. Expected .*\(263, 1000\)"):
        class_ids_of(plane, {1000: 0, 263: 1}, "a.png")  # 263 is 7 to 8 bits


def test_unknown_values_are_listed_with_their_place():
    plane = np.full((4, 5), 3, dtype=np.uint16)
    plane[1:3, 2] = 8
    with pytest.raises(FileFault, match=r"a\.png: has the values 8 \(2 px\)\. Expected .*\(0, 3, 7, 1000\)") as caught:
        class_ids_of(plane, values_of(TABLE), "a.png")
    assert caught.value.finding.place == (2, 1, 3, 3)
    with pytest.raises(FileFault, match="has the colours #0a0b0c"):
        class_ids_of(np.array([[0x0A0B0C]], dtype=np.uint32), {0: 0}, "a.png")
