"""Test-time augmentation through every door: predict, evaluate, load and serve."""

import dataclasses
import html
import json
import re

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.bundle import load_bundle, save_bundle
from pixelwise.errors import SettingsError

SIX = ["as it is", "mirrored"]
SIX += [f"scaled by {scale}{end}" for scale in (0.75, 1.25) for end in ("", ", mirrored")]


@pytest.fixture
def photos(trained):
    return trained.parent / "dataset" / "validation"


def trained_with(trained, folder, **settings):
    """The model as if it had been trained with other flips, turns and scales."""
    bundle = load_bundle(trained)
    save_bundle(folder, dataclasses.replace(bundle, settings=bundle.settings.changed(**settings)))
    return folder


def test_predict_says_what_its_masks_are_the_mean_of(run, tmp_path, trained, photos):
    words = ["predict", trained, photos, "--output", tmp_path / "masks"]
    _code, out, _err = run(*words, "--json")
    assert "tta" not in json.loads(out)
    _code, out, _err = run(*words, "--tta", "--json")
    assert json.loads(out)["tta"] == SIX
    code, out, _err = run(*words, "--tta")
    assert code == 0
    assert f"Each is the mean of 6 views of its image: {'; '.join(SIX)}." in out.splitlines()
    assert "views" not in run(*words)[1]


def test_probabilities_are_the_mean_of_those_of_the_image_and_of_its_mirror_image(tmp_path, trained, photos):
    model = trained_with(trained, tmp_path / "model", scale_min=1, scale_max=1)
    plain = pixelwise.load(model, device="cpu")
    both = pixelwise.load(model, device="cpu", tta=True)
    assert both.views.names() == ("as it is", "mirrored")
    assert plain.views is None
    assert plain.temperature != 1
    pixels = np.asarray(Image.open(sorted(photos.iterdir())[0]))
    own = plain.predict(pixels, probabilities=True).probabilities
    mirrored = plain.predict(pixels[:, ::-1], probabilities=True).probabilities[:, :, ::-1]
    found = both.predict(pixels, probabilities=True)
    assert np.abs(own - mirrored).max() > 1e-3
    assert np.abs(found.probabilities - (own + mirrored) / 2).max() < 1e-6
    assert np.array_equal(found.class_ids, found.probabilities.argmax(axis=0))


def test_evaluate_scores_both_and_its_report_says_what_that_brings_and_costs(run, tmp_path, trained, photos):
    dataset = trained.parent / "dataset"
    code, out, _err = run("evaluate", trained, dataset, "--tta", "--output", tmp_path / "scores", "--json")
    assert code == 0
    scores = json.loads(out)
    assert scores == json.loads((tmp_path / "scores" / "scores.json").read_text())
    plain = pixelwise.evaluate(trained, dataset).to_json()
    assert scores["tta"]["views"] == SIX
    assert scores["tta"]["plain"]["confusion"] == plain["confusion"]
    text = html.unescape((tmp_path / "scores" / "report" / "index.html").read_text())
    section = re.search(r'<section id="scores".*?</section>', text, re.DOTALL)[0]
    assert scores["tta"]["verdict"] in section
    assert "; ".join(SIX) in section
    assert run("predict", trained, photos, "--tta", "--output", tmp_path / "masks")[0] == 0
    masks = pixelwise.score(dataset / "validation_annotation", tmp_path / "masks")
    assert masks.to_json()["confusion"] == scores["confusion"]
    code, out, _err = run("evaluate", trained, dataset, "--tta")
    assert "With test-time augmentation (6 views): mean IoU " in out


def test_a_model_that_was_trained_without_flips_turns_and_scales_is_refused_before_the_work(
    run, tmp_path, trained, photos, monkeypatch
):
    def not_yet(*_arguments, **_options):
        raise AssertionError("the work began")

    monkeypatch.setattr("pixelwise.api.evaluations.check_dataset", not_yet)
    model = trained_with(trained, tmp_path / "model", flip=0, scale_min=1, scale_max=1)
    doors = [
        ("predict", model, photos, "--output", tmp_path / "masks"),
        ("evaluate", model, trained.parent / "dataset"),
    ]
    for words in doors:
        code, _out, err = run(*words, "--tta")
        assert code == 2
        assert "there were none: flip is 0" in err
    assert not (tmp_path / "masks").exists()
    with pytest.raises(SettingsError, match="Leave out tta"):
        pixelwise.load(model, tta=True)
