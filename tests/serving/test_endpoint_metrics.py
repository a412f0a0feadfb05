import pytest

from pixelwise.serving.metrics import Counter, Gauge, Histogram, Metrics


def test_a_counter_counts_for_each_combination_of_labels():
    counter = Counter("requests_total", "Requests.")
    counter.add(path="/", status="200")
    counter.add(2, path="/", status="200")
    counter.add(path='/"\\\n', status="404")
    # escapes as the exposition format asks: backslash, quote and line feed
    assert counter.lines() == [
        "# HELP requests_total Requests.",
        "# TYPE requests_total counter",
        'requests_total{path="/",status="200"} 3',
        r'requests_total{path="/\"\\\n",status="404"} 1',
    ]


def test_a_histogram_adds_up_its_buckets_and_a_bound_belongs_to_its_bucket():
    histogram = Histogram("seconds", "Seconds.", (0.5, 1))
    for value in (0.25, 0.5, 0.75, 8):
        histogram.observe(value)
    assert histogram.lines()[2:] == [
        'seconds_bucket{le="0.5"} 2',
        'seconds_bucket{le="1"} 3',
        'seconds_bucket{le="+Inf"} 4',
        "seconds_sum 9.5",
        "seconds_count 4",
    ]


def test_a_gauge_is_asked_when_it_is_read():
    values = [1.5]
    gauge = Gauge("waiting", "Waiting.", lambda: values[-1])
    values.append(4)
    assert gauge.lines()[-1] == "waiting 4"


def test_prometheus_own_parser_reads_the_text():
    parser = pytest.importorskip("prometheus_client.parser")
    metrics = Metrics()
    metrics.requests.add(path="/invocations", status="200")
    metrics.batches.observe(3)
    families = {family.name: family for family in parser.text_string_to_metric_families(metrics.text())}
    assert families["pixelwise_requests"].samples[0].labels == {"path": "/invocations", "status": "200"}
    assert families["pixelwise_batch_images"].type == "histogram"
