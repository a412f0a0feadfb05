"""Patterns over names."""

import pytest

from pixelwise.data.convert.matching.patterns import match
from pixelwise.errors import SettingsError

NAMES = ["photos/a.jpg", "photos/x/b.jpg", "photos/c.png", "stage1/n1/masks/1.png", "stage1/n1/masks/2.png"]


def test_a_placeholder_stands_for_a_part_of_a_name():
    assert match(NAMES, "photos/{name}.jpg") == [("photos/a.jpg", {"name": "a"})]


def test_stars_match_within_a_folder_and_double_stars_any_depth():
    assert [name for name, _ in match(NAMES, "photos/*")] == ["photos/a.jpg", "photos/c.png"]
    assert [name for name, _ in match(NAMES, "**/*.jpg")] == ["photos/a.jpg", "photos/x/b.jpg"]
    assert [name for name, _ in match(NAMES, "photos/**")] == NAMES[:3]
    assert [found["name"] for _, found in match(NAMES, "**/{name}/masks/*.png")] == ["n1", "n1"]


def test_a_repeated_placeholder_stands_for_the_same_text():
    names = ["a/a_seg.png", "a/b_seg.png"]
    assert match(names, "{name}/{name}_seg.png") == [("a/a_seg.png", {"name": "a"})]


def test_other_characters_stand_for_themselves():
    assert match(["a+b (1).png", "aab 1.png"], "a+b (1).{class}") == [("a+b (1).png", {"class": "png"})]


@pytest.mark.parametrize("pattern", ["{image}.png", "{name.png", "name}.png", "{}.png"])
def test_a_wrong_pattern_is_refused(pattern):
    with pytest.raises(SettingsError, match="pattern"):
        match(NAMES, pattern)
