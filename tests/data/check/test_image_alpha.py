"""When an image's transparency is worth a warning."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.check.alpha import transparency
from pixelwise.data.reading import open_image


def found(tmp_path, image, suffix="png", **options):
    path = tmp_path / f"image.{suffix}"
    image.save(path, **options)
    opened = open_image(path)
    opened.load()
    return [finding.found for finding in transparency(path, opened)]


def with_alpha(alpha, colors=None):
    """RGBA of (H, W) alpha over one gray or over (H, W, 3) colours."""
    alpha = np.array(alpha, dtype=np.uint8)
    colors = np.full((*alpha.shape, 3), 90, dtype=np.uint8) if colors is None else np.array(colors, dtype=np.uint8)
    return Image.fromarray(np.dstack([colors, alpha]))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_plane_of_alpha_is_silent(tmp_path, mode):
    assert found(tmp_path, Image.new("RGB", (4, 3), (9, 8, 7)).convert(mode)) == []


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_alpha_that_varies_is_a_warning(tmp_path, suffix):
    assert found(tmp_path, with_alpha([[255, 255], [255, 254]]), suffix) == ["has transparency"]


def test_a_transparent_entry_of_a_palette_counts_where_a_pixel_uses_it(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 1]], dtype=np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    assert found(tmp_path, image, transparency=2) == []
    assert found(tmp_path, image, transparency=bytes([255, 255, 0])) == []
    assert found(tmp_path, image, transparency=bytes([255, 7, 0])) == ["has transparency"]
    assert found(tmp_path, image, transparency=0) == ["has transparency"]


@pytest.mark.parametrize(("mode", "used", "unused"), [("L", 90, 91), ("RGB", (90, 90, 90), (90, 90, 91))])
def test_a_colour_that_stands_for_transparency_counts_where_a_pixel_has_it(tmp_path, mode, used, unused):
    image = Image.new(mode, (2, 2), used)
    assert found(tmp_path, image, transparency=unused) == []
    assert found(tmp_path, image, transparency=used) == ["has transparency"]


def test_colours_below_full_transparency_are_named_with_their_share(tmp_path):
    # Three of four pixels are clear; where they have one colour nothing is hidden.
    alpha = [[0, 0], [0, 255]]
    assert found(tmp_path, with_alpha(alpha)) == ["has transparency"]
    colors = [[(9, 9, 9), (200, 0, 0)], [(9, 9, 9), (9, 9, 9)]]
    hidden = "has transparency, which hides colours on 75.0 % of its pixels; training sees them"
    assert found(tmp_path, with_alpha(alpha, colors)) == [hidden]


def test_an_image_without_alpha_has_none():
    assert transparency(Path("a.png"), Image.new("RGB", (2, 2))) == []
