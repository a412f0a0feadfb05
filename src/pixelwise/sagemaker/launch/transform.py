"""The requests of a batch transform: a model at work on every image below an S3 folder."""

from dataclasses import dataclass
from typing import Any

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.launch.inputs import folder_uri
from pixelwise.sagemaker.launch.job import require_instance, require_positive
from pixelwise.sagemaker.launch.serving import SERVING_INSTANCE, Model, model_request
from pixelwise.serving.codecs import choose_reply
from pixelwise.serving.limits import Refusal
from pixelwise.serving.requests import require_image_type

_TRANSFORM_MEGABYTES = 100  # the service's limit for transforms at once times the largest payload


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Masks for every image below an S3 folder, one object `<image>.out` each.

    Attributes:
        images: the S3 folder with images of one type.
        output: the S3 folder for the masks.
        content_type: of the images; one that the endpoint takes.
        accept: what comes back, of what the endpoint answers: `image/png` is a mask of class ids.
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
        """Refuse what the service would refuse, and what the endpoint in the container would, image by image."""
        _require_types(self.content_type, self.accept)
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


def _require_types(content_type: str, accept: str) -> None:
    try:
        if not content_type.strip():
            raise Refusal(415, "Content-Type is empty, expected that of the images, such as image/jpeg.")
        require_image_type(content_type)
        choose_reply(accept)
    except Refusal as refusal:
        flag = "--content-type" if refusal.status == 415 else "--accept"
        raise SettingsError(f"{flag}: {refusal} The endpoint would refuse every image.") from None
