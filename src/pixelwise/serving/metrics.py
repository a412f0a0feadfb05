"""What an endpoint has done, counted and timed, in the text that Prometheus reads.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16, 32)

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only grows, for every combination of labels."""

    def __init__(self, name: str, meaning: str) -> None:
        self.name, self.meaning = name, meaning
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count; labels are few and of few values, never what a client may choose."""
        key = tuple(labels.items())
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def lines(self) -> list[str]:
        """In the text format."""
        with self._lock:
            values = dict(self._values)
        return [*_head(self.name, self.meaning, "counter"), *(_line(self.name, key, values[key]) for key in values)]


class Histogram:
    """How often values fell at or below each of some bounds."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self.name, self.meaning, self.bounds = name, meaning, tuple(bounds)
        self._counts, self._sum = [0] * (len(self.bounds) + 1), 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Note one value."""
        with self._lock:
            self._counts[bisect_left(self.bounds, value)] += 1
            self._sum += value

    def lines(self) -> list[str]:
        """In the text format: each bucket holds those of the smaller ones too."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines, below = _head(self.name, self.meaning, "histogram"), 0
        for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
            below += count
            lines.append(_line(f"{self.name}_bucket", (("le", bound),), below))
        return [*lines, _line(f"{self.name}_sum", (), total), _line(f"{self.name}_count", (), below)]


class Gauge:
    """A number that comes and goes, asked for when it is read."""

    def __init__(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        self.name, self.meaning, self._value = name, meaning, value

    def lines(self) -> list[str]:
        """In the text format."""
        return [*_head(self.name, self.meaning, "gauge"), _line(self.name, (), self._value())]


class Metrics:
    """Everything that one endpoint counts."""

    def __init__(self) -> None:
        self.requests = Counter("pixelwise_requests_total", "Requests, by path and status.")
        self.received = Counter("pixelwise_received_bytes_total", "Bytes of images received.")
        self.sent = Counter("pixelwise_sent_bytes_total", "Bytes of answers sent.")
        self.images = Counter("pixelwise_images_total", "Images that went through the network.")
        self.pixels = Counter("pixelwise_pixels_total", "Pixels that went through the network.")
        self.answering = Histogram("pixelwise_request_seconds", "From an image's request to its answer.", _SECONDS)
        self.waiting = Histogram("pixelwise_queue_seconds", "From decoded to the start of the network.", _SECONDS)
        self.computing = Histogram("pixelwise_batch_seconds", "A batch in the network.", _SECONDS)
        self.batches = Histogram("pixelwise_batch_images", "Images in a batch.", _IMAGES)
        self.gauges: list[Gauge] = []

    def text(self) -> str:
        """All of it, for `GET /metrics`."""
        counters = (self.requests, self.received, self.sent, self.images, self.pixels)
        histograms = (self.answering, self.waiting, self.computing, self.batches)
        families: list[Counter | Histogram | Gauge] = [*counters, *histograms, *self.gauges]
        lines = [line for each in families for line in each.lines()]
        return "\n".join(lines) + "\n"


def _head(name: str, meaning: str, kind: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Labels, value: float) -> str:
    written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{written}}} {_number(value)}" if written else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
