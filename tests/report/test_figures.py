"""Figures: what they show is read back from their axes; values are worked out by hand."""

import subprocess
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError, MissingExtra, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.report import figures

pytest.importorskip("matplotlib")

LABELS = LabelTable.named(["sky", "road", "car", "$fish$"], {0: (10, 20, 30)})

# Rows are the truth. IoU of sky 6000 / 8000, road 2000 / 4000, car 0 / 1000; $fish$ occurs nowhere.
CONFUSION = [[6000, 1000, 0, 0], [1000, 2000, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
IOU = [0.75, 0.5, 0.0, None]

NOTHING = {size: {"regions": 0, "mean_recall": None} for size in ("small", "medium", "large")}
FOUND = {**NOTHING, "small": {"regions": 3, "mean_recall": 0.2}, "large": {"regions": 2, "mean_recall": 0.9}}

SCORES = {
    "pixel_accuracy": 0.8,
    "mean_iou": 0.42,
    "mean_dice": 0.5,
    "per_class": [
        {"id": i, "name": name, "iou": IOU[i], "dice": IOU[i], "pixels": sum(CONFUSION[i])}
        for i, name in enumerate(LABELS.names)
    ],
    "confusion": CONFUSION,
    "intervals": {"mean_iou": [0.38, 0.47], "iou": [[0.7, 0.8], [0.4, 0.55], None, None], "dice": [None] * 4},
    "boundary": {
        "trimap": [
            {"width_px": 1, "pixel_accuracy": 0.4, "mean_iou": 0.2},
            {"width_px": 2, "pixel_accuracy": 0.6, "mean_iou": 0.3},
        ],
        "errors_at_boundary": 0.6,
        "pixels_at_boundary": 0.1,
    },
    "calibration": {
        "temperature": 1.5,
        "expected_calibration_error": 0.05,
        "maximum_calibration_error": 0.2,
        "brier_score": None,
        "bins": [
            {"from": 0.0, "to": 0.5, "pixels": 0, "confidence": None, "accuracy": None},
            {"from": 0.5, "to": 1.0, "pixels": 9, "confidence": 0.9, "accuracy": 0.7},
        ],
    },
    "objects": {
        "limits": [0.001, 0.01],
        "overall": FOUND,
        "per_class": [FOUND, NOTHING, NOTHING, NOTHING],
    },
}

REGIONS = {
    "count": 5, "smallest": 0.0001, "median": 0.001, "largest": 0.2, "median_extent_px": 4.0,
    "largest_extent_px": 300.0, "typical_extent_px": 120.0, "typical_thickness_px": 40.0,
}  # fmt: skip
FACTS = {
    "classes": [
        {"id": i, "name": name, "pixels": pixels, "regions": REGIONS if pixels else {**REGIONS, "count": 0}}
        for i, (name, pixels) in enumerate(zip(LABELS.names, (900, 90, 10, 0), strict=True))
    ],
    "imbalance_ratio": 90.0,
}

NOT_VALIDATED = {"validation_loss": None, "validation_miou": None, "validation_pixel_accuracy": None}
VALIDATED = {"validation_loss": 1.2, "validation_miou": 0.4, "validation_pixel_accuracy": 0.8}
HISTORY = [
    {"epoch": 1, "learning_rate": 0.002, "train_loss": 2.0, "train_miou": 0.1, "train_pixel_accuracy": 0.5},
    {"epoch": 2, "learning_rate": 0.001, "train_loss": 1.0, "train_miou": 0.3, "train_pixel_accuracy": 0.7},
]
HISTORY = [HISTORY[0] | NOT_VALIDATED, HISTORY[1] | VALIDATED]


OF_CONFUSION = ["iou_bars", "confusion_counts", "confusion_normalised", "most_confused"]


@dataclass
class Content:
    labels: Any = LABELS
    scores: Any = field(default_factory=dict)
    history: Any = ()
    facts: Any = field(default_factory=dict)
    panels: Any = ()
    shown: str = ""


def texts(figure):
    """Everything a reader can read."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def said(figure):
    return "\n".join(texts(figure))


def lines(ax):
    return {line.get_label(): [list(map(float, data)) for data in line.get_data()] for line in ax.lines}


def test_learning_curves_pass_over_what_was_not_measured_and_mark_the_best():
    loss, miou, accuracy, rate = figures.learning_curves(HISTORY).axes
    assert lines(loss) == {"training": [[1, 2], [2, 1]], "validation": [[2], [1.2]]}
    assert lines(accuracy)["validation"] == [[2], [0.8]]
    assert miou.get_ylim() == accuracy.get_ylim() == (0, 1)
    assert list(rate.lines[0].get_ydata()) == [0.002, 0.001]
    assert "best 0.400 in epoch 2" in said(miou.figure)


def test_a_run_without_validation_still_has_curves():
    history = [row | NOT_VALIDATED for row in HISTORY]
    assert "validation: not measured" in said(figures.learning_curves(history))


def test_bars_are_sorted_carry_their_interval_and_leave_absent_classes_out():
    (ax,) = figures.iou_bars(SCORES, LABELS).axes
    assert [bar.get_width() for bar in ax.patches] == [0.0, 0.5, 0.75]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["2  car", "1  road", "0  sky"]
    assert ax.patches[2].get_facecolor()[:3] == pytest.approx((10 / 255, 20 / 255, 30 / 255))
    drawn = [list(line.get_xdata()) for line in ax.lines]
    assert [0.4, 0.55] in drawn
    assert [0.42, 0.42] in drawn
    assert "0.420 (95 % interval 0.380 to 0.470)" in said(ax.figure)


def test_bars_without_intervals_do_not_speak_of_any():
    figure = figures.dice_bars({**SCORES, "intervals": {}})
    assert "0.750" in said(figure)
    assert "interval" not in said(figure)


def test_the_confusion_in_counts_has_thousands_as_k_and_only_classes_that_occur():
    found = texts(figures.confusion_counts(SCORES, LABELS))
    assert sorted(text for text in found if text.endswith("K")) == ["1.0K", "1.0K", "2.0K", "6.0K"]
    assert "0  sky" in found
    assert not any("car" in text for text in found)


def test_the_normalised_confusion_has_the_recall_on_its_diagonal():
    figure = figures.confusion_normalised(SCORES)
    # 6000 of 7000 and 2000 of 3000.
    np.testing.assert_allclose(
        np.asarray(figure.axes[0].images[0].get_array()), [[600 / 7, 100 / 7], [100 / 3, 200 / 3]]
    )
    assert {"86", "14", "33", "67"} <= set(texts(figure))


def test_the_most_confused_pairs_come_with_their_share_of_the_errors_and_of_the_class():
    (ax,) = figures.most_confused({**SCORES, "confusion": [[60, 30, 0, 0], [10, 0, 0, 0], *[[0] * 4] * 2]}).axes
    assert "75.0 % of the errors, 33.3 % of sky" in texts(ax.figure)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["sky → road", "road → sky"]
    assert ax.get_yticks()[0] > ax.get_yticks()[1]


def test_the_class_distribution_says_how_large_the_imbalance_is():
    bars, pie = figures.class_distribution(FACTS, LABELS).axes
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([1, 9, 90])
    assert [wedge.theta1 - wedge.theta2 for wedge in pie.patches] == pytest.approx([-324, -32.4, -3.6], rel=1e-5)
    assert "Imbalance ratio 90: sky has 90.0 %" in said(bars.figure).replace("\n", " ")


def test_object_scales_go_from_the_median_to_the_largest_on_a_logarithmic_axis():
    lengths, areas = figures.object_scales(FACTS, LABELS).axes
    assert lengths.get_xscale() == areas.get_xscale() == "log"
    np.testing.assert_allclose(lengths.collections[0].get_segments()[0][:, 0], [4, 300])
    assert lines(lengths)["typical length"] == [[120] * 3, [0, 1, 2]]
    assert len(lengths.get_yticklabels()) == 3


def test_reliability_draws_the_gap_between_probability_and_accuracy():
    upper, lower = figures.reliability(SCORES).axes
    right, gap = upper.patches
    assert (right.get_x(), right.get_width(), right.get_height()) == (0.5, 0.5, 0.7)
    assert (gap.get_y(), gap.get_height()) == pytest.approx((0.7, 0.2))
    assert [bar.get_height() for bar in lower.patches] == [100]
    assert "Expected calibration error 0.050" in said(upper.figure)


def test_the_trimap_stands_beside_the_scores_of_all_pixels():
    (ax,) = figures.trimap(SCORES).axes
    drawn = lines(ax)
    assert drawn["pixel accuracy"] == [[1, 2], [0.4, 0.6]]
    assert drawn["mean IoU, all pixels"][1] == [0.42, 0.42]
    assert "60.0 % of the wrong pixels and 10.0 % of all" in said(ax.figure)


def test_recall_by_size_has_a_row_for_each_class_with_objects_and_one_for_all():
    (ax,) = figures.recall_by_size(SCORES, LABELS).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0  sky", "all classes"]
    drawn = lines(ax)
    assert drawn["small: below 0.1 % of the image (3 objects)"] == [[0.2, 0.2], [0, 1]]
    assert drawn["medium: below 1 % (0 objects)"] == [[], []]


def test_a_class_name_with_dollar_signs_is_no_formula(tmp_path):
    scores = {**SCORES, "confusion": [[0] * 4] * 3 + [[1, 0, 0, 5]]}
    figures.most_confused(scores, LABELS).savefig(tmp_path / "a.png")
    assert r"\$fish\$ → sky" in texts(figures.most_confused(scores, LABELS))


@pytest.mark.parametrize("name", OF_CONFUSION)
@pytest.mark.parametrize("number", [60, 254])
def test_many_classes_make_a_figure_taller_not_unreadable(name, number):
    counts = np.eye(number, dtype=int) + 1
    entries = [{"name": f"class number {i}", "iou": 0.5, "dice": 0.5} for i in range(number)]
    scores = {"per_class": entries, "confusion": counts.tolist(), "mean_iou": 0.5}
    height = getattr(figures, name)(scores).get_figheight()
    assert height >= (5 if name == "most_confused" else 15)


@pytest.mark.parametrize("name", [*OF_CONFUSION, "reliability", "trimap", "recall_by_size"])
def test_where_nothing_was_measured_the_figure_says_so(name, tmp_path):
    entries = [{"name": "sky", "iou": None, "dice": None}, {"name": "road", "iou": None, "dice": None}]
    figure = getattr(figures, name)({"per_class": entries, "confusion": [[0, 0], [0, 0]], "mean_iou": None})
    figure.savefig(tmp_path / "empty.png")
    assert len([text for text in texts(figure) if text.endswith(".")]) == 1


def test_labels_of_other_classes_are_refused():
    with pytest.raises(DataError, match="4 classes, the numbers 2"):
        figures.iou_bars({"per_class": SCORES["per_class"][:2]}, LABELS)


def test_files_have_names_that_say_what_they_show(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.new("RGB", (2, 2), (200, 100, 50))
    panel = SimpleNamespace(name="drive 1/frame 7", image=image, truth=mask, predicted=mask % 3, confidence=mask)
    content = Content(scores=SCORES, history=HISTORY, facts={"train": FACTS}, panels=[panel])
    paths = figures.write_figures(content, tmp_path / "figures")
    assert [path.stem for path in paths] == [
        "learning-curves", "class-distribution-train", "object-scales-train", "iou", "dice", "confusion-counts",
        "confusion-normalised", "most-confused", "reliability", "trimap", "recall-by-object-size",
        "annotation-format", "comparison-01-drive-1-frame-7",
    ]  # fmt: skip
    assert sorted(tmp_path.glob("figures/*")) == sorted(paths)
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert len(image.convert("L").getcolors()) > 1


def test_names_that_the_font_lacks_do_not_get_in_the_way(tmp_path):
    scores = {**SCORES, "per_class": [{**entry, "name": f"空 {entry['id']}"} for entry in SCORES["per_class"]]}
    assert figures.write_figures(Content(LabelTable.named([f"空 {i}" for i in range(4)]), scores), tmp_path)


def test_figures_without_numbers_are_left_out(tmp_path):
    scores = {name: SCORES[name] for name in ("per_class", "confusion", "mean_iou", "mean_dice")}
    names = [path.stem for path in figures.write_figures(Content(scores=scores), tmp_path)]
    assert names == ["iou", "dice", "confusion-counts", "confusion-normalised", "most-confused"]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_half_written_stays(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        figures.write_figures(Content(history=HISTORY), tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pixelwise\[figures\]"):
        figures.learning_curves(HISTORY)


def test_importing_and_drawing_neither_need_nor_start_pyplot():
    code = (
        "import sys; from pixelwise.report import figures; assert 'matplotlib' not in sys.modules;"
        f"figures.learning_curves({HISTORY!r}); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
