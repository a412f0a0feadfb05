"""What a sum of money buys on each instance of the table, for a training that is planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.report.numbers import duration
from pixelwise.sagemaker.cost.estimate import speed_of, work_of
from pixelwise.sagemaker.cost.table import InstanceTable
from pixelwise.settings import Settings


@dataclass(frozen=True)
class Purchase:
    """Time on an instance.

    Attributes:
        instance: its name.
        gpu: the name of its GPU.
        seconds: that the money pays for, the start among them.
        passes: over the training images, by the speed that the table expects.
        factor: the true number of passes should lie within this factor to both sides.
    """

    instance: str
    gpu: str
    seconds: float
    passes: float
    factor: float

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dict(vars(self))


def purchases(usd: float, settings: Settings, images: int, table: InstanceTable) -> list[Purchase]:
    """What `usd` buys for the network of `settings` and so many training images: the most passes first.

    Validation is left out: it takes its share everywhere.

    Raises:
        SettingsError: the network cannot be described.
    """
    work = work_of(_network(settings))
    found = []
    for each in table.instances.values():
        speed, seconds = speed_of(each, table), 3600 * usd / each.usd_per_hour
        rate = min(speed.flops / work.training_flops, each.cpus * table.training_images_per_second_per_cpu)
        passes = max(0.0, seconds - table.startup_seconds) * rate / images
        found.append(Purchase(each.name, f"{each.gpus} x {each.gpu.name}", seconds, passes, speed.factor))
    return sorted(found, key=lambda purchase: -purchase.passes)


def purchases_text(usd: float, found: list[Purchase], table: InstanceTable, *, most: int = 8) -> str:
    """A table of the first of them for the terminal."""
    lines = [f"{usd:g} USD elsewhere ({table.region}, prices of {table.date}), passes over the training images:"]
    for each in found[:most]:
        between = f"{each.passes / each.factor:,.0f} to {each.passes * each.factor:,.0f}"
        lines.append(f"  {each.instance:<18}{each.gpu:<12}{duration(each.seconds):>14}{between:>22}")
    return "\n".join(lines)


def _network(settings: Settings) -> Settings:
    """What shapes the network alone, so that equal networks are described once."""
    names = ("algorithm", "backbone", "output_stride", "crop_size", "num_classes", "aux_loss_weight", "input_scale")
    values: Mapping[str, Any] = {name: getattr(settings, name) for name in names}
    return Settings(**values)
