import pytest
import torch
from torch import nn

from pixelwise.models.description.activations import kept
from pixelwise.models.description.describe import build_on_meta
from pixelwise.models.segmenter import Logits, build_segmenter
from pixelwise.planning.rehearsal import Held, Ledger, rehearse_step, rehearse_validation
from pixelwise.settings import Settings
from pixelwise.training.losses import build_criterion

MIB = 2**20


class TwoLayers(nn.Module):
    """3 -> 8 channels, ReLU, 8 -> 2 classes, by 1x1 convolutions without bias."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1, bias=False)
        self.second = nn.Conv2d(8, 2, 1, bias=False)

    def forward(self, images):
        return Logits(self.second(torch.relu(self.first(images))), None)


def total(logits, class_ids):
    return logits.sum()


def step(model, images, *, criterion=total, precision=torch.float32, aux_loss_weight=0.0):
    return rehearse_step(model, criterion, images, aux_loss_weight=aux_loss_weight, precision=precision)


def test_the_ledger_knows_what_lives_together():
    with Ledger() as ledger:
        first = torch.empty(MIB, device="meta", dtype=torch.uint8)
        second = torch.empty(2 * MIB, device="meta", dtype=torch.uint8)
        del first
        third = second.view(-1)[:5] + 1  # a view has no bytes of its own; five are new
        del second, third
    assert ledger.levels() == [MIB, 3 * MIB, 2 * MIB, 2 * MIB + 5, 5, 0]
    assert ledger.peak() == 3 * MIB


def test_what_was_there_before_does_not_count():
    old = torch.empty(MIB, device="meta")
    with Ledger([old]) as ledger:
        old.add_(1)
    assert ledger.entries == []


def test_two_layers_counted_by_hand():
    # One image of 16 x 16: images 3, relu 8 and logits 2 channels of 256 floats, 256 bytes of class ids and the loss of
    # 4. The first layer's output is let go as soon as ReLU has its own.
    images = torch.empty((1, 3, 16, 16), device="meta")
    plane = 256 * 4
    held = step(TwoLayers().to("meta"), images)
    # The worst moment is the backward pass of ReLU, with the gradients of its output and of its input, 8 channels each,
    # and of the second layer's 2 * 8 weights.
    forward = (3 + 8 + 2) * plane + 256 + 4
    gradient_of_loss = 4
    assert held.gradients == 2 * 8 * 4
    assert held.kept + held.transient == forward + gradient_of_loss + 2 * 8 * plane


def test_the_second_piece_finds_the_gradients_of_the_first():
    model, images = TwoLayers().to("meta"), torch.empty((1, 3, 16, 16), device="meta")
    first, second = step(model, images), step(model, images)
    weights = (3 * 8 + 8 * 2) * 4
    assert second.gradients == weights
    assert second.kept == first.kept


def test_twice_the_images_take_twice_the_tensors():
    one, two = (step(TwoLayers().to("meta"), torch.empty((n, 3, 16, 16), device="meta")) for n in (1, 2))
    constant = 2 * 4  # the loss and its gradient
    assert two.kept + two.transient - constant == 2 * (one.kept + one.transient - constant)


TINY = Settings(algorithm="fcn", backbone="mobilenetv2_035", pretrained=False)


def both(settings, **options):
    """What is held on the meta device, and what really lives on the CPU."""
    criterion, found = build_criterion(settings, None), []
    for device, build in (
        ("meta", lambda: build_on_meta(settings, 3, None)),
        ("cpu", lambda: build_segmenter(settings, 3)),
    ):
        images = torch.zeros((4, 3, 32, 32), dtype=torch.uint8, device=device)
        found.append(
            step(build().train(), images, criterion=criterion, aux_loss_weight=settings.aux_loss_weight, **options)
        )
    return found


@pytest.mark.parametrize("loss", ["cross_entropy", "dice", "focal", "lovasz", "ohem", "cross_entropy+0.5*dice"])
def test_a_step_without_numbers_holds_what_a_real_one_holds(loss):
    rehearsed, real = both(TINY.changed(loss=loss))
    assert rehearsed == real


@pytest.mark.parametrize("algorithm", ["deeplabv3plus", "psp"])
def test_other_heads_too_with_an_auxiliary_one(algorithm):
    rehearsed, real = both(TINY.changed(algorithm=algorithm, aux_loss_weight=0.4))
    assert rehearsed == real


def test_bfloat16_holds_about_what_autocast_makes_of_it():
    # On a CPU, strided depthwise convolutions are computed in float32 and keep such inputs: a few per cent here.
    rehearsed, real = both(TINY, precision=torch.bfloat16)
    assert rehearsed.total == pytest.approx(real.total, rel=0.06)
    assert rehearsed.kept < both(TINY)[0].kept


def test_what_autograd_saves_is_among_what_is_kept():
    model = build_on_meta(TINY, 3, None)
    images = torch.zeros((4, 3, 32, 32), dtype=torch.uint8, device="meta")
    saved = 4 * sum(each.float32 for each in kept(model, images).values())
    held = step(model.train(), images, criterion=build_criterion(TINY, None))
    assert saved < held.total


def test_a_validation_holds_what_a_real_one_holds():
    criterion = build_criterion(TINY, None)
    rehearsed = rehearse_validation(
        build_on_meta(TINY, 3, None),
        criterion,
        torch.zeros((4, 3, 48, 64), dtype=torch.uint8, device="meta"),
        precision=torch.float32,
    )
    model, images = build_segmenter(TINY, 3).eval(), torch.zeros((4, 3, 48, 64), dtype=torch.uint8)
    with torch.no_grad(), Ledger([*model.parameters(), *model.buffers()]) as ledger:
        logits = model(images).main
        criterion(logits, logits.max(dim=1).indices.to(torch.uint8))
    # The batch, and its copy with the channels last, live as long.
    assert rehearsed == ledger.peak() + 2 * images.nbytes


def test_small_blocks_are_told_apart():
    images = torch.empty((1, 3, 1024, 1024), device="meta")  # 12 MiB; ReLU's 8 channels take 32 MiB, the logits 8
    held = step(TwoLayers().to("meta"), images)
    assert held.small == held.kept + held.transient
    larger = step(TwoLayers().to("meta"), torch.empty((1, 3, 1024, 1040), device="meta"))
    assert 20 * MIB < larger.small < 24 * MIB < larger.kept


def test_held_adds_up():
    assert Held(1, 2, 3, small=2).total == 6
