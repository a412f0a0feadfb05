import threading

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise import workers
from pixelwise.data import batches
from pixelwise.data.batches import EvaluationBatches, TrainingBatches, centre_crop
from pixelwise.data.dataset.pairs import Pair, find_pairs
from pixelwise.data.reading import read_sample
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.settings import Settings
from tests.conftest import REAL_DATA

LABELS = LabelTable.numbered(2)
SETTINGS = Settings(crop_size=24, mini_batch_size=4, num_workers=2, seed=5)
# Crops of whole images without change, so that a pixel's value tells which image it is from.
UNCHANGED = SETTINGS.changed(scale_min=1, scale_max=1, flip=0, color_jitter=0)


def make_pairs(folder, count, size=(30, 28)):
    """Image number i is of the even colour (i, 0, 0)."""
    folder.mkdir(exist_ok=True)
    pairs = []
    for i in range(count):
        pair = Pair(f"{i:03}", folder / f"{i:03}.bmp", folder / f"{i:03}.png")
        Image.new("RGB", size, (i, 0, 0)).save(pair.image)
        Image.new("L", size, i % 2).save(pair.mask)
        pairs.append(pair)
    return pairs


@pytest.fixture
def pairs(tmp_path):
    return make_pairs(tmp_path / "train", 10)


def images_seen(loaded):
    return [int(number) for batch in loaded for number in batch.images[:, 0, 0, 0]]


def equal(batches_a, batches_b):
    together = list(zip(batches_a, batches_b, strict=True))
    return all(torch.equal(a.images, b.images) and torch.equal(a.class_ids, b.class_ids) for a, b in together)


def data_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("pixelwise-data")]


def test_a_batch_is_contiguous_bytes(pairs):
    batch = next(TrainingBatches(pairs, LABELS, SETTINGS).of_epoch(0))
    assert (batch.images.shape, batch.images.dtype) == ((4, 3, 24, 24), torch.uint8)
    assert (batch.class_ids.shape, batch.class_ids.dtype) == ((4, 24, 24), torch.uint8)
    assert batch.images.is_contiguous()


def test_an_epoch_takes_each_image_at_most_once_and_leaves_out_what_fills_no_batch(pairs):
    training = TrainingBatches(pairs, LABELS, UNCHANGED)
    seen = images_seen(training.of_epoch(0))
    assert training.steps_per_epoch == 2
    assert len(seen) == len(set(seen)) == 8


def test_epochs_have_different_orders_and_leave_out_different_images(pairs):
    training = TrainingBatches(pairs, LABELS, UNCHANGED)
    epochs = [tuple(images_seen(training.of_epoch(epoch))) for epoch in range(5)]
    assert len(set(epochs)) == 5
    assert len({frozenset(epoch) for epoch in epochs}) > 1


def test_few_images_are_taken_more_than_once_with_other_crops(tmp_path):
    pairs = make_pairs(tmp_path / "few", 3)
    training = TrainingBatches(pairs, LABELS, UNCHANGED.changed(mini_batch_size=7))
    seen = images_seen(training.of_epoch(0))
    assert sorted(seen.count(i) for i in range(3)) == [2, 2, 3]
    jittered = TrainingBatches(pairs, LABELS, SETTINGS.changed(mini_batch_size=7))
    first, repeated = jittered.sample_at(0, 0), jittered.sample_at(0, 3)
    assert not np.array_equal(first.image, repeated.image)


def test_an_epoch_takes_each_image_as_often_as_repeats_says_in_rounds_with_other_crops(pairs):
    training = TrainingBatches(pairs, LABELS, UNCHANGED.changed(repeats=3, mini_batch_size=5))
    assert training.steps_per_epoch == 6  # 10 images 3 times, in batches of 5
    seen = images_seen(training.of_epoch(0))
    rounds = [seen[first : first + 10] for first in (0, 10, 20)]
    assert all(sorted(each) == list(range(10)) for each in rounds)
    assert len({tuple(each) for each in rounds}) == 3
    jittered = TrainingBatches(pairs, LABELS, SETTINGS.changed(repeats=3))
    order = jittered.order(0).tolist()
    again = order.index(order[0], 10)
    assert not np.array_equal(jittered.sample_at(0, 0).image, jittered.sample_at(0, again).image)


def test_the_first_round_of_an_epoch_is_that_of_an_epoch_without_repeats(pairs):
    once, often = (TrainingBatches(pairs, LABELS, SETTINGS.changed(repeats=repeats)) for repeats in (1, 4))
    assert often.order(3)[:10].tolist() == once.order(3).tolist()
    assert np.array_equal(often.sample_at(3, 7).image, once.sample_at(3, 7).image)


def test_repeats_fill_batches_from_images_that_one_round_would_leave_out(tmp_path):
    pairs = make_pairs(tmp_path / "few", 3)
    training = TrainingBatches(pairs, LABELS, UNCHANGED.changed(repeats=4, mini_batch_size=5))
    assert training.steps_per_epoch == 2  # 12 samples
    assert len(images_seen(training.of_epoch(0))) == 10


def test_an_epoch_with_repeats_can_be_resumed_at_any_step(pairs):
    settings = SETTINGS.changed(mini_batch_size=4, repeats=2)
    whole = list(TrainingBatches(pairs, LABELS, settings).of_epoch(1))
    assert len(whole) == 5
    for step in range(6):
        assert equal(whole[step:], TrainingBatches(pairs, LABELS, settings).of_epoch(1, first_step=step))


@pytest.mark.parametrize("workers", [0, 1, 5])
def test_workers_change_nothing(pairs, workers):
    reference = TrainingBatches(pairs, LABELS, SETTINGS).of_epoch(3)
    other = TrainingBatches(pairs, LABELS, SETTINGS.changed(num_workers=workers)).of_epoch(3)
    assert equal(reference, other)


def test_numpys_global_state_changes_nothing(pairs):
    np.random.seed(1)
    first = list(TrainingBatches(pairs, LABELS, SETTINGS).of_epoch(0))
    np.random.seed(2)
    assert equal(first, TrainingBatches(pairs, LABELS, SETTINGS).of_epoch(0))


def test_the_seed_changes_order_and_crops(pairs):
    one, two = (TrainingBatches(pairs, LABELS, SETTINGS.changed(seed=seed)) for seed in (1, 2))
    assert one.order(0).tolist() != two.order(0).tolist()
    assert not equal(one.of_epoch(0), two.of_epoch(0))


def test_a_batch_holds_the_samples_of_its_positions(pairs):
    training = TrainingBatches(pairs, LABELS, SETTINGS)
    for step, batch in enumerate(training.of_epoch(2)):
        for i in range(4):
            sample = training.sample_at(2, step * 4 + i)
            assert np.array_equal(batch.images[i], sample.image)
            assert np.array_equal(batch.class_ids[i], sample.class_ids)


def test_an_epoch_can_be_resumed_at_any_step(pairs):
    settings = SETTINGS.changed(mini_batch_size=2)
    whole = list(TrainingBatches(pairs, LABELS, settings).of_epoch(1))
    for step in range(6):
        assert equal(whole[step:], TrainingBatches(pairs, LABELS, settings).of_epoch(1, first_step=step))


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_together_see_what_one_would(pairs, world_size):
    whole = TrainingBatches(pairs, LABELS, SETTINGS).of_epoch(1)
    shares = [TrainingBatches(pairs, LABELS, SETTINGS, rank=r, world_size=world_size) for r in range(world_size)]
    parts = zip(*(share.of_epoch(1) for share in shares), strict=True)
    joined = [batches.Batch(*(torch.cat(tensors) for tensors in zip(*part, strict=True))) for part in parts]
    assert equal(whole, joined)


def test_a_batch_that_cannot_be_shared_equally_is_refused(pairs):
    with pytest.raises(SettingsError, match="mini_batch_size is 4, which 3 processes cannot share"):
        TrainingBatches(pairs, LABELS, SETTINGS, world_size=3)


def test_no_pairs_are_refused():
    with pytest.raises(DataError, match="no training images"):
        TrainingBatches([], LABELS, SETTINGS)


@pytest.mark.parametrize("budget", [0, 5 * 30 * 28 * 3])
def test_keeping_decoded_pairs_changes_nothing(pairs, monkeypatch, budget):
    kept = TrainingBatches(pairs, LABELS, SETTINGS)
    monkeypatch.setattr(batches, "cache_bytes", lambda: budget)
    read_again = TrainingBatches(pairs, LABELS, SETTINGS)
    for epoch in range(3):
        assert equal(kept.of_epoch(epoch), read_again.of_epoch(epoch))


def test_the_memory_for_decoded_pairs_respects_a_containers_limit(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    container = workers._Container(limit, *[tmp_path / "missing"] * 2, "inactive_file")
    monkeypatch.setattr(workers, "_CONTAINERS", (container,))
    assert batches.cache_bytes() == 150_000
    limit.write_text("max\n")
    assert batches.cache_bytes() > 150_000


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_breaks_ends_in_a_data_error(pairs, workers):
    pairs[4].image.write_bytes(b"broken")
    training = TrainingBatches(pairs, LABELS, UNCHANGED.changed(num_workers=workers, mini_batch_size=10))
    with pytest.raises(DataError, match=r"004\.bmp"):
        list(training.of_epoch(0))
    assert data_threads() == []


def test_stopping_early_ends_the_threads(pairs):
    loaded = TrainingBatches(pairs, LABELS, SETTINGS.changed(mini_batch_size=1)).of_epoch(0)
    next(loaded)
    assert data_threads()
    loaded.close()
    assert data_threads() == []


def evaluated(loaded):
    return [([pair.name for pair in names], tuple(batch.images.shape)) for names, batch in loaded]


def test_whole_images_of_equal_size_share_a_batch_in_order(tmp_path):
    pairs = make_pairs(tmp_path / "a", 3) + make_pairs(tmp_path / "b", 2, size=(20, 10))
    loaded = EvaluationBatches(pairs, LABELS, batch_size=2)
    assert len(loaded) == 5
    assert evaluated(loaded) == [
        (["000", "001"], (2, 3, 28, 30)),
        (["002"], (1, 3, 28, 30)),
        (["000", "001"], (2, 3, 10, 20)),
    ]


@pytest.mark.parametrize("world_size", [1, 2, 3, 16])
def test_evaluation_repeats_and_drops_no_image(pairs, world_size):
    shares = [EvaluationBatches(pairs, LABELS, rank=r, world_size=world_size) for r in range(world_size)]
    names = [pair.name for share in shares for together, _ in share for pair in together]
    assert names == [pair.name for pair in pairs]
    assert sum(map(len, shares)) == len(pairs)


def test_evaluation_gives_the_pixels_as_they_are(pairs):
    for names, batch in EvaluationBatches(pairs, LABELS, num_workers=0):
        for pair, image, class_ids in zip(names, *batch, strict=True):
            assert np.array_equal(image, read_sample(pair, LABELS).image)
            assert np.array_equal(class_ids, read_sample(pair, LABELS).class_ids)


# GluonCV: the short side becomes the crop's, the long one int(long * crop / short); round((side - crop) / 2).
@pytest.mark.parametrize(
    ("size", "resized", "corner"), [((480, 360), (320, 240), (40, 0)), ((100, 333), (240, 799), (0, 280))]
)
def test_validation_crops_are_gluons(size, resized, corner):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    for resample in (Image.Resampling.BILINEAR, Image.Resampling.NEAREST):
        whole = np.asarray(Image.fromarray(pixels).resize(resized, resample))
        left, top = corner
        crop = centre_crop(Image.fromarray(pixels), 240, resample)
        assert np.array_equal(crop, whole[top : top + 240, left : left + 240])


def test_validation_crops_make_all_sizes_one(tmp_path):
    pairs = make_pairs(tmp_path / "a", 2) + make_pairs(tmp_path / "b", 2, size=(20, 40))
    ((names, batch),) = EvaluationBatches(pairs, LABELS, crop_size=24)
    assert len(names) == 4
    assert batch.images.shape == (4, 3, 24, 24)


CAMVID = REAL_DATA / "camvid"


@pytest.mark.skipif(not CAMVID.is_dir(), reason="the shared data is not here")
def test_real_photographs_become_batches():
    pairs, faults = find_pairs(CAMVID / "train", CAMVID / "train_annotation")
    assert (len(pairs), faults) == (367, [])
    training = TrainingBatches(pairs[:16], LabelTable.read(CAMVID / "classes.json"), Settings())
    for batch in training.of_epoch(0):
        assert batch.images.shape == (8, 3, 256, 256)
        assert 20 < batch.images.float().std() < 120
        assert set(batch.class_ids.unique().tolist()) <= {*range(11), 255}
