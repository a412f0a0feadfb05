"""Rules between settings; each message names the setting to change."""

import math
from typing import TYPE_CHECKING

from pixelwise.errors import SettingsError
from pixelwise.settings.forms import parse_loss

if TYPE_CHECKING:
    from pixelwise.settings.settings import Settings

MOST_BANDS = 16
"""How many bands an image may have."""


def check_together(settings: "Settings") -> None:
    """Rules between settings; each message names the setting to change."""
    parse_loss(settings.loss)
    if settings.scale_min > settings.scale_max:
        raise SettingsError(f"scale_min {settings.scale_min} is above scale_max {settings.scale_max}. Lower scale_min.")
    steps = settings.lr_scheduler_step
    if any(later <= earlier for earlier, later in zip((0, *steps), steps, strict=False)):
        raise SettingsError(f"lr_scheduler_step is {list(steps)}, expected rising epochs from 1 on, such as 10,20.")
    if settings.lr_scheduler == "step" and not steps:
        raise SettingsError("lr_scheduler is 'step' but lr_scheduler_step is empty. Give epochs such as 10,20.")
    if settings.lr_scheduler == "step" and settings.budget is not None:
        raise SettingsError("lr_scheduler 'step' counts epochs and a budget has none. Use poly, cosine or exponential.")
    if settings.ema_decay == 1:
        raise SettingsError("ema_decay is 1, which would never learn. Use 0.999 or less; 0 switches it off.")
    _check_bands(settings.bands, settings.value_range)
    if isinstance(settings.class_weights, tuple):
        _check_class_weights(settings.class_weights, settings.num_classes)


def _check_class_weights(weights: tuple[float, ...], num_classes: int | None) -> None:
    if not weights or min(weights) < 0 or sum(weights) <= 0 or not all(map(math.isfinite, weights)):
        raise SettingsError(f"class_weights is {list(weights)}, expected numbers from 0 on, not all 0.")
    if num_classes and len(weights) != num_classes:
        raise SettingsError(
            f"class_weights has {len(weights)} numbers but num_classes is {num_classes}. Give one per class."
        )


def _check_bands(bands: tuple[int, ...], value_range: str | tuple[float, ...]) -> None:
    if len(bands) > MOST_BANDS or not all(1 <= band <= 10**4 for band in bands):
        raise SettingsError(f"bands is {list(bands)}, expected up to {MOST_BANDS} numbers from 1 on, such as 4,3,2.")
    if isinstance(value_range, str):
        return
    pairs = list(zip(value_range[::2], value_range[1::2], strict=False))
    if not value_range or len(value_range) % 2 or not all(-math.inf < low < high < math.inf for low, high in pairs):
        raise SettingsError(
            f"value_range is {list(value_range)}, expected the lowest and the highest value, such as 0,4095, or two "
            "for each band."
        )
