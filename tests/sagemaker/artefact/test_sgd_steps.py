"""`learning_rate`, `momentum` and `weight_decay` of sgd and nag move the weights here as far as in the real engine."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.data.batches import Batch
from pixelwise.labels import IGNORE
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import started
from pixelwise.sagemaker.artefact.names import our_name
from pixelwise.sagemaker.hyperparameters.parse import HEAD_RATE_FACTOR, parse, to_settings
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.optimizer import set_learning_rate
from pixelwise.training.step import train_step
from tests.sagemaker.artefact.artefacts import arrays_of
from tests.sagemaker.artefact.gluon_reference import NUM_CLASSES, recipe
from tests.sagemaker.artefact.sgd_reference import (
    BATCH,
    OF_BOTH_LOSSES,
    OF_THE_MAIN_LOSS,
    RULE,
    SIDE,
    STEPS,
    batches,
    excerpt,
    four_images,
    normalised,
)

DATA = Path(__file__).parent / "data"
NAMES = (*OF_THE_MAIN_LOSS, *OF_BOTH_LOSSES)
MXNET_PYTHON = os.environ.get("PIXELWISE_MXNET_PYTHON")


def ours(name):
    if name.startswith("auxlayer."):
        return our_name(name.replace("auxlayer.", "head.", 1), "fcn").replace("head.", "auxiliary.", 1)
    return our_name(name, "fcn")


def settings(optimizer="sgd", num_gpus=1, **given):
    hyperparameters = {
        "num_classes": NUM_CLASSES,
        "num_training_samples": 100,
        "mini_batch_size": BATCH,
        "crop_size": SIDE,
        "optimizer": optimizer,
        "precision_dtype": "float32",
        "ema_decay": 0,
        "gradient_clipping": 0,
        **RULE,
        **given,
    }
    job = parse({name: str(value) for name, value in hyperparameters.items()})
    return to_settings(job, num_training_images=100, num_gpus=num_gpus).changed(align_corners=True)


def network(chosen):
    """Our FCN with the weights of the recipe, without dropout."""
    model = build_segmenter(chosen, NUM_CLASSES, load_weights=False).train()
    shapes = json.loads((DATA / "gluon_parameters.json").read_text())["fcn"]
    values = {ours(name): torch.from_numpy(recipe(name, tuple(shape))) for name, shape in shapes.items()}
    missing = model.load_state_dict(values, strict=False).missing_keys
    assert all(name in ("mean", "std") or name.endswith("num_batches_tracked") for name in missing)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def values_of(weight):
    return excerpt(weight.detach().contiguous().numpy()).copy()


def moved(chosen):
    """Step and name -> how far a tensor has moved after that step of the training loop."""
    model, state, found = network(chosen), TrainingState(), {}
    weights = {name: model.get_parameter(ours(name)) for name in NAMES}
    first = {name: values_of(weight) for name, weight in weights.items()}
    images, class_ids = (torch.from_numpy(each) for each in batches())
    with started("cpu", "float32") as runtime:
        learner = Learner(model, build_criterion(chosen, None), chosen, runtime)
        set_learning_rate(learner.optimizer, 1.0)
        for step in range(STEPS):
            train_step(learner, Batch(images[step], class_ids[step]), state)
            found |= {(step + 1, name): values_of(weight) - first[name] for name, weight in weights.items()}
    return found


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("nag", marks=pytest.mark.slow)])
def test_weights_move_as_far_as_in_the_real_engine_whose_auxiliary_loss_counts_whole(optimizer):
    # SoftmaxOutput ignores what its loss is multiplied with, so that aux_weight 0.5 never reaches a gradient there.
    found = moved(settings(optimizer))
    recorded = arrays_of(DATA / "sgd_steps.npz")
    for (step, name), values in found.items():
        expected = recorded[f"{optimizer} {step} {name}"]
        # In float32 a ReLU near 0 flips in one engine and not in the other, which moves deep layers by a per cent.
        assert values @ expected / (expected @ expected) == pytest.approx(1, abs=0.01), (step, name)
        assert np.linalg.norm(values - expected) < (0.02, 0.1)[step - 1] * np.linalg.norm(expected)


def test_devices_of_one_job_add_up_as_in_the_real_engine():
    images, class_ids = four_images()
    assert not (class_ids == IGNORE).any()
    layer = nn.Conv2d(3, NUM_CLASSES, 1, bias=False)
    nn.init.zeros_(layer.weight)
    logits = layer(torch.from_numpy(normalised(images)))
    nn.functional.cross_entropy(logits, torch.from_numpy(class_ids).long()).backward()
    found = settings(num_gpus=2, mini_batch_size=4, learning_rate=0.1)
    assert found.pretrained_learning_rate_factor == 1 / HEAD_RATE_FACTOR
    rate = found.learning_rate / HEAD_RATE_FACTOR / 0.1  # of a layer without lr_mult at a learning_rate of 1
    np.testing.assert_allclose(arrays_of(DATA / "sgd_steps.npz")["two_devices"], -rate * layer.weight.grad, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not MXNET_PYTHON, reason="PIXELWISE_MXNET_PYTHON names no Python with MXNet and GluonCV")
def test_the_real_engine_moves_as_it_was_recorded(tmp_path):
    command = [MXNET_PYTHON, Path(__file__).with_name("sgd_reference.py"), tmp_path / "steps.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found, recorded = arrays_of(tmp_path / "steps.npz"), arrays_of(DATA / "sgd_steps.npz")
    assert sorted(found) == sorted(recorded)
    for name in recorded:
        assert np.linalg.norm(found[name] - recorded[name]) < 0.05 * np.linalg.norm(recorded[name]), name
