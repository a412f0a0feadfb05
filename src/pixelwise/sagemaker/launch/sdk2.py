"""The same job with version 2 of the SageMaker Python SDK: `sagemaker.estimator.Estimator`."""

from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.calls import Call, made, source
from pixelwise.sagemaker.launch.inputs import Input, folder_uri
from pixelwise.sagemaker.launch.job import CHECKPOINTS, LaunchedJob
from pixelwise.sagemaker.log_lines import metric_definitions


def estimator_arguments(job: LaunchedJob) -> dict[str, Any]:
    """The keyword arguments of `Estimator`, plain values only; the hyperparameters are texts already."""
    arguments = {
        "image_uri": job.image_uri,
        "role": job.role,
        "instance_count": 1,
        "instance_type": job.instance_type,
        "volume_size": job.volume_gb,
        "max_run": job.max_run,
        "input_mode": job.mode,
        "output_path": folder_uri("output", job.output),
        "hyperparameters": job.texts,
        "metric_definitions": metric_definitions(),
        "use_spot_instances": job.spot,
        "enable_network_isolation": job.is_isolated,
        # They watch the scripts of frameworks; in a container of one's own they only wait.
        "disable_profiler": True,
        "debugger_hook_config": False,
    }
    if job.spot:
        arguments["max_wait"] = job.wait_seconds
    if job.checkpoint_uri is not None:
        arguments |= {"checkpoint_s3_uri": job.checkpoint_uri, "checkpoint_local_path": CHECKPOINTS}
    return arguments


def fit_inputs(job: LaunchedJob) -> dict[str, Call]:
    """The channels for `Estimator.fit`: a call of `TrainingInput` for each."""
    return {channel.name: _training_input(channel) for channel in job.inputs}


def estimator(job: LaunchedJob, session: Any = None) -> tuple[Any, dict[str, Any]]:
    """An `Estimator` and the `inputs` for its `fit`.

    Args:
        job: what to train.
        session: a `sagemaker.Session`; by default that of your AWS settings.

    Raises:
        SettingsError: version 2 of the SDK is not installed.
    """
    try:
        from sagemaker.estimator import Estimator
        from sagemaker.inputs import TrainingInput
    except ImportError:
        raise SettingsError('Estimator needs version 2 of the SageMaker SDK: pip install "sagemaker<3".') from None
    inputs = made(fit_inputs(job), {"TrainingInput": TrainingInput})
    return Estimator(**estimator_arguments(job), sagemaker_session=session), inputs


def estimator_script(job: LaunchedJob) -> str:
    """A Python program that launches `job` with version 2 of the SDK."""
    return f"""# pip install "sagemaker<3"
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

estimator = {source(Call("Estimator", estimator_arguments(job)))}
inputs = {source(fit_inputs(job))}
estimator.fit(inputs, job_name={source(job.name)}, wait=False)
"""


def _training_input(channel: Input) -> Call:
    arguments: dict[str, Any] = {"s3_data": channel.uri, "input_mode": channel.mode}
    if channel.content_type:
        arguments["content_type"] = channel.content_type
    if channel.attributes:
        arguments |= {
            "s3_data_type": "AugmentedManifestFile",
            "attribute_names": list(channel.attributes),
            "record_wrapping": "RecordIO",
        }
    return Call("TrainingInput", arguments)
