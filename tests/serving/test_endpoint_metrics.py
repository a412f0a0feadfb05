"""metrics.py: what a scrape of the endpoint shows, read with the parsers of Prometheus' own library."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from pixelwise.serving.metrics import Metrics

# What Prometheus 2 and 3 send.
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

FAMILIES = {
    "pixelwise_requests": ("counter", "Requests, by path and status."),
    "pixelwise_received_bytes": ("counter", "Bytes of images received."),
    "pixelwise_sent_bytes": ("counter", "Bytes of answers sent."),
    "pixelwise_images": ("counter", "Images that went through the network."),
    "pixelwise_pixels": ("counter", "Pixels that went through the network."),
    "pixelwise_request_seconds": ("histogram", "From an image's request to its answer."),
    "pixelwise_queue_seconds": ("histogram", "From decoded to the start of the network."),
    "pixelwise_batch_seconds": ("histogram", "A batch in the network."),
    "pixelwise_batch_images": ("histogram", "Images in a batch."),
}


def families(metrics):
    return {family.name: family for family in plain(metrics.scraped()[0].decode())}


def samples(found):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in found for sample in family.samples
    }


def lines(metrics, start):
    return [line for line in metrics.scraped()[0].decode().splitlines() if line.startswith(start)]


def test_names_types_and_meanings_are_those_that_dashboards_know():
    assert {name: (each.type, each.documentation) for name, each in families(Metrics()).items()} == FAMILIES


def test_a_counter_counts_for_each_combination_of_labels():
    metrics = Metrics()
    metrics.requests.labels(path="/", status="200").inc()
    metrics.requests.labels(path="/", status="200").inc(2)
    metrics.requests.labels(path='/"\\\n', status="404").inc()
    # escapes as the exposition format asks: backslash, quote and line feed
    assert lines(metrics, "pixelwise_requests_total") == [
        'pixelwise_requests_total{path="/",status="200"} 3.0',
        r'pixelwise_requests_total{path="/\"\\\n",status="404"} 1.0',
    ]


def test_a_histogram_adds_up_its_buckets_and_a_bound_belongs_to_its_bucket():
    metrics = Metrics()
    for images in (1, 2, 3, 40):
        metrics.batches.observe(images)
    assert lines(metrics, "pixelwise_batch_images") == [
        'pixelwise_batch_images_bucket{le="1.0"} 1.0',
        'pixelwise_batch_images_bucket{le="2.0"} 2.0',
        'pixelwise_batch_images_bucket{le="4.0"} 3.0',
        'pixelwise_batch_images_bucket{le="8.0"} 3.0',
        'pixelwise_batch_images_bucket{le="16.0"} 3.0',
        'pixelwise_batch_images_bucket{le="32.0"} 3.0',
        'pixelwise_batch_images_bucket{le="+Inf"} 4.0',
        "pixelwise_batch_images_count 4.0",
        "pixelwise_batch_images_sum 46.0",
    ]


def test_a_gauge_is_asked_when_it_is_read():
    metrics, values = Metrics(), [1.5]
    metrics.add_gauge("waiting", "Waiting.", lambda: values[-1])
    values.append(4)
    assert lines(metrics, "waiting") == ["waiting 4.0"]


def test_two_endpoints_in_one_process_count_apart():
    first, second = Metrics(), Metrics()
    first.images.inc(3)
    assert lines(first, "pixelwise_images_total") == ["pixelwise_images_total 3.0"]
    assert lines(second, "pixelwise_images_total") == ["pixelwise_images_total 0.0"]


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_nothing_is_scraped_but_what_the_endpoint_counts(accept):
    metrics = Metrics()
    metrics.requests.labels(path="/ping", status="200").inc()
    content = metrics.scraped(accept)[0].decode()
    names = {line.split("{")[0].split(" ")[0] for line in content.splitlines() if not line.startswith("#")}
    assert {name for name in names if not name.startswith("pixelwise_") or name.endswith("_created")} == set()


def test_openmetrics_comes_on_request_with_the_same_names_and_values():
    metrics = Metrics()
    metrics.requests.labels(path="/invocations", status="200").inc()
    metrics.batches.observe(3)
    (text, text_type), (other, other_type) = metrics.scraped("*/*"), metrics.scraped(OPENMETRICS)
    assert text_type == "text/plain; version=0.0.4; charset=utf-8"
    assert other_type.startswith("application/openmetrics-text; version=")
    found = samples(plain(text.decode()))
    assert found["pixelwise_requests_total", ("path", "/invocations"), ("status", "200")] == 1
    assert found == samples(openmetrics(other.decode()))
