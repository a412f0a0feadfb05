import math
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.labels import LabelTable
from pixelwise.report.charts.lines import Series, line_chart
from pixelwise.report.numbers import duration
from pixelwise.report.run.confusion import confusion_section
from pixelwise.report.run.content import ReportContent
from pixelwise.report.run.data import balance_section
from pixelwise.report.run.page import run_page, write_report
from pixelwise.report.run.scores import definitions_section, score_bars
from tests.report.drawn_report import HISTORY, drawn_content, drawn_facts, many_classes

LABELS = LabelTable.named(["sky", "road"])


@pytest.fixture(scope="module")
def content():
    return drawn_content()


def test_a_whole_report_is_well_formed_stands_alone_and_has_all_its_parts(read, content):
    page = read(run_page(content))
    assert [section["id"] for section in page.all("section")] == [
        "scores", "learning", "by-class", "confusion", "failures", "masks", "viewer", "panels", "images", "boundary",
        "objects", "calibration", "average-precision", "difference", "definitions", "format", "balance", "data",
        "settings", "provenance",
    ]  # fmt: skip


def test_headline_numbers_come_with_interval_and_definition(read):
    scores = {
        "mean_iou": 0.5,
        "pixel_accuracy": 0.75,
        "intervals": {"mean_iou": [0.4375, 0.625], "pixel_accuracy": None},
    }
    page = read(run_page(ReportContent("t", LABELS, scores=scores)))
    assert "Mean IoU 0.500 (95 % interval 0.438 to 0.625), pixel accuracy 0.750." in page.text
    assert "TP / (TP + FP + FN)" in page.text


def test_beside_the_headline_numbers_stands_what_views_bring_and_cost(read):
    def scores(mean_iou, *iou):
        return {"mean_iou": mean_iou, "per_class": [{"iou": value} for value in iou]}

    tta = {
        "verdict": "With test-time augmentation (2 views): better <i>",
        "views": ["as it is", "mirrored"],
        "plain": scores(0.25, 0.5, None),
    }
    page = read(run_page(ReportContent("t", LABELS, scores={**scores(0.375, 0.625, 0.125), "tta": tta})))
    assert "With test-time augmentation (2 views): better <i>" in page.text
    assert "The views: as it is; mirrored." in page.text
    rows = "".join(page.text.split())
    assert "MeanIoU0.2500.375" in rows
    assert "0sky0.5000.625" in rows
    assert "1road-0.125" in rows


def test_a_report_of_masks_alone_has_no_curves_and_no_viewer(read, content):
    scores = {name: content.scores[name] for name in ("mean_iou", "per_class", "confusion", "intervals")}
    images = [{"name": row["name"], "iou": row["iou"]} for row in content.images]
    page = read(run_page(ReportContent("t", content.labels, scores=scores, images=images)))
    assert [section["id"] for section in page.all("section")] == ["scores", "by-class", "confusion", "images"]


def test_a_report_of_nothing_is_a_page(read):
    assert read(run_page(ReportContent("Empty", LABELS))).all("section") == []


def test_a_report_of_a_run_under_way_has_curves_alone(read):
    page = read(run_page(ReportContent("t", LABELS, history=HISTORY[:1])))
    assert [section["id"] for section in page.all("section")] == ["learning", "provenance"]


def test_whatever_the_names_they_are_text(read, content):
    evil = "</script><img src=x onerror=alert(1)>\"'&"
    labels = replace(content.labels, names=(evil, *content.labels.names[1:]))
    images = [{**row, "name": evil + str(i)} for i, row in enumerate(content.images)]
    page = read(run_page(replace(content, title=evil, labels=labels, images=images, settings={evil: evil})))
    assert len(page.all("script")) == 2
    assert not any(image["src"] == "x" for image in page.all("img"))


def test_the_page_is_the_same_when_it_is_written_again(content, tmp_path):
    first = write_report(content, tmp_path / "one")
    again = write_report(ReportContent.load(tmp_path / "one"), tmp_path / "two")
    third = write_report(ReportContent.load(tmp_path / "two"), tmp_path / "three")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["content.json", "index.html"]
    assert abs(first.stat().st_size / again.stat().st_size - 1) < 0.05
    assert third.read_text().count("<tr>") == first.read_text().count("<tr>")


def test_a_thousand_images_fit_in_ten_megabytes(content):
    generator = np.random.default_rng(0)
    labels = many_classes(20)
    images = [
        {"name": f"folder/image_{i:06}", "mean_iou": iou, "pixel_accuracy": iou, "iou": list(generator.random(20))}
        for i, iou in enumerate(generator.random(1000))
    ]
    confusion = generator.integers(0, 10**9, (20, 20)).tolist()
    scores = {"mean_iou": 0.5, "confusion": confusion}
    document = run_page(replace(content, labels=labels, images=images, scores=scores, facts={}))
    assert document.count("folder/image_") == 1000
    assert len(document) + 6_500_000 < 10_000_000


def test_254_classes_show_the_most_confused_and_a_picture_of_all(read):
    counts = np.eye(254, dtype=np.int64) * 100
    counts[7, 9] = 50
    page = read(confusion_section(counts.tolist(), many_classes(254)).body)
    assert "Most often class <7> & co is taken for class <9> & co: 100.0 % of all wrong pixels." in page.text
    assert "The heat maps show the 25 classes with the most wrong pixels of the 254" in page.text
    assert len(page.all("img")) == 1
    assert len([row for row in page.all("th") if row["scope"] == "row"]) == 1 + 2 * 25


def test_confusion_is_written_in_percent_of_the_truth_and_in_thousands(read):
    body = confusion_section([[75_000, 25_000], [0, 1_500_000]], LABELS).body
    read(body)
    for text in ("75", "25", "100", "75K", "25K", "1.5M"):
        assert f">{text}</td>" in body


def test_no_confusion_is_said_so():
    assert "No labelled pixel is wrong." in confusion_section([[3, 0], [0, 4]], LABELS).body
    assert "No labelled pixel is wrong." in confusion_section([[0, 0], [0, 0]], LABELS).body


def test_of_very_many_classes_the_rest_is_one_bar_and_shares_stay_true(read):
    labels = many_classes(254)
    body = balance_section({"train": drawn_facts(labels)}, labels).body
    total = sum(entry["pixels"] for entry in drawn_facts(labels)["classes"])
    assert f"{300 * 253:,} px" in read(body).text
    assert f"{100 * 300 * 253 / total:.2f} % · {300 * 253:,} px" in read(body).text
    assert "224 others" in body


def test_bars_of_scores_have_whiskers_and_the_mean(read):
    scores = {
        "mean_iou": 0.5,
        "per_class": [{"iou": 0.75}, {"iou": 0.25}],
        "intervals": {"iou": [[0.5, 0.875], None]},
    }
    page = read(score_bars(scores, LABELS, "iou", "IoU"))
    mean = [line for line in page.all("line") if line.get("class") == "mean"]
    assert [(line["x1"], line["x2"]) for line in mean] == [("50.00%", "50.00%")]
    assert [bar["width"] for bar in page.all("rect")] == ["100%", "25.00%", "100%", "75.00%"]
    assert "1 road: 0.250" in page.text
    assert "0 sky: 0.750 (0.500 to 0.875)" in page.text


def test_of_very_many_classes_the_weakest_bars_are_drawn():
    scores = {"mean_iou": 0.5, "per_class": [{"iou": i / 254} for i in range(254)]}
    drawn = score_bars(scores, many_classes(254), "iou", "IoU")
    assert "the 30 weakest of 254 classes" in drawn
    assert drawn.count("<rect") == 60


def test_a_line_is_drawn_to_scale_and_broken_where_nothing_was_measured(read):
    points = [(0, 0.0), (1, 1.0), (2, math.nan), (3, 0.5), (4, 1.0)]
    page = read(line_chart([Series("mIoU", points, "train")], title="T", x_name="epoch", y_range=(0, 1)))
    path = next(each["d"] for each in page.all("path") if each["d"].count("M") == 2 and "L" in each["d"])
    # 46 to 348 across, 190 (bottom) to 10 (top)
    assert path == "M46.0 190.0L121.5 10.0M272.5 100.0L348.0 10.0"


def test_a_chart_of_nothing_says_so(read):
    assert "not measured" in read(line_chart([Series("x", [(1, math.nan)])], title="T", x_name="e")).text


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_a_line_that_never_moves_can_be_drawn(read, value):
    read(line_chart([Series("x", [(1, value), (2, value)])], title="T", x_name="e"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min"), (12_000, "3 h 20 min"), (math.nan, "-")],
)
def test_times_are_written_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_other_definitions_are_named_with_who_uses_them(read):
    scores = {"mean_iou": 0.5, "other_definitions": {"micro": 0.25, "plain_mean": None}}
    text = read(definitions_section(scores).body).text
    assert "score from 0.250 to 0.250" in text
    assert "0.500 mean_iou (ours)" in text
    assert "0.250 micro" in text
    assert "- plain_mean" in text
    assert "TorchGeo" in text
