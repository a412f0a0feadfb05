"""Serve a model over HTTP until a signal says to stop."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.api.models import load
from pixelwise.errors import MissingExtra, SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.serving.limits import MEBIBYTE, Limits
from pixelwise.serving.logs import log, start_logs
from pixelwise.serving.memory import keep_freed_memory

DEFAULT_PORT = 8080

_OPTIONS: dict[str, Any] = {
    "ws": "none",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    # Longer than load balancers keep a connection (60 seconds is usual), or they would send into closed ones.
    "timeout_keep_alive": 75,
    # A container is killed 30 seconds after it was asked to stop.
    "timeout_graceful_shutdown": 25,
}
_UNLIMITED_BYTES = 1024 * MEBIBYTE


def serve(
    model_path: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    tile: int | None = None,
    limits: Limits | None = None,
) -> None:
    """Load a model once and answer requests until SIGTERM or Ctrl+C; requests under way are answered first.

    Args:
        model_path: a run, a bundle folder or a model.tar.gz.
        host: the address to listen at; "0.0.0.0" for every network of the machine.
        port: by default SAGEMAKER_BIND_TO_PORT, else 8080; 0 for any that is free.
        device: as in `load`.
        precision: as in `load`.
        tile: as in `load`.
        limits: what is refused; what the environment says (`limits_of`) by default.

    Raises:
        ModelError: the model cannot be loaded.
        SettingsError: the address cannot be listened at, or a setting in the environment is no number.
        MissingExtra: the packages of `pixelwise[serve]` are not installed.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("serve", "Serving a model") from None
    from pixelwise.serving.app import create_app

    chosen = limits or limits_of(os.environ)
    keep_freed_memory()
    with _listening(host, port_of(os.environ) if port is None else port) as listener:
        predictor = _ready(model_path, device=device, precision=precision, tile=tile)
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "image/png"
        app = create_app(predictor, limits=chosen, default_accept=accept)
        start_logs()
        log("listening", url=_url(listener), model=str(model_path), on=predictor.runtime.describe())
        with _signals_end_quietly():
            uvicorn.Server(uvicorn.Config(app, **_OPTIONS)).run(sockets=[listener])
        log("stopped")


def port_of(environment: Mapping[str, str]) -> int:
    """The port that the environment asks for, else 8080."""
    return _number(environment, "SAGEMAKER_BIND_TO_PORT", DEFAULT_PORT)


def limits_of(environment: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Limits:
    """The limits that are `given` (None counts as absent), then a batch transform's, then the defaults."""
    limits = Limits()
    mebibytes = _number(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", -1)
    if mebibytes >= 0:
        limits = replace(limits, max_bytes=mebibytes * MEBIBYTE or _UNLIMITED_BYTES)  # 0 means no limit there
    return replace(limits, **{name: value for name, value in (given or {}).items() if value is not None})


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if text and not text.isdecimal():
        raise SettingsError(f"{name} is {text!r}, expected a whole number. Correct it or unset it.")
    return int(text) if text else default


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= 65535:
        raise SettingsError(f"port is {port}, expected 0 to 65535. Give another --port, 0 for any that is free.")
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be listened at ({error.strerror or error}). Give another --port, 0 for any that "
            "is free, or another --host."
        ) from None
    with listener:
        yield listener


def _ready(model_path: Path | str, **options: Any) -> Predictor:
    """A model that has run once, which prepares the device, in a thread that has ended.

    Each thread that computes has OpenMP threads of its own. Those of this one would live on beside the batcher's, more
    than there are cores; OpenMP then lets threads sleep at every barrier, which took a tenth of two cores' speed.
    """

    def prepare() -> Predictor:
        predictor = load(model_path, **options)
        predictor.predict(np.zeros((64, 64, 3), dtype=np.uint8))
        return predictor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(prepare).result()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """The server raises the signal that stopped it once more when it is done; that is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
