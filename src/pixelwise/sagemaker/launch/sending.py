"""Send requests to AWS with boto3, in order, and say what happened."""

from collections.abc import Mapping
from typing import Any

from pixelwise.errors import MissingExtra, PixelwiseError, SettingsError


def send(requests: Mapping[str, Mapping[str, Any]], *, region: str | None = None) -> list[str]:
    """Send each request by the method of boto3's SageMaker client that is its key; return the ARNs that were made.

    Args:
        requests: keyword arguments by method, in the order in which they are sent.
        region: such as eu-central-1; by default that of your AWS settings.

    Raises:
        MissingExtra: boto3 is not installed.
        SettingsError: no credentials or no region are set.
        PixelwiseError: AWS refuses a request or is not reached; the message says why, and what was made before.
    """
    try:
        import boto3
        from botocore import exceptions
    except ImportError:
        raise MissingExtra("sagemaker", "Sending a request to AWS") from None
    made: list[str] = []
    try:
        client = boto3.client("sagemaker", region_name=region)
        for method, request in requests.items():
            answer = getattr(client, method)(**request)
            made += [value for name, value in answer.items() if name.endswith("Arn")]
    except (exceptions.NoRegionError, exceptions.InvalidRegionError) as error:
        raise SettingsError(f"{_before(made)}{error} Give --region, such as eu-central-1.") from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise SettingsError(
            f"{_before(made)}AWS credentials: {error}. Expected a profile (`aws configure`), AWS_ACCESS_KEY_ID with "
            "AWS_SECRET_ACCESS_KEY, or a role of the machine."
        ) from None
    except exceptions.ClientError as error:
        told = error.response.get("Error", {})
        raise PixelwiseError(
            f"{_before(made)}AWS refused: {told.get('Message') or error} ({told.get('Code')})"
        ) from None
    except exceptions.BotoCoreError as error:
        raise PixelwiseError(f"{_before(made)}AWS could not be asked: {error}") from None
    return made


def _before(made: list[str]) -> str:
    return f"Made before the failure: {', '.join(made)}. " if made else "Nothing was made. "
