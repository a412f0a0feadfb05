"""The published hyperparameters as data, and how one of their values is read from a text.

Names, types, ranges and defaults: docs.aws.amazon.com/sagemaker/latest/dg/segmentation-hyperparameters.html, merged
with the defaults that the AWS container prints. The sentences of refusals are those of its validator.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, assert_never

from pixelwise.errors import SettingsError
from pixelwise.menus import HEADS, OPTIMIZERS, PRECISIONS, SCHEDULES, Choice
from pixelwise.values import nearest

Kind = Literal["boolean", "categorical", "epochs", "float", "integer"]

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
_PATTERNS = {"integer": r"^([1-9][0-9]*)$", "float": r"^([0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?)$"}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Hyperparameter(NamedTuple):
    """One line of the published table; `also` are values that only this image accepts."""

    kind: Kind
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf


def _of_menu(menu: Mapping[str, Choice], *published: str, default: str | None = None) -> Hyperparameter:
    """A choice of the published names, the first of them by default; the others of `menu` are for this image alone."""
    also = tuple(name for name in menu if name not in published)
    return Hyperparameter("categorical", default or published[0], choices=published, also=also)


PUBLISHED: dict[str, Hyperparameter] = {
    "backbone": Hyperparameter(
        "categorical", "resnet-50", choices=("resnet-50", "resnet-101"), also=("resnet-18", "resnet-34")
    ),
    "use_pretrained_model": Hyperparameter("boolean", True),
    "algorithm": _of_menu(HEADS, "fcn", "psp", "deeplab"),
    "num_classes": Hyperparameter("integer", required=True, at_least=2, at_most=254),
    "num_training_samples": Hyperparameter("integer", required=True, above=0),
    "base_size": Hyperparameter("integer", 520, above=16),
    "crop_size": Hyperparameter("integer", 240, above=16),
    "early_stopping": Hyperparameter("boolean", False),
    "early_stopping_min_epochs": Hyperparameter("integer", 5),
    "early_stopping_patience": Hyperparameter("integer", 4),
    "early_stopping_tolerance": Hyperparameter("float", 0.0, at_least=0, at_most=1),
    "epochs": Hyperparameter("integer", 10, above=0),
    "gamma1": Hyperparameter("float", 0.9, at_least=0, at_most=1),
    "gamma2": Hyperparameter("float", 0.9, at_least=0, at_most=1),
    "learning_rate": Hyperparameter("float", 0.001, above=0, at_most=1),
    "lr_scheduler": _of_menu(SCHEDULES, "step", "poly", "cosine", default="poly"),
    "lr_scheduler_factor": Hyperparameter("float", 0.1, at_least=0, at_most=1),
    "lr_scheduler_step": Hyperparameter("epochs", ()),
    "mini_batch_size": Hyperparameter("integer", 16, above=0),
    "momentum": Hyperparameter("float", 0.9, above=0, at_most=1),
    "optimizer": _of_menu(OPTIMIZERS, "sgd", "adam", "rmsprop", "adagrad", "nag"),
    "syncbn": Hyperparameter("boolean", False),
    "validation_mini_batch_size": Hyperparameter("integer", 16, above=0),
    "weight_decay": Hyperparameter("float", 0.0001, above=0, below=1),
    "precision_dtype": _of_menu(PRECISIONS, "float32", "float16"),
}
"""`precision_dtype` is in the container's defaults and on no page; all others are documented."""

OURS: dict[str, Hyperparameter] = {
    "validation_crop_size": Hyperparameter("integer", above=16),
    "strict_hyperparameters": Hyperparameter("boolean", True),
}
"""Names that the AWS container does not know, with a meaning of their own here."""

PRIVATE: dict[str, Hyperparameter] = {
    "_workers": Hyperparameter("integer", 16, at_least=0),
    "_aux_loss": Hyperparameter("boolean", True),
    "_aux_weight": Hyperparameter("float", 0.5, at_least=0, at_most=10),
    "_logging_frequency": Hyperparameter("integer", 20, above=0),
}
"""The undocumented defaults of the container that mean something here too."""

RULES = {**PUBLISHED, **OURS, **PRIVATE}

_VALUE_ALIASES = {
    "deeplab-v3": "deeplab",
    "deeplabv3": "deeplab",
    "deeplab-v3+": "deeplabv3plus",
    "deeplabv3+": "deeplabv3plus",
    "pspnet": "psp",
    **{f"resnet{depth}": f"resnet-{depth}" for depth in (18, 34, 50, 101)},
}


def unquoted(value: Any) -> str:
    """`value` as the text it stands for: SDKs send `sgd` and `"sgd"`, local tools even numbers and lists."""
    if not isinstance(value, str):
        return json.dumps(value)
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text)).strip()
        except ValueError:
            return text
    return text


def decoded(name: str, rule: Hyperparameter, text: str) -> Any:
    """The value of the hyperparameter `name` in the unquoted `text`.

    Raises:
        SettingsError: the text is of another type, outside the range or none of the choices.
    """
    match rule.kind:
        case "boolean":
            if text.lower() not in _BOOLEANS:
                raise SettingsError(_wrong_type(name, "boolean", text))
            return _BOOLEANS[text.lower()]
        case "categorical":
            return _choice(name, rule, text)
        case "epochs":
            return _epochs(name, text)
        case "float" | "integer":
            return _number(name, rule, text)
    assert_never(rule.kind)


def _choice(name: str, rule: Hyperparameter, text: str) -> str:
    value = text.lower().replace("_", "-")
    value = _VALUE_ALIASES.get(value, value)
    if value in (*rule.choices, *rule.also):
        return value
    listed = ", ".join(f"'{choice}'" for choice in rule.choices)
    more = ", ".join(f"'{choice}'" for choice in rule.also)
    raise SettingsError(
        f"The value '{text}' is not valid for the '{name}' hyperparameter which accepts one of the following: "
        f"{listed}.{nearest(text, (*rule.choices, *rule.also))} This image also takes {more}."
    )


def _epochs(name: str, text: str) -> tuple[int, ...]:
    """Epochs in "10,20", "10, 20", "[10, 20]" or '["10", "20"]'."""
    parts = [part.strip().strip('"') for part in text.strip("[]() ").split(",")]
    epochs = [_whole(part) for part in parts if part]
    if any(epoch is None or epoch < 1 for epoch in epochs):
        raise SettingsError(
            f"The value '{text}' is not valid for the '{name}' hyperparameter which expects a comma-separated list of "
            "epochs, such as '10,20'."
        )
    return tuple(epoch for epoch in epochs if epoch is not None)


def _number(name: str, rule: Hyperparameter, text: str) -> int | float:
    value: float | None = _whole(text) if rule.kind == "integer" else _real(text)
    if value is None:
        raise SettingsError(_wrong_type(name, rule.kind, text))
    if not (rule.at_least <= value <= rule.at_most and rule.above < value < rule.below):
        raise SettingsError(
            f"The value '{text}' is not valid for the '{name}' hyperparameter which expects one of the following: "
            f"a string which matches the pattern '{_PATTERNS[rule.kind]}'; or {_range(rule)}"
        )
    return value


def _real(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | None:
    """The integer in "10" or "10.0"; None for everything else."""
    value = _real(text)
    if value is None or value != int(value):
        return None
    return int(value)


def _wrong_type(name: str, kind: str, text: str) -> str:
    return (
        f"The value for hyperparameter '{name}' should be of type {kind}, but provided '{text}'. "
        f"Please provide a valid '{kind}' value and try again."
    )


def _range(rule: Hyperparameter) -> str:
    """For example "an integer between 2 and 254" or "a number greater than 0 and less than 1"."""
    noun = "an integer" if rule.kind == "integer" else "a number"
    if rule.at_least > -math.inf and rule.at_most < math.inf:
        return f"{noun} between {rule.at_least:g} and {rule.at_most:g}"
    parts = []
    if rule.above > -math.inf:
        parts.append(f"greater than {rule.above:g}")
    if rule.at_least > -math.inf:
        parts.append(f"of at least {rule.at_least:g}")
    if rule.at_most < math.inf:
        parts.append(f"not greater than {rule.at_most:g}")
    if rule.below < math.inf:
        parts.append(f"less than {rule.below:g}")
    return f"{noun} {' and '.join(parts)}"
