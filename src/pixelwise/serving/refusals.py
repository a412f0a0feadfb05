"""Refusal: what is wrong with a request, with the status that says so."""

from collections.abc import Mapping

from pixelwise.errors import DataError


class Refusal(DataError):
    """A request that is answered with `status` (4xx or 5xx), `headers` and the message as JSON."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
