import io
import json
import logging
import warnings

import pytest

from pixelwise.serving.logs import JsonLines, log, start_logs


@pytest.fixture
def lines():
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("pixelwise.serving", "uvicorn", "py.warnings")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    start_logs(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_every_line_is_one_json_object_whatever_it_holds(lines):
    log("request", path='/"\n', status=200)
    logging.getLogger("uvicorn.error").warning("of the %s", "server")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("of an odd image", UserWarning, stacklevel=1)
    first, second, third = lines()
    assert (first["event"], first["level"], first["path"], first["status"]) == ("request", "info", '/"\n', 200)
    assert (second["event"], second["level"]) == ("of the server", "warning")
    assert "of an odd image" in third["event"]


def test_a_traceback_stays_in_its_line(lines):
    try:
        raise ValueError("why")
    except ValueError as error:
        log("request", level=logging.ERROR, exc_info=error)
    (line,) = lines()
    assert line["traceback"].splitlines()[-1] == "ValueError: why"


def test_the_time_is_in_utc_with_milliseconds():
    record = logging.makeLogRecord({"created": 86400.25, "msecs": 250.0, "msg": "x"})
    assert json.loads(JsonLines().format(record))["time"] == "1970-01-02T00:00:00.250Z"
