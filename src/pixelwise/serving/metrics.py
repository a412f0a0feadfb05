"""What an endpoint has done, counted and timed, for Prometheus to scrape."""

from collections.abc import Callable, Iterable

from pixelwise.errors import MissingExtra

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
    from prometheus_client.exposition import choose_encoder
except ImportError:
    raise MissingExtra("serve", "Serving a model") from None

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Everything that one endpoint counts, apart from what others in its process count."""

    def __init__(self) -> None:
        self._registry = own = _Registry()
        meaning = "Requests, by path and status."
        self.requests = Counter("pixelwise_requests_total", meaning, ("path", "status"), registry=own)
        self.received = Counter("pixelwise_received_bytes_total", "Bytes of images received.", registry=own)
        self.sent = Counter("pixelwise_sent_bytes_total", "Bytes of answers sent.", registry=own)
        self.images = Counter("pixelwise_images_total", "Images that went through the network.", registry=own)
        self.pixels = Counter("pixelwise_pixels_total", "Pixels that went through the network.", registry=own)
        self.answering = _seconds("pixelwise_request_seconds", "From an image's request to its answer.", own)
        self.waiting = _seconds("pixelwise_queue_seconds", "From decoded to the start of the network.", own)
        self.computing = _seconds("pixelwise_batch_seconds", "A batch in the network.", own)
        self.batches = Histogram("pixelwise_batch_images", "Images in a batch.", buckets=_IMAGES, registry=own)

    def add_gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A number that comes and goes, asked for when it is read."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def scraped(self, accept: str = "") -> tuple[bytes, str]:
        """All of it and its content type: Prometheus' text, or OpenMetrics where the header `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Registry(CollectorRegistry):
    """Leaves out the times at which series began; the library's own switch for them is one for the whole process."""

    def collect(self) -> Iterable[Metric]:
        """Families without `_created` samples."""
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def _seconds(name: str, meaning: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, meaning, buckets=_SECONDS, registry=registry)
