"""The table of instances, their prices and their speed: a JSON file with a date, which a person may edit."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixelwise.errors import SettingsError
from pixelwise.menus import PRECISIONS
from pixelwise.values import unknown_name

INSTANCES = Path(__file__).with_name("instances.json")
"""The table that comes with Pixelwise."""


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU, and how much of it training is known to use.

    Attributes:
        name: such as V100.
        memory_gib: of one GPU.
        precision: in which Pixelwise trains there, bfloat16 or float32.
        peak_tflops: 10^12 operations a second by its data sheet, in that precision and without sparsity.
        fraction: of that peak which training reaches, by the operations of the convolutions; above 0, at most 1.
        factor: the true fraction should lie between fraction / factor and fraction * factor; at least 1.
        source: where `fraction` comes from.
    """

    name: str
    memory_gib: float
    precision: str
    peak_tflops: float
    fraction: float
    factor: float
    source: str


@dataclass(frozen=True)
class Instance:
    """A machine by the hour: `gpus` pieces of `gpu`, `cpus` virtual cores."""

    name: str
    gpu: Gpu
    gpus: int
    cpus: int
    usd_per_hour: float


@dataclass(frozen=True)
class InstanceTable:
    """Everything that `estimate` does not compute itself; the file says beside each value where it comes from.

    Attributes:
        path: the file.
        date: of the prices, as the file has it.
        region: of the prices.
        source: of the prices.
        spot_saving: share of the price that a spot instance saves, 0 to 1.
        startup_seconds: billed beside training and validation.
        training_images_per_second_per_cpu: read and augmented by one virtual core.
        validation_images_per_second_per_cpu: read and scored by one virtual core.
        multi_gpu_efficiency: of several GPUs, against as many single ones.
        instances: by name.
    """

    path: Path
    date: str
    region: str
    source: str
    spot_saving: float
    startup_seconds: float
    training_images_per_second_per_cpu: float
    validation_images_per_second_per_cpu: float
    multi_gpu_efficiency: float
    instances: Mapping[str, Instance]

    @classmethod
    def read(cls, path: Path = INSTANCES) -> Self:
        """Read and check a table. Raises SettingsError: the file, the place in it, what was found and expected."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path}: cannot be read ({error}). Expected a copy of {INSTANCES}.") from None
        top = _Entry(path, "", content)
        gpus = {name: _gpu(name, entry) for name, entry in top.entries("gpus")}
        return cls(
            path=path,
            date=top.text("date"),
            region=top.text("region"),
            source=top.text("source"),
            spot_saving=top.number("spot_saving", at_least=0, at_most=1),
            startup_seconds=top.number("startup_seconds", at_least=0),
            training_images_per_second_per_cpu=top.number("training_images_per_second_per_cpu"),
            validation_images_per_second_per_cpu=top.number("validation_images_per_second_per_cpu"),
            multi_gpu_efficiency=top.number("multi_gpu_efficiency", at_most=1),
            instances={name: _instance(name, entry, gpus) for name, entry in top.entries("instances")},
        )

    def chosen(self, names: tuple[str, ...]) -> tuple[Instance, ...]:
        """The instances called `names`; all without names. Raises SettingsError with the nearest known name."""
        for name in names:
            if name not in self.instances:
                refusal = unknown_name(name, self.instances, "instance")
                raise SettingsError(f"{refusal} Others go into a copy of {self.path}, given with --instances.")
        return tuple(self.instances[name] for name in names or self.instances)


def _gpu(name: str, entry: "_Entry") -> Gpu:
    return Gpu(
        name=name,
        memory_gib=entry.number("memory_gib"),
        precision=entry.text("precision", choices=PRECISIONS),
        peak_tflops=entry.number("peak_tflops"),
        fraction=entry.number("fraction", at_most=1),
        factor=entry.number("factor", at_least=1),
        source=entry.text("source"),
    )


def _instance(name: str, entry: "_Entry", gpus: Mapping[str, Gpu]) -> Instance:
    return Instance(
        name=name,
        gpu=gpus[entry.text("gpu", choices=tuple(gpus))],
        gpus=entry.whole_number("gpus"),
        cpus=entry.whole_number("cpus"),
        usd_per_hour=entry.number("usd_per_hour"),
    )


class _Entry:
    """An object of the file, which refuses what it does not hold by the file's name and its own place in it."""

    def __init__(self, path: Path, place: str, content: Any) -> None:
        self._path, self._place = path, place
        if not isinstance(content, dict):
            raise self._refusal(place.rstrip(".") or "the file", content, "an object of names and values")
        self._content = content

    def entries(self, key: str) -> list[tuple[str, "_Entry"]]:
        """The named objects in the object `key`, at least one."""
        found = self._content.get(key)
        if not isinstance(found, dict) or not found:
            raise self._refusal(self._place + key, found, "an object with at least one entry")
        return [(name, _Entry(self._path, f"{self._place}{key}.{name}.", entry)) for name, entry in found.items()]

    def number(self, key: str, *, at_least: float | None = None, at_most: float = math.inf) -> float:
        """A finite number in the range; above 0 unless `at_least` says more."""
        found = self._content.get(key)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self._refusal(self._place + key, found, "a number")
        is_inside = (found > 0 if at_least is None else found >= at_least) and found <= at_most
        if not is_inside or not math.isfinite(found):
            least = "above 0" if at_least is None else f"of at least {at_least:g}"
            most = f" and at most {at_most:g}" if math.isfinite(at_most) else ""
            raise self._refusal(self._place + key, found, f"a number {least}{most}")
        return float(found)

    def whole_number(self, key: str) -> int:
        """A whole number, at least 1."""
        found = self.number(key)
        if found != int(found):
            raise self._refusal(self._place + key, found, "a whole number")
        return int(found)

    def text(self, key: str, *, choices: Collection[str] = ()) -> str:
        """A text, one of `choices` if there are any."""
        found = self._content.get(key)
        if not isinstance(found, str) or (choices and found not in choices):
            raise self._refusal(self._place + key, found, f"one of {', '.join(choices)}" if choices else "a text")
        return found

    def _refusal(self, place: str, found: Any, expected: str) -> SettingsError:
        shown = "nothing" if found is None else repr(found)
        return SettingsError(f"{self._path}: {place} is {shown}, expected {expected}. Compare it with {INSTANCES}.")
