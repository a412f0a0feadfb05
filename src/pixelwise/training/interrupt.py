"""SIGTERM and Ctrl-C ask for a stop; the loop answers at its next step."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """Whether somebody asked this process to stop."""

    def __init__(self) -> None:
        self.is_made = False

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        if self.is_made and signum == signal.SIGINT:
            raise KeyboardInterrupt  # the second Ctrl-C does not wait for the step to end
        self.is_made = True


@contextlib.contextmanager
def listen() -> Iterator[StopRequest]:
    """Turn SIGTERM and Ctrl-C into a request while the block runs; outside the main thread, do nothing."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, request._receive) for number in signals]
    try:
        yield request
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
