"""A mask that is drawn in its transparency, with one colour everywhere, is read from there by every door."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.masks.decoding import decode

SHAPE = np.zeros((20, 24), dtype=np.uint8)
SHAPE[4:12, 6:18] = 255


def drawn_in_alpha(mode="RGBA"):
    image = Image.new("RGB" if mode == "RGBA" else "L", (24, 20), "white").convert(mode)
    image.putalpha(Image.fromarray(SHAPE))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_shape_in_the_transparency_is_the_mask(tmp_path, mode):
    drawn_in_alpha(mode).save(tmp_path / "m.png")
    assert np.array_equal(decode(tmp_path / "m.png").values(), SHAPE)


def tinted(color, shape=SHAPE):
    image = Image.new("RGBA", (24, 20), color)
    image.putalpha(Image.fromarray(shape))
    return image


def test_one_colour_that_is_no_gray_lies_on_black_where_it_is_transparent(tmp_path):
    tinted((200, 30, 0)).save(tmp_path / "m.png")
    raw = decode(tmp_path / "m.png").counted()
    assert (raw.kind, raw.counts) == ("colors", {(0, 0, 0): 384, (200, 30, 0): 96})  # 8 x 12 pixels of 20 x 24
    assert np.array_equal(raw.gray(), SHAPE)


def test_masks_in_the_transparency_of_one_colour_or_of_several_are_repaired(tmp_path, run):
    for split in ("train", "validation"):
        for i, color in enumerate(["red", "blue"]):
            for folder in (split, f"{split}_annotation"):
                (tmp_path / "dataset" / folder).mkdir(parents=True, exist_ok=True)
            photo = np.random.default_rng(i).integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(photo).save(tmp_path / "dataset" / split / f"{i}.png")
            tinted(color).save(tmp_path / "dataset" / f"{split}_annotation" / f"{i}.png")
    code, out, _ = run("check", tmp_path / "dataset")
    assert (code, "transparency that varies" in " ".join(out.split())) == (1, True)
    code, out, err = run("check", tmp_path / "dataset", "--fix", tmp_path / "fixed", "--json")
    assert code == 0, err
    assert json.loads(out)["changes"] == {"mask-alpha": 4, "mask-colors": 4}
    masks = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "fixed" / "train_annotation").iterdir())]
    # Two colours of equal pixels: black is background, the others follow by colour.
    assert [sorted(np.unique(mask).tolist()) for mask in masks] == [[0, 2], [0, 1]]
    assert all(np.array_equal(mask > 0, SHAPE > 0) for mask in masks)


def test_convert_reads_or_refuses_what_lies_in_the_transparency_of_a_colour(tmp_path, run):
    for folder, image in (("images", Image.new("RGB", (24, 20), "gray")), ("masks", tinted("red"))):
        (tmp_path / "source" / folder).mkdir(parents=True)
        for i in range(4):
            image.save(tmp_path / "source" / folder / f"{i}.png")
    code, _, err = run("convert", "binary-masks", tmp_path / "source", tmp_path / "binary", "--num-classes", "2")
    assert code == 0, err
    written = sorted((tmp_path / "binary").glob("*_annotation/*.png"))
    assert len(written) == 4
    assert all(np.array_equal(np.asarray(Image.open(path)), SHAPE // 255) for path in written)
    code, _, err = run("convert", "id-masks", tmp_path / "source", tmp_path / "ids", "--num-classes", "2")
    assert code == 1
    assert "color-masks" in err


def test_where_colours_differ_they_count_and_transparency_does_not(tmp_path):
    image = drawn_in_alpha()
    image.putpixel((0, 0), (255, 0, 0, 255))
    image.save(tmp_path / "m.png")
    assert decode(tmp_path / "m.png").kind == "colors"


@pytest.fixture
def folders(tmp_path):
    """A dataset, and a source for convert, of four photographs whose masks are white on transparent."""
    for split in ("train", "validation"):
        for i in range(4):
            photo = Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 24, 3), dtype=np.uint8))
            for folder, image in (
                (f"dataset/{split}", photo), (f"dataset/{split}_annotation", drawn_in_alpha()),
                ("source/images", photo), ("source/masks", drawn_in_alpha()),
            ):  # fmt: skip
                (tmp_path / folder).mkdir(parents=True, exist_ok=True)
                image.save(tmp_path / folder / f"{split}{i}.png")
    return tmp_path


def masks_below(folder):
    paths = sorted(folder.glob("*_annotation/*.png"))
    assert len(paths) == 8
    return [np.asarray(Image.open(path)) for path in paths]


def test_check_says_that_the_transparency_varies(folders, run):
    code, out, _ = run("check", folders / "dataset")
    assert code == 1
    assert "transparency that varies, in which the mask may be drawn" in " ".join(out.split())


def test_a_repaired_copy_has_the_shape_and_says_where_it_was(folders, run):
    code, out, err = run("check", folders / "dataset", "--fix", folders / "fixed", "--json")
    assert code == 0, err
    assert json.loads(out)["changes"]["mask-alpha"] == 8
    assert all(np.array_equal(mask, SHAPE // 255) for mask in masks_below(folders / "fixed"))


@pytest.mark.parametrize("form", ["binary-masks", "id-masks"])
def test_convert_reads_the_shape(folders, run, form):
    code, _, err = run("convert", form, folders / "source", folders / "out", "--num-classes", "2")
    assert code == 0, err
    assert all(np.array_equal(mask, SHAPE // 255) for mask in masks_below(folders / "out"))
