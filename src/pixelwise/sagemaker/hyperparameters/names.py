"""Names in hyperparameters.json: aliases, what the platform adds, our extensions, and the refusal of the rest."""

from collections.abc import Iterable, Mapping

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.hyperparameters.table import PRIVATE, RULES, unquoted
from pixelwise.values import nearest

NAME_ALIASES = {"batch_size": "mini_batch_size", "lr": "learning_rate", "sync_bn": "syncbn"}

EXTENSIONS = (
    "blur",
    "class_weights",
    "color_jitter",
    "deterministic",
    "ema_decay",
    "flip",
    "gradient_accumulation",
    "gradient_clipping",
    "loss",
    "num_workers",
    "output_stride",
    "scale_max",
    "scale_min",
    "seed",
    "warmup",
)
"""Settings of ours that the AWS algorithm lacks; a job may give them under their own names."""


def texts_by_name(hyperparameters: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    """Texts by name, aliases resolved; platform names and values of None are left out and noted in `notes`."""
    texts: dict[str, str] = {}
    for written, value in hyperparameters.items():
        name = NAME_ALIASES.get(written, written)
        text = unquoted(value)
        if name.startswith("sagemaker_") or (name.startswith("_") and name not in PRIVATE):
            notes.append(f"Hyperparameter '{written}' is ignored.")
        elif text in ("None", "null"):
            notes.append(f"Hyperparameter '{written}' is {text}: the default is used.")
        elif texts.get(name, text) != text:
            raise SettingsError(
                f"The hyperparameter '{name}' is given twice, under an alias too: '{texts[name]}' and '{text}'."
            )
        else:
            texts[name] = text
            if name != written:
                notes.append(f"Hyperparameter '{written}' is read as '{name}'.")
    return texts


def refuse_unknown(texts: Mapping[str, str], *, is_strict: bool) -> list[str]:
    """Refuse names that nobody knows, with the nearest known one; warnings if the job is not strict."""
    known = [name for name in (*RULES, *EXTENSIONS) if not name.startswith("_")]
    unknown = [name for name in texts if name not in RULES and name not in EXTENSIONS]
    if not unknown:
        return []
    listed = ", ".join(f"'{name}'" for name in unknown)
    verb = "was" if len(unknown) == 1 else "were"
    hints = [nearest(name, (*known, *NAME_ALIASES)) for name in unknown]
    hint = "".join(hints) or f" Known: {', '.join(sorted(known))}."
    sentence = f"Additional hyperparameters are not allowed ({listed} {verb} unexpected).{hint}"
    if is_strict:
        raise SettingsError(f"{sentence} To ignore unknown names, give strict_hyperparameters=False.")
    return [f"{sentence} Ignored."]


def require(missing: Iterable[str], when: str = "") -> None:
    """Refuse a job that lacks the names `missing`."""
    listed = ", ".join(f"'{name}'" for name in missing)
    if listed:
        raise SettingsError(f"No value(s) were specified for {listed} which are required hyperparameter(s){when}")
