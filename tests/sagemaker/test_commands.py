"""The journey of somebody with an artefact of the retired image, through the command line."""

import json

import pytest
from PIL import Image

from tests.sagemaker.artefact.artefacts import artefact
from tests.sagemaker.artefact.gluon_reference import small_image


@pytest.fixture
def job(tmp_path):
    artefact(tmp_path / "job", "fcn")
    return tmp_path / "job"


def test_an_artefact_becomes_a_model_that_predicts(job, tmp_path, run):
    code, out, err = run("sagemaker", "import", job, tmp_path / "bundle", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["algorithm"], found["backbone"]) == ("fcn", "resnet-50")
    Image.fromarray(small_image()).save(tmp_path / "photo.png")
    code, _out, err = run("predict", tmp_path / "bundle", tmp_path / "photo.png", "--output", tmp_path / "masks")
    assert code == 0, err
    assert (tmp_path / "masks" / "photo.png").is_file()


def test_what_is_no_artefact_is_refused_in_one_message(tmp_path, run):
    (tmp_path / "model.tar.gz").write_text("nothing")
    code, _out, err = run("sagemaker", "import", tmp_path / "model.tar.gz", tmp_path / "bundle")
    assert code == 1
    assert "model.tar.gz" in err
    assert not (tmp_path / "bundle").exists()


def test_the_door_has_help_with_an_example(run):
    for words in ((), ("import",), ("train",), ("serve",), ("launch",), ("cost",)):
        code, out, _err = run("sagemaker", *words, "--help")
        assert code == 0
        assert f"Example: pixelwise sagemaker {' '.join(words)}" in out
