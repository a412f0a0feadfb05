"""The public notebook's job and client, with nothing changed but the image: real photographs, the published regexes."""

import io
import json
import re
import struct

import numpy as np
import pytest
import safetensors.torch
import timm
from PIL import Image

import pixelwise
from tests.journeys.sagemaker_job import PHOTOGRAPHS, Endpoint, photograph_job, train
from tests.serving.record_schema import schema

TRAIN, VALIDATION, EPOCHS = 16, 4, 2

# As the notebook passes them, where the SDK makes texts of all of them; fewer epochs, and a crop for two CPU cores.
HYPERPARAMETERS = {
    "backbone": "resnet-50",
    "algorithm": "fcn",
    "use_pretrained_model": "True",
    "crop_size": "60",
    "num_classes": "21",
    "epochs": str(EPOCHS),
    "learning_rate": "0.0001",
    "optimizer": "rmsprop",
    "lr_scheduler": "poly",
    "mini_batch_size": "8",
    "validation_mini_batch_size": "16",
    "early_stopping": "True",
    "early_stopping_patience": "2",
    "early_stopping_min_epochs": "10",
    "num_training_samples": str(TRAIN),
}

# Published expressions that read the container's own log completely.
NUMBER = r"([0-9.eE+-]+|nan)"
QUALITY, SPEED = (rf"#{kind}_metric\. host: \S+, epoch: \d+, " for kind in ("quality", "throughput"))
REGEXES = {
    "train:loss": rf"{QUALITY}train loss: {NUMBER} \.",
    "validation:mIOU": rf"{QUALITY}validation mIOU: {NUMBER} \.",
    "validation:pixel_accuracy": rf"{QUALITY}validation pixel_accuracy: {NUMBER} \.",
    "train:throughput": rf"{SPEED}train throughput: {NUMBER} samples/sec",
    "validation:throughput": rf"{SPEED}validation throughput: {NUMBER} samples/sec",
}

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the shared photographs are not here")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The root after training, and the log; the image holds weights, and no network is needed."""
    root, weights = tmp_path_factory.mktemp("ml"), tmp_path_factory.mktemp("weights")
    trunk = timm.create_model("resnet50s", pretrained=False).state_dict()
    safetensors.torch.save_file(trunk, weights / "resnet50s.safetensors")
    photograph_job(root, HYPERPARAMETERS, train=TRAIN, validation=VALIDATION)
    code, log = train(root, PIXELWISE_WEIGHTS=str(weights), HF_HUB_OFFLINE="1")
    assert code == 0, log
    return root, log


def test_every_metric_is_found_once_an_epoch(job):
    _root, log = job
    found = {name: [float(value) for value in re.findall(regex, log)] for name, regex in REGEXES.items()}
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(REGEXES, EPOCHS)
    assert all(0 <= value <= 1 for value in (*found["validation:mIOU"], *found["validation:pixel_accuracy"]))
    assert all(value > 0 for value in (*found["train:loss"], *found["train:throughput"]))


def test_the_log_goes_through_the_stages_of_the_container_in_their_order(job):
    root, log = job
    stages = [
        "Docker entrypoint called with argument(s): train",
        "Reading default configuration from ",
        f"Merging with provided configuration from {root}/input/config/hyperparameters.json: ",
        "Final configuration: ",
        "Checkpoint loading and saving are disabled.",
        "label maps not provided, using defaults.",
        "#label_map train :{'scale': 1}",
        "#label_map validation :{'scale': 1}",
        "Number of GPUs being used: ",
        f"{root}/input/data/train/train_annotation is not a readable image file",
        f"LRScheduler setup: iters per epoch: {TRAIN // 8}, num_epochs {EPOCHS}",
        "epoch: 0, train loss: ",
        "epoch: 0, train throughput: ",
        "epoch: 0, validation pixel_accuracy: ",
        "epoch: 0, validation mIOU: ",
        "epoch: 0, validation throughput: ",
        f"Serializing model to {root}/model/",
        "#progress_metric: host=algo-1, completed 50 % of epochs",
        '#metrics {"Metrics": ',
        "epoch: 1, train loss: ",
        "#progress_metric: host=algo-1, completed 100 % of epochs",
        f"Serializing model to {root}/model/",
        "Test data is not provided.",
    ]
    place = 0
    for stage in stages:
        assert stage in log[place:], stage
        place = log.index(stage, place) + len(stage)


def test_the_model_and_everything_worth_keeping_is_where_the_platform_takes_it_from(job):
    root, _log = job
    assert {path.name for path in (root / "model").iterdir()} == {
        "hyperparams.json",
        "model.json",
        "model.safetensors",
    }
    assert json.loads((root / "model" / "hyperparams.json").read_text())["algorithm"] == "fcn"
    kept = {path.name for path in (root / "output" / "data").iterdir()}
    assert {"metrics.jsonl", "settings.json", "log.txt", "report"} <= kept
    assert not (root / "output" / "failure").exists()


def test_the_notebooks_client_decodes_both_replies(job):
    root, _log = job
    photograph = sorted((PHOTOGRAPHS / "validation").iterdir())[-1]
    with Endpoint(root) as endpoint:
        assert endpoint.get("/ping") == (200, b"")
        status, png = endpoint.post(photograph.read_bytes(), "image/png")
        assert status == 200
        status, reply = endpoint.post(photograph.read_bytes(), "application/x-protobuf")
        assert status == 200
    assert endpoint.code == 0, endpoint.rest
    mask = np.array(Image.open(io.BytesIO(png)))
    # What the notebook does with MXNet's reader and the SDK's record_pb2.
    magic, length = struct.unpack_from("<II", reply)
    assert magic == 0xCED7230A
    record = schema()()
    record.ParseFromString(reply[8 : 8 + length])
    values = np.array(record.features["target"].float32_tensor.values)
    shape = np.squeeze(np.array(record.features["shape"].int32_tensor.values))
    probabilities = np.squeeze(np.reshape(values, shape), axis=0)
    assert probabilities.shape == (21, *mask.shape)
    assert np.allclose(probabilities.sum(axis=0), 1, atol=1e-4)
    # Where two classes are equally likely to within rounding, either may be said.
    assert np.mean(probabilities.argmax(axis=0) == mask) > 0.999
    assert np.array_equal(mask, pixelwise.load(root / "model", device="cpu").predict(photograph).class_ids)
