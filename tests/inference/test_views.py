"""Flips and turns are checked with networks that cannot tell them apart, the mean against one written by hand."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from pixelwise.errors import SettingsError
from pixelwise.inference import views as views_module
from pixelwise.inference.forward import class_logits
from pixelwise.inference.views import PLAIN, ImageView, Views, averaged_logits
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings

CPU = Runtime(torch.device("cpu"), torch.float32)
SYMMETRIES = Views(flips=True, turns=True)
SIDES = LabelTable.named(["background", "left arm", "right arm"])


class Output(NamedTuple):
    main: torch.Tensor


class Local(nn.Module):
    """Convolutions of side `side`; with 1 it cannot tell how an image lies. Notes the sizes that it sees."""

    def __init__(self, side=1, channels=3):
        super().__init__()
        torch.manual_seed(side)
        self.convolution = nn.Conv2d(channels, 4, side, padding=side // 2, padding_mode="replicate")
        self.sizes = []
        self.eval()

    def forward(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        return Output(3 * self.convolution(images.float() / 255))


class Handed(nn.Module):
    """Left and right by the sense in which green lies to red: reflections exchange it, turns do not."""

    def forward(self, images):
        padded = F.pad(images.float() / 255, (1, 1, 1, 1), mode="replicate")
        across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).unbind(1)
        down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).unbind(1)
        sense = across[0] * down[1] - across[1] * down[0]
        return Output(torch.stack([torch.zeros_like(sense), 5 * sense, -5 * sense], dim=1))


def images(*shape, channels=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (shape[0], channels, *shape[1:]), dtype=torch.uint8, generator=generator)


def averaged(model, pictures, views, temperature=1.0, **how):
    return averaged_logits(model, pictures, views=views, temperature=temperature, runtime=CPU, **how)


@pytest.mark.parametrize("size", [(8, 8), (7, 12), (1, 5), (33, 20)])
@pytest.mark.parametrize("views", [Views(flips=True), Views(turns=True), SYMMETRIES])
def test_a_network_that_cannot_tell_how_an_image_lies_says_of_all_views_what_it_says_of_one(size, views):
    model, pictures = Local(), images(2, *size)
    plain = class_logits(model, pictures, runtime=CPU)
    found = averaged(model, pictures, views, 1.7)
    assert found.shape == plain.shape
    assert found.dtype == torch.float32
    assert torch.allclose((found / 1.7).softmax(1), (plain / 1.7).softmax(1), atol=1e-6)
    model.sizes.clear()
    averaged(model, pictures, views)
    turned = [size, size[::-1]] * 2 if views.turns else [size]
    assert model.sizes == turned * (2 if views.flips else 1)


def test_large_images_go_through_tiles_in_every_view():
    model, pictures = Local(), images(1, 50, 90)
    found = averaged(model, pictures, SYMMETRIES, tile=40)
    assert set(model.sizes) == {(40, 40)}
    assert torch.allclose(found.softmax(1), class_logits(model, pictures, runtime=CPU).softmax(1), atol=1e-5)


def test_of_an_even_image_all_scales_say_the_same():
    pictures = torch.full((1, 3, 13, 22), 77, dtype=torch.uint8)
    model = Local(3)
    found = averaged(model, pictures, Views(flips=True, turns=True, scales=(1.0, 0.75, 1.25)))
    assert torch.allclose(found.softmax(1), class_logits(model, pictures, runtime=CPU).softmax(1), atol=1e-5)
    assert set(model.sizes) == {(13, 22), (22, 13), (10, 16), (16, 10), (16, 28), (28, 16)}


def test_every_reflection_exchanges_partner_classes_and_no_turn_does():
    pictures = images(1, 9, 14)
    plain = class_logits(Handed().eval(), pictures, runtime=CPU)
    assert plain.std() > 0.1
    with_partners = Views(flips=True, turns=True, partners=SIDES.mirrored())
    assert torch.allclose(averaged(Handed().eval(), pictures, with_partners).softmax(1), plain.softmax(1), atol=1e-6)
    # Turns alone need no exchange; without it reflections contradict the image as it is.
    assert torch.allclose(
        averaged(Handed().eval(), pictures, Views(turns=True)).softmax(1), plain.softmax(1), atol=1e-6
    )
    blind = averaged(Handed().eval(), pictures, SYMMETRIES).softmax(1)
    assert torch.allclose(blind[:, 1], blind[:, 2], atol=1e-6)


def test_the_mean_is_that_of_a_loop_over_flipped_and_turned_arrays():
    model, pictures, temperature = Local(3), images(2, 6, 9), 2.5

    def shares(pixels):
        logits = model(torch.from_numpy(np.ascontiguousarray(pixels))).main.detach().numpy().astype(np.float64)
        powers = np.exp(logits / temperature)
        return powers / powers.sum(axis=1, keepdims=True)

    pixels, each = pictures.numpy(), []
    for turns in range(4):
        turned = np.rot90(pixels, turns, (2, 3))
        each.append(np.rot90(shares(turned), -turns, (2, 3)))
        # Upside down is the other way to reflect; with the turns both give the same four.
        each.append(np.rot90(shares(turned[:, :, ::-1])[:, :, ::-1], -turns, (2, 3)))
    expected = np.mean(each, axis=0)
    found = averaged(model, pictures, SYMMETRIES, temperature)
    assert np.abs((found / temperature).softmax(1).numpy() - expected).max() < 1e-6
    assert np.array_equal(found.argmax(1).numpy(), expected.argmax(1))
    assert np.abs(np.exp(found.numpy() / temperature) - expected).max() < 1e-6


def test_a_scaled_view_is_the_image_as_pillow_scales_it_and_its_logits_back():
    model, pictures = Local(3), images(1, 24, 32)

    def resized(planes, size):
        return np.stack(
            [np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR)) for plane in planes]
        )

    small = resized(pictures[0].numpy().astype(np.float32), (24, 18))
    logits = resized(model(torch.from_numpy(small)[None]).main[0].detach().numpy(), (32, 24))
    plain = class_logits(model, pictures, runtime=CPU)
    expected = (torch.from_numpy(logits)[None].softmax(1) + plain.softmax(1)) / 2
    found = averaged(model, pictures, Views(scales=(1.0, 0.75)))
    assert torch.allclose(found.softmax(1), expected, atol=1e-4)


def test_the_image_as_it_is_comes_first_with_the_very_logits_of_a_pass_without_views():
    model, pictures, seen = Local(3), images(2, 8, 11), []
    views = Views(flips=True, turns=True, scales=(1.0, 0.75))
    assert next(iter(views)) == PLAIN
    averaged(model, pictures, views, on_plain=lambda logits: seen.append((len(model.sizes), logits.clone())))
    ((passes, logits),) = seen
    assert passes == 1
    assert torch.equal(logits, class_logits(model, pictures, runtime=CPU))


def test_one_view_is_the_image_as_it_is():
    model, pictures = Local(3), images(1, 8, 8)
    plain = class_logits(model, pictures, runtime=CPU)
    assert torch.allclose(averaged(model, pictures, Views(), 3.0), 3 * (plain / 3).log_softmax(1), atol=1e-5)


def test_where_probabilities_underflow_logits_stay_finite():
    class Certain(nn.Module):
        def forward(self, images):
            sure = torch.full((len(images), 1, *images.shape[-2:]), 1e4)
            return Output(torch.cat([sure, -sure, 0 * sure], dim=1))

    found = averaged(Certain().eval(), images(1, 4, 4), Views(flips=True))
    assert torch.isfinite(found).all()
    assert torch.equal(found.argmax(1), torch.zeros(1, 4, 4, dtype=torch.int64))


def test_under_bfloat16_the_mean_is_taken_in_float32():
    runtime = Runtime(CPU.device, torch.bfloat16)
    found = averaged_logits(Local(), images(1, 8, 8), views=SYMMETRIES, temperature=1.0, runtime=runtime)
    assert found.dtype == torch.float32
    assert torch.allclose(found.exp().sum(1), torch.ones(1, 8, 8), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int16, torch.float32])
def test_images_of_any_depth_and_bands_have_views(dtype):
    pictures = images(1, 9, 6, channels=5).to(dtype)
    found = averaged(Local(channels=5), pictures, Views(flips=True, turns=True, scales=(1.0, 1.25)))
    assert found.shape == (1, 4, 9, 6)


def test_a_real_network_that_pads_gives_its_views_at_the_size_of_the_image():
    settings = Settings(algorithm="deeplabv3plus", backbone="mobilenetv2_035")
    model = build_segmenter(settings, 3, load_weights=False).eval()
    assert averaged(model, images(1, 37, 50), Views.of_training(settings, SIDES)).shape == (1, 3, 37, 50)


MIRRORED, SMALL, LARGE = ("as it is", "mirrored"), "scaled by 0.75", "scaled by 1.25"
TURNED = tuple(f"turned by {angle} degrees" for angle in (90, 180, 270))
ONE_SCALE = {"scale_min": 1.0, "scale_max": 1.0}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, (*MIRRORED, SMALL, f"{SMALL}, mirrored", LARGE, f"{LARGE}, mirrored")),
        (ONE_SCALE, MIRRORED),
        ({"flip": 0}, ("as it is", SMALL, LARGE)),
        ({**ONE_SCALE, "flip": 0, "upright": False}, ("as it is", *TURNED)),
        (
            {**ONE_SCALE, "flip": 0.1, "upright": False},
            ("as it is", *TURNED, "mirrored", *(f"mirrored, {turn}" for turn in TURNED)),
        ),
        ({"flip": 0, "scale_min": 0.9, "scale_max": 1.1}, ("as it is", "scaled by 0.9", "scaled by 1.1")),
        ({"flip": 0, "scale_min": 1.0, "scale_max": 2.0}, ("as it is", LARGE)),
        ({"flip": 0, "scale_min": 1.5, "scale_max": 2.0}, ("as it is", "scaled by 1.5")),
        ({"base_size": 520}, MIRRORED),
    ],
)
def test_the_views_are_what_the_model_was_trained_with(chosen, expected):
    views = Views.of_training(Settings(**chosen), SIDES)
    assert views.names() == expected
    assert len(views) == len(expected)
    assert views.partners == (0, 2, 1)


def test_a_training_without_flips_turns_and_scales_leaves_nothing_to_average_over():
    with pytest.raises(SettingsError, match="flip is 0, upright is true, and scale_min and scale_max are 1 and 1"):
        Views.of_training(Settings(flip=0, **ONE_SCALE), SIDES)


def test_a_view_says_in_which_order_it_is_made():
    assert ImageView(0.75, True, 3).text() == "scaled by 0.75, mirrored, turned by 270 degrees"
    assert views_module.OTHER_SCALES == (0.75, 1.25)
