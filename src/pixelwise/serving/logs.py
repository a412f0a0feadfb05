"""Structured logs: one JSON object a line."""

import json
import logging
import sys
import time
from typing import Any, TextIO

LOGGER = logging.getLogger("pixelwise.serving")


class JsonLines(logging.Formatter):
    """`{"time": ..., "level": ..., "event": ...}` and the facts given as `extra={"facts": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever a message holds."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log(event: str, *, level: int = logging.INFO, exc_info: BaseException | None = None, **facts: Any) -> None:
    """Write one line."""
    LOGGER.log(level, event, extra={"facts": facts}, exc_info=exc_info)


def start_logs(stream: TextIO | None = None) -> None:
    """Send the endpoint's and the server's lines, and warnings, to `stream` (standard error by default)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.captureWarnings(True)  # of odd images; they come as "py.warnings"
    levels = {"pixelwise.serving": logging.INFO, "uvicorn": logging.WARNING, "py.warnings": logging.WARNING}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
