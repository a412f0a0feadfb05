"""Each error that users of the AWS container know: exit code 2, and its sentence in the log and in the failure file."""

import contextlib
import json
import os
import shutil
import struct
import threading

import pytest
from PIL import Image

import pixelwise.sagemaker.container.job as job_module
from pixelwise.errors import OutOfMemory
from tests.journeys.sagemaker_job import CHANNELS, configure, tiny_job

MAGIC = 0xCED7230A


@pytest.fixture
def root(tmp_path):
    return tiny_job(tmp_path / "ml")


def hyperparameters(root, **changes):
    given = json.loads((root / "input" / "config" / "hyperparameters.json").read_text()) | changes
    configure(root, {name: text for name, text in given.items() if text is not None})


def failed(run, root, code=2):
    """Run the job in this process; its failure file, which the log repeats."""
    found, out, _err = run("sagemaker", "train", "--root", root)
    assert found == code, out
    assert "Traceback" not in out
    failure = (root / "output" / "failure").read_text()
    assert len(failure) <= 1024
    assert failure[:400] in out
    assert not (root / "model").exists()
    return failure


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"num_classes": None},
            "Customer Error: No value(s) were specified for 'num_classes' which are required hyperparameter(s)",
        ),
        (
            {"optimizer": "adadelta"},
            "The value 'adadelta' is not valid for the 'optimizer' hyperparameter which accepts one of the following: ",
        ),
        ({"learning_rat": "0.1"}, "Additional hyperparameters are not allowed ('learning_rat' was unexpected)"),
        ({"num_classes": "300"}, "The value '300' is not valid for the 'num_classes' hyperparameter which expects"),
        ({"epochs": "ten"}, "'epochs'"),
        ({"use_pretrained_model": "maybe"}, "'use_pretrained_model'"),
        ({"lr_scheduler": "step"}, "'lr_scheduler_step'"),
        ({"learning_rate": "2"}, "The value '2' is not valid for the 'learning_rate' hyperparameter which expects"),
    ],
)
def test_a_wrong_hyperparameter(root, run, changes, sentence):
    hyperparameters(root, **changes)
    assert sentence in failed(run, root)


def test_a_missing_channel(root, run):
    given = {name: {"TrainingInputMode": "File"} for name in CHANNELS if name != "validation"}
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    configure(root, texts, channels=given)
    failure = failed(run, root)
    assert failure.startswith("Customer Error: ")
    assert "'validation' " in failure


def test_hosts_that_would_see_different_images(root, run):
    given = {name: {"TrainingInputMode": "File", "S3DistributionType": "ShardedByS3Key"} for name in CHANNELS}
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    configure(root, texts, channels=given, hosts=["algo-1", "algo-2"])
    failure = failed(run, root)
    assert "Channel 'train' is ShardedByS3Key" in failure
    assert "FullyReplicated" in failure


def test_a_content_type_that_nobody_reads(root, run):
    given = {name: {"TrainingInputMode": "File", "ContentType": "text/csv"} for name in CHANNELS}
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    configure(root, texts, channels=given)
    assert "No iterator has been registered for ContentType 'text/csv'" in failed(run, root)


def test_masks_of_more_classes_than_the_job_has(root, run):
    mask = root / "input" / "data" / "train_annotation" / "train0.png"
    Image.new("L", (64, 48), 7).save(mask)
    failure = failed(run, root)
    assert str(mask) in failure[:300]
    assert "7 (3072 px)" in failure


def test_colour_masks(root, run):
    mask = root / "input" / "data" / "validation_annotation" / "validation1.png"
    Image.open(mask).convert("RGB").save(mask)
    assert str(mask) in failed(run, root)


def test_an_image_and_a_mask_of_two_sizes(root, run):
    mask = root / "input" / "data" / "train_annotation" / "train3.png"
    Image.new("L", (50, 48)).save(mask)
    assert str(mask) in failed(run, root)


def test_no_pair_at_all(root, run):
    masks = root / "input" / "data" / "validation_annotation"
    for mask in masks.iterdir():
        mask.rename(mask.with_name(f"other-{mask.name}"))
    failure = failed(run, root)
    assert "Channel 'validation'" in failure
    assert "equal names" in failure


def test_a_label_map_that_is_none(root, run):
    folder = root / "input" / "data" / "label_map"
    folder.mkdir()
    (folder / "train_label_map.json").write_text('{"scale": 0}')
    assert "train_label_map.json" in failed(run, root)


def piped(root, content):
    """The job as an augmented manifest through pipes, of which both send `content`."""
    data = root / "input" / "data"
    for name in CHANNELS:
        shutil.rmtree(data / name)
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    wrapped = {"TrainingInputMode": "Pipe", "RecordWrapperType": "RecordIO", "ContentType": "application/x-recordio"}
    configure(root, texts, channels=dict.fromkeys(("train", "validation"), wrapped))
    for name in ("train_0", "validation_0"):
        os.mkfifo(data / name)
        threading.Thread(target=_send, args=(data / name, content), daemon=True).start()


def _send(path, content):
    with contextlib.suppress(BrokenPipeError):
        path.write_bytes(content)


def test_a_pipe_without_recordio(root, run):
    texts = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    configure(root, texts, channels={name: {"TrainingInputMode": "Pipe"} for name in ("train", "validation")})
    assert "RecordWrapperType=RecordIO" in failed(run, root)


def test_a_pipe_that_brings_something_else(root, run):
    piped(root, b"\xff\xd8\xff\xe0" * 50)
    assert "The Record IO header does not start with the magic number" in failed(run, root)


def test_a_pipe_that_brings_images_without_masks(root, run):
    photograph = b"\xff\xd8\xff\xe0" * 2
    piped(root, struct.pack("<II", MAGIC, len(photograph)) + photograph)
    assert "AttributeNames" in failed(run, root)


def test_a_machine_without_enough_memory(root, run, monkeypatch):
    def train_run(*_arguments, **_options):
        raise OutOfMemory("Out of memory with a single image per piece.")

    monkeypatch.setattr(job_module, "train_checked", train_run)
    failure = failed(run, root)
    assert failure.startswith(
        "Customer Error: Out of Memory. Please use a larger instance type or reduce batch size. For additional "
        "hyper-parameters that may have an effect on memory usage, please check the algorithm documentation."
    )


def test_a_fault_of_ours_is_an_algorithm_error_whose_traceback_is_in_the_log_alone(root, run, monkeypatch):
    def train_run(*_arguments, **_options):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(job_module, "train_checked", train_run)
    code, out, _err = run("sagemaker", "train", "--root", root)
    assert code == 1
    assert "Traceback" in out
    failure = (root / "output" / "failure").read_text()
    assert failure.startswith("Algorithm Error: ZeroDivisionError: division by zero")
    assert "Traceback" not in failure


def test_a_full_disk_is_a_platform_error(root, run, monkeypatch):
    def train_run(*_arguments, **_options):
        raise OSError(28, "No space left on device", "/opt/ml/model/model.safetensors")

    monkeypatch.setattr(job_module, "train_checked", train_run)
    failure = failed(run, root, code=3)
    assert failure.startswith("Platform Error: /opt/ml/model/model.safetensors: No space left on device")


def test_a_root_that_is_not_there_is_not_made(tmp_path, run):
    code, out, _err = run("sagemaker", "train", "--root", tmp_path / "jbo")
    assert code == 2
    assert f"Customer Error: {tmp_path / 'jbo'}: does not exist" in out
    assert not (tmp_path / "jbo").exists()


def test_a_failure_of_an_earlier_start_is_not_left_behind(root, run, monkeypatch):
    (root / "output").mkdir()
    (root / "output" / "failure").write_text("old")
    hyperparameters(root, epochs="ten")
    assert "old" not in failed(run, root)
