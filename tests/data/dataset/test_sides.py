"""Which groups are validation: by a hash that is the same everywhere, and by few changes that make both sides whole."""

import itertools

import numpy as np
import pytest

from pixelwise.data.dataset.splits.grouping import united
from pixelwise.data.dataset.splits.pattern import grouped_by
from pixelwise.data.dataset.splits.series import are_called_frames, runs
from pixelwise.data.dataset.splits.sides import SHARE, PairGroup, place, sides_of
from pixelwise.errors import SettingsError


def groups_of(*classes, pairs=1):
    return [PairGroup(f"g{i}", pairs, frozenset(each)) for i, each in enumerate(classes)]


def missing(groups, sides):
    """How many classes of two groups or more one side lacks."""
    found = 0
    for each in frozenset().union(*(group.classes for group in groups)):
        holding = [side for group, side in zip(groups, sides, strict=True) if each in group.classes]
        found += len(holding) > 1 and len(set(holding)) == 1
    return found


# From `printf %s KEY | b2sum -l 64` of GNU coreutils, over 2**64.
@pytest.mark.parametrize(
    ("key", "digest"),
    [("a", "40f89e395b66422f"), ("patient7", "2f4145d09580ebd5"), ("img_0", "61814744cc1c722b")],
)
def test_the_place_of_a_name_is_its_blake2b_hash(key, digest):
    assert place(key) == int(digest, 16) / 2**64


def test_a_name_has_one_place_in_both_unicode_forms_and_any_name_has_one():
    assert place("caf\u00e9") == place("cafe\u0301")
    assert 0 <= place("\udce9") < 1  # a Latin-1 file name


def test_a_fifth_is_validation_and_stays_there_when_groups_come():
    names = [f"image_{i}" for i in range(2000)]
    sides = dict(zip(names, sides_of([PairGroup(name, 1) for name in names]), strict=True))
    # A binomial of 2000 and 0.2 has the standard deviation 17.9; four of them are 72.
    assert abs(sum(sides.values()) - 400) < 72
    more = [*reversed(names), *(f"new_{i}" for i in range(500))]
    later = dict(zip(more, sides_of([PairGroup(name, 1) for name in more]), strict=True))
    assert {name: later[name] for name in names} == sides


@pytest.mark.parametrize("count", range(2, 12))
def test_each_side_has_a_group_and_validation_at_most_half(count):
    for start in range(40):
        sides = sides_of([PairGroup(f"{start}/{i}", 1) for i in range(count)])
        assert 1 <= sum(sides) <= count / 2


def test_a_group_of_more_than_half_is_trained_on():
    for start in range(30):
        groups = [PairGroup(f"{start}/{i}", pairs) for i, pairs in enumerate((50, 10, 10))]
        sides = sides_of(groups)
        assert not sides[0]
        assert any(sides)


def test_no_group_and_one_group_have_no_validation():
    assert sides_of([]) == []
    assert sides_of([PairGroup("a", 3)]) == [False]


def test_every_class_that_can_be_is_on_both_sides():
    generator = np.random.default_rng(5)
    for trial in range(60):
        classes = [set(generator.choice(6, size=generator.integers(1, 4), replace=False).tolist()) for _ in range(8)]
        groups = [PairGroup(f"{trial}/{i}", 1, frozenset(each)) for i, each in enumerate(classes)]
        fewest = min(
            missing(groups, sides) for sides in itertools.product((False, True), repeat=8) if 0 < sum(sides) < 8
        )
        assert missing(groups, sides_of(groups)) == fewest, groups


def test_as_few_groups_as_possible_change_sides():
    names = [f"n{i}" for i in range(60)]
    plain = sides_of([PairGroup(name, 1) for name in names])
    rare = [i for i, side in enumerate(plain) if not side][:3]  # a class that only train would have
    groups = [PairGroup(name, 1, frozenset({0, 1} if i in rare else {0})) for i, name in enumerate(names)]
    sides = sides_of(groups)
    changed = [i for i in range(60) if sides[i] != plain[i]]
    assert len(changed) == 1
    # The one whose place is nearest to the border.
    assert changed[0] == min(rare, key=lambda i: abs(place(names[i]) - SHARE))


def test_classes_that_exclude_each_other_are_on_both_sides_as_far_as_can_be():
    # A triangle: of three groups, two share each class; two colours leave one of its edges with one colour.
    groups = groups_of({0, 2}, {0, 1}, {1, 2})
    assert missing(groups, sides_of(groups)) == 1


def test_what_is_linked_over_others_is_one_group():
    assert united(6, [(4, 2), (5, 4), (0, 1)]) == [0, 0, 2, 3, 2, 2]


def test_runs_are_names_equal_but_for_a_number():
    names = ["b_2", "a_10", "a_9", "a_1", "c", "b_3"]
    found = runs(names, lambda first, second: abs(int(first[2:]) - int(second[2:])) < 5)
    assert sorted(found) == [[0, 5], [2, 1]]


@pytest.mark.parametrize(
    ("names", "are"),
    [
        (["clip1_0001", "clip1_0002"], True),
        (["clip1_0001", "clip2_0001"], False),
        (["a_1700000000000", "a_1700000000900"], True),
        (["img_1", "img_2"], False),
        (["framed_1", "framed_2"], False),
    ],
)
def test_some_names_say_that_they_are_frames(names, are):
    assert are_called_frames(names) == are


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        ("{}_*", ["p1", "p2", "p1"]),
        ("*_{}", ["a_1", "b_2", "b_3"]),
        ("p{}_*_{}", ["1\n1", "2\n2", "1\n3"]),
        ("{}_*_*", ["p1", "p2", "p1"]),
    ],
)
def test_a_pattern_takes_what_stands_at_its_braces(pattern, groups):
    assert grouped_by(pattern, ["p1_a_1", "p2_b_2", "p1_b_3"]) == groups


def test_a_folder_can_be_the_group():
    assert grouped_by("{}/*", ["x/a", "y/a", "x/sub/b"]) == ["x", "y", "x"]


def test_all_else_in_a_pattern_stands_for_itself():
    assert grouped_by("a.b+{}(*", ["a.b+1(", "a.b+2(x"]) == ["1", "2"]
    with pytest.raises(SettingsError, match="does not fit 1 of 2 names: 'axb'"):
        grouped_by("a.{}", ["axb", "a.b"])


@pytest.mark.parametrize("pattern", ["", "*", "{", "{}{}", "*{}", "{}*", "{}_" + "*_" * 8, "{}" + "x" * 300, 7])
def test_a_pattern_that_cannot_be_used_is_refused_with_an_example(pattern):
    with pytest.raises(SettingsError, match=r"split_by is .*'\{\}_\*'"):
        grouped_by(pattern, ["a_1"])


def test_one_group_for_all_is_refused():
    with pytest.raises(SettingsError, match="puts all 2 pairs into one group, 'a'"):
        grouped_by("{}_*", ["a_1", "a_2"])
