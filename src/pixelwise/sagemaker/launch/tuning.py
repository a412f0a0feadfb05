"""Automatic model tuning: which hyperparameters vary, within which ranges, and the request that starts it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.hyperparameters.parse import parse
from pixelwise.sagemaker.hyperparameters.table import PUBLISHED
from pixelwise.sagemaker.launch.job import LaunchedJob, require_name, require_positive, shared_request
from pixelwise.values import unknown_name

OBJECTIVES = ("validation:mIOU", "validation:pixel_accuracy")
TUNING_NAME_CHARACTERS = 32


class Between(NamedTuple):
    """Numbers from `low` to `high`, both as texts, as they are sent."""

    low: str
    high: str
    scaling: str = "Auto"


class OneOf(NamedTuple):
    """Some of the choices of a hyperparameter."""

    values: tuple[str, ...]


TunedRange = Between | OneOf

RANGES: dict[str, TunedRange] = {
    "learning_rate": Between("1e-4", "1e-1", "Logarithmic"),
    "mini_batch_size": Between("1", "128"),
    "momentum": Between("0.9", "0.999"),
    # The page of ranges also lists adadelta, which the algorithm has always refused.
    "optimizer": OneOf(("sgd", "adam")),
    "weight_decay": Between("1e-5", "1e-3"),
}
"""The ranges of docs.aws.amazon.com/sagemaker/latest/dg/semantic-segmentation-tuning.html."""


def tuning_request(
    job: LaunchedJob,
    *,
    ranges: Mapping[str, TunedRange] = RANGES,
    objective: str = OBJECTIVES[0],
    max_jobs: int = 20,
    max_parallel_jobs: int = 2,
) -> dict[str, Any]:
    """The keyword arguments of boto3's `create_hyper_parameter_tuning_job`.

    Its jobs differ from `job` in the hyperparameters in `ranges` only. They keep no checkpoints in S3: jobs of one
    tuning would share the folder and take up each other's training.

    Args:
        job: what all have in common; its name, of at most 32 characters, becomes that of the tuning.
        ranges: by hyperparameter; the others stay as `job` has them.
        objective: one of `OBJECTIVES`, to be maximized.
        max_jobs: in all.
        max_parallel_jobs: at a time; fewer at a time learn more from those before.

    Raises:
        SettingsError: a name, a range or a number cannot be used.
    """
    require_name("name of a tuning job", job.name, at_most=TUNING_NAME_CHARACTERS)
    _require_search(job, ranges, objective)
    require_positive("max_jobs", max_jobs)
    require_positive("max_parallel_jobs", max_parallel_jobs)
    limits = {"MaxNumberOfTrainingJobs": max_jobs, "MaxParallelTrainingJobs": min(max_parallel_jobs, max_jobs)}
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": objective},
            "ResourceLimits": limits,
            "ParameterRanges": _parameter_ranges(ranges),
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {name: text for name, text in job.texts.items() if name not in ranges},
            **shared_request(job),
        },
    }


def parse_ranges(texts: Iterable[str]) -> dict[str, TunedRange]:
    """Ranges from `learning_rate` (the recommended one), `momentum=0.8..0.99` or `optimizer=sgd,nag`.

    Raises:
        SettingsError: a name stands alone and has no recommended range.
    """
    ranges: dict[str, TunedRange] = {}
    for text in texts:
        name, given, values = text.partition("=")
        low, dots, high = values.partition("..")
        if not given:
            if name not in RANGES:
                raise SettingsError(unknown_name(name, RANGES, "recommended range"))
            ranges[name] = RANGES[name]
        elif dots:
            known = RANGES.get(name)
            ranges[name] = Between(low, high, known.scaling if isinstance(known, Between) else "Auto")
        else:
            ranges[name] = OneOf(tuple(value.strip() for value in values.split(",")))
    return ranges


def _parameter_ranges(ranges: Mapping[str, TunedRange]) -> dict[str, list[dict[str, Any]]]:
    """The ranges by kind: categorical, integer and continuous."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, varied in ranges.items():
        if isinstance(varied, OneOf):
            entry: dict[str, Any] = {"Name": name, "Values": list(varied.values)}
            found.setdefault("CategoricalParameterRanges", []).append(entry)
        else:
            kind = "Integer" if PUBLISHED[name].kind == "integer" else "Continuous"
            entry = {"Name": name, "MinValue": varied.low, "MaxValue": varied.high, "ScalingType": varied.scaling}
            found.setdefault(f"{kind}ParameterRanges", []).append(entry)
    return found


def _require_search(job: LaunchedJob, ranges: Mapping[str, TunedRange], objective: str) -> None:
    if job.checkpoints is not None:
        raise SettingsError(f"checkpoints: {job.checkpoints}, but the jobs of a tuning keep none. Leave it out.")
    if objective not in OBJECTIVES:
        raise SettingsError(unknown_name(objective, OBJECTIVES, "objective"))
    if not ranges:
        raise SettingsError("ranges: none given, expected at least one hyperparameter to vary.")
    for name, varied in ranges.items():
        _require_range(name, varied, job.texts)


def _require_range(name: str, varied: TunedRange, texts: Mapping[str, str]) -> None:
    """Refuse what some job of the tuning would refuse: each end of a range is tried."""
    if name not in PUBLISHED or PUBLISHED[name].required:
        raise SettingsError(
            unknown_name(name, [known for known in PUBLISHED if not PUBLISHED[known].required], "range")
        )
    is_number = PUBLISHED[name].kind in ("integer", "float")
    if isinstance(varied, Between) and not is_number:
        raise SettingsError(f"range of {name}: {varied.low}..{varied.high}, expected choices such as a,b.")
    for end in (varied.low, varied.high) if isinstance(varied, Between) else varied.values:
        parse({**texts, name: end})
    if isinstance(varied, Between) and float(varied.low) >= float(varied.high):
        raise SettingsError(f"range of {name}: {varied.low}..{varied.high}, expected the lower end first.")
