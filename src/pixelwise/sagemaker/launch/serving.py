"""Requests that put a trained model to work: a model, an endpoint, a batch transform."""

from dataclasses import dataclass
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.inputs import folder_uri, s3_uri
from pixelwise.sagemaker.launch.job import (
    require_image,
    require_instance,
    require_name,
    require_positive,
    require_role,
)

SERVING_INSTANCE = "ml.g5.xlarge"
_TRANSFORM_MEGABYTES = 100  # the service's limit for transforms at once times the largest payload


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Masks for every image below an S3 folder, one object `<image>.out` each.

    Attributes:
        images: the S3 folder with images of one type.
        output: the S3 folder for the masks.
        content_type: of the images.
        accept: what comes back: `image/png` is a mask of class ids.
        instance_type, instance_count: what it runs on; several instances share the images.
        max_payload_mb: the largest image, in MB; the image itself takes 20 unless told otherwise.
        max_concurrent: images that an instance has under way at once.

    Raises:
        SettingsError: a value cannot be used.
    """

    images: str
    output: str
    content_type: str = "image/jpeg"
    accept: str = "image/png"
    instance_type: str = SERVING_INSTANCE
    instance_count: int = 1
    max_payload_mb: int = 20
    max_concurrent: int = 4

    def __post_init__(self) -> None:
        """Refuse what the service would refuse."""
        folder_uri("images", self.images)
        folder_uri("output", self.output)
        require_instance(self.instance_type)
        for what in ("instance_count", "max_payload_mb", "max_concurrent"):
            require_positive(what, getattr(self, what))
        if self.max_payload_mb * self.max_concurrent > _TRANSFORM_MEGABYTES:
            raise SettingsError(
                f"max_payload_mb x max_concurrent is {self.max_payload_mb * self.max_concurrent}, expected at most "
                f"{_TRANSFORM_MEGABYTES}. Give less of one."
            )


def transform_requests(model: Model, transform: Transform) -> dict[str, dict[str, Any]]:
    """What makes a batch transform, in order: boto3's method and its keyword arguments."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": folder_uri("images", transform.images)}}
    request = {
        "TransformJobName": model.name,
        "ModelName": model.name,
        "MaxConcurrentTransforms": transform.max_concurrent,
        "MaxPayloadInMB": transform.max_payload_mb,
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": source,
            "ContentType": transform.content_type,
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": {
            "S3OutputPath": folder_uri("output", transform.output),
            "Accept": transform.accept,
            "AssembleWith": "None",
        },
        "TransformResources": {
            "InstanceType": transform.instance_type,
            "InstanceCount": transform.instance_count,
        },
    }
    return {"create_model": model_request(model), "create_transform_job": request}
