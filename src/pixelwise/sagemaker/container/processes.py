"""One process for each GPU of every host, started by torch's elastic launcher with the addresses of the platform."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pixelwise.errors import Interrupted, TrainingError
from pixelwise.sagemaker.log_lines import Line
from pixelwise.sagemaker.root import Resources
from pixelwise.workers import available_cores

PORT = 7777
"""Where the hosts of a job meet; the platform opens all ports between them."""

SHARED_MEMORY = Path("/dev/shm")
ENOUGH_SHARED_MEMORY = 1 << 30
"""NCCL takes some ten megabytes a pair of GPUs; Docker gives a container 64 MB in all unless it is told otherwise."""

_MEETING_SECONDS = 900  # hosts start minutes apart
_STOP_SECONDS = "100"  # the platform kills 120 seconds after it asked to stop


def num_gpus() -> int:
    """GPUs of this machine that PyTorch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def shared_memory_line(gpus: int, *, folder: Path = SHARED_MEMORY, enough: int = ENOUGH_SHARED_MEMORY) -> Line | None:
    """What to say where GPUs cannot exchange data through a small /dev/shm; NCCL is then told to do without it.

    Batches are prepared by threads, which need no shared memory, so that one GPU or none has nothing to fear.
    """
    if gpus < 2 or not folder.is_dir():
        return None
    size = shutil.disk_usage(folder).total
    if size >= enough:
        return None
    os.environ.setdefault("NCCL_SHM_DISABLE", "1")
    return Line(
        f"{folder} has {size >> 20} MB; the GPUs exchange gradients without it, which may be slower. "
        "Start the container with --shm-size=1g to use it."
    )


def start_processes(arguments: Sequence[str], *, each_host: int, resources: Resources) -> int:
    """Run `python -m pixelwise.sagemaker ARGUMENTS` as `each_host` processes here, in step with the other hosts.

    Returns:
        The exit code: 0, or that of the process that failed first, which has said why.

    Raises:
        Interrupted: this process was asked to stop; the others have written their checkpoint.
        TrainingError: a process was killed, or the hosts did not find each other.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _use_interface(resources.network_interface)
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", _STOP_SECONDS)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // each_host)))
    endpoint = f"127.0.0.1:{_free_port()}" if len(resources.hosts) == 1 else f"{resources.hosts[0]}:{PORT}"
    config = LaunchConfig(
        min_nodes=len(resources.hosts),
        max_nodes=len(resources.hosts),
        nproc_per_node=each_host,
        run_id="pixelwise",
        rdzv_backend="static",
        rdzv_endpoint=endpoint,
        rdzv_configs={"rank": resources.position, "timeout": _MEETING_SECONDS},
        max_restarts=0,
        monitor_interval=0.5,
    )
    run: Callable[..., object] = elastic_launch(config, sys.executable)
    try:
        run("-m", "pixelwise.sagemaker", *arguments)
    except SignalException as signal:
        raise Interrupted(f"Stopped by {signal.sigval.name}; the checkpoint is written.") from None
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode
        raise _killed(failure.local_rank, -failure.exitcode) from None
    except (TimeoutError, ConnectionError, RuntimeError) as error:
        raise TrainingError(
            f"The hosts {', '.join(resources.hosts)} did not find each other at {endpoint} ({error}). "
            "Check that the security group lets them talk to each other."
        ) from None
    return 0


def _killed(process: int, signal: int) -> TrainingError:
    return TrainingError(
        f"Process {process} of this host was killed by signal {signal}. Where that is 9, the machine's memory was "
        "used up: take a larger instance or reduce mini_batch_size."
    )


def _use_interface(name: str | None) -> None:
    """Let the hosts talk over the network that the platform names, if this machine has it."""
    if name in {interface for _, interface in socket.if_nameindex()}:
        assert name is not None
        os.environ.setdefault("NCCL_SOCKET_IFNAME", name)
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
