"""hyperparameters.py: what a job's hyperparameters mean for our engine, against GluonCV's and MXNet's arithmetic."""

import pytest
import torch

from pixelwise.sagemaker.hyperparameters.parse import Hyperparameters, parse, printed_learning_rate, to_settings
from pixelwise.settings import Settings


def job(**texts: str) -> Hyperparameters:
    return parse({"num_classes": "21", "num_training_samples": "1464", **texts})


def settings(num_gpus: int = 1, num_training_images: int = 1464, **texts: str) -> Settings:
    return to_settings(job(**texts), num_training_images=num_training_images, num_gpus=num_gpus)


def test_a_job_without_choices_trains_the_published_defaults() -> None:
    found = settings()
    assert (found.algorithm, found.backbone, found.pretrained) == ("fcn", "resnet-50", True)
    assert (found.epochs, found.mini_batch_size, found.crop_size, found.base_size) == (10, 16, 240, 520)
    assert (found.optimizer, found.momentum, found.lr_scheduler, found.warmup) == ("sgd", 0.9, "poly", 0.0)
    assert (found.aux_loss_weight, found.class_weights, found.sync_bn) == (1.0, "none", False)
    assert (found.scale_min, found.scale_max, found.flip, found.blur, found.color_jitter) == (0.5, 2.0, 0.5, 0.5, 0.0)
    assert (found.early_stopping, found.early_stopping_min_epochs, found.early_stopping_patience) == (False, 5, 4)


@pytest.mark.parametrize(("given", "taken"), [("240", 240), ("241", 248), ("17", 24), ("500", 504)])
def test_the_crop_is_rounded_up_to_a_multiple_of_8(given: str, taken: int) -> None:
    assert settings(crop_size=given).crop_size == taken


def test_validation_sees_crops_or_whole_images_as_the_batch_size_says() -> None:
    assert settings(crop_size="480").validation_crop_size == 480
    assert settings(crop_size="480", validation_mini_batch_size="1").validation_crop_size is None
    assert settings(crop_size="480", validation_crop_size="320").validation_crop_size == 320


def test_sgd_at_0_001_with_16_images_is_6_25e_5_and_ten_times_that_in_the_heads() -> None:
    found = settings()
    assert found.learning_rate == pytest.approx(6.25e-4)
    assert found.learning_rate * found.pretrained_learning_rate_factor == pytest.approx(6.25e-5)


@pytest.mark.parametrize(("num_gpus", "factor"), [(1, 1.0), (4, 1.0), (1, 10.0), (4, 10.0)])
def test_sgd_updates_weights_as_mxnet_does(num_gpus: int, factor: float) -> None:
    """`factor` 10 is a head. MXNet: v = momentum*v - lr*(rescaled gradient + wd*w), w += v (optimizer/sgd.py)."""
    rate, decay, momentum, batch = 0.02, 0.01, 0.9, 8
    found = settings(num_gpus=num_gpus, mini_batch_size="8", learning_rate="0.02", weight_decay="0.01", optimizer="sgd")
    ours = found.learning_rate * (found.pretrained_learning_rate_factor if factor == 1 else 1)
    weight = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=ours, momentum=found.momentum, weight_decay=found.weight_decay)
    theirs, velocity = 0.7, 0.0
    for mean_gradient in (1.0, -0.5, 0.25, 2.0):
        weight.grad = torch.tensor([mean_gradient], dtype=torch.float64)
        optimizer.step()
        rescaled = num_gpus / batch * mean_gradient  # the sum over the GPUs of per-GPU means, divided by the batch
        velocity = momentum * velocity - rate * factor * (rescaled + decay * theirs)
        theirs += velocity
    assert weight.item() == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "rmsprop"])
def test_rules_that_divide_by_the_gradient_keep_the_rate_and_ignore_momentum_and_decay(optimizer: str) -> None:
    found = settings(optimizer=optimizer, learning_rate="0.0001", weight_decay="0.1")
    assert found.learning_rate * found.pretrained_learning_rate_factor == pytest.approx(1e-4)
    assert found.learning_rate == pytest.approx(1e-3)
    assert found.weight_decay == 0.0


def test_rmsprop_takes_gamma1_and_is_not_centred() -> None:
    found = settings(optimizer="rmsprop", gamma1="0.8", gamma2="0.7")
    assert (found.gamma1, found.gamma2) == (0.8, 0.0)


def test_without_pretrained_weights_everything_learns_at_one_rate() -> None:
    assert settings(use_pretrained_model="False").learning_rate == pytest.approx(6.25e-4)
    assert settings(use_pretrained_model="False", optimizer="adam").learning_rate == pytest.approx(0.001)


def test_the_log_shows_the_rate_of_the_job() -> None:
    """The public log's first notice: rmsprop, 1e-4, poly over 910 updates, 0.000098 after 20 of them."""
    found = job(optimizer="rmsprop", learning_rate="0.0001")
    taken = to_settings(found, num_training_images=1464)
    fastest = taken.learning_rate * (1 - 20 / 909) ** 0.9
    assert f"{printed_learning_rate(found, taken, fastest):.6f}" == "0.000098"


def test_step_epochs_are_sorted_and_only_used_by_step() -> None:
    assert settings(lr_scheduler="step", lr_scheduler_step="20, 10").lr_scheduler_step == (10, 20)
    assert settings(lr_scheduler_step="10,20").lr_scheduler_step == ()
    assert settings(lr_scheduler="step", lr_scheduler_step="5", lr_scheduler_factor="0").lr_scheduler_factor < 1e-6


def test_a_batch_is_shared_equally_and_never_larger_than_the_data() -> None:
    assert settings(mini_batch_size="16", num_training_images=6).mini_batch_size == 6
    assert settings(mini_batch_size="10", num_gpus=4).mini_batch_size == 12
    assert settings(mini_batch_size="1").mini_batch_size == 2  # BatchNorm needs two
    assert settings(mini_batch_size="1", num_gpus=4).mini_batch_size == 8
    assert settings(mini_batch_size="1", num_gpus=4, syncbn="True").mini_batch_size == 4


def test_float32_is_kept_when_asked_for_and_else_left_to_the_machine() -> None:
    assert settings().precision is None
    assert settings(precision_dtype="float32").precision == "float32"
    assert settings(precision_dtype="float16").precision == "bfloat16"


def test_early_stopping_is_passed_on() -> None:
    found = settings(early_stopping="True", early_stopping_min_epochs="0", early_stopping_tolerance="0.01")
    assert (found.early_stopping, found.early_stopping_min_epochs, found.early_stopping_tolerance) == (True, 1, 0.01)


@pytest.mark.parametrize("learning_rate", ["1e-6", "1"])
@pytest.mark.parametrize("weight_decay", ["1e-9", "0.99"])
@pytest.mark.parametrize("mini_batch_size", ["1", "128"])
def test_every_published_value_is_one_that_our_settings_take(
    learning_rate: str, weight_decay: str, mini_batch_size: str
) -> None:
    for num_gpus in (1, 8):
        settings(
            num_gpus=num_gpus,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            mini_batch_size=mini_batch_size,
        )


def test_small_backbones_are_an_extension() -> None:
    assert settings(backbone="resnet-18").backbone == "resnet18"
