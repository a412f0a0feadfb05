"""Pictures of masks and predictions: their pixels and numbers, worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pixelwise.labels import LabelTable
from pixelwise.report import figures

pytest.importorskip("matplotlib")

LABELS = LabelTable.named(["sky", "road", "car", "fish"], {0: (10, 20, 30)})
PANEL = SimpleNamespace(
    name="drive 1/frame 7",
    image=Image.new("RGB", (4, 2), (200, 100, 50)),
    truth=np.array([[0, 0, 1, 255], [0, 1, 1, 255]], np.uint8),
    predicted=np.array([[0, 1, 1, 0], [0, 1, 1, 0]], np.uint8),
    confidence=np.full((2, 4), 51, np.uint8),
)


def texts(figure):
    """Everything a reader can read."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_the_annotation_format_shows_the_file_as_viewers_do_its_ids_and_its_colours():
    class_ids = np.array([[0, 1], [2, 255]], np.uint8)
    figure = figures.annotation_format(class_ids, LABELS)
    viewer, ids, colors = (ax.images[0] for ax in figure.axes[:3])
    assert viewer.get_clim() == (0, 255)
    assert viewer.get_array().tolist() == class_ids.tolist()
    assert ids.get_array().mask.tolist() == [[False, False], [False, True]]
    assert colors.get_array()[0, 0].tolist() == [10, 20, 30]
    assert colors.get_array()[1, 1].tolist() == [255, 255, 255]
    assert {"0  sky", "2  car", "255  ignored"} <= set(texts(figure))
    assert "3  fish" not in texts(figure)


def test_a_comparison_says_how_the_picture_of_the_image_was_made():
    title = figures.comparison(PANEL, LABELS, shown="Shown: band 1 in gray").get_suptitle()
    assert title == f"{PANEL.name}. Shown: band 1 in gray"


def test_the_comparison_counts_errors_among_the_labelled_pixels():
    figure = figures.comparison(PANEL, LABELS)
    _, _, _, probability, errors, right, difference = (ax.images[0].get_array() for ax in figure.axes[:7])
    assert "Errors: 1 px, 16.7 %" in texts(figure)
    assert "Right: 83.3 %" in texts(figure)
    # One of six pixels is off by one id of at most three: 1 / 18.
    assert "Absolute difference: 0.056" in texts(figure)
    np.testing.assert_allclose(probability, 0.2)
    vermilion, green, gray = [213, 94, 0], [0, 158, 115], [200, 200, 200]
    assert errors[0, 1].tolist() == vermilion
    assert [right[0, i].tolist() for i in (0, 1, 3)] == [green, vermilion, gray]
    np.testing.assert_allclose(difference, [[0, 1 / 3, 0, 0], [0, 0, 0, 0]])


def test_an_image_without_labelled_pixels_has_no_share_of_errors(tmp_path):
    ignored = np.full((2, 4), 255, np.uint8)
    figure = figures.comparison(SimpleNamespace(**{**vars(PANEL), "truth": ignored}), LABELS)
    figure.savefig(tmp_path / "a.png")
    assert "Errors: 0 px, -" in texts(figure)
    assert "Absolute difference: -" in texts(figure)


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3)])
def test_pictures_of_any_shape_are_drawn(shape, tmp_path):
    mask = np.zeros(shape, np.uint8)
    panel = SimpleNamespace(name="a", image=Image.new("RGB", shape[::-1]), truth=mask, predicted=mask, confidence=mask)
    figures.comparison(panel, LABELS).savefig(tmp_path / "a.png")
    figures.annotation_format(mask, LABELS).savefig(tmp_path / "b.png")


def test_a_legend_of_very_many_classes_says_how_many_it_leaves_out():
    mask = np.arange(200, dtype=np.uint8).reshape(10, 20)
    found = texts(figures.annotation_format(mask, LabelTable.numbered(254)))
    assert "and 160 more" in found
