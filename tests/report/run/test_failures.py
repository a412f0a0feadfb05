import csv
import math

import pytest

from pixelwise.labels import LabelTable
from pixelwise.report.run.failure_findings import contrasts, doubtful, largest_effect
from pixelwise.report.run.failures import doubtful_csv, images_section, masks_section

LABELS = LabelTable.named(["sky", "road"])


def of(name, scores=None, images=()):
    return next(each for each in contrasts(scores or {}, images) if each.name == name)


def test_errors_at_boundaries_are_set_against_those_inside():
    # Of 1000 pixels 100 are wrong and 200 near a boundary; 60 of the errors are near: 60/200 and 40/800.
    scores = {"pixel_accuracy": 0.9, "boundary": {"errors_at_boundary": 0.6, "pixels_at_boundary": 0.2}}
    found = of("boundary or interior", scores)
    assert [group.wrong for group in found.groups] == pytest.approx([0.3, 0.05])
    assert found.ratio == pytest.approx(6)
    assert largest_effect([found]) == (
        "Largest effect, boundary or interior: pixels within 4 px of a boundary are wrong 6.0 times as often as "
        "interior pixels (30.0 % against 5.0 % of their pixels)."
    )


def test_small_objects_are_set_against_large_ones():
    sizes = {"small": (4, 0.2), "medium": (0, None), "large": (5, 0.9)}
    overall = {name: {"regions": regions, "pixel_recall": recall} for name, (regions, recall) in sizes.items()}
    found = of("small or large objects", {"objects": {"overall": overall}})
    assert [(group.name, group.size) for group in found.groups] == [
        ("small objects", "4 objects"),
        ("large objects", "5 objects"),
    ]
    assert found.ratio == pytest.approx(0.8 / 0.1)


def images_by_brightness(dark, middle, bright):
    shares = [dark] * 4 + [middle] * 4 + [bright] * 4
    return [{"name": str(i), "brightness": i / 12, "wrong": share + i % 2 / 100} for i, share in enumerate(shares)]


def test_dark_images_are_set_against_bright_ones():
    found = of("dark or bright images", images=images_by_brightness(0.3, 0.2, 0.1))
    assert [group.wrong for group in found.groups] == pytest.approx([0.305, 0.205, 0.105])
    # 1.96 x sample deviation of (0, 0.01, 0, 0.01) / sqrt(4)
    assert found.groups[0].margin == pytest.approx(1.96 * math.sqrt(0.0001 / 3) / 2)
    assert found.ratio == pytest.approx(0.305 / 0.105)


def test_a_difference_within_chance_is_no_effect():
    found = of("dark or bright images", images=images_by_brightness(0.3, 0.3, 0.301))
    assert math.isnan(found.ratio)
    assert largest_effect([found]) == "No kind of pixel or image is wrong clearly more often than another."


def test_few_images_say_nothing_about_brightness():
    assert contrasts({}, images_by_brightness(0.3, 0.2, 0.1)[:11]) == []


def a_calibration():
    bins = [{"from": i / 10, "to": (i + 1) / 10, "pixels": 0, "accuracy": None} for i in range(10)]
    bins[4] |= {"pixels": 100, "accuracy": 0.25}
    bins[7] |= {"pixels": 100, "accuracy": 0.5}
    bins[9] |= {"pixels": 800, "accuracy": 0.95}
    return {"calibration": {"bins": bins}}


def test_pixels_are_told_apart_by_their_probability():
    found = of("confident or not, by pixel", a_calibration())
    assert [group.wrong for group in found.groups] == pytest.approx([0.75, 0.5, 0.05])
    assert found.note.startswith("24.2 % of all errors are made by sure pixels")  # 40 of 165


def test_that_unsure_pixels_are_wrong_is_no_effect():
    assert largest_effect(contrasts(a_calibration(), [])).startswith("No kind")


def test_what_is_never_wrong_elsewhere_is_said_so():
    scores = {"pixel_accuracy": 0.9, "boundary": {"errors_at_boundary": 1.0, "pixels_at_boundary": 0.2}}
    assert "are wrong often, but never interior pixels (50.0 % against 0 %" in largest_effect(contrasts(scores, []))


def test_nothing_measured_gives_no_comparison():
    assert contrasts({}, []) == []
    assert contrasts({"boundary": {"errors_at_boundary": None}, "pixel_accuracy": None}, []) == []


def rows(*shares):
    return [{"name": f"i{i}", "confidently_wrong": share, "iou": [None, 0.5]} for i, share in enumerate(shares)]


def test_masks_that_stand_out_are_doubtful_the_most_first():
    assert [row["name"] for row in doubtful(rows(0.001, 0.02, 0.001, 0.3, None, 0.009))] == ["i3", "i1"]


def test_a_model_that_is_always_too_sure_accuses_no_mask():
    assert doubtful(rows(0.1, 0.11, 0.12, 0.13)) == []


def test_the_list_for_the_labelling_tool_is_csv_whatever_the_names(read):
    name = 'a, "b" </textarea><script>'
    found = [{"name": name, "confidently_wrong": 0.25, "wrong": None}]
    assert list(csv.reader(doubtful_csv(found).splitlines())) == [
        ["name", "confidently_wrong", "wrong", "mean_iou", "confidence"],
        [name, "0.2500", "", "", ""],
    ]
    section = masks_section([*found, *rows(0.0, 0.0)], {})
    page = read(section.body)
    assert page.all("script") == []
    assert page.text.count("</textarea><script>") == 2  # in the table and in the list


def test_no_list_without_probabilities():
    assert masks_section([{"name": "a", "iou": []}], {}) is None


def test_no_mask_that_stands_out_is_said_so():
    assert "None stands out" in masks_section(rows(0.0, 0.0), {}).body


def test_all_images_are_listed_the_worst_first_and_the_unmeasured_last(read):
    images = [
        {"name": name, "mean_iou": iou, "iou": [iou, None]} for name, iou in (("a", 0.5), ("b", None), ("c", 0.25))
    ]
    section = images_section(images, {"c": 3}, LABELS)
    page = read(section.body)
    assert page.text.index("0.250") < page.text.index("0.500")
    assert page.all("a") == [{"href": "#panel-3", "data-panel": "3"}]
    assert [option["value"] for option in page.all("option")] == ["0", "1"]
