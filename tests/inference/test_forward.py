from typing import NamedTuple

import pytest
import torch
from torch import nn

from pixelwise.errors import SettingsError
from pixelwise.inference import forward
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.runtime import Runtime

CPU = Runtime(torch.device("cpu"), torch.float32)


class Output(NamedTuple):
    main: torch.Tensor


class Pointwise(nn.Module):
    """A 1x1 convolution: its logits do not depend on where a tile ends. Notes the sizes that it sees."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.sizes = []
        self.eval()

    def forward(self, images):
        assert images.dtype == torch.uint8
        self.sizes.append(tuple(images.shape))
        return Output(self.convolution(images.float() / 255))


class Constant(nn.Module):
    def forward(self, images):
        return Output(torch.ones(len(images), 1, *images.shape[-2:]))


def images(*shape):
    return torch.randint(
        0, 256, (*shape[:1], 3, *shape[1:]), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (33, 200), (1, 100), (130, 171), (20, 30)])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.75])
def test_tiles_of_a_local_model_blend_to_the_whole(size, overlap):
    model, pictures = Pointwise(), images(2, *size)
    whole = class_logits(model, pictures, runtime=CPU)
    tiled = class_logits(model, pictures, runtime=CPU, tile=64, overlap=overlap)
    assert tiled.shape == whole.shape == (2, 4, *size)
    assert tiled.dtype == whole.dtype == torch.float32
    assert torch.allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("overlap", [0, 0.1, 0.25, 0.6])
def test_the_weights_of_all_tiles_sum_to_one_at_every_pixel(overlap):
    tiled = class_logits(Constant().eval(), images(1, 311, 97), runtime=CPU, tile=64, overlap=overlap)
    assert torch.allclose(tiled, torch.ones_like(tiled), atol=1e-5)


def test_no_tile_is_larger_than_asked_for_and_the_last_ends_at_the_border():
    model = Pointwise()
    class_logits(model, images(1, 100, 50), runtime=CPU, tile=64)
    assert model.sizes == [(1, 3, 64, 50)] * 2  # rows 0-63 and 36-99


def test_an_image_no_larger_than_the_tile_goes_through_whole():
    model = Pointwise()
    class_logits(model, images(3, 64, 40), runtime=CPU, tile=64)
    assert model.sizes == [(3, 3, 64, 40)]


def test_without_a_tile_large_images_are_tiled_and_large_batches_are_split(monkeypatch):
    monkeypatch.setattr(forward, "WHOLE_PIXELS", 50 * 50)
    monkeypatch.setattr(forward, "DEFAULT_TILE", 40)
    model = Pointwise()
    class_logits(model, images(2, 50, 50), runtime=CPU)
    assert model.sizes == [(1, 3, 50, 50)] * 2
    model.sizes.clear()
    class_logits(model, images(1, 40, 63), runtime=CPU)
    assert model.sizes == [(1, 3, 40, 40)] * 2


def test_logits_are_float32_and_carry_no_gradient_under_bfloat16():
    logits = class_logits(Pointwise(), images(1, 8, 8), runtime=Runtime(CPU.device, torch.bfloat16))
    assert logits.dtype == torch.float32
    assert not logits.requires_grad


def test_a_model_in_training_mode_is_refused():
    with pytest.raises(ValueError, match="eval mode"):
        class_logits(Pointwise().train(), images(1, 8, 8), runtime=CPU)


@pytest.mark.parametrize("wrong", [{"tile": 0}, {"tile": -5}, {"tile": 31}, {"overlap": 1.0}, {"overlap": -0.1}])
def test_a_tile_that_cannot_work_is_refused(wrong):
    with pytest.raises(SettingsError, match="expected"):
        class_logits(Pointwise(), images(1, 8, 8), runtime=CPU, **wrong)


def test_likeliest_gives_the_class_of_the_largest_logit():
    logits = torch.tensor([[[[0.0, 2.0]], [[1.0, -1.0]], [[0.5, 3.0]]]])
    assert likeliest(logits).tolist() == [[[1, 2]]]
    assert likeliest(logits).dtype == torch.uint8
