"""The same job with version 3 of the SageMaker Python SDK: `sagemaker.train.ModelTrainer`."""

from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.calls import Call, made, names, source
from pixelwise.sagemaker.launch.inputs import Input, folder_uri
from pixelwise.sagemaker.launch.job import CHECKPOINTS, LaunchedJob
from pixelwise.sagemaker.log_lines import metric_definitions


def trainer_arguments(job: LaunchedJob) -> dict[str, Any]:
    """The keyword arguments of `ModelTrainer`; those that are objects there are calls here.

    Size of the disk and longest time are always given: left out, they are 30 GB and one hour there.
    """
    compute = {"instance_type": job.instance_type, "instance_count": 1, "volume_size_in_gb": job.volume_gb}
    stopping = {"max_runtime_in_seconds": job.max_run}
    if job.wait_seconds is not None:
        stopping["max_wait_time_in_seconds"] = job.wait_seconds
    return {
        "training_image": job.image_uri,
        "role": job.role,
        "base_job_name": job.name,
        "training_input_mode": job.mode,
        "hyperparameters": job.texts,
        "compute": Call("Compute", {**compute, "enable_managed_spot_training": job.spot}),
        "stopping_condition": Call("StoppingCondition", stopping),
        "output_data_config": Call("OutputDataConfig", {"s3_output_path": folder_uri("output", job.output)}),
        "networking": Call("Networking", {"enable_network_isolation": job.is_isolated}),
    }


def trainer_metrics() -> list[Call]:
    """The list for `ModelTrainer.with_metric_definitions`."""
    return [Call("MetricDefinition", {"name": each["Name"], "regex": each["Regex"]}) for each in metric_definitions()]


def trainer_checkpoints(job: LaunchedJob) -> Call | None:
    """The argument of `ModelTrainer.with_checkpoint_config`, or None where no checkpoints are kept in S3."""
    if job.checkpoint_uri is None:
        return None
    return Call("CheckpointConfig", {"s3_uri": job.checkpoint_uri, "local_path": CHECKPOINTS})


def train_inputs(job: LaunchedJob) -> list[Call]:
    """The list for `input_data_config` of `ModelTrainer.train`."""
    return [_channel(channel) for channel in job.inputs]


def model_trainer(job: LaunchedJob, session: Any = None) -> tuple[Any, list[Any]]:
    """A `ModelTrainer` and the `input_data_config` for its `train`.

    Args:
        job: what to train.
        session: a `sagemaker.core.helper.session_helper.Session`; by default that of your AWS settings.

    Raises:
        SettingsError: version 3 of the SDK is not installed.
    """
    try:
        from sagemaker.core.training import configs
        from sagemaker.train import ModelTrainer
    except ImportError:
        raise SettingsError('ModelTrainer needs version 3 of the SageMaker SDK: pip install "sagemaker>=3".') from None
    classes = vars(configs)
    trainer = ModelTrainer(**made(trainer_arguments(job), classes), sagemaker_session=session)
    trainer = trainer.with_metric_definitions(made(trainer_metrics(), classes))
    checkpoints = trainer_checkpoints(job)
    if checkpoints is not None:
        trainer = trainer.with_checkpoint_config(made(checkpoints, classes))
    return trainer, made(train_inputs(job), classes)


def trainer_script(job: LaunchedJob) -> str:
    """A Python program that launches `job` with version 3 of the SDK, which adds the time to its name."""
    checkpoints, arguments = trainer_checkpoints(job), trainer_arguments(job)
    objects = [arguments, trainer_metrics(), train_inputs(job), [] if checkpoints is None else checkpoints]
    imported = "".join(f"    {name},\n" for name in sorted(set().union(*map(names, objects))))
    kept = "" if checkpoints is None else f"trainer = trainer.with_checkpoint_config({source(checkpoints)})\n"
    return f"""# pip install "sagemaker>=3"
from sagemaker.core.training.configs import (
{imported})
from sagemaker.train import ModelTrainer

trainer = {source(Call("ModelTrainer", arguments))}
trainer = trainer.with_metric_definitions({source(trainer_metrics())})
{kept}inputs = {source(train_inputs(job))}
trainer.train(input_data_config=inputs, wait=False)
"""


def _channel(channel: Input) -> Call:
    """Folders as `InputData`; what has a mode of its own, or attributes, as `Channel`."""
    if not channel.attributes and channel.name != "model":
        given = {"channel_name": channel.name, "data_source": channel.uri, "content_type": channel.content_type}
        return Call("InputData", {name: value for name, value in given.items() if value is not None})
    kind = "AugmentedManifestFile" if channel.attributes else "S3Prefix"
    s3: dict[str, Any] = {
        "s3_data_type": kind,
        "s3_uri": channel.uri,
        "s3_data_distribution_type": "FullyReplicated",
    }
    arguments = {"channel_name": channel.name, "content_type": channel.content_type, "input_mode": channel.mode}
    if channel.attributes:
        s3["attribute_names"] = list(channel.attributes)
        arguments["record_wrapper_type"] = "RecordIO"
    place = Call("DataSource", {"s3_data_source": Call("S3DataSource", s3)})
    return Call("Channel", {**arguments, "data_source": place})
