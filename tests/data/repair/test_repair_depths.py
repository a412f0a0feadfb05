"""A repaired copy of images of any depth: they stay as they are, and what does not fit the others is left out."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.data.repair.test_repair import add, fix, left_out, log_of, mask_of

IDS = np.array([[0, 255, 255], [0, 0, 255]], dtype=np.uint8)  # the object drawn as 255


def add_tiff(root, name, values, **options):
    add(root, name, mask=IDS)
    (root / "train" / f"{name}.png").unlink()
    tifffile.imwrite(root / "train" / f"{name}.tif", values, **{"photometric": "minisblack", **options})


def five_bands(number):
    return np.random.default_rng(number).integers(0, 4096, (2, 3, 5)).astype(np.uint16)


@pytest.fixture
def root(tmp_path):
    for number in range(3):
        add_tiff(tmp_path / "dataset", f"deep{number}", five_bands(number), planarconfig="contig")
    return tmp_path / "dataset"


def test_deep_images_keep_their_bytes_while_masks_are_repaired(root, tmp_path):
    report = fix(root, tmp_path / "out")
    assert (report.images["train"], report.left_out) == (3, ())
    for number in range(3):
        name = f"train/deep{number}.tif"
        assert (tmp_path / "out" / name).read_bytes() == (root / name).read_bytes()
        assert mask_of(tmp_path / "out", f"deep{number}") == [[0, 1, 1], [0, 0, 1]]


def test_images_of_another_kind_are_left_out_and_listed(root, tmp_path):
    add(root, "photo", mask=IDS)
    add_tiff(root, "four", five_bands(7)[:, :, :4], planarconfig="contig")
    report = fix(root, tmp_path / "out")
    assert left_out(report, root) == [("image-bands", "train/four.tif"), ("image-depth", "train/photo.png")]
    assert report.images["train"] == 3


def test_pages_behind_the_first_of_a_deep_image_stay_in_its_file(root, tmp_path):
    with tifffile.TiffWriter(root / "train" / "deep1.tif") as file:
        for number in (1, 8):
            file.write(five_bands(number), photometric="minisblack", planarconfig="contig")
    fix(root, tmp_path / "out")
    assert (tmp_path / "out" / "train" / "deep1.tif").read_bytes() == (root / "train" / "deep1.tif").read_bytes()


def test_a_16_bit_image_among_photographs_is_reduced_as_training_sees_it(tmp_path):
    root = tmp_path / "dataset"
    for name in ("a", "b"):
        add(root, name)
    add_tiff(root, "deep", np.array([[0, 257, 65535], [128, 129, 386]], dtype=np.uint16))
    fix(root, tmp_path / "out")
    with Image.open(tmp_path / "out" / "train" / "deep.png") as image:
        # divided by 257 and rounded: 128 / 257 = 0.498, 129 / 257 = 0.502, 386 / 257 = 1.502
        assert np.asarray(image)[:, :, 0].tolist() == [[0, 1, 255], [0, 1, 2]]
    codes = [(file, code) for file, _, code, _ in log_of(tmp_path / "out")]
    assert ("train/deep.tif", "image-16-bit") in codes
