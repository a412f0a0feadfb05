"""The machine: device, precision, random seed and process group, chosen once and passed on."""

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from pixelwise import workers
from pixelwise.errors import SettingsError
from pixelwise.menus import PRECISIONS

_FAST_BF16_FLAGS = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the network runs, in which arithmetic, and which of how many processes this one is."""

    device: torch.device
    precision: torch.dtype
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0

    @property
    def is_distributed(self) -> bool:
        """Whether other processes train along."""
        return self.world_size > 1

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the network computes in `precision`."""
        enabled = self.precision is not torch.float32
        return torch.autocast(self.device.type, dtype=self.precision, enabled=enabled)

    def sum(self, value: Tensor) -> Tensor:
        """`value` summed over all processes, in place; every process must call this."""
        if self.is_distributed:
            dist.all_reduce(value)
        return value

    def from_main(self, *values: float) -> list[float]:
        """`values` as process 0 has them, so that clocks and signals decide the same everywhere."""
        if not self.is_distributed:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return [float(value) for value in shared]

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.is_distributed:
            dist.barrier()

    def peak_memory(self) -> int | None:
        """The most bytes held at a time so far: tensors on a GPU, else the whole process; None where nobody knows."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return workers.peak_memory()

    def available_memory(self) -> int:
        """Bytes that are free for this process, on the GPU or on the machine, beside what it holds already."""
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            return int(free)
        return workers.available_memory()

    def describe(self) -> str:
        """One line for people, such as "cpu (2 threads), bfloat16"."""
        if self.device.type == "cuda":
            where = f"{self.device} ({torch.cuda.get_device_name(self.device)})"
        else:
            where = f"{self.device} ({torch.get_num_threads()} threads)"
        processes = f", {self.world_size} processes" if self.is_distributed else ""
        return f"{where}, {str(self.precision).removeprefix('torch.')}{processes}"


@contextlib.contextmanager
def started(
    device: str | None = None,
    precision: str | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
) -> Iterator[Runtime]:
    """Choose the device and the precision, seed torch and join the process group that torchrun describes.

    Args:
        device: "cpu", "cuda", "cuda:1"; None takes the first GPU if there is one.
        precision: "bfloat16" or "float32"; None takes bfloat16 where the device is fast at it.
        seed: for torch; data has its own, pure order.
        deterministic: refuse operations whose results vary from run to run.

    Raises:
        SettingsError: the device does not exist here.
    """
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        # Read by cuBLAS at its first use: without it, deterministic matrix products are refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    torch.manual_seed(seed)
    joined = _join_process_group(chosen)
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if joined else (0, 1)
    try:
        yield Runtime(chosen, choose_precision(precision, chosen), rank, world_size)
    finally:
        torch.use_deterministic_algorithms(before)
        if joined:
            dist.destroy_process_group()


def alone(device: str | None, precision: str | None) -> Runtime:
    """The runtime of this process by itself, without seed or group; the arguments are those of `started`."""
    chosen = choose_device(device)
    return Runtime(chosen, choose_precision(precision, chosen))


def rank_here() -> int:
    """Which of the processes that torchrun started this one is, known before it joins their group; 0 alone."""
    return int(os.environ.get("RANK", "0"))


def choose_device(name: str | None) -> torch.device:
    """The device called `name`, or the best one there is."""
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(f"device is {name!r}, expected cpu, cuda or cuda:0, cuda:1, ...") from None
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(f"device is {name!r}; Pixelwise runs on cpu and cuda.")
    if device.type == "cpu":
        return torch.device("cpu")
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index if device.index is not None else int(os.environ.get("LOCAL_RANK", "0"))
    if index >= available:
        raise SettingsError(
            f"device is {name!r} but this machine has {available} usable CUDA devices. "
            "Use cpu, or check the driver with nvidia-smi."
        )
    return torch.device("cuda", index)


def choose_precision(name: str | None, device: torch.device) -> torch.dtype:
    """The dtype called `name`, or bfloat16 where `device` has units for it, else float32."""
    if name is not None:
        chosen: torch.dtype = PRECISIONS[name].built()
        return chosen
    is_cuda = device.type == "cuda"
    fast = torch.cuda.get_device_capability(device) >= (8, 0) if is_cuda else _cpu_is_fast_at_bf16()
    return torch.bfloat16 if fast else torch.float32


def _cpu_is_fast_at_bf16() -> bool:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(flag in flags for flag in _FAST_BF16_FLAGS)


def _join_process_group(device: torch.device) -> bool:
    """Join the group that torchrun's environment describes; False when there is none."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        return False
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return True
