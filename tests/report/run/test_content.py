import json
import math

import numpy as np
import pytest

from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.report.run.content import Panel, ReportContent
from tests.report.drawn_report import blank_image

LABELS = LabelTable.named(["sky", "road"])


def a_panel():
    truth = np.array([[0, 1, 255], [1, 1, 0]], dtype=np.uint8)
    return Panel("a/b", blank_image((3, 2)), truth, truth % 2, np.array([[0, 128, 255], [1, 2, 3]], dtype=np.uint8))


def test_content_comes_back_as_it_was_saved(tmp_path):
    content = ReportContent(
        title="Title",
        labels=LABELS,
        scores={"mean_iou": 0.5},
        images=[{"name": "a/b", "mean_iou": 0.5, "iou": [0.5, None]}],
        history=[{"epoch": 1, "train_loss": 0.7, "validation_loss": None}],
        settings={"epochs": 3},
        facts={"train": {"classes": []}},
        provenance={"seconds": 1.5},
        panels=[a_panel()],
        bands={"depth": "uint16"},
        shown="Shown: band 1 in gray",
    )
    content.save(tmp_path)
    found = ReportContent.load(tmp_path)
    for name in ("title", "labels", "scores", "images", "history", "settings", "facts", "provenance", "bands", "shown"):
        assert getattr(found, name) == getattr(content, name)
    assert found.panels[0].name == "a/b"
    for name in ("truth", "predicted", "confidence"):
        assert np.array_equal(getattr(found.panels[0], name), getattr(a_panel(), name))
    assert np.abs(np.asarray(found.panels[0].image).astype(int) - (10, 20, 30)).max() <= 2


def test_content_of_before_there_were_bands_is_read(tmp_path):
    path = ReportContent("t", LABELS).save(tmp_path)
    before = json.loads(path.read_text())
    del before["bands"], before["shown"]
    path.write_text(json.dumps(before))
    found = ReportContent.load(tmp_path)
    assert (found.bands, found.shown) == ({}, "")


def test_what_was_not_measured_is_null_and_paths_are_text(tmp_path):
    content = ReportContent(
        "t", LABELS, scores={"mean_iou": math.nan, "pixels": np.int64(3)}, settings={"data": tmp_path, "sizes": (1, 2)}
    )
    found = json.loads(content.save(tmp_path).read_text())
    assert found["scores"] == {"mean_iou": None, "pixels": 3}
    assert found["settings"] == {"data": str(tmp_path), "sizes": [1, 2]}


def test_content_is_written_whole_and_nothing_beside_it(tmp_path):
    ReportContent("t", LABELS).save(tmp_path / "report")
    ReportContent("t", LABELS).save(tmp_path / "report")
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["content.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "title": "t"}'])
def test_something_else_is_refused_with_its_name(tmp_path, text):
    (tmp_path / "content.json").write_text(text)
    with pytest.raises(DataError, match=r"content\.json: cannot be read as the content of a report .* run it again"):
        ReportContent.load(tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"content\.json: cannot be read"):
        ReportContent.load(tmp_path)


def test_pictures_of_different_sizes_are_refused(tmp_path):
    panel = a_panel()
    ReportContent("t", LABELS, panels=[panel]).save(tmp_path)
    content = json.loads((tmp_path / "content.json").read_text())
    other = Panel("x", blank_image((4, 4)), *[np.zeros((4, 4), dtype=np.uint8)] * 3)
    ReportContent("t", LABELS, panels=[other]).save(tmp_path)
    content["panels"][0]["truth"] = json.loads((tmp_path / "content.json").read_text())["panels"][0]["truth"]
    (tmp_path / "content.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="not of one size"):
        ReportContent.load(tmp_path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"content\.json: cannot be written"):
        ReportContent("t", LABELS).save(tmp_path / "file")
