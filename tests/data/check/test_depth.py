import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise import check
from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.errors import SettingsError

SIZE = (40, 48)  # rows, columns


def write_split(root, split, images):
    for kind in (split, f"{split}_annotation"):
        (root / kind).mkdir(parents=True)
    for i, image in enumerate(images):
        tifffile.imwrite(root / split / f"{split}{i}.tif", image, **options_of(image))
        mask = np.zeros(SIZE, dtype=np.uint8)
        mask[5:20, 5 + i : 25 + i] = 1
        Image.fromarray(mask).save(root / f"{split}_annotation" / f"{split}{i}.png")


def options_of(image):
    if image.ndim == 3 and image.shape[2] == 3:
        return {"photometric": "rgb"}
    return {"photometric": "minisblack", "planarconfig": "contig"} if image.ndim == 3 else {}


def noise(*shape, high=4000, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, high, (*SIZE, *shape)).astype(dtype)


@pytest.fixture
def deep(tmp_path):
    """Five bands of 16 bits whose training values are 0 to 3999 and whose validation values reach 60000."""
    write_split(tmp_path / "deep", "train", [noise(5, seed=i) for i in range(4)])
    write_split(tmp_path / "deep", "validation", [noise(5, high=60000, seed=9 + i) for i in range(2)])
    return tmp_path / "deep"


def codes(report):
    return {finding.code for finding in report.findings if finding.code.startswith(("image-", "value"))}


def test_the_range_of_a_band_comes_from_the_training_images_alone(deep):
    bands = check(deep, crop_size=32).bands
    assert (bands.depth, bands.in_file, bands.chosen, bands.is_color) == ("uint16", 5, (1, 2, 3, 4, 5), False)
    every = np.concatenate(
        [noise(5, seed=i).reshape(-1, 5) for i in range(4)]
    )  # 1920 pixels an image: all are looked at
    low, high = np.quantile(every, (0.005, 0.995), axis=0)
    assert bands.ranges == tuple(zip(np.floor(low), np.ceil(high), strict=True))


def test_what_was_understood_is_said_and_told_to_programs(deep):
    report = check(deep, crop_size=32)
    assert codes(report) == set()
    assert any("5 bands" in sentence for sentence in report.basis)
    assert json.loads(json.dumps(report.to_json()))["bands"]["in_file"] == 5


def test_bands_and_range_can_be_chosen(deep):
    bands = check(deep, crop_size=32, bands="4,2", value_range="0,4095").bands
    assert bands.chosen == (4, 2)
    assert bands.ranges == ((0, 4095), (0, 4095))
    with pytest.raises(SettingsError, match="the images have 5 bands"):
        check(deep, bands="6")


def test_a_range_that_many_values_leave_is_a_warning(deep):
    report = check(deep, crop_size=32, value_range="0,2000")
    assert codes(report) == {"value-range"}
    of_train = [each for each in report.findings if each.file.name == "train"]
    said = [each.found for each in of_train if each.code == "value-range"]
    # Of the numbers 0 to 3999 half are above 2000.
    words = r"has ([\d.]+) % of the values of band \d outside 0 to 2000"
    shares = [float(re.fullmatch(words, text)[1]) for text in said]
    assert shares == pytest.approx([50] * 5, abs=2)


def test_pixel_values_are_told_in_the_range_of_their_band(tmp_path):
    half = np.zeros((*SIZE, 2), dtype=np.uint16)
    half[::2, :, 1] = 1000
    write_split(tmp_path / "half", "train", [half])
    write_split(tmp_path / "half", "validation", [half])
    values = check(tmp_path / "half", crop_size=32, value_range="0,2000").facts["train"].pixels
    assert values.mean == (0, 0.25)
    assert values.std == (0, 0.25)


def test_gray_beside_colours_is_read_as_these(tmp_path):
    write_split(tmp_path / "mixed", "train", [noise(3, seed=1), noise(seed=2), noise(seed=3)])
    write_split(tmp_path / "mixed", "validation", [noise(3, seed=4), noise(seed=5)])
    report = check(tmp_path / "mixed", crop_size=32)
    assert report.faults == ()
    assert (report.bands.in_file, report.bands.is_color) == (3, True)


def test_an_image_of_other_bands_or_of_another_depth_is_a_fault(tmp_path):
    write_split(tmp_path / "mixed", "train", [noise(5, seed=1), noise(5, seed=2), noise(4, seed=3)])
    write_split(tmp_path / "mixed", "validation", [noise(5, seed=4), noise(5, dtype=np.float32, seed=5)])
    found = {finding.file.name: (finding.code, finding.found) for finding in check(tmp_path / "mixed").faults}
    assert found == {
        "train2.tif": ("image-bands", "has 4 bands of uint16"),
        "validation1.tif": ("image-depth", "has 5 bands of float32"),
    }


def test_16_bits_among_photographs_are_reduced_and_the_levels_that_are_left_are_counted(dataset):
    values = np.full((48, 64), 1000, dtype=np.uint16)
    values[:8] += 4 * 257
    Image.fromarray(values).save(dataset / "train" / "train0.png")
    report = check(dataset, crop_size=32)
    assert report.bands == PHOTOGRAPH
    (finding,) = (each for each in report.findings if each.code == "image-16-bit")
    assert finding.found == "has more than 8 bits a channel, of which 2 of 256 levels are left"


def test_what_is_no_number_and_what_is_a_second_page_is_named(tmp_path):
    holes = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    write_split(tmp_path / "floats", "train", [holes, holes])
    write_split(tmp_path / "floats", "validation", [holes])
    broken = holes.copy()
    broken[:4] = np.nan
    tifffile.imwrite(tmp_path / "floats" / "train" / "train0.tif", broken)
    with tifffile.TiffWriter(tmp_path / "floats" / "train" / "train1.tif") as file:
        file.write(holes)
        file.write(holes)
    report = check(tmp_path / "floats", crop_size=32)
    found = {each.code: (each.file.name, each.found) for each in report.findings if each.code.startswith("image-")}
    assert found == {
        "image-not-finite": ("train0.tif", "holds 10.0 % of values that are no numbers"),
        "image-animated": ("train1.tif", "has 2 pages"),
    }


def test_a_model_and_a_dataset_that_do_not_fit_are_told_apart(deep, trained, run):
    code, _, err = run("evaluate", trained, deep)
    assert code == 1
    assert "Expected 3 bands of uint8" in err
    assert "validation0.tif: has 5 bands of uint16" in err


def test_the_command_line_takes_bands_and_range_too(deep, run):
    code, out, _ = run("check", deep, "--crop-size", "32", "--bands", "4,2", "--value-range", "0,4095", "--json")
    assert (code, json.loads(out)["bands"]["chosen"]) == (0, [4, 2])
    assert json.loads(out)["bands"]["ranges"] == [[0, 4095], [0, 4095]]
    code, _, err = run("check", deep, "--bands", "9")
    assert (code, "bands is 9, but the images have 5 bands" in err) == (2, True)
