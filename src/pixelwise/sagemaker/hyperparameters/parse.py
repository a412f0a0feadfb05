"""hyperparameters.json of a training job -> checked, typed hyperparameters -> our settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelwise.sagemaker.hyperparameters.names import EXTENSIONS, refuse_unknown, require, texts_by_name
from pixelwise.sagemaker.hyperparameters.table import OURS, PRIVATE, PUBLISHED, RULES, Hyperparameter, decoded
from pixelwise.settings import FIELDS, KINDS, Settings
from pixelwise.values import checked

HEAD_RATE_FACTOR = 10.0
"""GluonCV's heads learn ten times as fast as its trunk (`lr_mult` in gluoncv/model_zoo/fcn.py)."""

_SCALED_BY_THE_BATCH = ("sgd", "nag")  # the others divide by the size of the gradient, so that a factor cancels
_LARGEST_RATE = FIELDS["learning_rate"].metadata["at_most"]
_LEAST_FACTOR = 1e-9  # lr_scheduler_factor may be 0 there


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """A job's hyperparameters under their published names, defaults filled in.

    Attributes:
        workers, aux_loss, aux_weight, logging_frequency: the container's undocumented `_workers` and so on.
        extensions: settings of ours that the job gives beside them, by name, with checked values.
        given: the names that the job itself gives, aliases resolved.
        notes: what was ignored or renamed, one sentence each, for the log.
        warnings: what looks wrong and does not stop the job.
    """

    num_classes: int
    num_training_samples: int
    backbone: str
    use_pretrained_model: bool
    algorithm: str
    base_size: int
    crop_size: int
    early_stopping: bool
    early_stopping_min_epochs: int
    early_stopping_patience: int
    early_stopping_tolerance: float
    epochs: int
    gamma1: float
    gamma2: float
    learning_rate: float
    lr_scheduler: str
    lr_scheduler_factor: float
    lr_scheduler_step: tuple[int, ...]
    mini_batch_size: int
    momentum: float
    optimizer: str
    syncbn: bool
    validation_mini_batch_size: int
    weight_decay: float
    precision_dtype: str
    validation_crop_size: int | None
    strict_hyperparameters: bool
    workers: int
    aux_loss: bool
    aux_weight: float
    logging_frequency: int
    extensions: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def iterations_per_epoch(self) -> int:
        """What the container's log calls "iters per epoch"."""
        return self.num_training_samples // self.mini_batch_size

    def to_texts(self) -> dict[str, str]:
        """Names and texts as hyperparameters.json has them: the "final configuration"."""
        own = {name: getattr(self, name.lstrip("_")) for name in RULES}
        return {name: as_text(value) for name, value in {**own, **self.extensions}.items() if value not in (None, ())}


def parse(hyperparameters: Mapping[str, str]) -> Hyperparameters:
    """Read the content of hyperparameters.json.

    Values are texts in any encoding that an SDK sends: `True` and `true`, `sgd` with or without quotes of its
    own, `10,20` and `[10, 20]`, `10` and `10.0`. `None` and `null` mean that a value is not given.

    Raises:
        SettingsError: a name is unknown, a required one is missing, or a value cannot be used; in the sentences
            of the AWS container, with the nearest known name.
    """
    notes: list[str] = []
    texts = texts_by_name(hyperparameters, notes)
    strict = "strict_hyperparameters"
    is_strict = decoded(strict, OURS[strict], texts[strict]) if strict in texts else True
    warnings = refuse_unknown(texts, is_strict=is_strict)
    require([name for name, rule in PUBLISHED.items() if rule.required and name not in texts])
    values = {name.lstrip("_"): _value(name, rule, texts) for name, rule in RULES.items()}
    if values["lr_scheduler"] == "step" and not values["lr_scheduler_step"]:
        require(["lr_scheduler_step"], " when lr_scheduler is 'step'. Give epochs such as '10,20'.")
    extensions = {name: _extension(name, texts[name]) for name in EXTENSIONS if name in texts}
    found = Hyperparameters(
        **values,
        extensions=extensions,
        given=frozenset(name for name in texts if name in RULES or name in EXTENSIONS),
        notes=tuple(notes),
        warnings=tuple(warnings),
    )
    # What our settings refuse in combination is refused here, before anybody looks at the data.
    to_settings(found, num_training_images=found.num_training_samples)
    return found


def default_configuration() -> dict[str, str]:
    """Names and texts of every default, as the container's default-input.json lists them."""
    rules = {**PUBLISHED, **PRIVATE}
    return {name: as_text(rule.default) for name, rule in rules.items() if rule.default not in (None, ())}


def as_text(value: Any) -> str:
    """A value as hyperparameters.json writes it: `True`, `0.001`, `10,20`."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def sample_count_warning(hyperparameters: Hyperparameters, num_training_images: int) -> str | None:
    """A sentence when the job's `num_training_samples` is not what the channel holds; the true count is used."""
    told = hyperparameters.num_training_samples
    if told == num_training_images:
        return None
    return (
        f"num_training_samples is {told} but {num_training_images} training images were found; they set the schedule."
    )


def to_settings(hyperparameters: Hyperparameters, *, num_training_images: int, num_gpus: int = 1) -> Settings:
    """Our settings that train what the AWS algorithm would have trained.

    `learning_rate` keeps its meaning. With sgd and nag the container divides the gradient of the mean cross
    entropy by the batch once more and adds up the GPUs (`SoftmaxOutput(normalization='valid')`, then
    `Trainer.step(batch_size)`), so its update is lr * (num_gpus / mini_batch_size * gradient + weight_decay *
    weight). Ours is lr * (gradient + weight_decay * weight), hence lr * num_gpus / mini_batch_size and
    weight_decay * mini_batch_size / num_gpus. The other rules divide by the gradient's size and take the rate
    as it is. Heads learn `HEAD_RATE_FACTOR` times as fast as a pretrained trunk; a trunk without weights
    learns at the rate of its heads with sgd and nag, and everything at the given rate with the others. The auxiliary
    loss counts whole, since `SoftmaxOutput` takes no notice of the 0.5 that its loss is multiplied with.

    Two things that no hyperparameter speaks of stay ours, as they only help: averaged weights (`ema_decay`)
    and the limit on a gradient's norm (`gradient_clipping`); a job may switch both off.

    Args:
        hyperparameters: of the job.
        num_training_images: images that the train channel holds; a batch is never larger.
        num_gpus: processes that share each batch; it is rounded up to a multiple.
    """
    hp = hyperparameters
    heads = 1.0 if not hp.use_pretrained_model and hp.optimizer not in _SCALED_BY_THE_BATCH else HEAD_RATE_FACTOR
    values = {
        "algorithm": hp.algorithm,
        "backbone": hp.backbone.replace("-", "") if hp.backbone in PUBLISHED["backbone"].also else hp.backbone,
        "output_stride": 8,
        "pretrained": hp.use_pretrained_model,
        "num_classes": hp.num_classes,
        "epochs": hp.epochs,
        "mini_batch_size": _batch_size(hp, num_training_images, num_gpus),
        **_update_rule(hp, heads, num_gpus),
        **_schedule(hp),
        **_recipe(hp),
        **_stopping(hp),
        "precision": _precision(hp),
        "sync_bn": hp.syncbn,
        "num_workers": hp.workers if "_workers" in hp.given else None,
    }
    return Settings.of({**values, **hp.extensions}, source="hyperparameters")


def printed_learning_rate(hyperparameters: Hyperparameters, settings: Settings, rate: float) -> float:
    """The rate that the container's log shows where the fastest group of our optimizer has `rate`."""
    return hyperparameters.learning_rate * rate / settings.learning_rate


def _value(name: str, rule: Hyperparameter, texts: Mapping[str, str]) -> Any:
    return decoded(name, rule, texts[name]) if name in texts else rule.default


def _extension(name: str, text: str) -> Any:
    if KINDS[name] == (bool,):
        return decoded(name, Hyperparameter("boolean"), text)
    return checked(name, text, KINDS[name], FIELDS[name].metadata)


def _batch_size(hp: Hyperparameters, num_training_images: int, num_gpus: int) -> int:
    """At most the whole dataset, and what the processes share equally."""
    # BatchNorm needs two samples; the container takes batches of one, so they become the smallest that train.
    least = 2 if hp.syncbn else 2 * num_gpus
    size = max(least, min(hp.mini_batch_size, num_training_images))
    return -(-size // num_gpus) * num_gpus


def _update_rule(hp: Hyperparameters, heads: float, num_gpus: int) -> dict[str, Any]:
    is_scaled = hp.optimizer in _SCALED_BY_THE_BATCH
    scale = num_gpus / hp.mini_batch_size if is_scaled else 1.0
    # The documents say "sgd only" of weight_decay; nag is sgd, and adamw would not be itself without it.
    decay = hp.weight_decay / scale if is_scaled or hp.optimizer == "adamw" else 0.0
    return {
        "optimizer": hp.optimizer,
        "learning_rate": min(hp.learning_rate * heads * scale, _LARGEST_RATE),
        "pretrained_learning_rate_factor": 1 / heads,
        "momentum": hp.momentum,
        "weight_decay": min(decay, 1.0),
        "gamma1": hp.gamma1,
        # MXNet's rmsprop reads gamma2 only when it is centred, which the container's is not.
        "gamma2": 0.0,
    }


def _schedule(hp: Hyperparameters) -> dict[str, Any]:
    is_step = hp.lr_scheduler == "step"
    return {
        "lr_scheduler": hp.lr_scheduler,
        "lr_scheduler_factor": max(hp.lr_scheduler_factor, _LEAST_FACTOR),
        "lr_scheduler_step": tuple(sorted(set(hp.lr_scheduler_step))) if is_step else (),
        "warmup": 0.0,
    }


def _recipe(hp: Hyperparameters) -> dict[str, Any]:
    """Loss and pictures as in GluonCV's train.py: flip, scale and blur, no colours, no class weights."""
    # A side that the job gives wins; without one, batches of one image are whole images.
    is_whole = hp.validation_crop_size is None and hp.validation_mini_batch_size == 1
    side = hp.validation_crop_size or hp.crop_size
    return {
        "class_weights": "none",
        # `_aux_weight` scales the loss in the container's log; its gradient takes the auxiliary loss whole.
        "aux_loss_weight": 1.0 if hp.aux_loss else 0.0,
        "crop_size": _multiple_of_8(hp.crop_size),
        "base_size": hp.base_size,
        "scale_min": 0.5,
        "scale_max": 2.0,
        "flip": 0.5,
        "color_jitter": 0.0,
        "blur": 0.5,
        "validation_crop_size": None if is_whole else _multiple_of_8(side),
    }


def _stopping(hp: Hyperparameters) -> dict[str, Any]:
    return {
        "early_stopping": hp.early_stopping,
        "early_stopping_min_epochs": max(hp.early_stopping_min_epochs, 1),
        "early_stopping_patience": max(hp.early_stopping_patience, 0),
        "early_stopping_tolerance": hp.early_stopping_tolerance,
    }


def _precision(hp: Hyperparameters) -> str | None:
    """float32 if the job asks for it; without a word, bfloat16 where the machine is fast at it."""
    if "precision_dtype" not in hp.given:
        return None
    return "float32" if hp.precision_dtype == "float32" else "bfloat16"


def _multiple_of_8(side: int) -> int:
    return -(-side // 8) * 8
