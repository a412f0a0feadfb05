"""A training job before it is sent: one frozen description, checked, and the request that starts it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.hyperparameters.parse import as_text, parse
from pixelwise.sagemaker.launch.inputs import Input, folder_uri
from pixelwise.sagemaker.log_lines import metric_definitions

CHECKPOINTS = "/opt/ml/checkpoints"
NAME_CHARACTERS = 63

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchedJob:
    """A training job on one instance, with all its GPUs.

    Attributes:
        name: at most 63 letters, digits and hyphens; unique in the account and region.
        image_uri: where our image lies in a registry of yours.
        role: the ARN of the role that the job runs under.
        inputs: channels, from `folder_inputs`, `channel_inputs` or `manifest_inputs`, and perhaps `model_input`.
        output: the S3 folder for the model; a folder with the job's name is made in it.
        hyperparameters: by published name; numbers, booleans and lists are turned into texts.
        instance_type: such as ml.g5.2xlarge (one GPU of 24 GB, 8 CPU cores).
        volume_gb: size of the disk; in File mode the data lies there too. Instances with a disk of their own (g4dn, g5,
            p4d and others) use the whole of that instead.
        max_run: seconds after which the job is stopped; its best model is kept.
        spot: on spare capacity; an interrupted job goes on from its checkpoint.
        max_wait: seconds for waiting and running together, with `spot`; by default twice `max_run`.
        checkpoints: the S3 folder for them; by default, with `spot`, in the job's output.
        is_isolated: the container reaches no network.

    Raises:
        SettingsError: a value cannot be used, or a hyperparameter would be refused by the job itself.
    """

    name: str
    image_uri: str
    role: str
    inputs: tuple[Input, ...]
    output: str
    hyperparameters: Mapping[str, Any]
    instance_type: str = "ml.g5.2xlarge"
    volume_gb: int = 50
    max_run: int = 24 * 3600
    spot: bool = False
    max_wait: int | None = None
    checkpoints: str | None = None
    is_isolated: bool = False

    def __post_init__(self) -> None:
        """Refuse here what would fail after the instance was paid for."""
        require_name("name", self.name)
        require_image(self.image_uri)
        require_role(self.role)
        require_instance(self.instance_type)
        folder_uri("output", self.output)
        names = [channel.name for channel in self.inputs]
        if "train" not in names or "validation" not in names or len(set(names)) < len(names):
            raise SettingsError(f"inputs: {', '.join(names) or 'none'}, expected train, validation and each name once.")
        for what, value in (("volume_gb", self.volume_gb), ("max_run", self.max_run)):
            require_positive(what, value)
        if self.checkpoints is not None:
            folder_uri("checkpoints", self.checkpoints)
        if self.max_wait is not None and not self.spot:
            raise SettingsError(f"max_wait is {self.max_wait} without spot. Leave it out, or ask for spot.")
        if self.wait_seconds is not None and self.wait_seconds < self.max_run:
            raise SettingsError(
                f"max_wait is {self.wait_seconds}, less than max_run, which is {self.max_run}. It counts the waiting "
                "and the running together: give more."
            )
        parse(self.texts)

    @property
    def texts(self) -> dict[str, str]:
        """The hyperparameters as texts, as the service wants them."""
        return {name: hyperparameter_text(value) for name, value in self.hyperparameters.items()}

    @property
    def wait_seconds(self) -> int | None:
        """The longest time for waiting and running, of a job on spare capacity; else None."""
        if not self.spot:
            return None
        return 2 * self.max_run if self.max_wait is None else self.max_wait

    @property
    def checkpoint_uri(self) -> str | None:
        """Where checkpoints are kept, or None if nowhere."""
        if self.checkpoints is not None:
            return folder_uri("checkpoints", self.checkpoints)
        return f"{folder_uri('output', self.output)}{self.name}/checkpoints/" if self.spot else None

    @property
    def mode(self) -> str:
        """The input mode of the channels with images; an earlier model always comes in File mode."""
        return next((channel.mode for channel in self.inputs if channel.mode != "File"), "File")


def training_request(job: LaunchedJob) -> dict[str, Any]:
    """The keyword arguments of boto3's `create_training_job`.

    What your account asks for besides (`VpcConfig`, `Tags`, `KmsKeyId`) may be added to this dictionary.
    """
    request = {"TrainingJobName": job.name, "HyperParameters": job.texts, **shared_request(job)}
    if job.checkpoint_uri is not None:
        request["CheckpointConfig"] = {"S3Uri": job.checkpoint_uri, "LocalPath": CHECKPOINTS}
    return request


def shared_request(job: LaunchedJob) -> dict[str, Any]:
    """What the request of a training job and the definition in a tuning job have in common."""
    stopping = {"MaxRuntimeInSeconds": job.max_run}
    if job.wait_seconds is not None:
        stopping["MaxWaitTimeInSeconds"] = job.wait_seconds
    return {
        "AlgorithmSpecification": {
            "TrainingImage": job.image_uri,
            "TrainingInputMode": job.mode,
            "MetricDefinitions": metric_definitions(),
        },
        "RoleArn": job.role,
        "InputDataConfig": [channel.request() for channel in job.inputs],
        "OutputDataConfig": {"S3OutputPath": folder_uri("output", job.output)},
        "ResourceConfig": {
            "InstanceType": job.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": job.volume_gb,
        },
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": job.spot,
        "EnableNetworkIsolation": job.is_isolated,
    }


def hyperparameter_text(value: Any) -> str:
    """A value as text: `True`, `0.001`, `10,20`; texts stay as they are."""
    return as_text(tuple(value)) if isinstance(value, (list, tuple)) else str(value)


def require_name(what: str, name: str, *, at_most: int = NAME_CHARACTERS) -> None:
    """Refuse names that the service does not take."""
    if not _NAME.fullmatch(name) or len(name) > at_most:
        raise SettingsError(
            f"{what}: {name!r} ({len(name)} characters), expected at most {at_most} letters, digits and hyphens, "
            "beginning and ending with a letter or digit."
        )


def require_role(role: str) -> None:
    """Refuse what is no role's ARN."""
    if not _ROLE.fullmatch(role):
        raise SettingsError(f"role: {role!r}, expected an ARN such as arn:aws:iam::123456789012:role/SageMaker.")


def require_image(image_uri: str) -> None:
    """Refuse an empty address or one with blanks or angle brackets, as copied from an example."""
    if not re.fullmatch(r"[^\s<>]+", image_uri):
        raise SettingsError(f"image_uri: {image_uri!r}, expected where the image lies: REGISTRY/REPOSITORY:TAG.")


def require_instance(instance_type: str) -> None:
    """Refuse what is no instance of SageMaker."""
    if not re.fullmatch(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", instance_type):
        raise SettingsError(f"instance_type: {instance_type!r}, expected one of SageMaker's, such as ml.g5.2xlarge.")


def require_positive(what: str, value: int) -> None:
    """Refuse what is no whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"{what} is {value!r}, expected a whole number above 0.")
