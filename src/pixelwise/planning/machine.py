"""The machine that a training is planned for."""

from dataclasses import dataclass
from typing import Any, Self

import torch

from pixelwise.runtime import Runtime
from pixelwise.workers import available_cores


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the network will learn.

    Attributes:
        device: "cpu" or "cuda".
        name: for people.
        cores: that this process may use.
        processes: that train together.
        memory: bytes that are free for a training, of the device and of one process.
        precision: "float32" or "bfloat16".
    """

    device: str
    name: str
    cores: int
    processes: int
    memory: int
    precision: str

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """The machine as it is now; every process of a group must ask, and all hear what the first one found."""
        cores, memory = runtime.from_main(available_cores(), runtime.available_memory())
        name = torch.cuda.get_device_name(runtime.device) if runtime.device.type == "cuda" else f"{cores:.0f} cores"
        return cls(
            device=runtime.device.type,
            name=name,
            cores=int(cores),
            processes=runtime.world_size,
            memory=int(memory),
            precision=str(runtime.precision).removeprefix("torch."),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dict(vars(self))
