"""The middleware that counts, times and logs every request, and turns what nobody foresaw into one JSON message."""

import logging
import time
from collections.abc import Set
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelwise.serving.logs import log
from pixelwise.serving.metrics import Metrics

# What a load balancer asks every few seconds is written down only when something is wrong.
_QUIET = ("/ping", "/metrics")


class Watching:
    """Around the whole application; routes add to `scope["facts"]` what should be in the line of a request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, paths: Set[str]) -> None:
        self.app, self.metrics, self.paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        facts: dict[str, Any] = {}
        scope["facts"] = facts
        sent = {"status": 0, "bytes": 0}

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
            sent["bytes"] += len(message.get("body", b""))
            await send(message)

        error: Exception | None = None
        try:
            await self.app(scope, receive, watched)
        except Exception as unforeseen:
            error = unforeseen
            if not sent["status"]:
                response = JSONResponse({"error": "Something went wrong here; the log says what."}, status_code=500)
                await response(scope, receive, watched)
        self._note(scope, facts, sent, time.monotonic() - started, error)

    def _note(
        self, scope: Scope, facts: dict[str, Any], sent: dict[str, int], seconds: float, error: Exception | None
    ) -> None:
        path, status = scope["path"], sent["status"]
        self.metrics.requests.labels(path=path if path in self.paths else "other", status=str(status)).inc()
        self.metrics.sent.inc(sent["bytes"])
        if path == "/invocations":
            self.metrics.answering.observe(seconds)
        level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
        if path in _QUIET and level == logging.INFO:
            level = logging.DEBUG
        whose = {name: value for name, value in _identity(scope).items() if value}
        log(
            "request",
            level=level,
            exc_info=error,
            **{"method": scope["method"], "path": path, "status": status, "seconds": round(seconds, 4)},
            **{"sent_bytes": sent["bytes"], **facts, **whose},
        )


def _identity(scope: Scope) -> dict[str, str | None]:
    return {"request_id": Headers(scope=scope).get("x-request-id"), "client": (scope.get("client") or [None])[0]}
