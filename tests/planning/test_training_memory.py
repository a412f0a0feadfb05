import dataclasses
import functools

import pytest
import torch

from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.errors import SettingsError
from pixelwise.models.segmenter import build_segmenter
from pixelwise.planning.memory import LIBRARIES, ImageLoad, TrainingMemory, training_memory
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

CPU, GPU = (Runtime(torch.device(name), torch.float32) for name in ("cpu", "cuda"))
TINY = Settings(algorithm="fcn", backbone="mobilenetv2_035", pretrained=False, crop_size=64, mini_batch_size=4)


@functools.cache
def predicted(settings=TINY, facts=None, runtime=GPU):
    return training_memory(settings, facts or ImageLoad(3), runtime)


def bytes_of_tiny():
    model = build_segmenter(TINY, 3)
    weights = 4 * sum(weight.numel() for weight in model.parameters())
    return weights, weights + sum(tensor.nbytes for tensor in model.buffers())


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [("adamw", 2), ("adam", 2), ("sgd", 1), ("nag", 1), ("adagrad", 1), ("rmsprop", 2)],
)
def test_states_are_weights_their_average_and_the_optimizers_numbers(optimizer, numbers):
    weights, whole = bytes_of_tiny()
    assert predicted(TINY.changed(optimizer=optimizer)).states == 2 * whole + numbers * weights


def test_without_average_and_momentum_the_states_are_the_model():
    _, whole = bytes_of_tiny()
    assert predicted(TINY.changed(optimizer="sgd", momentum=0, ema_decay=0)).states == whole


def test_pieces_need_less_and_keep_the_gradients_of_those_before():
    one, two = predicted(), predicted(TINY.changed(gradient_accumulation=2))
    weights, _ = bytes_of_tiny()
    assert two.gradients == weights
    assert two.kept < 0.6 * one.kept
    assert two.peak < one.peak


def test_a_frozen_trunk_needs_no_gradients_and_keeps_no_activations():
    learning, frozen = predicted(), predicted(TINY.changed(freeze="backbone"))
    assert frozen.kept < 0.6 * learning.kept
    assert frozen.states < learning.states


def test_bfloat16_keeps_about_half():
    half = predicted(runtime=dataclasses.replace(GPU, precision=torch.bfloat16))
    assert 0.4 < half.kept / predicted().kept < 0.85  # the loss and the normalised image stay in float32


def test_a_large_validation_image_is_the_worst_moment():
    found = predicted(facts=ImageLoad(3, validation_size=(1000, 1000)))
    assert found.moment == "validation"
    assert found.transient > predicted().transient
    cropped = predicted(TINY.changed(validation_crop_size=32), ImageLoad(3, validation_size=(1000, 1000)))
    assert cropped.moment == "step"


def test_on_a_cpu_the_process_its_images_and_batches_count_too():
    found = predicted(facts=ImageLoad(3, training_pixels=1000), runtime=CPU)
    # Pillow keeps RGB in four bytes; five batches of 4 crops of 64 x 64 x 3 bytes with as many masks.
    assert found.images == 1000 * (4 + 1) + 5 * 4 * 64 * 64 * (3 + 1)
    assert found.baseline > 100e6
    assert found.workspace > LIBRARIES
    assert found.peak == found.baseline + found.added
    on_gpu = predicted()
    assert (on_gpu.baseline, on_gpu.images, on_gpu.workspace) == (0, 0, 0)


def test_images_of_other_depths_count_as_pillow_keeps_them():
    deep = dataclasses.replace(PHOTOGRAPH, depth="uint16")
    found = predicted(facts=ImageLoad(3, deep, training_pixels=1000), runtime=CPU)
    assert found.images == 1000 * (3 * 2 + 1) + 5 * 4 * 64 * 64 * (3 * 2 + 1)


def test_a_group_of_processes_shares_the_batch_and_copies_the_gradients():
    alone = predicted(TINY.changed(mini_batch_size=2))
    group = predicted(runtime=dataclasses.replace(GPU, world_size=2))
    weights, _ = bytes_of_tiny()
    assert group.transient - alone.transient == weights
    assert group.kept == alone.kept


def test_single_samples_are_refused_as_training_refuses_them():
    with pytest.raises(SettingsError, match="mini_batch_size"):
        predicted(TINY.changed(gradient_accumulation=4))


def test_a_line_says_where_the_memory_goes():
    found = TrainingMemory("step", 790_000_000, 200_000_000, 0, 1_000_000_000, 10_000_000, 0, 100_000_000)
    assert found.text() == (
        "2.1 GB at the peak (step): baseline 790 MB, states 200 MB, kept 1.0 GB, transient 10 MB, workspace 100 MB"
    )
