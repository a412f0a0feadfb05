import itertools
import math
import re

from pixelwise.report.charts.bars import bars, pie
from pixelwise.report.shares import Share

RED, BLUE = (255, 0, 0), (0, 0, 255)


def shares(*values):
    return [Share(f"class {i}", value, (i, i, i)) for i, value in enumerate(values)]


def test_the_largest_bar_is_as_wide_as_the_chart(read):
    found = read(bars([Share("road", 300, RED), Share("sky", 100, BLUE)], title="Pixels"))
    drawn = [rect for rect in found.all("rect") if rect["fill"].startswith("#")]
    assert [(rect["width"], rect["fill"]) for rect in drawn] == [("100.00%", "#ff0000"), ("33.33%", "#0000ff")]


def test_bars_say_name_share_and_value(read):
    text = read(bars([Share("road", 3000, RED), Share("sky", 1000, BLUE)], title="Pixels", unit="px")).text
    assert "75.0 % · 3,000 px" in text
    assert "25.0 % · 1,000 px" in text


def test_charts_are_described_for_screen_readers(read):
    found = read(bars([Share("road", 3, RED), Share("sky", 1, BLUE)], title="Pixels of train"))
    assert found.all("svg")[0]["role"] == "img"
    assert found.text.startswith("Pixels of trainroad 75.0 %, sky 25.0 %")


def test_text_takes_the_colour_of_the_page(read):
    for chart in (bars(shares(3, 1), title="t"), pie(shares(3, 1), title="t")):
        found = read(chart)
        assert found.all("svg")[0]["fill"] == "currentColor"
        assert all("fill" not in text for text in found.all("text"))


def test_names_are_escaped_and_long_ones_shortened(read):
    found = read(bars([Share("<b>" + "x" * 60, 1, RED)], title="<i>"))
    assert not found.all("b") + found.all("i")
    assert "<b>xxxxxxxxxxxxxxxx…" in found.text


def test_nothing_but_zeros_is_said_and_not_drawn(read):
    for chart in (bars(shares(0, 0), title="Pixels"), pie(shares(0, 0), title="Pixels"), pie([], title="Pixels")):
        assert not read(chart).all("svg")
        assert "Pixels: nothing to draw" in chart


def test_slices_go_clockwise_from_the_top(read):
    paths = [path["d"] for path in read(pie(shares(3, 1), title="t")).all("path") if path["d"].startswith("M0 0")]
    # Three quarters from the top, clockwise, end at nine o'clock; the last quarter ends at the top.
    ends = [tuple(map(float, re.search(r"1 (-?[\d.]+) (-?[\d.]+)Z", path).groups())) for path in paths]
    radius = math.hypot(*ends[0])
    assert ends == [(-radius, 0), (0, -radius)]
    assert "0 1 1" in paths[0]  # the long way round


def test_one_class_alone_is_a_full_circle(read):
    found = read(pie(shares(0, 5), title="t"))
    assert [circle["fill"] for circle in found.all("circle")] == ["#010101", "none"]


def test_large_slices_carry_their_names_and_the_legend_names_all(read):
    found = read(pie(shares(90, 7, 3), title="t"))
    assert len(found.all("text")) == 2
    assert "class 2 3.0 %" in found.text


def test_names_beside_a_pie_do_not_touch(read):
    labels = [text for text in read(pie(shares(*[5] * 12, 40), title="t")).all("text")]
    for side in ("start", "end"):
        heights = sorted(float(text["y"]) for text in labels if text["text-anchor"] == side)
        assert all(lower - upper >= 16.9 for upper, lower in itertools.pairwise(heights))
