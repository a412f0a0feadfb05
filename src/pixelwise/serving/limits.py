"""Limits: what an endpoint takes before it refuses; Refusal: how it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import DataError, SettingsError
from pixelwise.workers import available_cores

MEBIBYTE = 1 << 20

# A batch transform may have at most this much under way: transforms at once times the largest payload.
_TRANSFORM_MEBIBYTES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused: 413 above `max_bytes` or `max_pixels`, 503 above `max_requests`, 504 after `timeout_seconds`.

    Attributes:
        max_bytes: of an encoded image.
        max_pixels: of a decoded image; the network's output takes 4 bytes for each pixel and class.
        max_requests: images at once, in the queue or under way.
        max_batch: images of equal size that go through the network together; by default 8 on a GPU and 2 on a CPU,
            where larger batches take longer for each image.
        timeout_seconds: from the first byte of a request to its answer.
    """

    max_bytes: int = 20 * MEBIBYTE
    max_pixels: int = 25_000_000
    max_requests: int = 64
    max_batch: int | None = None
    timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        """SettingsError where a limit lets nothing through."""
        for name in ("max_bytes", "max_pixels", "max_requests", "max_batch", "timeout_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"{name} is {value}, expected a number above 0. Leave it out for the default.")

    def execution_parameters(self) -> dict[str, Any]:
        """How a batch transform should call the endpoint."""
        mebibytes = max(1, self.max_bytes // MEBIBYTE)
        at_once = min(available_cores(), self.max_requests, _TRANSFORM_MEBIBYTES // mebibytes)
        return {
            "MaxConcurrentTransforms": max(1, at_once),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": mebibytes,
        }


class Refusal(DataError):
    """A request that is answered with `status` (4xx or 5xx), `headers` and the message as JSON."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
