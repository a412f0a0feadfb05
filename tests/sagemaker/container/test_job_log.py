"""job_log.py: what a run tells becomes the AWS container's log, line by line and in its order."""

import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_job_metrics import PUBLISHED, definitions, found

from pixelwise.sagemaker.container.log import JobLog, start_log
from pixelwise.sagemaker.hyperparameters.parse import parse, to_settings
from pixelwise.sagemaker.log_lines import Line

TRAINED = {
    "epoch": 1,
    "learning_rate": 0.0006,
    "train_loss": 1.475714725452465,
    "train_miou": 0.25,
    "train_pixel_accuracy": 0.75,
    "train_images_per_second": 55.0439202038,
}
VALIDATED = {
    **TRAINED,
    "validation_loss": 0.5,
    "validation_miou": 0.625,
    "validation_miou_absent_as_zero": 0.5063982026717044,
    "validation_pixel_accuracy": 0.8472626958559429,
    "validation_images_per_second": 36.7295854993,
    "seconds": 60.0,
}
BEST = "Serializing model to /opt/ml/model/model_best.params"


class Job:
    """A job's log, driven by hand, with a clock that stands still until it is moved."""

    def __init__(self, clock, *, num_gpus=1, **texts):
        given = {"num_classes": "21", "num_training_samples": "1464", **texts}
        self.hyperparameters, self.clock = parse(given), clock
        self.settings = to_settings(self.hyperparameters, num_training_images=1464, num_gpus=num_gpus)
        self.lines: list[Line] = []
        self.published: list[Path] = []
        self.log = JobLog(
            self.hyperparameters, self.settings, host="algo-1", publish=self.publish, say=self.lines.append
        )

    def publish(self, bundle):
        self.published.append(bundle)
        return Path("/opt/ml/model/model_best.params")

    def step(self, step, *, epoch=1, steps=91, rate=50.0, factor=1.0):
        rates = {"rate": rate, "learning_rate": self.settings.learning_rate * factor}
        self.log.on_step(epoch=epoch, step=step, steps=steps, loss=1.0, left=60.0, **rates)

    def validate(self, images, *, seconds=0.5):
        self.clock.now += seconds
        self.log.on_validation(images)

    def said(self):
        texts = [line.text for line in self.lines]
        self.lines.clear()
        return texts


@pytest.fixture
def job(monkeypatch):
    clock = SimpleNamespace(now=1000.0, time=lambda: clock.now, monotonic=lambda: clock.now)
    monkeypatch.setattr("pixelwise.sagemaker.container.log.time", clock)

    def make(**given):
        return Job(clock, **given)

    return make


def test_an_epoch_is_told_in_the_containers_order(job):
    job = job(epochs="4", mini_batch_size="8", validation_mini_batch_size="4", _logging_frequency="2")
    for step in range(1, 6):
        job.step(step, steps=5, rate=55.5700259596, factor=0.98)
    job.clock.now = 1010.0
    job.log.on_trained(TRAINED)
    for _ in range(7):
        job.validate(3)
    job.log.on_best(Path("run/model"))
    job.clock.now = 1020.0
    job.log.on_epoch(VALIDATED, [VALIDATED])
    *lines, record = job.said()
    assert lines == [
        "#progress_notice. epoch: 0, iterations: 2 speed: 55.5700259596 samples/sec learning_rate: 0.000980",
        "#progress_notice. epoch: 0, iterations: 4 speed: 55.5700259596 samples/sec learning_rate: 0.000980",
        "#quality_metric. host: algo-1, epoch: 0, train loss: 1.475714725452465 .",
        "#throughput_metric. host: algo-1, epoch: 0, train throughput: 55.0439202038 samples/sec.",
        "#quality_metric. host: algo-1, epoch: 0, train pixel_accuracy: 0.75 .",
        "#quality_metric. host: algo-1, epoch: 0, train mIOU: 0.25 .",
        "#progress_notice. epoch: 0, iterations: 2 speed: 6.0 samples/sec",  # 9 images in 1.5 seconds
        "#progress_notice. epoch: 0, iterations: 4 speed: 6.0 samples/sec",  # 18 in 3
        "#quality_metric. host: algo-1, epoch: 0, validation pixel_accuracy: 0.8472626958559429 .",
        "#quality_metric. host: algo-1, epoch: 0, validation mIOU: 0.5063982026717044 .",
        "#throughput_metric. host: algo-1, epoch: 0, validation throughput: 36.7295854993 samples/sec.",
        "#quality_metric. host: algo-1, epoch: 0, validation loss: 0.5 .",
        "#quality_metric. host: algo-1, epoch: 0, validation mIOU_present: 0.625 .",
        BEST,
        "#progress_metric: host=algo-1, completed 25 % of epochs",
    ]
    told = json.loads(record.removeprefix("#metrics "))
    assert (told["StartTime"], told["EndTime"]) == (1000.0, 1020.0)
    assert told["Dimensions"]["epoch"] == 0
    assert told["Metrics"]["Number of Batches Since Last Reset"]["max"] == 5
    assert told["Metrics"]["Total Records Seen"]["max"] == 40


def test_the_record_is_the_only_bare_line_and_nothing_is_a_warning(job):
    job = job()
    job.log.say("fcn on resnet-50")  # the run's own sentences are lines too
    job.step(20)
    job.log.on_trained(TRAINED)
    job.log.on_epoch(VALIDATED, [VALIDATED])
    assert job.lines[0] == ("fcn on resnet-50", logging.INFO, False)
    assert [line.bare for line in job.lines] == [False] * (len(job.lines) - 1) + [True]
    assert {line.level for line in job.lines} == {logging.INFO}


def test_every_published_expression_finds_its_number_in_every_epoch(job):
    job = job(epochs="2")
    for epoch in (1, 2):
        job.step(20, epoch=epoch)
        job.log.on_trained({**TRAINED, "epoch": epoch})
        job.validate(400)
        job.log.on_epoch({**VALIDATED, "epoch": epoch, "train_loss": 1e-05 * epoch}, [])
    numbers = found(job.lines, PUBLISHED)
    assert numbers == {
        "train:loss": [1.475714725452465] * 2,
        "validation:mIOU": [0.5063982026717044] * 2,
        "validation:pixel_accuracy": [0.8472626958559429] * 2,
        "train:throughput": [55.0439202038] * 2,
        "validation:throughput": [36.7295854993] * 2,
    }
    assert all(len(values) == 2 for values in found(job.lines, definitions()).values())
    log = "\n".join(job.said())
    assert re.findall(r"#quality_metric\. host: \S+, epoch: (\d+), validation mIOU:", log) == ["0", "1"]
    assert re.findall(r"completed (\d+) % of epochs", log) == ["50", "100"]


# notices


def test_a_notice_of_training_comes_every_twenty_iterations(job):
    job = job()
    for step in range(1, 92):
        job.step(step, epoch=3, steps=91)
    found = [re.match(r"#progress_notice\. epoch: (\d+), iterations: (\d+) ", line).groups() for line in job.said()]
    assert found == [("2", "20"), ("2", "40"), ("2", "60"), ("2", "80")]


def test_a_notice_of_validation_comes_every_twenty_batches_of_the_jobs_own_size(job):
    """The run validates in pieces of its own; what counts is validation_mini_batch_size, here 16."""
    job = job()
    job.log.on_trained(TRAINED)
    job.said()
    for _ in range(90):
        job.validate(8, seconds=0.25)
    assert job.said() == [
        "#progress_notice. epoch: 0, iterations: 20 speed: 32.0 samples/sec",
        "#progress_notice. epoch: 0, iterations: 40 speed: 32.0 samples/sec",
    ]


def test_whole_images_are_batches_of_one(job):
    job = job(validation_mini_batch_size="1")
    job.log.on_trained({**TRAINED, "epoch": 5})
    job.said()
    for _ in range(45):
        job.validate(1, seconds=2)
    assert job.said() == [
        "#progress_notice. epoch: 4, iterations: 20 speed: 0.5 samples/sec",
        "#progress_notice. epoch: 4, iterations: 40 speed: 0.5 samples/sec",
    ]


def test_each_validation_counts_from_the_beginning(job):
    job = job(validation_mini_batch_size="10", _logging_frequency="1")
    for epoch in (1, 2):
        job.log.on_trained({**TRAINED, "epoch": epoch})
        job.said()
        job.validate(9)
        assert job.said() == []
        job.validate(1)
        assert job.said() == [f"#progress_notice. epoch: {epoch - 1}, iterations: 1 speed: 10.0 samples/sec"]


# the learning rate


@pytest.mark.parametrize("num_gpus", [1, 4])
@pytest.mark.parametrize(
    ("texts", "ours"),
    [
        # Our highest rate is that of the heads: ten times the job's, divided by the batch with sgd and nag.
        ({"optimizer": "sgd"}, 0.001 * 10 / 16),
        ({"optimizer": "nag", "use_pretrained_model": "False"}, 0.001 * 10 / 16),
        ({"optimizer": "rmsprop"}, 0.001 * 10),
        ({"optimizer": "adam", "use_pretrained_model": "False"}, 0.001),
    ],
)
def test_the_learning_rate_is_said_in_the_jobs_terms(job, num_gpus, texts, ours):
    job = job(num_gpus=num_gpus, learning_rate="0.001", **texts)
    expected = ours * num_gpus if texts["optimizer"] in ("sgd", "nag") else ours
    assert job.settings.learning_rate == pytest.approx(expected)
    for step, factor in ((20, 1.0), (40, 0.5), (60, 0.0123)):
        job.step(step, factor=factor)
    assert [line.rpartition(" ")[2] for line in job.said()] == ["0.001000", "0.000500", "0.000012"]


def test_the_learning_rate_is_the_one_that_the_public_log_shows(job):
    """1464 images in batches of 16 for 10 epochs at 0.0001: lr * (1 - T / 909) ** 0.9 after T = 20 updates."""
    job = job(optimizer="rmsprop", learning_rate="0.0001")
    job.step(20, rate=55.5700259596, factor=(1 - 20 / 909) ** 0.9)
    assert job.said() == [
        "#progress_notice. epoch: 0, iterations: 20 speed: 55.5700259596 samples/sec learning_rate: 0.000098"
    ]


# models


def test_a_better_model_is_published_at_once_and_said_after_the_validation(job):
    job = job()
    job.log.on_trained(TRAINED)
    job.said()
    job.log.on_best(Path("run/model"))
    assert job.published == [Path("run/model")]
    assert job.said() == []
    job.log.on_epoch(VALIDATED, [])
    assert job.said().count(BEST) == 1


def test_an_epoch_that_is_not_better_serializes_nothing(job):
    job = job()
    job.log.on_best(Path("run/model"))
    job.log.on_epoch(VALIDATED, [])
    job.said()
    job.log.on_trained({**TRAINED, "epoch": 2})
    job.log.on_epoch({**VALIDATED, "epoch": 2}, [])
    assert BEST not in job.said()
    assert len(job.published) == 1


def test_an_epoch_without_validation_has_no_lines_of_it(job):
    job = job()
    job.log.on_trained(TRAINED)
    job.said()
    job.log.on_epoch({**TRAINED, **dict.fromkeys(set(VALIDATED) - set(TRAINED))}, [])
    progress, record = job.said()
    assert progress == "#progress_metric: host=algo-1, completed 10 % of epochs"
    assert record.startswith("#metrics ")


def test_the_record_of_an_epoch_begins_where_the_one_before_ended(job):
    job = job(mini_batch_size="8")
    times = []
    for epoch in (1, 2):
        job.step(5, epoch=epoch, steps=5)
        job.clock.now += 30
        job.log.on_epoch({**VALIDATED, "epoch": epoch}, [])
        told = json.loads(job.said()[-1].removeprefix("#metrics "))
        times.append((told["StartTime"], told["EndTime"]))
    assert times == [(1000.0, 1030.0), (1030.0, 1060.0)]
    assert told["Metrics"]["Total Batches Seen"]["sum"] == 10
    assert told["Metrics"]["Total Records Seen"]["sum"] == 80


# stdout


@pytest.fixture
def logger():
    logger = logging.getLogger("pixelwise.sagemaker")
    before = logger.handlers, logger.propagate, logger.level
    yield logger
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


def test_lines_go_to_stdout_in_the_containers_format(logger, capsys):
    start_log()
    say = start_log()  # a second job of one process says nothing twice
    say(Line("Docker entrypoint called with argument(s): train", bare=True))
    say(Line("100 % of epochs, {} and %s"))
    say(Line("label maps not provided, using defaults.", logging.WARNING))
    out, err = capsys.readouterr()
    assert err == ""
    stamp = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"
    assert re.fullmatch(
        rf"Docker entrypoint called with argument\(s\): train\n"
        rf"{stamp} INFO \d+\] 100 % of epochs, {{}} and %s\n"
        rf"{stamp} WARNING \d+\] label maps not provided, using defaults\.\n",
        out,
    )
