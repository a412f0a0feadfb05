import math

import pytest
import torch

from pixelwise.labels import IGNORE
from pixelwise.menus import LOSSES
from pixelwise.settings import Settings
from pixelwise.training.losses import (
    build_criterion,
    cross_entropy,
    dice,
    focal,
    lovasz,
    ohem,
)


def ids(*rows):
    return torch.tensor([rows], dtype=torch.uint8)


def logits_of(probabilities):
    """(1, K, 1, P) logits whose softmax gives the rows of probabilities, one row a pixel."""
    return torch.tensor(probabilities).log().T[None, :, None, :]


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_with_only_ignored_pixels_has_zero_loss_and_zero_gradient(name):
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = LOSSES[name].built()(logits, torch.full((2, 4, 4), IGNORE, dtype=torch.uint8), None)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_do_not_change_the_loss(name):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 3, 4, 8, generator=generator)
    class_ids = torch.randint(0, 3, (1, 4, 8), generator=generator).to(torch.uint8)
    half = LOSSES[name].built()(logits[..., :4], class_ids[..., :4], None)
    class_ids[..., 4:] = IGNORE
    assert LOSSES[name].built()(logits, class_ids, None).item() == pytest.approx(half.item(), rel=1e-5)


def test_cross_entropy_is_that_of_torch():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 5, 6, 7, generator=generator)
    class_ids = torch.randint(0, 5, (2, 6, 7), generator=generator)
    class_ids[0, 0] = IGNORE
    expected = torch.nn.functional.cross_entropy(logits, class_ids, ignore_index=IGNORE)
    assert cross_entropy(logits, class_ids.to(torch.uint8), None).item() == pytest.approx(expected.item(), rel=1e-6)


def test_class_weights_multiply_the_loss_of_their_pixels():
    logits = logits_of([[0.5, 0.5], [0.25, 0.75]])
    weights = torch.tensor([3.0, 1.0])
    expected = (3 * math.log(2) + -math.log(0.75)) / 2
    assert cross_entropy(logits, ids([0, 1]), weights).item() == pytest.approx(expected, rel=1e-6)


def test_focal_loss_weighs_a_pixel_by_its_error_squared():
    expected = (0.75**2 * -math.log(0.25) + 0.1**2 * -math.log(0.9)) / 2
    assert focal(logits_of([[0.25, 0.75], [0.1, 0.9]]), ids([0, 1]), None).item() == pytest.approx(expected, rel=1e-5)


def test_ohem_counts_only_pixels_whose_truth_has_less_than_070():
    logits = logits_of([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    expected = (-math.log(0.6) - math.log(0.2)) / 2
    assert ohem(logits, ids([0, 0, 0]), None).item() == pytest.approx(expected, rel=1e-5)


def test_ohem_keeps_a_sixteenth_of_the_pixels_when_all_are_easy():
    shares = [[0.8 + 0.005 * i, 0.2 - 0.005 * i] for i in range(32)]
    expected = (-math.log(0.8) - math.log(0.805)) / 2
    assert ohem(logits_of(shares), ids([0] * 32), None).item() == pytest.approx(expected, rel=1e-4)


def test_dice_loss_by_hand():
    # Class 0: 2 * 0.8 / (0.8 + 0.4 + 1); class 1: 2 * 0.6 / (0.2 + 0.6 + 1); class 2 is not in the truth.
    logits = logits_of([[0.8, 0.2, 1e-9], [0.4, 0.6, 1e-9]])
    expected = 1 - (1.6 / 2.2 + 1.2 / 1.8) / 2
    assert dice(logits, ids([0, 1]), None).item() == pytest.approx(expected, rel=1e-5)


def test_lovasz_of_certain_answers_is_one_minus_iou():
    # Truth 0 0 1 1, answers 0 1 1 1: IoU of class 0 is 1/2, of class 1 is 2/3.
    sure = 1 - 1e-9
    shares = [[sure, 1e-9], [1e-9, sure], [1e-9, sure], [1e-9, sure]]
    expected = 1 - (1 / 2 + 2 / 3) / 2
    assert lovasz(logits_of(shares), ids([0, 0, 1, 1]), None).item() == pytest.approx(expected, abs=1e-5)


def test_lovasz_agrees_with_segmentation_models_pytorch():
    smp = pytest.importorskip("segmentation_models_pytorch")
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 8, 8, generator=generator)
    class_ids = torch.randint(0, 4, (2, 8, 8), generator=generator)
    expected = smp.losses.LovaszLoss("multiclass", from_logits=True)(logits, class_ids)
    assert lovasz(logits, class_ids.to(torch.uint8), None).item() == pytest.approx(expected.item(), rel=1e-5)


def test_focal_agrees_with_segmentation_models_pytorch():
    smp = pytest.importorskip("segmentation_models_pytorch")
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 2, 8, 8, generator=generator)
    class_ids = torch.randint(0, 2, (2, 8, 8), generator=generator)
    # Two classes: smp's sigmoid of the difference of logits is our softmax.
    binary = smp.losses.FocalLoss("binary", gamma=2.0)(logits[:, 1] - logits[:, 0], class_ids.float())
    assert focal(logits, class_ids.to(torch.uint8), None).item() == pytest.approx(binary.item(), rel=1e-5)


def test_a_sum_of_losses_is_the_sum_of_its_weighted_terms():
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(1, 3, 4, 4, generator=generator)
    class_ids = torch.randint(0, 3, (1, 4, 4), generator=generator).to(torch.uint8)
    criterion = build_criterion(Settings(loss="cross_entropy+0.5*dice"), None)
    expected = cross_entropy(logits, class_ids, None) + 0.5 * dice(logits, class_ids, None)
    assert criterion(logits, class_ids).item() == pytest.approx(expected.item(), rel=1e-6)
