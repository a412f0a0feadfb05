"""Every setting once: its type, its range, its default and one line of meaning.

`Settings` is frozen. Files, command-line flags and Python keywords all pass through `Settings.read` or
`Settings.of`, so a wrong name or value is refused in the same words everywhere. Names are those of Amazon
SageMaker's Semantic Segmentation algorithm where it has the setting; defaults are those that trained best
on real photographs (see docs/settings.md).
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixelwise.errors import SettingsError
from pixelwise.menus import CLASS_WEIGHTS, HEADS, LOSSES, OPTIMIZERS, PRECISIONS, SCHEDULES, VALUE_RANGES
from pixelwise.values import (
    Form,
    checked,
    kinds_of,
    parse_file,
    parse_sum,
    setting,
    to_seconds,
    to_text,
    to_tuple,
    unknown_name,
    word_or_numbers,
)

__all__ = ["FIELDS", "GROUPS", "Settings", "allowed"]

OUTPUT_STRIDES = (8, 16, 32)

MOST_BANDS = 16
"""How many bands an image may have."""

MODEL, TIME, LOSS, SEEN, STOP, MACHINE, AWS = GROUPS = (
    "the model",
    "how long, how fast",
    "the loss",
    "what the network sees",
    "when to stop",
    "the machine",
    "for SageMaker jobs",
)
"""What settings are about; the last group is there for jobs and models of SageMaker, and nobody else needs it."""


DURATION = Form(to_seconds, "a duration such as 90s, 20m or 1h30m")
EPOCH_LIST = Form(lambda value: to_tuple(value, int), "epochs such as 10,20")
WEIGHT_LIST = Form(
    word_or_numbers(CLASS_WEIGHTS), f"one of {', '.join(CLASS_WEIGHTS)} or one number per class such as 1,2,0.5"
)
BAND_LIST = Form(lambda value: to_tuple(value, int), "numbers of bands such as 4,3,2")
RANGE_LIST = Form(
    word_or_numbers(VALUE_RANGES),
    f"one of {', '.join(VALUE_RANGES)} or the lowest and the highest value such as 0,4095",
)
LOSS_SUM = Form(to_text, "a loss or a sum such as cross_entropy+0.5*dice")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What training does, completely: nothing else influences the result but the data and the machine."""

    algorithm: str = setting(MODEL, "deeplabv3plus", "Head that turns features into classes.", choices=HEADS)
    backbone: str = setting(MODEL, "resnet18", "Trunk: resnet-50, resnet-101 or any timm model name.")
    output_stride: int = setting(
        MODEL, 16, "Input pixels per step of the last feature map; 8 is finer and slower.", choices=OUTPUT_STRIDES
    )
    pretrained: bool = setting(MODEL, True, "Start the trunk from ImageNet weights (fetched by timm).")
    backbone_weights: str | None = setting(
        MODEL, None, "Local weights for the trunk: safetensors or state dict, in timm or torchvision naming."
    )
    num_classes: int | None = setting(
        MODEL,
        None,
        "Classes, the background included; read from classes.json or the masks.",
        at_least=2,
        at_most=254,
    )

    epochs: int = setting(TIME, 50, "Passes over the training images.", at_least=1)
    budget: float | None = setting(
        TIME, None, "Time for the whole job instead of epochs: 90s, 20m, 1h30m.", form=DURATION, above=0
    )
    mini_batch_size: int = setting(TIME, 8, "Images per update, over all processes.", at_least=1)
    gradient_accumulation: int = setting(
        TIME, 1, "Pieces that each process computes its share of a batch in, to save memory.", at_least=1
    )
    optimizer: str = setting(TIME, "adamw", "Update rule.", choices=OPTIMIZERS)
    learning_rate: float = setting(TIME, 0.002, "Step size at its highest.", above=0, at_most=10)
    pretrained_learning_rate_factor: float = setting(
        TIME, 0.5, "Factor on learning_rate for a trunk that starts from pretrained weights.", above=0, at_most=10
    )
    lr_scheduler: str = setting(TIME, "poly", "How the learning rate falls.", choices=SCHEDULES)
    lr_scheduler_factor: float = setting(
        TIME, 0.1, "step: factor at each step; exponential: factor over the whole training.", above=0, at_most=1
    )
    lr_scheduler_step: tuple[int, ...] = setting(
        TIME, (), "step: epochs after which the factor applies: 10,20.", form=EPOCH_LIST
    )
    warmup: float = setting(TIME, 0.05, "Share of the training over which the rate rises.", at_least=0, at_most=0.5)
    momentum: float = setting(TIME, 0.9, "Momentum of sgd and nag.", at_least=0, at_most=1)
    weight_decay: float = setting(TIME, 0.01, "Pull of the weights to zero.", at_least=0, at_most=1)
    gradient_clipping: float = setting(TIME, 5.0, "Largest gradient norm; 0 switches it off.", at_least=0)
    ema_decay: float = setting(
        TIME,
        0.99,
        "Decay of the averaged weights that are scored and kept; 0 switches them off.",
        at_least=0,
        at_most=1,
    )

    loss: str = setting(
        LOSS,
        "cross_entropy",
        "What is made small: one of these, or a sum such as cross_entropy+0.5*dice.",
        choices=LOSSES,
        form=LOSS_SUM,
    )
    class_weights: str | tuple[float, ...] = setting(
        LOSS,
        "inverse_square_root",
        "What a class counts in the loss: one of these, or one number per class: 1,2,0.5.",
        choices=CLASS_WEIGHTS,
        form=WEIGHT_LIST,
    )
    aux_loss_weight: float = setting(
        LOSS, 0.0, "Weight of the auxiliary FCN head in training; 0 leaves it out.", at_least=0, at_most=10
    )

    bands: tuple[int, ...] = setting(
        SEEN, (), "Bands of the images that are used, in order, counted from 1: 4,3,2; none: all.", form=BAND_LIST
    )
    value_range: str | tuple[float, ...] = setting(
        SEEN,
        "data",
        "Values that are 0 and 1 to the network: one of these, or the lowest and the highest: 0,4095.",
        choices=VALUE_RANGES,
        form=RANGE_LIST,
    )
    crop_size: int = setting(SEEN, 256, "Side of the square training crop, in pixels.", at_least=17)
    scale_min: float = setting(SEEN, 0.5, "Smallest random scale.", above=0, at_most=100)
    scale_max: float = setting(SEEN, 2.0, "Largest random scale.", above=0, at_most=100)
    flip: float = setting(SEEN, 0.5, "Share of samples that are mirrored left to right.", at_least=0, at_most=1)
    color_jitter: float = setting(
        SEEN, 0.4, "Strength of random brightness, contrast, saturation and hue; 0 is off.", at_least=0, at_most=1
    )
    blur: float = setting(SEEN, 0.0, "Share of samples that are blurred.", at_least=0, at_most=1)

    early_stopping: bool = setting(STOP, False, "Stop when the validation mIoU no longer rises.")
    early_stopping_patience: int = setting(STOP, 4, "Epochs without gain that are tolerated.", at_least=0)

    precision: str | None = setting(
        MACHINE, None, "Arithmetic of the network; none: bfloat16 where the machine is fast at it.", choices=PRECISIONS
    )
    sync_bn: bool = setting(MACHINE, False, "Share BatchNorm statistics between processes.")
    num_workers: int | None = setting(
        MACHINE, None, "Threads that prepare batches; none: one per core, at most 16.", at_least=0, at_most=256
    )
    seed: int = setting(MACHINE, 0, "Fixes every random number.", at_least=0, at_most=2**32 - 1)
    deterministic: bool = setting(
        MACHINE, False, "Use only operations that give the same bits every time; may be slower."
    )

    align_corners: bool = setting(
        AWS, False, "Enlarge maps from corner to corner, as models trained with MXNet need it."
    )
    gamma1: float = setting(AWS, 0.9, "rmsprop: decay of the squared-gradient average.", at_least=0, at_most=1)
    gamma2: float = setting(AWS, 0.9, "rmsprop: momentum factor.", at_least=0, at_most=1)
    base_size: int | None = setting(
        AWS, None, "Long side that images are scaled to before scale_min..scale_max; none: their own.", at_least=17
    )
    validation_crop_size: int | None = setting(
        AWS,
        None,
        "Validate on centre crops of this side; none: on whole images, as the scores are meant.",
        at_least=17,
    )
    early_stopping_min_epochs: int = setting(AWS, 5, "Epochs before early stopping may act.", at_least=1)
    early_stopping_tolerance: float = setting(
        AWS, 0.0, "Relative rise of mIoU that counts as a gain.", at_least=0, at_most=1
    )

    def __post_init__(self) -> None:
        for name, item in FIELDS.items():
            value = checked(name, getattr(self, name), KINDS[name], item.metadata)
            object.__setattr__(self, name, value)
        _check_together(self)

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: str = "settings") -> Self:
        """Build settings from names and values (texts are parsed); unknown names are refused."""
        for name in values:
            if name not in FIELDS:
                raise SettingsError(f"{source}: {unknown_name(name, FIELDS, 'setting')}")
        try:
            return cls(**values)
        except SettingsError as error:
            raise SettingsError(f"{source}: {error}") from None

    @classmethod
    def read(
        cls, path: Path, overrides: Mapping[str, Any] | None = None, *, defaults: Mapping[str, Any] | None = None
    ) -> Self:
        """Read a JSON, TOML or YAML file of settings; `overrides` win over the file, the file over `defaults`."""
        content = parse_file(path)
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: found {type(content).__name__}, expected names and values of settings.")
        return cls.of({**(defaults or {}), **content, **(overrides or {})}, source=str(path))

    @classmethod
    def chosen(cls, config: Path | str | None, given: Mapping[str, Any]) -> Self:
        """The settings of the file `config`, if any; those `given` win over it."""
        return cls.of(given) if config is None else cls.read(Path(config), given)

    def changed(self, **values: Any) -> Self:
        """A copy with some values replaced; unknown names are refused as in `of`."""
        return self.of({**self.to_json(), **values})

    def to_json(self) -> dict[str, Any]:
        """Names and values as JSON has them."""
        return dataclasses.asdict(self)


def allowed(name: str) -> str:
    """What a setting may be, in few words: "adam, sgd", "true, false", "1 or more", "above 0 to 10"; else nothing."""
    rule = FIELDS[name].metadata
    if rule["choices"]:
        return ", ".join(map(str, rule["choices"]))
    if KINDS[name][0] is bool:
        return "true, false"
    low = f"above {rule['above']:g}" if math.isfinite(rule["above"]) else ""
    low = f"{rule['at_least']:g}" if math.isfinite(rule["at_least"]) else low
    if not math.isfinite(rule["at_most"]):
        return f"{low} or more" if low and not low.startswith("above") else low
    return f"{low} to {rule['at_most']:.10g}"


def parse_loss(text: str) -> list[tuple[float, str]]:
    """(weight, name) of each term in a sum such as "cross_entropy+0.5*dice"."""
    return parse_sum("loss", text, LOSSES)


def _check_together(settings: Settings) -> None:
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


FIELDS = {item.name: item for item in dataclasses.fields(Settings)}

KINDS = kinds_of(Settings)
