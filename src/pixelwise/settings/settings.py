"""`Settings`: what training does, completely.

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
from pixelwise.menus import CLASS_WEIGHTS, FREEZES, HEADS, LOSSES, OPTIMIZERS, PRECISIONS, SCHEDULES, VALUE_RANGES
from pixelwise.settings.forms import BAND_LIST, DURATION, EPOCH_LIST, LOSS_SUM, RANGE_LIST, WEIGHT_LIST
from pixelwise.settings.together import check_together
from pixelwise.values import checked, kinds_of, parse_file, parse_money, setting, unknown_name

OUTPUT_STRIDES = (8, 16, 32)

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What training does, completely: nothing else influences the result but the data and the machine."""

    algorithm: str = setting(
        MODEL, "deeplabv3plus", "Head that turns features into classes.", choices=HEADS, planned=True
    )
    backbone: str = setting(MODEL, "resnet18", "Trunk: resnet-50, resnet-101 or any timm model name.", planned=True)
    output_stride: int = setting(
        MODEL,
        16,
        "Input pixels per step of the last feature map; 8 is finer and slower.",
        choices=OUTPUT_STRIDES,
        planned=True,
    )
    pretrained: bool = setting(MODEL, True, "Start the trunk from ImageNet weights (fetched by timm).", planned=True)
    backbone_weights: str | None = setting(
        MODEL, None, "Local weights for the trunk: safetensors or state dict, in timm or torchvision naming."
    )
    freeze: str = setting(MODEL, "none", "What keeps the weights it starts from.", choices=FREEZES)
    input_scale: float = setting(
        MODEL,
        1.0,
        "Scale at which the network sees images, in training and ever after; 0.5 is half.",
        planned=True,
        above=0,
        at_most=8,
    )
    num_classes: int | None = setting(
        MODEL,
        None,
        "Classes, the background included; read from classes.json or the masks.",
        at_least=2,
        at_most=254,
    )

    epochs: int = setting(TIME, 50, "Passes over the training images.", at_least=1, planned=True)
    budget: float | None = setting(
        TIME, None, "Time for the whole job instead of epochs: 90s, 20m, 1h30m.", form=DURATION, above=0
    )
    repeats: int = setting(TIME, 1, "How often an epoch takes each training image.", planned=True, at_least=1)
    mini_batch_size: int = setting(TIME, 8, "Images per update, over all processes.", at_least=1, planned=True)
    gradient_accumulation: int = setting(
        TIME, 1, "Pieces that each process computes its share of a batch in, to save memory.", at_least=1, planned=True
    )
    optimizer: str = setting(TIME, "adamw", "Update rule.", choices=OPTIMIZERS)
    learning_rate: float = setting(TIME, 0.002, "Step size at its highest.", above=0, at_most=10, planned=True)
    pretrained_learning_rate_factor: float = setting(
        TIME,
        0.5,
        "Factor on learning_rate for a trunk that starts from pretrained weights.",
        above=0,
        at_most=10,
        planned=True,
    )
    layer_decay: float = setting(
        TIME,
        1.0,
        "Factor on the trunk's rate from each stage or block to the one before it.",
        planned=True,
        above=0,
        at_most=1,
    )
    lr_scheduler: str = setting(TIME, "poly", "How the learning rate falls.", choices=SCHEDULES)
    lr_scheduler_factor: float = setting(
        TIME, 0.1, "step: factor at each step; exponential: factor over the whole training.", above=0, at_most=1
    )
    lr_scheduler_step: tuple[int, ...] = setting(
        TIME, (), "step: epochs after which the factor applies: 10,20.", form=EPOCH_LIST
    )
    warmup: float = setting(
        TIME, 0.05, "Share of the training over which the rate rises.", at_least=0, at_most=0.5, planned=True
    )
    momentum: float = setting(TIME, 0.9, "Momentum of sgd and nag.", at_least=0, at_most=1)
    weight_decay: float = setting(TIME, 0.01, "Pull of the weights to zero.", planned=True, at_least=0, at_most=1)
    gradient_clipping: float = setting(TIME, 5.0, "Largest gradient norm; 0 switches it off.", at_least=0)
    ema_decay: float = setting(
        TIME,
        0.99,
        "Decay of the averaged weights that are scored and kept; 0 switches them off.",
        at_least=0,
        at_most=1,
        planned=True,
    )

    loss: str = setting(
        LOSS,
        "cross_entropy",
        "What is made small: one of these, or a sum such as cross_entropy+0.5*dice.",
        choices=LOSSES,
        form=LOSS_SUM,
        planned=True,
    )
    class_weights: str | tuple[float, ...] = setting(
        LOSS,
        "inverse_square_root",
        "What a class counts in the loss: one of these, or one number per class: 1,2,0.5.",
        choices=CLASS_WEIGHTS,
        form=WEIGHT_LIST,
        planned=True,
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
    crop_size: int = setting(SEEN, 256, "Side of the square training crop, in pixels.", at_least=17, planned=True)
    scale_min: float = setting(SEEN, 0.5, "Smallest random scale.", above=0, at_most=100, planned=True)
    scale_max: float = setting(SEEN, 2.0, "Largest random scale.", above=0, at_most=100, planned=True)
    flip: float = setting(
        SEEN, 0.5, "Share of samples that are mirrored left to right.", at_least=0, at_most=1, planned=True
    )
    upright: bool = setting(
        SEEN, True, "Images have an up; else crops are also turned, by 90, 180 or 270 degrees.", planned=True
    )
    rare_crops: float = setting(
        SEEN, 0.0, "Share of crops that are laid around a class of few pixels.", planned=True, at_least=0, at_most=1
    )
    color_jitter: float = setting(
        SEEN,
        0.4,
        "Strength of random brightness, contrast, saturation and hue; 0 is off.",
        at_least=0,
        at_most=1,
        planned=True,
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
        check_together(self)

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
        return cls.of({**(defaults or {}), **cls.values_of(path), **(overrides or {})}, source=str(path))

    @classmethod
    def chosen(cls, config: Path | str | None, given: Mapping[str, Any]) -> Self:
        """The settings of the file `config`, if any; those `given` win over it.

        For who trains nothing: a budget in money, which needs a price, is left out.
        """
        values = {**({} if config is None else cls.values_of(Path(config))), **given}
        if parse_money(values.get("budget")) is not None:
            del values["budget"]
        return cls.of(values, source="settings" if config is None else str(config))

    @staticmethod
    def values_of(path: Path) -> dict[str, Any]:
        """Names and values of a file of settings, as it has them."""
        content = parse_file(path)
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: found {type(content).__name__}, expected names and values of settings.")
        return content

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


FIELDS = {item.name: item for item in dataclasses.fields(Settings)}

KINDS = kinds_of(Settings)
