"""processes.py: how the processes of a job are started, and what their ends mean."""

import os
import shutil
import signal
import socket
import sys

import pytest
import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from pixelwise.errors import Interrupted, TrainingError
from pixelwise.sagemaker.container.processes import num_gpus, shared_memory_line, start_processes
from pixelwise.sagemaker.root import Resources

NETWORK = ("NCCL_SHM_DISABLE", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT")
TWO = Resources("algo-2", ("algo-1", "algo-2"))


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """The environment without the names that may be set, which are gone again afterwards."""
    for name in NETWORK:
        monkeypatch.setenv(name, "")  # so that what the test sets is undone
        monkeypatch.delenv(name)


@pytest.fixture
def launched(monkeypatch):
    """Start processes in name only: the launcher notes what it is given and ends with `error`."""
    notes = []

    def launch(error=None, resources=TWO, each_host=2):
        def elastic_launch(config, entrypoint):
            def run(*arguments):
                notes.append((config, entrypoint, arguments))
                if error is not None:
                    raise error

            return run

        monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", elastic_launch)
        return start_processes(["work", "--root", "/opt/ml"], each_host=each_host, resources=resources)

    launch.notes = notes
    return launch


def failed(exit_code, local_rank=0):
    return ChildFailedError("work", {local_rank: ProcessFailure(local_rank, 4711, exit_code, "")})


# GPUs and shared memory


def test_without_cuda_there_are_no_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert num_gpus() == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert num_gpus() == 4


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A /dev/shm of 64 MB, as Docker gives it."""

    def disk_usage(folder):
        assert folder == tmp_path
        return shutil._ntuple_diskusage(64 << 20, 0, 64 << 20)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return tmp_path


def test_gpus_do_without_a_shared_memory_that_is_small_and_it_is_said(small):
    line = shared_memory_line(2, folder=small)
    assert line.text.startswith(f"{small} has 64 MB; the GPUs exchange gradients without it")
    assert "--shm-size=1g" in line.text
    assert os.environ["NCCL_SHM_DISABLE"] == "1"


def test_what_the_job_itself_sets_is_kept(small, monkeypatch):
    monkeypatch.setenv("NCCL_SHM_DISABLE", "0")
    assert shared_memory_line(8, folder=small) is not None
    assert os.environ["NCCL_SHM_DISABLE"] == "0"


@pytest.mark.parametrize("gpus", [0, 1])
def test_one_gpu_or_none_needs_no_shared_memory(small, gpus):
    assert shared_memory_line(gpus, folder=small) is None
    assert "NCCL_SHM_DISABLE" not in os.environ


def test_enough_shared_memory_is_used_without_a_word(small):
    assert shared_memory_line(2, folder=small, enough=64 << 20) is None
    assert shared_memory_line(2, folder=small / "nowhere") is None
    assert "NCCL_SHM_DISABLE" not in os.environ


# starting


def test_each_process_runs_the_package_with_this_python(launched):
    assert launched() == 0
    ((_, entrypoint, arguments),) = launched.notes
    assert entrypoint == sys.executable
    assert arguments == ("-m", "pixelwise.sagemaker", "work", "--root", "/opt/ml")


def test_hosts_meet_at_the_first_one_each_in_its_place(launched):
    launched(each_host=4)
    ((config, _, _),) = launched.notes
    assert (config.min_nodes, config.max_nodes, config.nproc_per_node) == (2, 2, 4)
    assert (config.rdzv_backend, config.rdzv_endpoint) == ("static", "algo-1:7777")
    assert config.rdzv_configs["rank"] == 1
    assert config.max_restarts == 0


def test_a_host_alone_meets_itself_at_a_port_that_is_free(launched):
    launched(resources=Resources("algo-1-x7k", ("algo-1-x7k",)))
    ((config, _, _),) = launched.notes
    host, port = config.rdzv_endpoint.split(":")
    assert host == "127.0.0.1"
    with socket.socket() as probe:
        probe.bind((host, int(port)))
    assert (config.min_nodes, config.max_nodes, config.rdzv_configs["rank"]) == (1, 1, 0)


def test_processes_have_less_time_to_stop_than_the_platform_gives(launched, monkeypatch):
    launched()
    assert int(os.environ["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]) < 120
    monkeypatch.setenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "7")
    launched()
    assert os.environ["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] == "7"


def test_hosts_talk_over_the_network_that_the_platform_names(launched, monkeypatch):
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    launched(resources=Resources("algo-1", ("algo-1", "algo-2"), "eth0"))
    assert os.environ["NCCL_SOCKET_IFNAME"] == os.environ["GLOO_SOCKET_IFNAME"] == "eth0"


@pytest.mark.parametrize("name", ["eth7", None])
def test_a_network_that_this_machine_does_not_have_is_passed_over(launched, monkeypatch, name):
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    launched(resources=Resources("algo-1", ("algo-1", "algo-2"), name))
    assert "NCCL_SOCKET_IFNAME" not in os.environ
    assert "GLOO_SOCKET_IFNAME" not in os.environ


# ends


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_process_that_failed_gives_its_exit_code(launched, code):
    assert launched(failed(code)) == code


def test_of_several_failures_the_first_counts():
    late, early = ProcessFailure(0, 1, 1, ""), ProcessFailure(1, 2, 2, "")
    late.timestamp, early.timestamp = 200, 100
    error = ChildFailedError("work", {0: late, 1: early})
    assert error.get_first_failure()[1].exitcode == 2  # what start_processes relies on


def test_a_process_that_was_killed_is_named_with_the_signal_and_the_likely_cause(launched):
    with pytest.raises(TrainingError, match=r"^Process 1 of this host was killed by signal 9\. .*mini_batch_size"):
        launched(failed(-9, local_rank=1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_an_interruption(launched, number):
    with pytest.raises(Interrupted, match=rf"^Stopped by {number.name}; the checkpoint is written\.$"):
        launched(SignalException("stopped", number))


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), ConnectionRefusedError("refused"), torch.distributed.DistNetworkError("lost")]
)
def test_hosts_that_do_not_find_each_other_are_named(launched, error):
    with pytest.raises(TrainingError) as caught:
        launched(error)
    assert str(caught.value) == (
        f"The hosts algo-1, algo-2 did not find each other at algo-1:7777 ({error}). "
        "Check that the security group lets them talk to each other."
    )
