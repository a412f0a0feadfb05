"""Models that Amazon's image trained give the same masks here."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.bundle import load_bundle
from pixelwise.errors import ModelError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.sagemaker.artefact.convert import import_model
from tests.conftest import REAL_DATA
from tests.sagemaker.artefact.artefacts import artefact
from tests.sagemaker.artefact.gluon_reference import (
    ALGORITHMS,
    EVERY,
    NUM_CLASSES,
    small_image,
    write_list,
)

MXNET_PYTHON = os.environ.get("PIXELWISE_MXNET_PYTHON")
PHOTOGRAPHS = REAL_DATA / "camvid" / "validation"


def probabilities(bundle, image):
    return pixelwise.load(bundle, device="cpu").predict(image, probabilities=True)


def softmax(logits):
    return torch.from_numpy(logits).softmax(dim=0).numpy()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_probabilities_are_those_that_mxnet_gave(tmp_path, algorithm):
    logits = artefact(tmp_path / "job", algorithm)
    bundle = import_model(tmp_path / "job", tmp_path / "bundle")
    found = probabilities(bundle, small_image())
    np.testing.assert_allclose(found.probabilities[:, ::EVERY, ::EVERY], softmax(logits), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found.class_ids[::EVERY, ::EVERY], logits.argmax(axis=0))


def test_an_archive_gives_a_bundle_that_says_where_it_came_from_and_learns_on(tmp_path):
    artefact(tmp_path / "job", "fcn")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz", compresslevel=0) as archive:
        for path in sorted((tmp_path / "job").iterdir()):
            archive.add(path, path.name)
    labels = LabelTable.named(["sky", "road", "car", "tree", "wall"])
    bundle = load_bundle(import_model(tmp_path / "model.tar.gz", tmp_path / "bundle", labels=labels))
    settings = bundle.settings
    assert (settings.algorithm, settings.backbone, settings.output_stride) == ("fcn", "resnet-50", 8)
    assert (settings.num_classes, settings.align_corners, settings.crop_size) == (5, True, 480)
    assert bundle.labels == labels
    assert bundle.provenance["data"]["imported"] == "model.tar.gz/model_best.params"
    assert bundle.provenance["data"]["hyperparameters"]["learning_rate"] == "0.001"
    model = bundle.build_model().train()
    images = torch.from_numpy(small_image()).permute(2, 0, 1).expand(2, -1, -1, -1)
    model(images).main.logsumexp(dim=1).mean().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_an_imported_model_is_evaluated_and_described(tmp_path, dataset):
    artefact(tmp_path / "job", "fcn", num_classes=2)
    labels = LabelTable.read(dataset / "classes.json")
    bundle = import_model(tmp_path / "job", tmp_path / "bundle", labels=labels)
    evaluation = pixelwise.evaluate(bundle, dataset, device="cpu", output=tmp_path / "evaluation")
    assert 0 <= evaluation.scores.pixel_accuracy <= 1
    assert (tmp_path / "evaluation" / "report" / "index.html").is_file()
    assert pixelwise.describe(bundle).output_stride == 8


@pytest.mark.slow
@pytest.mark.skipif(not MXNET_PYTHON, reason="PIXELWISE_MXNET_PYTHON names no Python with MXNet and GluonCV")
@pytest.mark.parametrize("backbone", ["resnet-50", "resnet-101"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_real_engine_gives_the_same_on_a_photograph(tmp_path, algorithm, backbone):
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    if not photographs:
        pytest.skip("the CamVid photographs are not there")
    with Image.open(photographs[0]) as photograph:
        pixels = np.asarray(photograph.convert("RGB"))[60:221, 40:243]
    assert pixels.shape == (161, 203, 3)
    np.save(tmp_path / "image.npy", pixels)
    script = Path(__file__).with_name("gluon_reference.py")
    (tmp_path / "job").mkdir()
    command = [MXNET_PYTHON, script, "run", algorithm, backbone, tmp_path / "image.npy", tmp_path / "job"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    logits = np.load(tmp_path / "job" / "logits.npy")
    truth = logits.argmax(axis=0)
    assert len(np.unique(truth)) == NUM_CLASSES
    bundle = import_model(tmp_path / "job", tmp_path / "bundle")
    assert load_bundle(bundle).settings.backbone == backbone
    found = probabilities(bundle, pixels)
    distance = np.abs(found.probabilities - softmax(logits)).max()
    agreement = (found.class_ids == truth).mean()
    sys.stdout.write(f"{algorithm} {backbone}: distance {distance:.2e}, agreement {agreement:.6f}\n")
    assert distance <= 1e-3
    assert agreement >= 0.999


def small(folder, arrays, given=None):
    folder.mkdir(exist_ok=True)
    write_list(folder / "model_algo-1", {name: np.zeros(shape, "float32") for name, shape in arrays.items()})
    if given is not None:
        (folder / "hyperparams.json").write_text(given if isinstance(given, str) else json.dumps(given))
    return folder


BIAS = {"head.block.4.bias": (5,)}


@pytest.mark.parametrize(
    ("arrays", "given", "message"),
    [
        ({"fc.weight": (5, 5)}, None, "has no head.block.4.bias.*Semantic Segmentation algorithm"),
        ({"head.block.4.bias": (1,)}, None, r"has \(1,\) head.block.4.bias"),
        (BIAS, {"num_classes": "7"}, "hyperparameters say num_classes 7, the parameters are those of 5"),
        (BIAS, {"algorithm": '"psp"'}, "hyperparameters say algorithm psp, the parameters are those of fcn"),
        (BIAS, {"backbone": "resnet-101"}, "hyperparameters say backbone resnet-101"),
        (BIAS, "[1", "hyperparams.json is not valid JSON"),
        (BIAS, [1], "hyperparams.json is a list"),
        (BIAS, None, "looks like fcn on resnet-50 with 5 classes, but .* parameters are missing"),
        ({**BIAS, "conv1.weight": (64, 3, 7, 7)}, None, "conv1.weight has no place in it"),
        ({**BIAS, "conv1.0.weight": (64, 3, 7, 7)}, None, r"conv1.0.weight is \(64, 3, 7, 7\), expected"),
    ],
)
def test_what_is_not_such_a_model_is_named(tmp_path, arrays, given, message):
    with pytest.raises(ModelError, match=message):
        import_model(small(tmp_path / "job", arrays, given), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_weights_that_diverged_are_refused(tmp_path):
    (tmp_path / "job").mkdir()
    arrays = {"head.block.4.bias": np.array([0, np.nan, 0, 0, 0], "float32")}
    write_list(tmp_path / "job" / "model_best.params", arrays)
    with pytest.raises(ModelError, match=r"head\.block\.4\.bias is not made of finite numbers"):
        import_model(tmp_path / "job", tmp_path / "bundle")


def test_names_for_another_number_of_classes_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="tells 5 classes apart, but 2 are named"):
        import_model(small(tmp_path / "job", BIAS), tmp_path / "bundle", labels=LabelTable.named(["a", "b"]))
