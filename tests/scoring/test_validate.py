import math
import types
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from pixelwise.data.batches import Batch
from pixelwise.data.dataset.pairs import Pair
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.models.prior import Prior
from pixelwise.runtime import Runtime
from pixelwise.scoring.folders import score_folders
from pixelwise.scoring.validate import validate

CPU = Runtime(torch.device("cpu"), torch.float32)
LABELS = LabelTable.named(["dark", "bright"])


class Output(NamedTuple):
    main: torch.Tensor


class Brightness(nn.Module):
    """Says bright where the red channel is above 127."""

    def forward(self, images):
        red = images[:, :1].float() - 127.5
        return Output(torch.cat([-red, red], dim=1))


def batch(reds, class_ids):
    images = torch.tensor(reds, dtype=torch.uint8)[:, None].repeat(1, 3, 1, 1)
    return [Pair(str(i), None, None) for i in range(len(images))], Batch(
        images, torch.tensor(class_ids, dtype=torch.uint8)
    )


BATCHES = [
    batch([[[0, 200], [200, 200]]], [[[0, 1], [0, IGNORE]]]),
    batch([[[0, 0, 255]], [[255, 0, 255]]], [[[0, 0, 1]], [[1, 1, IGNORE]]]),
]


def test_all_batches_of_whatever_size_make_one_matrix():
    result = validate(Brightness(), BATCHES, labels=LABELS, runtime=CPU)
    assert result.scores.confusion.counts.tolist() == [[3, 1], [1, 3]]
    assert result.scores.labels == LABELS
    assert math.isnan(result.loss)


def test_the_loss_is_the_mean_over_all_labelled_pixels_and_not_over_batches():
    def criterion(logits, class_ids):
        return F.cross_entropy(logits / 100, class_ids.long(), ignore_index=IGNORE)

    result = validate(Brightness(), BATCHES, labels=LABELS, runtime=CPU, criterion=criterion)

    def loss(red, bright):  # by hand: -log of the logistic function of the difference of the two logits
        difference = 2 * (red - 127.5) / 100 * (1 if bright else -1)
        return math.log(1 + math.exp(-difference))

    pixels = [(0, 0), (200, 1), (200, 0), (0, 0), (0, 0), (255, 1), (255, 1), (0, 1)]
    assert result.loss == pytest.approx(sum(loss(*pixel) for pixel in pixels) / 8, rel=1e-5)


# The logits are -x and x with x = red - 127.5; undone at strength a, a pixel is bright where x > 20 a.
PRIOR = Prior((1.0, math.exp(40)))
DARK, BARELY, BRIGHTER, BRIGHT = 0, 130, 135, 200  # x = -127.5, 2.5, 7.5, 72.5: bright up to a = 0.25 at BRIGHTER


@pytest.mark.parametrize(
    ("reds", "class_ids", "strength", "counts"),
    [
        ([DARK, BARELY, BRIGHTER, BRIGHT], [0, 0, 1, 1], 0.25, [[2, 0], [0, 2]]),
        ([DARK, BARELY, BRIGHTER, BRIGHT], [0, 1, 1, 1], 0.0, [[1, 0], [0, 3]]),
        ([DARK, BARELY, BRIGHTER, BRIGHT], [0, 0, 0, 1], 0.5, [[3, 0], [0, 1]]),  # and at 0.75 and 1
        ([DARK, DARK, BRIGHT, BRIGHT], [0, 1, 0, 1], 0.0, [[1, 1], [1, 1]]),  # alike at every strength
        ([DARK, BARELY, BRIGHTER, BRIGHT], [IGNORE] * 4, 0.0, [[0, 0], [0, 0]]),
        ([DARK, BARELY, BRIGHTER, BRIGHT], [0, IGNORE, IGNORE, 1], 0.0, [[1, 0], [0, 1]]),
    ],
)
def test_the_class_weights_are_undone_as_far_as_raises_the_mean_iou(reds, class_ids, strength, counts):
    found = validate(Brightness(), [batch([[reds]], [[class_ids]])], labels=LABELS, runtime=CPU, prior=PRIOR)
    assert found.prior == Prior(PRIOR.weights, strength)
    assert found.scores.confusion.counts.tolist() == counts


def test_the_strength_is_that_of_all_batches_together():
    apart = [
        batch([[[DARK, BRIGHTER, BRIGHTER]]], [[[0, 1, 1]]]),
        batch([[[BARELY, BARELY, BRIGHTER, BRIGHT]]], [[[0, 0, 0, 1]]]),
    ]
    found = validate(Brightness(), apart, labels=LABELS, runtime=CPU, prior=PRIOR)
    assert found.prior.strength == 0.25
    assert found.scores.confusion.counts.tolist() == [[3, 1], [0, 3]]


def test_undoing_leaves_the_loss_as_it_is_and_without_class_weights_nothing_is_undone():
    def criterion(logits, class_ids):
        return F.cross_entropy(logits / 100, class_ids.long(), ignore_index=IGNORE)

    plain, undone = (
        validate(Brightness(), BATCHES, labels=LABELS, runtime=CPU, criterion=criterion, prior=prior)
        for prior in (None, PRIOR)
    )
    assert plain.loss == undone.loss
    assert plain.prior is None


class Says(nn.Module):
    """Gives the same logits whatever it sees."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, images):
        return Output(self.logits)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_strength_is_that_of_five_class_maps_by_numpy(seed, memory_format):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, 5, 40, 31)).astype(np.float32)
    weights = generator.uniform(0.1, 8, 5)
    truth = (logits - 0.1 * seed * np.log(weights)[:, None, None]).argmax(1).astype(np.uint8)
    truth = np.where(generator.random(truth.shape) < 0.3, generator.integers(0, 5, truth.shape), truth)
    truth = np.where(generator.random(truth.shape) < 0.1, IGNORE, truth).astype(np.uint8)

    def counts_at(strength):
        said = (logits - np.float32(strength) * np.log(weights, dtype=np.float32)[:, None, None]).argmax(1)
        known = truth != IGNORE
        return np.bincount(5 * truth[known].astype(int) + said[known], minlength=25).reshape(5, 5)

    def mean_iou(counts):
        return np.mean(np.diag(counts) / (counts.sum(0) + counts.sum(1) - np.diag(counts)))

    tried = {strength: counts_at(strength) for strength in (0, 0.25, 0.5, 0.75, 1)}
    best = max(tried, key=lambda strength: mean_iou(tried[strength]))
    model = Says(torch.from_numpy(logits).to(memory_format=memory_format))
    pair = [None, None], Batch(torch.zeros(2, 3, 40, 31, dtype=torch.uint8), torch.from_numpy(truth))
    labels = LabelTable.numbered(5)
    found = validate(model, [pair], labels=labels, runtime=CPU, prior=Prior(tuple(weights.tolist())))
    assert found.prior.strength == best
    assert found.scores.confusion.counts.tolist() == tried[best].tolist()


def test_a_batch_without_labels_changes_nothing():
    nothing = batch([[[9, 9]]], [[[IGNORE, IGNORE]]])
    result = validate(
        Brightness(), [*BATCHES, nothing], labels=LABELS, runtime=CPU, criterion=lambda a, b: a.new_tensor(0.0)
    )
    assert result.scores.confusion.counts.sum() == 8
    assert result.loss == 0


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_restored_also_after_an_error(training):
    model = Brightness().train(training)
    validate(model, BATCHES, labels=LABELS, runtime=CPU)
    assert model.training is training
    with pytest.raises(ValueError, match=r"truth holds"):
        validate(model, [batch([[[1]]], [[[7]]])], labels=LABELS, runtime=CPU)
    assert model.training is training


def test_the_counts_and_the_loss_of_all_processes_are_summed():
    def sum_with_a_twin(value):
        return value.mul_(2)

    runtime = types.SimpleNamespace(device=CPU.device, autocast=CPU.autocast, sum=sum_with_a_twin)
    result = validate(Brightness(), BATCHES, labels=LABELS, runtime=runtime, criterion=lambda a, b: a.new_tensor(3.0))
    assert result.scores.confusion.counts.tolist() == [[6, 2], [2, 6]]
    assert result.loss == 3


def test_all_processes_choose_the_strength_of_the_sum():
    # This process has [[1, 0], [0, 3]] at a = 0, then [[1, 0], [1, 2]], from 0.5 on [[1, 0], [2, 1]].
    theirs = np.array([[[0, 4], [0, 4]]] + 4 * [[[4, 0], [0, 4]]])

    def sum_with_a_twin(value):
        return value + torch.from_numpy(theirs) if value.dim() == 3 else value

    runtime = types.SimpleNamespace(device=CPU.device, autocast=CPU.autocast, sum=sum_with_a_twin)
    here = [batch([[[DARK, BARELY, BRIGHTER, BRIGHT]]], [[[0, 1, 1, 1]]])]
    assert validate(Brightness(), here, labels=LABELS, runtime=CPU, prior=PRIOR).prior.strength == 0
    found = validate(Brightness(), here, labels=LABELS, runtime=runtime, prior=PRIOR)
    assert found.prior.strength == 0.25
    assert found.scores.confusion.counts.tolist() == [[5, 0], [1, 6]]


def test_a_process_without_images_takes_part():
    assert validate(Brightness(), [], labels=LABELS, runtime=CPU).scores.confusion.counts.sum() == 0


def test_progress_is_told_in_images():
    seen = []
    validate(Brightness(), BATCHES, labels=LABELS, runtime=CPU, on_images=seen.append)
    assert seen == [1, 2]


def save(folder, name, values):
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.array(values, dtype=np.uint8)).save(folder / name)


@pytest.fixture
def folders(tmp_path):
    truth, predicted = tmp_path / "truth", tmp_path / "predicted"
    save(truth, "a.png", [[0, 1, IGNORE]])
    save(predicted, "a.png", [[0, 0, IGNORE]])
    save(truth, "b.png", [[2], [2]])
    save(predicted, "b.png", [[2], [1]])
    return truth, predicted


def test_two_folders_of_masks_are_scored_whatever_their_sizes(folders):
    scores = score_folders(*folders).scores
    assert scores.confusion.counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]
    assert scores.labels == LabelTable.numbered(3)


def test_classes_can_be_given_by_number_or_by_name(folders, tmp_path):
    assert score_folders(*folders, num_classes=5).scores.labels.num_classes == 5
    (tmp_path / "classes.json").write_text('{"0": "sky", "1": "road", "2": "car"}')
    assert score_folders(*folders, classes_file=tmp_path / "classes.json").scores.labels.names == ("sky", "road", "car")
    with pytest.raises(SettingsError, match=r"num_classes is 4 but .* lists 3"):
        score_folders(*folders, num_classes=4, classes_file=tmp_path / "classes.json")
    with pytest.raises(SettingsError, match=r"num_classes is 1, expected 2"):
        score_folders(*folders, num_classes=1)


def test_palette_masks_are_scored_by_their_indices(folders):
    truth, predicted = folders
    image = Image.fromarray(np.array([[0, 0, 1]], dtype=np.uint8))
    image.putpalette(LabelTable.numbered(3).palette())
    image.save(predicted / "a.png")
    assert score_folders(truth, predicted).scores.confusion.counts[:2, :2].tolist() == [[1, 0], [1, 0]]


def test_every_fault_of_every_file_is_in_one_message(folders):
    truth, predicted = folders
    save(truth, "wide.png", [[0, 0, 0]])
    save(predicted, "wide.png", [[0, 0]])
    save(truth, "void.png", [[0]])
    save(predicted, "void.png", [[IGNORE]])
    save(truth, "color.png", [[[1, 2, 3]]])
    save(predicted, "color.png", [[0]])
    (truth / "broken.png").write_bytes(b"not a picture")
    save(predicted, "broken.png", [[0]])
    with pytest.raises(DataError) as caught:
        score_folders(truth, predicted)
    message = str(caught.value)
    assert "wide.png: is 2 x 1 px but its truth wide.png is 3 x 1 px" in message
    assert "void.png: predicts 255 where the truth is labelled" in message
    assert "color.png: has the channels" in message
    assert "broken.png: is not an image" in message
    assert len(message.splitlines()) == 4


def test_an_id_above_the_classes_is_a_fault_of_its_file(folders):
    with pytest.raises(DataError, match=r"b.png: has the values 2"):
        score_folders(*folders, num_classes=2)
    save(folders[1], "a.png", [[0, 3, 7]])
    with pytest.raises(DataError, match=r"predicted.a.png: predicts 3 where .* from 0 to 2"):
        score_folders(*folders, num_classes=3)


def test_files_without_partner_are_all_named(folders):
    truth, predicted = folders
    save(truth, "c.png", [[0]])
    save(predicted, "d.png", [[0]])
    with pytest.raises(DataError, match=r"(?s)c.png: has no prediction.*d.png: has no truth"):
        score_folders(truth, predicted)


def test_many_faults_are_counted_after_twenty(folders):
    for i in range(25):
        save(folders[0], f"more{i}.png", [[0]])
    with pytest.raises(DataError, match=r"and 5 more faults"):
        score_folders(*folders)


def test_a_wrong_or_an_empty_folder_is_named(folders, tmp_path):
    with pytest.raises(DataError, match=r"nowhere: does not exist"):
        score_folders(folders[0], tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"a.png: is a file"):
        score_folders(folders[0] / "a.png", folders[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: holds no images"):
        score_folders(folders[0], tmp_path / "empty")
