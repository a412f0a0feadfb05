import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import SettingsError
from pixelwise.inference import render
from pixelwise.labels import IGNORE, LabelTable

LABELS = LabelTable.named(["sky", "road"], {0: (0, 100, 200), 1: (100, 0, 50)})
CLASS_IDS = np.array([[0, 1, IGNORE]], dtype=np.uint8)


def test_a_mask_image_keeps_ids_as_pixels_and_shows_the_classes_colours():
    image = render.mask_image(CLASS_IDS, LABELS)
    assert (image.mode, image.size) == ("P", (3, 1))
    assert np.array_equal(np.asarray(image), CLASS_IDS)
    assert np.asarray(image.convert("RGB")).tolist() == [[[0, 100, 200], [100, 0, 50], [255, 255, 255]]]


def test_a_written_mask_is_gray_or_has_a_palette_and_its_pixels_are_ids():
    for palette, mode in ((False, "L"), (True, "P")):
        image = render.written_mask(CLASS_IDS, LABELS, palette=palette)
        assert (image.mode, np.asarray(image).tolist()) == (mode, CLASS_IDS.tolist())


def test_an_overlay_mixes_colours_in_and_leaves_ignored_pixels_alone():
    photo = Image.new("RGB", (3, 1), (200, 200, 200))
    assert np.asarray(render.overlay(photo, CLASS_IDS, LABELS)).tolist() == [
        [[100, 150, 200], [150, 100, 125], [200, 200, 200]]
    ]
    assert np.asarray(render.overlay(photo, CLASS_IDS, LABELS, opacity=0)).min() == 200
    with pytest.raises(SettingsError, match=r"opacity is 2"):
        render.overlay(photo, CLASS_IDS, LABELS, opacity=2)


def test_an_error_map_tells_right_wrong_and_ignored():
    shown = render.error_map(np.array([[0, 1, IGNORE]], np.uint8), np.array([[0, 0, 0]], np.uint8))
    assert np.asarray(shown).tolist() == [[list(render.RIGHT), list(render.WRONG), list(render.IGNORED)]]


def test_a_legend_shows_every_colour_within_its_width():
    labels = LabelTable.numbered(59)
    strip = render.legend(labels, width=400)
    shown = {color for _, color in strip.getcolors(maxcolors=strip.width * strip.height)}
    assert strip.width == 400
    assert shown >= set(labels.colors)


def test_a_panel_puts_pictures_under_their_titles_row_by_row():
    red, blue = Image.new("RGB", (120, 50), (255, 0, 0)), Image.new("L", (130, 40), 7)
    sheet = render.panel(["image", "truth"], [[red, blue], [blue, red]], labels=LABELS)
    counts = {color: count for count, color in sheet.getcolors(maxcolors=sheet.width * sheet.height)}
    assert counts[(255, 0, 0)] == 2 * 120 * 50
    assert counts[(7, 7, 7)] == 2 * 130 * 40
    assert (0, 100, 200) in counts


def test_a_picture_is_complete_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "new" / "a.png"
    render.save_png(path, render.mask_image(CLASS_IDS, LABELS))
    before = path.read_bytes()

    def half(self, file, format):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(SettingsError, match=r"a.png: cannot be written \(No space left on device\)"):
        render.save_png(path, render.mask_image(CLASS_IDS, LABELS))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    image = render.mask_image(CLASS_IDS, LABELS)
    with pytest.raises(SettingsError, match=r"a.png: cannot be written"):
        render.save_png(tmp_path / "file" / "a.png", image)
    with pytest.raises(SettingsError, match=r"a.jpg: is not a name for a PNG file"):
        render.save_png(tmp_path / "a.jpg", image)
