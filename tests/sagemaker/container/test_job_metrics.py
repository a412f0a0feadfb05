"""metrics.py: the log lines of the AWS container, byte by byte, and the expressions that find their numbers."""

import json
import logging
import math
import re
from importlib.resources import files

import pytest

from pixelwise.sagemaker.log_lines import (
    CHECKPOINTS_DISABLED,
    NO_TEST_DATA,
    EpochMetrics,
    Line,
    configuration_lines,
    epoch_record,
    final_record,
    finished_lines,
    gpus_line,
    label_map_lines,
    log_formatter,
    metric_definitions,
    schedule_line,
    serializing_line,
    training_lines,
    training_notice,
    validation_notice,
)

# The expressions that read a public log of the container completely, ten epochs out of ten.
PUBLISHED = {
    "train:loss": r"#quality_metric\. host: \S+, epoch: \d+, train loss: ([0-9.eE+-]+|nan|inf) \.",
    "validation:mIOU": r"#quality_metric\. host: \S+, epoch: \d+, validation mIOU: ([0-9.eE+-]+|nan) \.",
    "validation:pixel_accuracy": r"#quality_metric\. host: \S+, epoch: \d+, validation pixel_accuracy: "
    r"([0-9.eE+-]+|nan) \.",
    "train:throughput": r"#throughput_metric\. host: \S+, epoch: \d+, train throughput: ([0-9.eE+-]+) samples/sec",
    "validation:throughput": r"#throughput_metric\. host: \S+, epoch: \d+, validation throughput: "
    r"([0-9.eE+-]+) samples/sec",
}

# Epoch 0 of that log.
EPOCH = EpochMetrics(
    host="algo-1",
    epoch=0,
    epochs=10,
    train_loss=1.475714725452465,
    train_throughput=55.0439202038,
    validation_pixel_accuracy=0.8472626958559429,
    validation_miou=0.5063982026717044,
    validation_throughput=36.7295854993,
)
LOGGED = [
    "#quality_metric. host: algo-1, epoch: 0, train loss: 1.475714725452465 .",
    "#throughput_metric. host: algo-1, epoch: 0, train throughput: 55.0439202038 samples/sec.",
    "#quality_metric. host: algo-1, epoch: 0, validation pixel_accuracy: 0.8472626958559429 .",
    "#quality_metric. host: algo-1, epoch: 0, validation mIOU: 0.5063982026717044 .",
    "#throughput_metric. host: algo-1, epoch: 0, validation throughput: 36.7295854993 samples/sec.",
    "Serializing model to /opt/ml/model/model_best.params",
    "#progress_metric: host=algo-1, completed 10 % of epochs",
]


def full(**changed: float) -> EpochMetrics:
    values = {
        "train_loss": 0.5,
        "train_throughput": 100 / 3,
        "train_pixel_accuracy": 0.91,
        "train_miou": 0.61,
        "validation_loss": 0.75,
        "validation_pixel_accuracy": 0.92,
        "validation_miou": 0.62,
        "validation_miou_present": 0.72,
        "validation_throughput": 40.0,
    }
    return EpochMetrics(host="algo-2", epoch=7, epochs=8, **{**values, **changed})


def found(lines: list[Line], definitions: dict[str, str]) -> dict[str, list[float]]:
    log = "\n".join(line.text for line in lines)
    return {name: [float(number) for number in re.findall(regex, log)] for name, regex in definitions.items()}


def definitions() -> dict[str, str]:
    return {entry["Name"]: entry["Regex"] for entry in metric_definitions()}


def epoch_lines(epoch, **saved):
    """All lines of an epoch, as they follow each other in the log."""
    return [*training_lines(epoch), *finished_lines(epoch, **saved)]


def test_the_first_epoch_of_the_public_log_is_printed_again_byte_by_byte() -> None:
    assert [line.text for line in epoch_lines(EPOCH, best_model="/opt/ml/model/model_best.params")] == LOGGED


def test_every_published_expression_finds_its_number_once() -> None:
    expected = {
        "train:loss": [0.5],
        "validation:mIOU": [0.62],
        "validation:pixel_accuracy": [0.92],
        "train:throughput": [33.3333333333],
        "validation:throughput": [40.0],
    }
    assert found(epoch_lines(full()), PUBLISHED) == expected


def test_the_definitions_begin_with_the_published_ones() -> None:
    assert dict(list(definitions().items())[: len(PUBLISHED)]) == PUBLISHED


def test_what_the_container_does_not_measure_is_found_under_its_own_names() -> None:
    numbers = found(epoch_lines(full()), definitions())
    assert numbers["validation:loss"] == [0.75]
    assert numbers["validation:mIOU_present"] == [0.72]
    assert numbers["train:mIOU"] == numbers["train:mIoU"] == [0.61]
    assert numbers["train:pixel_accuracy"] == numbers["train:pixacc"] == [0.91]
    assert numbers["validation:mIoU"] == [0.62]
    assert numbers["validation:pixacc"] == [0.92]


def test_the_definitions_fit_into_a_tuning_job() -> None:
    names = [entry["Name"] for entry in metric_definitions()]
    assert len(set(names)) == len(names) <= 40
    assert all(set(entry) == {"Name", "Regex"} and len(entry["Regex"]) <= 500 for entry in metric_definitions())
    assert all(re.compile(regex).groups == 1 for regex in definitions().values())


def test_the_definitions_are_shipped_as_json_too() -> None:
    text = files("pixelwise.sagemaker").joinpath("metric_definitions.json").read_text(encoding="utf-8")
    assert json.loads(text) == metric_definitions()


@pytest.mark.parametrize("number", [1e-7, 1.5e-12, 0.0, 1.0, 12345678.9])
def test_numbers_of_any_size_are_found(number: float) -> None:
    numbers = found(epoch_lines(full(train_loss=number, train_throughput=number)), PUBLISHED)
    assert numbers["train:loss"] == [number]
    assert numbers["train:throughput"] == [pytest.approx(number)]


def test_a_loss_that_left_the_numbers_is_said_so() -> None:
    lines = epoch_lines(full(train_loss=math.inf, validation_miou=math.nan))
    assert found(lines, PUBLISHED)["train:loss"] == [math.inf]
    assert math.isnan(found(lines, PUBLISHED)["validation:mIOU"][0])


def test_a_whole_throughput_keeps_its_point() -> None:
    assert "validation throughput: 40.0 samples/sec." in epoch_lines(full())[6].text


def test_what_was_not_measured_has_no_line() -> None:
    lines = epoch_lines(EpochMetrics(host="algo-1", epoch=2, epochs=3, train_loss=0.25))
    assert [line.text for line in lines] == [
        "#quality_metric. host: algo-1, epoch: 2, train loss: 0.25 .",
        "#progress_metric: host=algo-1, completed 100 % of epochs",
    ]


def test_notices_of_training_carry_the_learning_rate_and_those_of_validation_none() -> None:
    training = "#progress_notice. epoch: 0, iterations: 20 speed: 55.5700259596 samples/sec learning_rate: 0.000098"
    assert training_notice(0, 20, 55.5700259596, 0.0000980123).text == training
    validation = "#progress_notice. epoch: 0, iterations: 20 speed: 38.0787382452 samples/sec"
    assert validation_notice(0, 20, 38.0787382452).text == validation


def test_lines_of_the_beginning_and_the_end() -> None:
    assert schedule_line(91, 10).text == "LRScheduler setup: iters per epoch: 91, num_epochs 10"
    assert gpus_line(1).text == "Number of GPUs being used: 1"
    assert serializing_line("/opt/ml/model/model_algo-1").text == "Serializing model to /opt/ml/model/model_algo-1"
    assert CHECKPOINTS_DISABLED == "Checkpoint loading and saving are disabled."
    assert NO_TEST_DATA == "Test data is not provided."


def test_the_configuration_is_told_in_three_lines() -> None:
    lines = configuration_lines({"epochs": "10"}, "default-input.json", {"epochs": "2"}, "hp.json", {"epochs": "2"})
    assert [line.text for line in lines] == [
        "Reading default configuration from default-input.json: {'epochs': '10'}",
        "Merging with provided configuration from hp.json: {'epochs': '2'}",
        "Final configuration: {'epochs': '2'}",
    ]


def test_absent_label_maps_are_a_warning_and_scale_1() -> None:
    assert label_map_lines({"train": None, "validation": None}) == [
        Line("label maps not provided, using defaults.", logging.WARNING),
        Line("#label_map train :{'scale': 1}"),
        Line("#label_map validation :{'scale': 1}"),
    ]
    assert label_map_lines({"train": {"scale": 3}}) == [Line("#label_map train :{'scale': 3}")]


def test_a_line_begins_with_time_level_and_thread() -> None:
    record = logging.LogRecord("job", logging.INFO, "", 0, "Test data is not provided.", None, None)
    text = log_formatter().format(record)
    assert re.fullmatch(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] Test data is not provided\.", text)


def test_the_record_of_an_epoch_has_the_containers_dimensions() -> None:
    line = epoch_record(EPOCH, batches=91, images=1456, start=1587074771.5, end=1587074854.25)
    assert line.bare
    assert line.text.startswith('#metrics {"Metrics": {')
    record = json.loads(line.text.removeprefix("#metrics "))
    assert list(record) == ["Metrics", "EndTime", "Dimensions", "StartTime"]
    assert record["Dimensions"] == {
        "Host": "algo-1",
        "Meta": "training_data_iter",
        "Operation": "training",
        "Algorithm": "AWS/Semantic Segmentation",
        "epoch": 0,
    }
    assert (record["StartTime"], record["EndTime"]) == (1587074771.5, 1587074854.25)
    assert record["Metrics"]["Total Records Seen"] == {"count": 1, "max": 1456, "sum": 1456.0, "min": 1456}


def test_the_last_record_tells_epochs_and_times_in_milliseconds() -> None:
    record = json.loads(final_record(host="algo-1", epochs=10, start=100, training=102.5, end=865).text[9:])
    assert {name: value["sum"] for name, value in record["Metrics"].items()} == {
        "epochs": 10.0,
        "totaltime": 765000.0,
        "setuptime": 2500.0,
    }


def test_the_record_of_an_epoch_comes_last() -> None:
    record = epoch_record(EPOCH, batches=91, images=1456, start=1.0, end=2.0)
    assert epoch_lines(EPOCH, record=record)[-1] == record
