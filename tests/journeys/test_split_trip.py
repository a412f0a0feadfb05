"""A folder of images and masks without validation: checked, trained, resumed, evaluated and repaired with one split."""

import json
import shutil

import pytest

from tests.conftest import TINY_FLAGS, draw_pair


@pytest.fixture
def flat(tmp_path):
    """Twenty pairs in images/ and masks/."""
    for i in range(20):
        draw_pair(tmp_path / "drawn", "train", f"field{i % 7}-{i}", seed=i)
    root = tmp_path / "flat"
    root.mkdir()
    for channel, folder in (("train", "images"), ("train_annotation", "masks")):
        (tmp_path / "drawn" / channel).rename(root / folder)
    return root


def split_of(folder):
    content = json.loads((folder / "split.json").read_text())
    return set(content["train"]), set(content["validation"])


def test_one_split_from_check_to_the_moved_model(flat, tmp_path, run):
    code, out, err = run("check", flat, "--json", "--split-by", "{}-*")
    assert code == 0, err
    counted = json.loads(out)["split"]
    folder = tmp_path / "run"
    code, _, err = run("train", flat, "--output", folder, *TINY_FLAGS, "--split-by", "{}-*")
    assert code == 0, err
    train, validation = split_of(folder)
    assert (len(train), len(validation)) == (counted["train"], counted["validation"])
    assert len(train | validation) == 20
    assert not {name.partition("-")[0] for name in train} & {name.partition("-")[0] for name in validation}
    log = (folder / "log.txt").read_text()
    assert "Taken as it lies: train from images and masks." in log
    assert f"{len(validation)} of 20 pairs" in log
    page = (folder / "report" / "index.html").read_text()
    assert f"trained on {len(train)} pairs and validated on {len(validation)}" in page
    assert "whole groups of" in page

    # Files that come later change nothing of what a run scores.
    for i in range(20, 24):
        draw_pair(tmp_path / "more", "train", f"field0-{i}", seed=i)
        (tmp_path / "more" / "train" / f"field0-{i}.png").rename(flat / "images" / f"field0-{i}.png")
        (tmp_path / "more" / "train_annotation" / f"field0-{i}.png").rename(flat / "masks" / f"field0-{i}.png")
    for model in (folder, folder / "model"):
        code, out, err = run("evaluate", model, flat, "--json", "--output", tmp_path / "scores")
        assert code == 0, err
        scores = json.loads(out)
        assert scores["images"] == len(validation)
        assert "New since then and left out: 4 pairs, field0-20, field0-21" in " ".join(scores["notes"])
        images = json.loads((tmp_path / "scores" / "images.json").read_text())
        assert {image["name"] for image in images["facts"]} == validation
    code, out, err = run("evaluate", folder, flat, "--json", "--split", "train")
    assert (code, json.loads(out)["images"]) == (0, len(train)), err

    # A model without its run knows the rule.
    for i in range(20, 24):
        (flat / "images" / f"field0-{i}.png").unlink()
        (flat / "masks" / f"field0-{i}.png").unlink()
    shutil.copytree(folder / "model", tmp_path / "away" / "model")
    code, out, err = run("evaluate", tmp_path / "away" / "model", flat, "--json")
    assert code == 0, err
    scores = json.loads(out)
    assert scores["images"] == len(validation)
    assert "made anew, as no split.json lies beside the model. To score every pair" in scores["notes"][-1]


def test_a_run_resumes_with_its_split_and_says_what_is_new(flat, tmp_path, run):
    folder = tmp_path / "run"
    code, _, err = run("train", flat, "--output", folder, *TINY_FLAGS)
    assert code == 0, err
    before = (folder / "split.json").read_bytes()
    draw_pair(tmp_path / "more", "train", "new", seed=99)
    (tmp_path / "more" / "train" / "new.png").rename(flat / "images" / "new.png")
    (tmp_path / "more" / "train_annotation" / "new.png").rename(flat / "masks" / "new.png")
    code, _, err = run("train", flat, "--output", folder, "--resume")
    assert code == 0, err
    assert (folder / "split.json").read_bytes() == before
    assert "New since then and left out: 1 pair, new." in (folder / "log.txt").read_text()
    code, _, err = run("train", flat, "--output", folder, "--resume", "--split-by", "{}-*")
    assert (code, "began with split_by = None" in err) == (2, True)
    for name in ("validation", "validation_annotation"):
        shutil.copytree(flat / ("masks" if "annotation" in name else "images"), flat / name)
    layout = ("--train", flat / "images", "--train-annotation", flat / "masks")
    code, _, err = run("train", flat, *layout, "--output", folder, "--resume")
    assert (code, "now validation is given by folders" in err) == (2, True)
    shutil.rmtree(flat / "validation")
    shutil.rmtree(flat / "validation_annotation")
    name = sorted(split_of(folder)[1])[0]
    (flat / "masks" / f"{name}.png").unlink()
    for words in (("train", flat, "--output", folder, "--resume"), ("evaluate", folder, flat)):
        code, _, err = run(*words)
        assert (code, f"1 pair that the dataset lacks: {name}." in err) == (1, True)


def test_a_repaired_copy_has_the_split_that_training_would_take(flat, tmp_path, run):
    code, out, err = run("check", flat, "--fix", tmp_path / "fixed", "--json")
    assert code == 0, err
    assert "20 pairs" in " ".join(json.loads(out)["notes"])
    code, _, err = run("train", flat, "--output", tmp_path / "run", *TINY_FLAGS)
    assert code == 0, err
    train, validation = split_of(tmp_path / "run")
    for split, names in (("train", train), ("validation", validation)):
        for folder in (split, f"{split}_annotation"):
            assert {path.stem for path in (tmp_path / "fixed" / folder).iterdir()} == names
    code, out, err = run("check", tmp_path / "fixed", "--json")
    assert (code, json.loads(out)["split"]) == (0, None), err


def test_a_model_is_scored_on_quite_another_dataset(flat, tmp_path, run):
    code, _, err = run("train", flat, "--output", tmp_path / "run", *TINY_FLAGS, "--split-by", "{}-*")
    assert code == 0, err
    for folder in ("images", "masks"):
        for path in list((flat / folder).iterdir()):
            path.rename(path.with_stem("other" + path.stem.partition("-")[2]))
    code, out, err = run("evaluate", tmp_path / "run", flat, "--json")
    assert code == 0, err
    assert "split.json lists none of these pairs" in json.loads(out)["notes"][-1]
    (tmp_path / "run" / "split.json").write_text("{")
    code, _, err = run("evaluate", tmp_path / "run", flat)
    assert (code, "split.json: cannot be read as the split of a run" in err) == (1, True)


def test_a_pattern_says_nothing_about_test(dataset, tmp_path, run):
    code, _, err = run("train", dataset, "--output", tmp_path / "run", *TINY_FLAGS)
    assert code == 0, err
    assert not (tmp_path / "run" / "split.json").exists()
    code, _, err = run("evaluate", tmp_path / "run", dataset, "--split", "test", "--split-by", "{}_*")
    assert (code, "split_by divides train and validation" in err) == (2, True)
    code, _, err = run("evaluate", tmp_path / "run", dataset, "--split-by", "{}_*")
    assert (code, "the split is given by folders" in err) == (2, True)
