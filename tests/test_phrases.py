"""Words for numbers and lists; every expectation is written by hand."""

import math

import pytest

from pixelwise.phrases import (
    and_more,
    counted,
    factor,
    first_line,
    length,
    listed,
    listed_lines,
    memory_size,
    percent,
    shortened,
    thousands,
)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1, "100.0 %"),
        (0.273, "27.3 %"),
        (0.01, "1.0 %"),
        (0.0057, "0.57 %"),
        (0.001, "0.10 %"),
        (0.00024, "0.024 %"),
        (0.00001, "0.001 %"),
        (0.000001, "< 0.001 %"),
        (0, "0 %"),
        (math.nan, "-"),
    ],
)
def test_a_share_has_more_digits_the_smaller_it_is(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0.0 px"), (3.84, "3.8 px"), (115.2, "115 px"), (math.nan, "-")])
def test_a_short_length_has_tenths_of_a_pixel(size, text):
    assert length(size) == text


@pytest.mark.parametrize(("weight", "text"), [(0, "0"), (0.309, "0.31"), (4.75, "4.8"), (9.99, "10"), (160.2, "160")])
def test_a_class_weight_has_two_digits_or_is_whole(weight, text):
    assert factor(weight) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0K"),
        (9_949, "9.9K"),
        (9_950, "10K"),
        (12_345, "12K"),
        (999_499, "999K"),
        (999_500, "1.0M"),
        (34 * 10**8, "3.4B"),
    ],
)
def test_thousands_are_k_millions_m(count, text):
    assert thousands(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 masks"), (1, "1 mask"), (2, "2 masks"), (1000, "1,000 masks"), (-1, "-1 masks")]
)
def test_only_one_thing_is_singular(count, text):
    assert counted(count, "mask") == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a, b"),
        ("abc", "a, b, c"),
        ("abcd", "a, b, c and 1 more"),
        ("abcde", "a, b, c and 2 more"),
    ],
)
def test_a_list_ends_in_how_many_it_leaves_out(names, text):
    assert listed(names, 3) == text


def test_five_entries_of_any_kind_are_listed_unless_the_caller_says_how_many():
    assert listed(range(5)) == "0, 1, 2, 3, 4"
    assert listed({i: "x" for i in range(2005)}) == "0, 1, 2, 3, 4 and 2,000 more"
    assert listed(number for number in (1.5, None)) == "1.5, None"


def test_entries_that_hold_commas_are_told_apart_by_semicolons():
    entries = ["1, 2", "3", "4, 5"]
    assert listed(entries, 3, separator="; ") == "1, 2; 3; 4, 5"
    assert listed(entries, 2, separator="; ") == "1, 2; 3; and 1 more"


@pytest.mark.parametrize(("rest", "text"), [(-3, ""), (0, ""), (1, " and 1 more"), (1234, " and 1,234 more")])
def test_a_list_that_lacks_nothing_has_no_ending(rest, text):
    assert and_more(rest) == text


def test_lines_end_in_how_many_they_leave_out():
    assert listed_lines([], 2) == []
    assert listed_lines(["a", "b"], 2, " faults") == ["a", "b"]
    assert listed_lines(["a", "b", "c"], 2) == ["a", "b", "... and 1 more"]
    assert listed_lines(range(1500), 1, " faults") == ["0", "... and 1,499 more faults"]


@pytest.mark.parametrize(
    ("text", "shown"), [("", ""), ("a", "a"), ("road", "road"), ("roads", "roa…"), ("sidewalk", "sid…")]
)
def test_a_text_that_is_too_long_ends_in_dots(text, shown):
    assert shortened(text, 4) == shown
    assert len(shown) <= 4


def test_the_end_of_a_shortened_text_counts_among_its_letters():
    assert shortened("background", 9, end="...") == "backgr..."


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such file"), "no such file"),
        (ValueError("\n  cut off at byte 3\nand more"), "cut off at byte 3"),
        (ValueError(), "ValueError"),
        (KeyError("\n"), r"'\n'"),
        (RuntimeError(" "), "RuntimeError"),
        (ValueError("x" * 200), "x" * 200),
        (ValueError("x" * 201), "x" * 199 + "…"),
        ("\n\tfirst difference\n\tsecond", "first difference"),
    ],
)
def test_an_error_is_told_by_its_first_line(error, line):
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 MB"), (812_400_000, "812 MB"), (999_499_999, "999 MB"), (999_500_000, "1.0 GB"), (2_345_000_000, "2.3 GB")],
)
def test_bytes_are_told_in_thousands(count, text):
    assert memory_size(count) == text
