"""Requests that put a trained model to work: a model, and an endpoint of it."""

from dataclasses import dataclass
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.inputs import s3_uri
from pixelwise.sagemaker.launch.job import (
    require_image,
    require_instance,
    require_name,
    require_positive,
    require_role,
)

SERVING_INSTANCE = "ml.g5.xlarge"


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model that is to be served.

    Attributes:
        name: at most 63 letters, digits and hyphens; the endpoint or the transform job takes it too.
        image_uri: where our image lies in a registry of yours.
        role: the ARN of the role that it runs under.
        data: the model.tar.gz of a job of ours, in S3.
        is_isolated: the container reaches no network.

    Raises:
        SettingsError: a value cannot be used.
    """

    name: str
    image_uri: str
    role: str
    data: str
    is_isolated: bool = False

    def __post_init__(self) -> None:
        """Refuse what the service would refuse, or what would fail when the container starts."""
        require_name("name", self.name)
        require_image(self.image_uri)
        require_role(self.role)
        if not s3_uri("model", self.data).endswith(".tar.gz"):
            raise SettingsError(f"model: {self.data!r}, expected the model.tar.gz of a training job.")


def model_request(model: Model) -> dict[str, Any]:
    """The keyword arguments of boto3's `create_model`."""
    return {
        "ModelName": model.name,
        "PrimaryContainer": {"Image": model.image_uri, "ModelDataUrl": model.data},
        "ExecutionRoleArn": model.role,
        "EnableNetworkIsolation": model.is_isolated,
    }


def endpoint_requests(
    model: Model, *, instance_type: str = SERVING_INSTANCE, instance_count: int = 1
) -> dict[str, dict[str, Any]]:
    """What makes an endpoint, in order: boto3's method and its keyword arguments.

    Raises:
        SettingsError: the instances cannot be used.
    """
    require_instance(instance_type)
    require_positive("instance_count", instance_count)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model.name,
        "InstanceType": instance_type,
        "InitialInstanceCount": instance_count,
        "InitialVariantWeight": 1.0,
    }
    return {
        "create_model": model_request(model),
        "create_endpoint_config": {"EndpointConfigName": model.name, "ProductionVariants": [variant]},
        "create_endpoint": {"EndpointName": model.name, "EndpointConfigName": model.name},
    }
