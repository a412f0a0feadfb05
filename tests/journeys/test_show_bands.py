"""Images of five bands of 16 bits from the check to an overlay: every picture can be chosen and says what it shows."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.conftest import TINY_FLAGS, draw_pair

CHOSEN = "Shown: bands 4, 3, 2 as red, green, blue, stretched from 0..4095"
OTHERS = (
    "Shown: bands 5, 3, 1 as red, green, blue, stretched from each image's own 0.5th to 99.5th percentile, 0..4095, "
)


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """The tiny dataset in the fourth of five bands, times 16; the others are darker."""
    folder = tmp_path_factory.mktemp("five")
    for split, count in (("train", 8), ("validation", 4)):
        for i in range(count):
            draw_pair(folder, split, f"{split}{i}", seed=100 * count + i)
            path = folder / split / f"{split}{i}.png"
            pixels = np.asarray(Image.open(path)).astype(np.uint16)
            path.unlink()
            bands = np.dstack([pixels[:, :, :1], pixels[:, :, :2], pixels[:, :, :1] * 16, pixels[:, :, :1]])
            tifffile.imwrite(path.with_suffix(".tif"), bands, photometric="minisblack", planarconfig="contig")
    (folder / "classes.json").write_text(json.dumps({"0": "ground", "1": "square"}))
    return folder


def test_a_run_on_chosen_bands_shows_them_or_others(five, tmp_path, run):
    settings = ("--bands", "4,3,2", "--value-range", "0,4095", *TINY_FLAGS)
    code, _out, err = run("train", five, "--output", tmp_path / "run", "--quiet", "--show-bands", "4", *settings)
    assert code == 0, err
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "Shown: band 4 in gray, stretched from 0..4095." in page
    assert "of which 4, 3, 2 are used, in this order; the network gets 0 to 4095 as 0 to 1" in page

    assert run("evaluate", tmp_path / "run", five, "--output", tmp_path / "scores")[0] == 0
    assert f"{CHOSEN}." in (tmp_path / "scores" / "report" / "index.html").read_text()
    assert run("report", tmp_path / "scores")[0] == 0
    assert f"{CHOSEN}." in (tmp_path / "scores" / "report" / "index.html").read_text()

    masks = tmp_path / "masks"
    code, out, _err = run("predict", tmp_path / "run", five / "validation", "--output", masks, "--overlay")
    assert code == 0
    assert out.rstrip().endswith(f"{CHOSEN}.")
    code, out, _err = run(
        "predict", tmp_path / "run", five / "validation", "--output", masks, "--overlay", "--show-bands", "5,3,1"
    )
    assert code == 0
    assert OTHERS in out
    assert np.ptp(np.asarray(Image.open(masks / "validation0_overlay.png"))[:, :, 0]) > 100


def test_the_check_page_shows_the_bands_that_are_asked_for(five, tmp_path, run):
    for name in ("train", "train_annotation", "validation", "validation_annotation"):
        (tmp_path / name).symlink_to(five / name)
    code, _out, err = run("check", tmp_path, "--output", tmp_path / "page", "--show-bands", "9,1,2")
    assert code == 2
    assert "show_bands is 9,1,2, but the images have 5 bands. Give numbers from 1 to 5." in err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["check", "DATA", "--show-bands", "4,3"], "show_bands is '4,3', expected one number of a band"),
        (["check", "DATA", "--show-bands", "1"], "none is written. Give an output folder too."),
        (["check", "DATA", "--fix", "OUT", "--show-bands", "1"], "a repair shows nothing"),
        (["train", "DATA", "--output", "OUT", "--show-bands", "x"], "show_bands is 'x', expected one number of a band"),
        (["predict", "RUN", "DATA", "--output", "OUT", "--show-bands", "1"], "Ask for an overlay too."),
        (["predict", "RUN", "DATA", "--output", "OUT", "--overlay", "--show-bands", "4"], "the images have 3 bands."),
        (["evaluate", "RUN/model", "DATA", "--show-bands", "1"], "none is written. Give an output folder too."),
        (["evaluate", "RUN", "DATA", "--show-bands", "0"], "show_bands is '0', expected one number of a band"),
    ],
)
def test_a_wish_that_cannot_be_shown_is_refused_and_nothing_is_written(dataset, trained, tmp_path, run, command, said):
    places = {"DATA": dataset, "OUT": tmp_path / "out", "RUN": trained, "RUN/model": trained / "model"}
    code, _out, err = run(*(places.get(word, word) for word in command))
    assert code == 2
    assert said in err
    assert not list((tmp_path / "out").glob("*"))
