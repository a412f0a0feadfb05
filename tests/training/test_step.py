import copy

import pytest
import torch

from pixelwise.data.batches import Batch
from pixelwise.errors import SettingsError, TrainingError
from pixelwise.labels import IGNORE
from pixelwise.models.segmenter import Logits, build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples
from pixelwise.training.checkpoint import TrainingState
from pixelwise.training.learner import Learner
from pixelwise.training.losses import build_criterion
from pixelwise.training.optimizer import set_learning_rate
from pixelwise.training.step import step_within_memory, train_step

CPU = Runtime(torch.device("cpu"), torch.float32)


class Pixelwise1x1(torch.nn.Module):
    """The smallest segmenter: class logits from the colour of a pixel; no BatchNorm, no dropout."""

    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Identity()
        self.classify = torch.nn.Conv2d(3, 2, 1)
        self.most = 10**9

    def forward(self, images):
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return Logits(self.classify(images.float() / 255), None)


def learner_of(model=None, **changes):
    torch.manual_seed(0)
    settings = Settings(**{"pretrained": False, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, **changes})
    learner = Learner(model or Pixelwise1x1(), build_criterion(settings, None), settings, CPU)
    set_learning_rate(learner.optimizer, 1.0)
    return learner


def batch_of(num=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (num, 3, 8, 8), generator=generator, dtype=torch.uint8)
    class_ids = (images[:, 0] > 127).to(torch.uint8)
    class_ids[0, :4] = IGNORE  # images with unequal numbers of labelled pixels
    return Batch(images, class_ids)


class Silent:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.mark.parametrize("pieces", [2, 3, 4])
def test_pieces_change_neither_loss_nor_weights(pieces):
    whole, parts = learner_of(), learner_of()
    losses = [
        train_step(whole, batch_of(), TrainingState()),
        train_step(parts, batch_of(), TrainingState(pieces=pieces)),
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    torch.testing.assert_close(whole.model.classify.weight, parts.model.classify.weight)


def test_a_step_is_that_of_plain_torch():
    learner, batch = learner_of(gradient_clipping=0.0, weight_decay=0.0, ema_decay=0.0), batch_of()
    reference = copy.deepcopy(learner.model)
    logits = reference(batch.images).main
    loss = torch.nn.functional.cross_entropy(logits, batch.class_ids.long(), ignore_index=IGNORE)
    loss.backward()
    assert train_step(learner, batch, TrainingState()) == pytest.approx(loss.item(), rel=1e-6)
    expected = reference.classify.weight - 0.1 * reference.classify.weight.grad
    torch.testing.assert_close(learner.model.classify.weight, expected)


def test_out_of_memory_halves_the_piece_and_keeps_the_batch():
    learner, state, observer = learner_of(), TrainingState(), Silent()
    learner.model.most = 1
    loss = step_within_memory(learner, batch_of(), state, observer)
    assert state.pieces == 4
    assert loss == pytest.approx(train_step(learner_of(), batch_of(), TrainingState()), rel=1e-6)
    assert "4 pieces" in observer.said[-1]


def test_out_of_memory_with_one_image_says_what_to_change():
    learner = learner_of()
    learner.model.most = 0
    with pytest.raises(TrainingError, match="crop_size"):
        step_within_memory(learner, batch_of(), TrainingState(), Silent())


def test_other_errors_are_not_mistaken_for_memory():
    learner = learner_of()
    learner.criterion = lambda logits, class_ids: (_ for _ in ()).throw(RuntimeError("shapes disagree"))
    with pytest.raises(RuntimeError, match="shapes disagree"):
        step_within_memory(learner, batch_of(), TrainingState(), Silent())


def test_a_loss_that_is_not_finite_stops_before_the_update():
    learner = learner_of()
    with torch.no_grad():
        learner.model.classify.bias[0] = float("inf")
    before = learner.model.classify.weight.clone()
    with pytest.raises(TrainingError, match="learning_rate"):
        train_step(learner, batch_of(), TrainingState())
    assert torch.equal(learner.model.classify.weight, before)


def test_a_batch_without_labels_changes_nothing():
    learner, batch = learner_of(weight_decay=0.0), batch_of()
    before = learner.model.classify.weight.clone()
    assert train_step(learner, batch._replace(class_ids=torch.full_like(batch.class_ids, IGNORE)), TrainingState()) == 0
    assert torch.equal(learner.model.classify.weight, before)


def test_training_confusion_counts_every_fourth_pixel_both_ways():
    learner, state = learner_of(), TrainingState()
    batch = batch_of()
    train_step(learner, batch, state)
    labelled = batch.class_ids[:, ::4, ::4]
    assert state.counts.sum() == (labelled != IGNORE).sum() == 14
    assert state.counts.sum(1).tolist() == [int((labelled == 0).sum()), int((labelled == 1).sum())]


def test_the_same_step_drops_the_same_units_and_the_next_others():
    settings = Settings(algorithm="fcn", backbone="mobilenetv2_035", pretrained=False, mini_batch_size=4)
    torch.manual_seed(0)
    model = build_segmenter(settings, 2)
    losses = []
    for updates in (5, 5, 6):
        learner = Learner(copy.deepcopy(model), build_criterion(settings, None), settings, CPU)
        learner.model.train()
        losses.append(train_step(learner, batch_of(), TrainingState(updates=updates)))
    assert losses[0] == losses[1] != losses[2]


def test_a_single_sample_is_refused_only_where_there_is_batchnorm():
    refuse_single_samples(torch.nn.Conv2d(1, 1, 1), 1)
    refuse_single_samples(torch.nn.BatchNorm2d(1), 2)
    with pytest.raises(SettingsError, match="mini_batch_size"):
        refuse_single_samples(torch.nn.BatchNorm2d(1), 1)
