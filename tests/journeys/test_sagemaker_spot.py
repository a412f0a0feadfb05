"""Jobs that are stopped and started again, that go on from a model, and that run on two hosts."""

import hashlib
import json
import shutil
import signal
import time

import pytest
from PIL import Image

from pixelwise.bundle import load_bundle
from tests.journeys.sagemaker_job import CHANNELS, SECONDS, configure, finish, start, tiny_job, train


def digest(root):
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


def wait_for(path, process):
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The root of a job that nobody stopped."""
    root = tiny_job(tmp_path_factory.mktemp("whole"))
    (root / "checkpoints").mkdir()
    code, log = train(root)
    assert code == 0, log
    return root


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_spot_job_goes_on_on_another_machine_to_the_same_bits(whole, tmp_path, number):
    first, second = tiny_job(tmp_path / "first"), tiny_job(tmp_path / "second")
    (first / "checkpoints").mkdir()
    process = start("train", first)
    wait_for(first / "checkpoints" / "run" / "checkpoints" / "best.pt", process)
    process.send_signal(number)
    code, log = finish(process)
    assert code == (3 if number == signal.SIGTERM else -signal.SIGKILL), log
    assert not (first / "output" / "failure").exists()
    if number == signal.SIGTERM:
        assert "goes on from there" in log
        load_bundle(first / "model")  # the best model so far is whole
    # All that reaches another machine is what was kept in step with S3.
    shutil.copytree(first / "checkpoints", second / "checkpoints")
    code, log = train(second)
    assert code == 0, log
    assert digest(second) == digest(whole)
    assert learned(second) == learned(whole)


def learned(root):
    """The lines of metrics.jsonl without the clock's numbers."""
    rows = [json.loads(line) for line in (root / "output" / "data" / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds" and not k.endswith("per_second")} for row in rows]


def test_a_job_that_had_ended_leaves_its_model_again(whole, tmp_path):
    root = tiny_job(tmp_path / "again")
    shutil.copytree(whole / "checkpoints", root / "checkpoints")
    code, log = train(root)
    assert code == 0, log
    assert digest(root) == digest(whole)


def test_another_jobs_checkpoints_are_refused_with_the_remedy(whole, tmp_path):
    root = tiny_job(tmp_path / "other", learning_rate="0.01")
    shutil.copytree(whole / "checkpoints", root / "checkpoints")
    code, log = train(root)
    assert code == 2
    failure = (root / "output" / "failure").read_text()
    assert "learning_rate" in failure
    assert "checkpoint_s3_uri" in failure
    assert "Traceback" not in log


@pytest.mark.parametrize("is_archive", [False, True])
def test_a_job_goes_on_from_a_model_with_more_classes_and_another_crop(whole, tmp_path, is_archive):
    root = tiny_job(tmp_path / "more", num_classes="3", crop_size="48", epochs="1")
    given = root / "input" / "data" / "model"
    if is_archive:
        given.mkdir()
        shutil.make_archive(str(given / "model"), "gztar", whole / "model")
    else:
        shutil.copytree(whole / "model", given)
    hyperparameters = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
    channels = {name: {"TrainingInputMode": "File"} for name in CHANNELS}
    channels["model"] = {"TrainingInputMode": "File", "ContentType": "application/x-sagemaker-model"}
    configure(root, hyperparameters, channels=channels)
    code, log = train(root)
    assert code == 0, log
    assert "the classifier starts anew, as 3 classes take the place of 2" in log
    assert load_bundle(root / "model").labels.num_classes == 3


def test_two_hosts_train_one_model_and_stop_together(tmp_path):
    # Two names of this machine; each host has its own root, as on the platform.
    hosts = ["127.0.0.1", "localhost"]
    roots = [tiny_job(tmp_path / str(i), epochs="200") for i in range(2)]
    for host, root in zip(hosts, roots, strict=True):
        hyperparameters = json.loads((root / "input" / "config" / "hyperparameters.json").read_text())
        configure(root, hyperparameters, hosts=hosts, current_host=host, network_interface_name="lo")
        (root / "checkpoints").mkdir()
    processes = [start("train", root) for root in roots]
    wait_for(roots[0] / "model" / "model.json", processes[0])
    for process in processes:
        process.send_signal(signal.SIGTERM)
    ends = [finish(process) for process in processes]
    assert [code for code, _log in ends] == [3, 3], ends
    load_bundle(roots[0] / "model")
    assert (roots[0] / "checkpoints" / "run" / "checkpoints" / "last.pt").is_file()
    assert not any((root / "output" / "failure").exists() for root in roots)
    assert not (roots[1] / "model").exists()  # the first host writes


def test_the_gpus_of_a_machine_share_each_batch_without_being_asked(tmp_path, monkeypatch, capfd):
    # Two processes as for two GPUs; without any, they compute on the CPU.
    monkeypatch.setattr("pixelwise.sagemaker.container.processes.num_gpus", lambda: 2)
    root = tiny_job(tmp_path / "ml", epochs="1")
    code, _log = train(root)
    log = capfd.readouterr().out
    assert code == 0, log
    assert log.count("8 training and 4 validation images, 2 steps of 4 an epoch") == 1  # one of them speaks
    assert ", 2 processes" in log
    load_bundle(root / "model")


def test_what_one_of_several_processes_says_is_the_jobs_failure(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("pixelwise.sagemaker.container.processes.num_gpus", lambda: 2)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PIXELWISE_WEIGHTS", str(tmp_path))
    root = tiny_job(tmp_path / "ml", use_pretrained_model="True")
    code, _log = train(root)
    assert code == 2, capfd.readouterr().out
    failure = (root / "output" / "failure").read_text()
    assert failure.startswith("Customer Error: The pretrained weights of backbone")
    assert f"The image has no {tmp_path}/resnet18.safetensors" in failure
    assert "use_pretrained_model=False" in failure


def test_wrong_data_ends_a_job_before_its_processes_start(tmp_path, monkeypatch):
    monkeypatch.setattr("pixelwise.sagemaker.container.processes.num_gpus", lambda: 2)
    root = tiny_job(tmp_path / "ml")
    mask = root / "input" / "data" / "train_annotation" / "train0.png"
    Image.new("L", (64, 48), 7).save(mask)
    code, log = train(root)
    assert code == 2, log
    assert (root / "output" / "failure").read_text().startswith(f"Customer Error: {mask}: has the values 7 (3072 px)")
