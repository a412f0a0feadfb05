"""Serve a model over HTTP until a signal says to stop."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from pixelwise.api.models import load
from pixelwise.errors import MissingExtra, SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.serving.codecs import DEFAULT_REPLY
from pixelwise.serving.limits import Limits
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


class ServeOptions(TypedDict, total=False):
    """How a model is loaded, as in `load`."""

    device: str | None
    precision: str | None
    tile: int | None
    tta: bool


def serve(
    model_path: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    limits: Limits | None = None,
    default_accept: str = DEFAULT_REPLY,
    **options: Unpack[ServeOptions],
) -> None:
    """Load a model once and answer requests until SIGTERM or Ctrl+C; requests under way are answered first.

    Args:
        model_path: a run, a bundle folder or a model.tar.gz.
        host: the address to listen at; "0.0.0.0" for every network of the machine.
        port: 0 for any that is free.
        limits: as in `create_app`.
        default_accept: as in `create_app`.
        options: `device`, `precision`, `tile` and `tta` as in `load`.

    Raises:
        ModelError: the model cannot be loaded.
        SettingsError: the address cannot be listened at, there is no such default reply, or `tta` cannot be had.
        MissingExtra: the packages of `pixelwise[serve]` are not installed.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("serve", "Serving a model") from None
    from pixelwise.serving.app import create_app

    keep_freed_memory()
    with _listening(host, port) as listener:
        predictor = _ready(model_path, options)
        app = create_app(predictor, limits=limits, default_accept=default_accept)
        start_logs()
        facts: dict[str, Any] = {"url": _url(listener), "model": str(model_path), "on": predictor.runtime.describe()}
        log("listening", **facts, **_augmented(predictor))
        with _signals_end_quietly():
            uvicorn.Server(uvicorn.Config(app, **_OPTIONS)).run(sockets=[listener])
        log("stopped")


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


def _ready(model_path: Path | str, options: ServeOptions) -> Predictor:
    """A model that has run once, which prepares the device, in a thread that has ended.

    Each thread that computes has OpenMP threads of its own. Those of this one would live on beside the batcher's, more
    than there are cores; OpenMP then lets threads sleep at every barrier, which took a tenth of two cores' speed.
    """

    def prepare() -> Predictor:
        predictor = load(model_path, **options)
        blank = np.zeros((1, 64, 64, predictor.bands.count), dtype=predictor.bands.depth)
        predictor.predict_batch(blank, probabilities=[False])
        return predictor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(prepare).result()


def _augmented(predictor: Predictor) -> dict[str, Any]:
    """What the log says of test-time augmentation."""
    if predictor.views is None:
        return {}
    names = predictor.views.names()
    return {"tta": f"each image is computed {len(names)} times: {'; '.join(names)}"}


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
