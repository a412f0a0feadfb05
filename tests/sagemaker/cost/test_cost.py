"""Hours and money against published jobs, and sums worked out by hand."""

import argparse
import json

import pytest

from pixelwise.errors import ModelError, PixelwiseError, SettingsError
from pixelwise.sagemaker.cost.commands import add_cost
from pixelwise.sagemaker.cost.estimate import CostedJob, estimate, measured_speed, work_of
from pixelwise.sagemaker.cost.table import INSTANCES, InstanceTable

VOC = CostedJob(images=1464, validation_images=1449)  # fcn, resnet-50, crops of 240 px, batches of 16, 10 epochs
COURSE = CostedJob(images=5000, epochs=30, algorithm="deeplab", crop_size=480, mini_batch_size=8)


@pytest.fixture(scope="module")
def table():
    return InstanceTable.read()


@pytest.fixture
def edited(tmp_path):
    """Write a copy of the table with one value changed."""

    def write(*place, value):
        content = json.loads(INSTANCES.read_text())
        entry = content
        for key in place[:-1]:
            entry = entry[key]
        entry[place[-1]] = value
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def cost(capsys):
    """Run the verb: `cost("--images", 5000)`."""
    parser = argparse.ArgumentParser()
    add_cost(parser.add_subparsers())

    def call(*words):
        options = parser.parse_args(["cost", *map(str, words)])
        assert options.run(options) == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def measured_run(tmp_path):
    """A run of the VOC job's network that says how many images a second it trained, epoch by epoch."""

    def write(*rates):
        folder = tmp_path / "run"
        folder.mkdir()
        (folder / "settings.json").write_text(json.dumps(VOC.network().to_json()))
        rows = [json.dumps({"epoch": i, "train_images_per_second": rate}) for i, rate in enumerate(rates, 1)]
        (folder / "metrics.jsonl").write_text("\n".join(rows))
        return folder

    return write


def test_the_job_that_the_v100_is_calibrated_with_comes_out_as_it_was_billed(table):
    """A check of the arithmetic alone: speed, validation and start-up in the table are from this job."""
    found = estimate(VOC, table.instances["ml.p3.2xlarge"], table)
    assert found.training_seconds == pytest.approx(10 * 1464 / 55, rel=0.01)
    assert found.validation_seconds == pytest.approx(10 * 1449 / 36.7, rel=0.01)
    assert found.hours.likely * 3600 == pytest.approx(865, rel=0.01)


def test_a_published_job_that_nothing_is_calibrated_with_comes_out_in_its_3_to_5_hours(table):
    """5,000 images of 512 x 512, 30 epochs; network, batch and crop of 480 as in the course that names the hours."""
    found = estimate(COURSE, table.instances["ml.p3.2xlarge"], table)
    assert 3 <= found.hours.likely <= 5
    assert 11.49 <= found.on_demand.likely <= 19.15  # what the course asks for those hours
    assert found.hours.low < 3
    assert found.hours.high > 5


def test_training_costs_three_forward_passes_of_the_network_with_its_auxiliary_head():
    """torchvision gives fcn_resnet50 at 520 x 520, auxiliary head included, as 152.717 G multiply-adds."""
    settings = CostedJob(images=1, backbone="resnet50", crop_size=520).network()
    assert work_of(settings).training_flops == pytest.approx(3 * 2 * 152.717e9, rel=0.01)


def test_a_run_on_the_instance_replaces_what_the_table_knows_about_its_gpu(table, measured_run):
    speed = measured_speed(measured_run(3.0, 20.0, 21.0, 25.0))  # the first epoch warms up; the median is 21
    found = estimate(VOC, table.instances["ml.g5.xlarge"], table, speed=speed)
    assert found.training_seconds == pytest.approx(10 * 1464 / 21)
    larger = CostedJob(**{**vars(VOC), "crop_size": 480})  # four times the pixels
    found = estimate(larger, table.instances["ml.g5.xlarge"], table, speed=speed)
    assert found.training_seconds == pytest.approx(4 * 10 * 1464 / 21, rel=0.001)


def test_cores_that_read_too_slowly_set_the_time(table, measured_run):
    speed = measured_speed(measured_run(1e6))
    found = estimate(VOC, table.instances["ml.g5.xlarge"], table, speed=speed)
    assert found.training_seconds == pytest.approx(10 * 1464 / (4 * 40))  # 4 cores, 40 images a second each
    assert found.validation_seconds == pytest.approx(10 * 1449 / (4 * 4.6))


def test_whole_images_are_validated_at_the_cost_of_their_pixels(table):
    v100 = table.instances["ml.p3.2xlarge"]
    crops, whole = (
        estimate(CostedJob(**{**vars(COURSE), "validation_size": side}), v100, table).validation_seconds
        for side in (960, 1920)
    )
    assert whole == pytest.approx(4 * crops)


def test_the_range_widens_with_what_is_not_known_and_money_follows_the_hours(table):
    known, guessed = (estimate(VOC, table.instances[name], table) for name in ("ml.p3.2xlarge", "ml.g4dn.xlarge"))
    assert (known.speed.factor, guessed.speed.factor) == (1.5, 2.0)
    busy = known.training_seconds + known.validation_seconds
    assert known.hours.low * 3600 == pytest.approx(204 + busy / 1.5)
    assert known.hours.high * 3600 == pytest.approx(204 + busy * 1.5)
    assert known.on_demand == pytest.approx([3.825 * hours for hours in known.hours])
    assert known.spot == pytest.approx([0.4 * 3.825 * hours for hours in known.hours])


def test_batches_that_do_not_fit_or_cannot_be_shared_are_warned_of(table):
    job = CostedJob(**{**vars(COURSE), "mini_batch_size": 64})
    (warning,) = estimate(job, table.instances["ml.p3.2xlarge"], table).warnings
    assert "batches of 64 likely do not fit" in warning
    (warning,) = estimate(COURSE, table.instances["ml.p3.16xlarge"], table).warnings
    assert warning.endswith("give --mini-batch-size 16 or more")
    assert estimate(COURSE, table.instances["ml.p3.2xlarge"], table).warnings == ()


def test_the_table_that_comes_along_says_date_region_and_sources(table):
    assert (table.date[:5], table.region) == ("2026-", "us-east-1")
    assert {"ml.p3.2xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"} <= set(table.instances)
    assert all(instance.gpu.source for instance in table.instances.values())


def test_the_verb_prints_hours_and_money_and_how_sure_it_is(cost):
    out = cost("--images", 1464, "--validation-images", 1449, "--instance", "ml.p3.2xlarge")
    assert "ml.p3.2xlarge  1 x V100  0.24 (0.18 to 0.33)" in out
    assert "right within a factor of 1.5" in out
    assert "Prices of us-east-1, 2026-" in out


def test_without_an_instance_all_are_compared_the_cheapest_first(cost, table):
    found = json.loads(cost("--images", 1464, "--json"))
    prices = [one["on_demand"]["likely"] for one in found["estimates"]]
    assert len(prices) == len(table.instances)
    assert prices == sorted(prices)
    assert found["job"]["validation_images"] == 366  # a quarter


def test_an_edited_table_and_a_measured_run_are_used(cost, edited, measured_run):
    path = edited("instances", "ml.p3.2xlarge", "usd_per_hour", value=7.65)  # twice the price
    arguments = ("--images", 1464, "--instance", "ml.p3.2xlarge", "--json")
    before, after = (json.loads(cost(*arguments, *more)) for more in ((), ("--instances", path)))
    ratio = after["estimates"][0]["on_demand"]["likely"] / before["estimates"][0]["on_demand"]["likely"]
    assert ratio == pytest.approx(2)
    found = json.loads(cost(*arguments, "--measured-run", measured_run(30.0)))
    assert found["estimates"][0]["training_seconds"] == pytest.approx(10 * 1464 / 30)
    with pytest.raises(SettingsError, match="one --instance"):
        cost("--images", 1464, "--measured-run", "run")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("instances", "ml.g5.xlarge", "gpu"), "A10", r"instances\.ml\.g5\.xlarge\.gpu is 'A10', expected one of V100"),
        (("instances", "ml.g5.xlarge", "usd_per_hour"), "1.4", r"usd_per_hour is '1\.4', expected a number"),
        (("instances", "ml.g5.xlarge", "cpus"), 4.5, r"cpus is 4\.5, expected a whole number"),
        (("gpus", "T4", "fraction"), 57, r"gpus\.T4\.fraction is 57, expected a number above 0 and at most 1"),
        (("gpus", "T4", "factor"), 0.5, r"factor is 0\.5, expected a number of at least 1"),
        (("gpus", "T4"), [], r"gpus\.T4 is \[\], expected an object"),
        (("date",), None, "date is nothing, expected a text"),
        (("instances",), {}, "instances is {}, expected an object with at least one entry"),
    ],
)
def test_a_mistake_in_an_edited_table_is_named_by_its_place(edited, place, value, message):
    with pytest.raises(SettingsError, match=message):
        InstanceTable.read(edited(*place, value=value))


def test_a_table_that_is_no_json_is_refused(tmp_path):
    for content in ("{", "[1]"):
        (tmp_path / "mine.json").write_text(content)
        with pytest.raises(SettingsError, match=r"mine\.json"):
            InstanceTable.read(tmp_path / "mine.json")
    with pytest.raises(SettingsError, match="cannot be read"):
        InstanceTable.read(tmp_path / "missing.json")


def test_what_cannot_be_estimated_is_refused(table, tmp_path, measured_run):
    with pytest.raises(SettingsError, match=r"Did you mean 'ml\.g5\.xlarge'"):
        table.chosen(("ml.g5.xlarg",))
    with pytest.raises(SettingsError, match="images is 0"):
        CostedJob(images=0)
    with pytest.raises(SettingsError, match="algorithm is 'hourglass'"):
        CostedJob(images=1, algorithm="hourglass")
    with pytest.raises(ModelError, match="not a run that can be measured"):
        measured_speed(tmp_path)
    with pytest.raises(PixelwiseError, match="no finished epoch"):
        measured_speed(measured_run())
