"""What the retired image trained, brought along: imported, served by the container as it is, exported, trained on."""

import io
import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from pixelwise.serving.protobuf_record import decode_record
from tests.journeys.sagemaker_job import CHANNELS, Endpoint, configure, tiny_job, train
from tests.sagemaker.artefact.artefacts import artefact
from tests.sagemaker.artefact.gluon_reference import small_image


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A root whose model folder holds what the old image left, and the logits that MXNet gave for the small image."""
    root = tmp_path_factory.mktemp("ml")
    return root, artefact(root / "model", "fcn")


def test_the_container_serves_an_old_artefact_as_it_is(old):
    root, logits = old
    expected = torch.from_numpy(logits).softmax(dim=0).numpy()
    content = io.BytesIO()
    Image.fromarray(small_image()).save(content, "PNG")
    with Endpoint(root) as endpoint:
        status, reply = endpoint.post(content.getvalue(), "application/x-recordio-protobuf", "image/png")
        assert status == 200, reply
        probabilities = decode_record(reply)
        status, png = endpoint.post(content.getvalue(), "image/png", "application/x-image")
        assert status == 200
    assert endpoint.code == 0
    # Every third pixel is recorded.
    assert np.abs(probabilities[:, ::3, ::3] - expected).max() < 1e-3
    assert np.mean(np.array(Image.open(io.BytesIO(png)))[::3, ::3] == expected.argmax(axis=0)) > 0.999
    assert sorted(path.name for path in (root / "model").iterdir()) == ["hyperparams.json", "model_best.params"]


def test_it_is_imported_and_exported_with_the_same_probabilities(old, tmp_path, run):
    root, logits = old
    code, _out, err = run("sagemaker", "import", root / "model", tmp_path / "bundle")
    assert code == 0, err
    image = small_image()
    size = f"{image.shape[0]}x{image.shape[1]}"
    code, out, err = run("export", tmp_path / "bundle", "--output", tmp_path / "old.onnx", "--size", size, "--json")
    assert code == 0, err
    assert json.loads(out)["parity"]
    session = onnxruntime.InferenceSession(tmp_path / "old.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})
    expected = torch.from_numpy(logits).softmax(dim=0)
    assert np.abs(torch.from_numpy(found[0]).softmax(dim=0).numpy()[:, ::3, ::3] - expected.numpy()).max() < 1e-3


def test_a_job_goes_on_from_it_with_other_classes(old, tmp_path):
    root, _logits = old
    job = tiny_job(tmp_path / "job", backbone="resnet-50", output_stride=None, epochs="1", crop_size="24")
    shutil.copytree(root / "model", job / "input" / "data" / "model")
    hyperparameters = json.loads((job / "input" / "config" / "hyperparameters.json").read_text())
    channels = {name: {"TrainingInputMode": "File"} for name in (*CHANNELS, "model")}
    configure(job, hyperparameters, channels=channels)
    code, log = train(job)
    assert code == 0, log
    assert "Starting from the weights of a trained model" in log
    settings = json.loads((job / "model" / "model.json").read_text())["settings"]
    assert settings["align_corners"] is True  # as MXNet samples
