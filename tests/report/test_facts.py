import math

from pixelwise.data.facts.regions import NO_REGIONS, ClassRegions
from pixelwise.data.facts.statistics import ClassBalance, Facts, ImageSizes, PixelStatistics
from pixelwise.labels import LabelTable
from pixelwise.report.facts import facts_sections
from pixelwise.report.html import page

LABELS = LabelTable.named(["road", "<sky>"])
NO_PIXELS = PixelStatistics((math.nan,) * 3, (math.nan,) * 3, 0)


def facts(*, pixels=(75, 25), images=(4, 1), regions=(NO_REGIONS, NO_REGIONS), sizes=None, values=NO_PIXELS):
    balance = ClassBalance(pixels, images, pixels, 4, ignored_pixels=100)
    return Facts(LABELS, balance, ImageSizes(sizes or {}), regions, values)


def named(sections):
    return [section.name for section in sections]


def test_classes_are_given_as_table_bars_and_pie(read):
    found = read(page("t", facts_sections({"train": facts()})))
    assert "1 <sky>" in found.text
    assert "75.0 % · 75 px" in found.text  # a bar
    assert [svg["class"] for svg in found.all("svg")] == ["bars", "pie"]
    assert "3.0" in found.text  # the imbalance ratio
    assert "50.0 %" in found.text  # the ignored share


def test_every_split_has_its_columns_and_its_charts(read):
    found = read(page("t", facts_sections({"train": facts(), "validation": facts(pixels=(1, 1))})))
    assert "validation, images" in found.text
    assert len(found.all("svg")) == 4


def test_sections_without_content_are_left_out():
    assert named(facts_sections({"train": facts(pixels=(0, 0), images=(0, 0))})) == ["splits"]
    assert named(facts_sections({"train": facts(sizes={(8, 8): 1})})) == ["splits", "classes", "sizes"]


def test_objects_are_listed_by_class(read):
    regions = (ClassRegions(1200, 0.01, 0.05, 0.5, 5, 40, 33, 4.2), NO_REGIONS)
    found = read(page("t", facts_sections({"train": facts(regions=regions)})))
    for text in ("1,200", "1.0 %", "5.0 %", "50.0 %", "33 px", "4.2 px"):
        assert text in found.text


def test_of_many_sizes_the_most_frequent_are_listed_and_the_rest_counted(read):
    sizes = {(100 + i, 100): 1 for i in range(30)} | {(640, 480): 5}
    found = read(page("t", facts_sections({"train": facts(sizes=sizes)})))
    assert "640 x 480 px" in found.text
    assert "11 other sizes" in found.text
    assert "crop_size 96 follows" in found.text


def test_pixel_values_are_given_by_channel(read):
    values = PixelStatistics((0.25, 0.5, 0.75), (0.1, 0.2, 0.3), 10)
    assert "0.250, 0.500, 0.750" in read(page("t", facts_sections({"train": facts(values=values)}))).text
