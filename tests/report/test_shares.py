"""Parts of a whole, gathered by hand."""

from pixelwise.report.shares import SLICES, Share, gathered, largest


def shares(*values):
    return [Share(f"class {i}", value, (i, i, i)) for i, value in enumerate(values)]


def test_small_slices_are_gathered_and_zeros_left_out():
    kept = gathered(shares(*range(20)))
    assert len(kept) == SLICES + 1
    assert kept[0].value == 19
    assert (kept[-1].name, kept[-1].value) == ("7 others", 1 + 2 + 3 + 4 + 5 + 6 + 7)


def test_a_single_slice_too_many_keeps_its_name():
    assert [share.name for share in gathered(shares(*range(1, SLICES + 2)))][-1] == "class 0"


def test_the_largest_parts_come_first_and_zeros_count():
    assert [share[:2] for share in largest(shares(0, 5, 0, 9), 2)] == [("class 3", 9), ("class 1", 5), ("2 others", 0)]
    assert [share.name for share in largest(shares(0, 5, 9), 2)] == ["class 2", "class 1", "class 0"]
    assert largest([], 2) == []
