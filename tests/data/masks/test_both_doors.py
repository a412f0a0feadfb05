"""One decoder behind two doors: `check --fix` and `convert id-masks` make the same of the same masks."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

BLACK_AND_WHITE, ARBITRARY = ((0, 0, 0), (255, 255, 255)), ((200, 30, 0), (0, 0, 0), (90, 90, 250))


def drawings(num_classes):
    """{name: (10, 12) class ids}: a square of each class but 0, at another place in each of four masks."""
    drawn = {}
    for i in range(4):
        drawn[f"shot{i}"] = np.zeros((10, 12), dtype=np.uint8)
        for class_id in range(1, num_classes):
            top, left = 4 * class_id - 4 + i // 2, 2 + i
            drawn[f"shot{i}"][top : top + 4, left : left + 5] = class_id
    return drawn


def with_palette(values, colors):
    mask = Image.fromarray(values)
    mask.putpalette([channel for color in colors for channel in color])
    return mask


@pytest.fixture
def both(tmp_path, run):
    """Bring masks through both doors: both(drawn, draw, suffix) -> the two folders that were written."""

    def bring(drawn, draw, suffix, *flags, **options):
        for i, (name, class_ids) in enumerate(drawn.items()):
            image = Image.fromarray(np.random.default_rng(i).integers(0, 256, (10, 12, 3), dtype=np.uint8))
            split = tmp_path / "dataset" / ("validation" if i == 3 else "train")
            for folder in (split, tmp_path / "source" / "images"):
                folder.mkdir(parents=True, exist_ok=True)
                image.save(folder / f"{name}.png")
            for folder in (split.with_name(f"{split.name}_annotation"), tmp_path / "source" / "masks"):
                folder.mkdir(parents=True, exist_ok=True)
                draw(class_ids).save(folder / f"{name}.{suffix}", **options)
        said = []
        for command in (
            ("check", tmp_path / "dataset", "--fix", tmp_path / "fixed"),
            ("convert", "id-masks", tmp_path / "source", tmp_path / "converted", *flags),
        ):
            code, out, err = run(*command)
            assert (code, err) == (0, "")
            said.append(out)
        return [tmp_path / "fixed", tmp_path / "converted"], said

    return bring


def masks_in(folder):
    """{name: class ids} of all splits of a dataset."""
    return {path.stem: np.asarray(Image.open(path)).tolist() for path in folder.glob("*_annotation/*.png")}


def sources_in(folder):
    return [entry.get("source") for entry in json.loads((folder / "classes.json").read_text(encoding="utf-8"))]


def test_gif_masks_in_black_and_white_become_0_and_1_through_both_doors(both):
    drawn = drawings(2)
    folders, said = both(drawn, lambda class_ids: with_palette(class_ids, BLACK_AND_WHITE), "gif")
    for folder in folders:
        assert masks_in(folder) == {name: class_ids.tolist() for name, class_ids in drawn.items()}
        assert sources_in(folder) == [0, 255]
    changes = [json.loads(line) for line in Path(folders[0], "changes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(each["code"], each["change"]) for each in changes} == {
        ("mask-format", "GIF became PNG"), ("mask-0-255", "255 -> 1"), *(("renamed", f"named {n}.png") for n in drawn)
    }  # fmt: skip
    assert "note: The masks hold 0 and 255 alone; 255 became class 1 (class 1)." in said[1]


def one_bit(class_ids):
    return Image.fromarray(class_ids * 255).convert("1")


def of_16_bits(class_ids):
    return Image.fromarray(class_ids.astype(np.uint16))


@pytest.mark.parametrize(
    ("num_classes", "draw", "suffix", "options"),
    [
        pytest.param(2, one_bit, "png", {}, id="1-bit PNG"),
        pytest.param(2, one_bit, "bmp", {}, id="1-bit BMP"),
        pytest.param(2, one_bit, "tif", {}, id="1-bit TIFF"),
        pytest.param(3, Image.fromarray, "bmp", {}, id="gray BMP"),
        pytest.param(3, Image.fromarray, "tif", {"compression": None}, id="gray TIFF, uncompressed"),
        pytest.param(3, Image.fromarray, "tif", {"compression": "tiff_adobe_deflate"}, id="gray TIFF, deflate"),
        pytest.param(3, Image.fromarray, "gif", {}, id="gray GIF"),
        pytest.param(3, lambda ids: with_palette(ids, ARBITRARY), "png", {}, id="palette PNG"),
        pytest.param(3, lambda ids: with_palette(ids, ARBITRARY), "bmp", {}, id="palette BMP"),
        pytest.param(3, of_16_bits, "png", {}, id="16-bit PNG"),
        pytest.param(3, of_16_bits, "tif", {}, id="16-bit TIFF"),
        pytest.param(3, of_16_bits, "tif", {"compression": "tiff_adobe_deflate"}, id="16-bit TIFF, deflate"),
    ],
)
def test_ids_in_any_kind_of_file_come_through_both_doors_as_they_were_drawn(both, num_classes, draw, suffix, options):
    drawn = drawings(num_classes)
    folders, _ = both(drawn, draw, suffix, "--num-classes", num_classes, **options)
    for folder in folders:
        assert masks_in(folder) == {name: class_ids.tolist() for name, class_ids in drawn.items()}
        assert sources_in(folder) == [None] * num_classes


def test_numbers_of_64_bits_that_tifffile_alone_reads_come_through_both_doors(both, tmp_path):

    class Numbers:
        def __init__(self, class_ids):
            self.values = class_ids.astype(np.int64)

        def save(self, path):
            tifffile.imwrite(path, self.values, photometric="minisblack")

    drawn = drawings(3)
    folders, _ = both(drawn, Numbers, "tif", "--num-classes", 3)
    for folder in folders:
        assert masks_in(folder) == {name: class_ids.tolist() for name, class_ids in drawn.items()}
