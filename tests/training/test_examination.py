"""What comes after the last step: how long it takes, how many images there is time for, and which these are."""

import itertools

import pytest
import torch

from pixelwise.data.check.dataset import check_dataset
from pixelwise.data.dataset.pairs import open_dataset
from pixelwise.models.segmenter import build_segmenter
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.budget.examination import Examination, evenly_spread, measured, scattered


def test_an_image_is_validated_looked_at_and_pictured():
    cost = Examination(network=1.0, counting=0.25, saving=3.0, passes=2)
    assert cost.seconds(10) == 2 * 10 + 12.5 + 10
    assert cost.seconds(40) == 2 * 40 + 50 + 24  # 24 pictures at most
    assert cost.seconds(1000) == 2 * 1000 + 500 * 1.25 + 24  # 500 images at most are looked at closely
    assert cost.writing() == 5.0


def test_processes_share_a_validation_and_not_the_closer_look():
    cost = Examination(network=1.0, counting=0.25, saving=0.0, passes=1, processes=4)
    assert cost.validation(12) == 3.0
    assert cost.seconds(12) == 3.0 + 15.0 + 12.0


def test_what_is_affordable_is_the_most_that_fits():
    cost = Examination(network=1.0, counting=0.0, saving=0.0)  # 3 s an image up to 24
    assert cost.affordable(36.0, 100) == 12
    assert cost.affordable(35.9, 100) == 11
    assert cost.affordable(1000.0, 100) == 100
    assert cost.affordable(-5.0, 100) == 4
    assert cost.affordable(-5.0, 2) == 2


def test_a_slower_machine_takes_longer_for_all_of_it():
    slow = Examination(network=1.0, counting=0.25, saving=3.0, step=2.0).slowed(2.0)
    assert slow == Examination(network=2.0, counting=0.5, saving=6.0, step=4.0)


def test_images_are_spread_evenly_and_stay_in_order():
    assert evenly_spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert evenly_spread(range(10), 3) == [0, 3, 6]
    assert evenly_spread("abc", 7) == ["a", "b", "c"]
    assert evenly_spread([], 4) == []


@pytest.mark.parametrize("number", [1, 2, 7, 60, 500])
def test_every_beginning_of_scattered_images_is_spread(number):
    order = scattered(range(number))
    assert sorted(order) == list(range(number))
    for beginning in range(1, number + 1):
        places = sorted(order[:beginning])
        gaps = {later - earlier for earlier, later in itertools.pairwise(places)}
        assert len(gaps) <= 3  # the three-gap theorem
        assert max(gaps, default=0) <= 5 * number / beginning


def test_measuring_knows_what_it_measures(dataset):
    report = check_dataset(open_dataset(dataset))
    settings = Settings(backbone="mobilenetv2_035", algorithm="fcn", pretrained=False, crop_size=32, mini_batch_size=4,
                        budget=600)  # fmt: skip
    model = build_segmenter(settings, 2, load_weights=False)
    runtime = Runtime(torch.device("cpu"), torch.float32, world_size=2)
    pairs = report.pairs["validation"]
    cost = measured(model, pairs, report.labels, report.bands, settings=settings, runtime=runtime)
    assert cost.network > 0
    assert cost.counting > 0
    # A step is 4 crops of 32 x 32 beside images of 64 x 48, three times, by two processes.
    assert cost.step == pytest.approx(3 * cost.network * 4 * 32 * 32 / (64 * 48) / 2)
    assert cost.saving == pytest.approx(1e-7 * sum(parameter.numel() for parameter in model.parameters()))
    assert (cost.passes, cost.processes) == (2, 2)
    assert not model.training
    one = measured(model, pairs, report.labels, report.bands, settings=settings.changed(ema_decay=0), runtime=runtime)
    assert one.passes == 1  # there are no averaged weights to validate besides
