"""What the platform tells an endpoint in environment variables: its port, the largest payload, the default reply."""

from collections.abc import Mapping

from pixelwise.errors import SettingsError
from pixelwise.serving.codecs import DEFAULT_REPLY
from pixelwise.serving.limits import MEBIBYTE, Limits
from pixelwise.serving.server import DEFAULT_PORT

_UNLIMITED_BYTES = 1024 * MEBIBYTE


def port_of(environment: Mapping[str, str]) -> int:
    """SAGEMAKER_BIND_TO_PORT, else 8080.

    Raises:
        SettingsError: it is no whole number.
    """
    return _number(environment, "SAGEMAKER_BIND_TO_PORT", DEFAULT_PORT)


def limits_of(environment: Mapping[str, str]) -> Limits:
    """The default limits, with the payload of SAGEMAKER_MAX_PAYLOAD_IN_MB where a batch transform gives one, 0 for any.

    Raises:
        SettingsError: it is no whole number.
    """
    mebibytes = _number(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", -1)
    return Limits() if mebibytes < 0 else Limits(max_bytes=mebibytes * MEBIBYTE or _UNLIMITED_BYTES)


def reply_of(environment: Mapping[str, str]) -> str:
    """SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, the reply where a request asks for none, else `image/png`."""
    return environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or DEFAULT_REPLY


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if text and not text.isdecimal():
        raise SettingsError(f"{name} is {text!r}, expected a whole number. Correct it or unset it.")
    return int(text) if text else default
