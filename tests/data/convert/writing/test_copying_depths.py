"""Images of any depth and bands in a conversion: their bytes stay, and what no dataset has is named and left out."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.writing.convert import convert
from pixelwise.data.dataset.pairs import open_dataset

NAMES = tuple("abcdef")


def tiff(values, **options):
    encoded = io.BytesIO()
    tifffile.imwrite(encoded, values, **{"photometric": "minisblack", **options})
    return encoded.getvalue()


def deep(number, bands, depth="uint16"):
    shape = (4, 6) if bands == 1 else (4, 6, bands)
    return np.random.default_rng(number).integers(0, 4096, shape).astype(depth)


def png_of_16_bits(number):
    encoded = io.BytesIO()
    Image.fromarray(deep(number, 1)).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def converted(source, tmp_path, encoded):
    def run(contents, suffix):
        files = {}
        for number, (name, content) in enumerate(zip(NAMES, contents, strict=False)):
            files[f"images/{name}{suffix}"] = content
            mask = np.zeros((4, 6), dtype=np.uint8)
            mask[:, number % 3 + 1 :] = 1
            files[f"masks/{name}.png"] = encoded(mask, "PNG")
        report = convert("id-masks", source(files), tmp_path / "dataset", options=Options(num_classes=2))
        return report, files

    return run


@pytest.mark.parametrize(
    ("make", "suffix"),
    [
        (lambda number: tiff(deep(number, 5), planarconfig="contig", compression="deflate"), ".tif"),
        (lambda number: tiff(deep(number, 3), photometric="rgb"), ".tiff"),
        (lambda number: tiff(deep(number, 1, "float32")), ".tif"),
        (png_of_16_bits, ".png"),
    ],
    ids=["5-bands", "16-bit-rgb", "float", "16-bit-png"],
)
def test_the_bytes_of_a_deep_image_stay(converted, tmp_path, make, suffix):
    report, files = converted([make(number) for number in range(len(NAMES))], suffix)
    assert report.left_out == ()
    images = [path for split in ("train", "validation") for path in (tmp_path / "dataset" / split).iterdir()]
    assert {path.name: path.read_bytes() for path in images} == {
        name.removeprefix("images/"): content for name, content in files.items() if name.startswith("images/")
    }
    assert check_dataset(open_dataset(tmp_path / "dataset")).sound


def test_more_bands_than_a_dataset_has_are_named_and_left_out(converted):
    contents = [tiff(deep(number, 5), planarconfig="contig") for number in range(5)]
    report, _ = converted([*contents, tiff(deep(5, 17), planarconfig="contig")], ".tif")
    (finding,) = report.left_out
    assert finding.file.name == "f.tif"
    assert "17 bands" in finding.found


def test_a_volume_is_named_and_left_out(converted):
    contents = [tiff(deep(number, 1)) for number in range(5)]
    volume = tiff(np.zeros((2, 3, 16, 16), dtype=np.uint16), volumetric=True, tile=(2, 16, 16))
    report, _ = converted([*contents, volume], ".tif")
    (finding,) = report.left_out
    assert finding.file.name == "f.tif"
    assert "volume" in finding.found
