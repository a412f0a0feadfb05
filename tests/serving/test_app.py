import io
import logging
import threading
import types

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from starlette.testclient import TestClient

from pixelwise.api.models import load
from pixelwise.data.bands import Bands
from pixelwise.errors import SettingsError
from pixelwise.inference.predictor import Predictor
from pixelwise.runtime import Runtime
from pixelwise.serving.app import create_app
from pixelwise.serving.limits import Limits
from pixelwise.serving.protobuf_record import decode_record
from tests.serving.conftest import EXPECTED, LABELS, PIXELS, encoded, until

PNG = encoded(PIXELS)


@pytest.fixture
def serve(predictor, network):
    """A client of an endpoint with the given limits."""
    clients = []

    def call(*, default_accept="image/png", **limits):
        app = create_app(predictor, limits=Limits(**limits), default_accept=default_accept)
        clients.append(TestClient(app).__enter__())
        return clients[-1]

    yield call
    network.gate.set()
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve):
    return serve()


def ask(client, content=PNG, *, kind="image/png", **headers):
    return client.post("/invocations", content=content, headers={"Content-Type": kind, **headers})


def class_ids(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_ping_is_200_without_content(client):
    answer = client.get("/ping")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "pixelwise_views 1.0" in client.get("/metrics").text


def test_execution_parameters_have_the_names_of_a_batch_transform(serve):
    answer = serve(max_bytes=10 << 20).get("/execution-parameters").json()
    assert answer["MaxPayloadInMB"] == 10
    assert set(answer) == {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}


@pytest.mark.parametrize("kind", ["image/png", "application/x-image", "image/png; charset=binary", "IMAGE/PNG", ""])
def test_an_image_gives_a_png_of_class_ids(client, kind):
    answer = ask(client, kind=kind)
    assert answer.headers["content-type"] == "image/png"
    assert np.array_equal(class_ids(answer), EXPECTED)


def test_a_jpeg_is_answered_as_viewers_show_it(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise
    answer = ask(client, encoded(PIXELS, "JPEG", quality=100, exif=exif), kind="image/jpeg")
    assert np.array_equal(class_ids(answer), np.rot90(EXPECTED, -1))


@pytest.mark.parametrize("name", ["application/x-protobuf", "application/x-recordio-protobuf"])
def test_probabilities_come_as_protobuf(client, name):
    answer = ask(client, Accept=name)
    assert answer.headers["content-type"] == name
    probabilities = decode_record(answer.content)
    assert probabilities.shape == (2, 16, 32)
    assert np.array_equal(probabilities.argmax(axis=0), EXPECTED)


def test_json_npy_and_overlay_come_on_request(client):
    summary = ask(client, Accept="application/json").json()
    assert [entry["pixels"] for entry in summary["classes"]] == [16 * 32 - 64, 64]
    assert np.array_equal(np.load(io.BytesIO(ask(client, Accept="application/x-npy").content)), EXPECTED)
    overlaid = ask(client, Accept="image/png; overlay=true")
    assert overlaid.headers["content-type"] == "image/png"
    assert class_ids(overlaid).shape == (16, 32, 3)


@pytest.mark.parametrize("kind", ["image/gif", "image/tiff", "image/*", "application/x-npy"])
def test_frames_behind_the_first_are_noted_in_the_header_the_json_and_the_log(client, caplog, kind):
    content = encoded(PIXELS, "GIF", save_all=True, append_images=[Image.new("RGB", (32, 16), "red")])
    with caplog.at_level(logging.INFO):
        answer = ask(client, content, kind=kind, Accept="application/json")
    assert answer.headers["pixelwise-note"] == "the first of 2 frames was used"
    assert answer.json()["notes"] == ["the first of 2 frames was used"]
    (line,) = [record for record in caplog.records if record.getMessage() == "request"]
    assert line.facts["notes"] == ("the first of 2 frames was used",)
    assert "pixelwise-note" not in ask(client).headers


def test_the_default_reply_can_be_another(serve):
    client = serve(default_accept="application/json")
    assert ask(client, Accept="*/*").json()["width"] == 32
    assert np.array_equal(class_ids(ask(client, Accept="image/png")), EXPECTED)


def test_a_default_reply_that_does_not_exist_is_refused(predictor):
    with pytest.raises(SettingsError, match="text/plain"):
        create_app(predictor, default_accept="text/plain")


def test_an_empty_body_is_204_whatever_its_type(client):
    for kind in ("image/jpeg", "text/csv"):
        answer = ask(client, b"", kind=kind)
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("content", "headers", "status", "message"),
    [
        (PNG, {"Content-Type": "text/csv"}, 415, "text/csv, expected image/jpeg"),
        (PNG, {"Content-Type": "image/svg+xml"}, 415, "image/svg+xml, expected image/jpeg"),
        (PNG, {"Content-Type": "application/octet-stream"}, 415, "application/x-image"),
        (encoded(PIXELS, "EPS"), {"Content-Type": "application/x-image"}, 415, "EPS"),
        (PNG, {"Content-Type": "image/png", "Accept": "image/jpeg"}, 406, "image/jpeg, expected one of image/png"),
        (PNG, {"Content-Type": "image/png", "Accept": "image/png;overlay;opacity=7"}, 400, "opacity is 7"),
        (b"garbage", {"Content-Type": "image/jpeg"}, 400, "not an image"),
        (PNG[:70], {"Content-Type": "image/png"}, 400, "Send the whole file of an image."),
        (encoded(PIXELS, "JPEG")[:-100], {"Content-Type": "image/jpeg"}, 400, "image"),
        (b"\xff\xd8\xff\xe0" + bytes(500), {"Content-Type": "image/jpeg"}, 400, "image"),
        (bytes(1), {"Content-Type": "image/jpeg"}, 400, "image"),
        (PNG + bytes(2000), {"Content-Type": "image/png"}, 413, "more than 1000 bytes"),
        (encoded(np.zeros((40, 40), np.uint8)), {"Content-Type": "image/png"}, 413, "40 x 40 px, expected at most 600"),
    ],
)
def test_what_cannot_be_answered_says_why_as_json(serve, content, headers, status, message):
    client = serve(max_bytes=20_000 if status == 415 else 1000, max_pixels=600)
    answer = client.post("/invocations", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert message in answer.json()["error"]


def test_every_cut_and_many_damaged_images_are_never_a_500(client):
    jpeg, generator = encoded(PIXELS, "JPEG"), np.random.default_rng(0)
    damaged = [content[:end] for content in (PNG, jpeg) for end in range(1, len(content), 7)]
    for content in (PNG, jpeg) * 40:
        changed = bytearray(content)
        for place in generator.integers(0, len(content), 4):
            changed[place] = int(generator.integers(256))
        damaged.append(bytes(changed))
    assert {ask(client, content).status_code for content in damaged} <= {200, 400, 413, 415}


def test_unknown_paths_and_methods_are_answered_as_json(client):
    assert client.get("/invocations").status_code == 405
    answer = client.get("/models")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_clients_at_once_are_answered_in_batches_and_ping_goes_on(serve, network):
    client = serve(max_batch=4)
    network.gate.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(client))) for _ in range(9)]
    threads[0].start()
    until(lambda: network.calls == 1)
    for thread in threads[1:]:
        thread.start()
    until(lambda: "pixelwise_queue_images 8" in client.get("/metrics").text)
    assert client.get("/ping").status_code == 200  # the network works, the loop does not wait for it
    network.gate.set()
    for thread in threads:
        thread.join(30)
    assert all(np.array_equal(class_ids(answer), EXPECTED) for answer in answers)
    assert [shape[0] for shape in network.shapes] == [1, 4, 4]


def test_a_full_endpoint_says_when_to_come_back(serve, network):
    client = serve(max_requests=1)
    network.gate.clear()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(client)))
    thread.start()
    until(lambda: network.calls == 1)
    refused = ask(client)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    network.gate.set()
    thread.join(30)
    assert answers[0].status_code == 200
    assert ask(client).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up_and_its_place_is_free_again(serve, network):
    client = serve(max_requests=1, timeout_seconds=0.2)
    network.gate.clear()
    until(lambda: ask(client).status_code == 504 and network.calls == 1)  # one holds the network from now on
    answer = ask(client)
    assert (answer.status_code, "0.2 seconds" in answer.json()["error"]) == (504, True)
    network.gate.set()
    until(lambda: "pixelwise_queue_images 0" in client.get("/metrics").text and network.shapes)
    assert network.calls == 1  # who gave up in the queue was left out
    until(lambda: ask(client).status_code == 200)


def test_what_nobody_foresaw_is_one_json_message_and_one_traceback_in_the_log(client, network, caplog):
    def fail(_):
        raise ValueError("secret detail")

    network.failing = fail
    with caplog.at_level(logging.INFO, "pixelwise.serving"):
        answer = ask(client)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text
    network.failing = None
    assert ask(client).status_code == 200


def test_metrics_count_requests_images_and_batches(client):
    ask(client)
    ask(client, b"garbage")
    client.get("/anything/at/all")
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    for line in (
        'pixelwise_requests_total{path="/invocations",status="200"} 1.0',
        'pixelwise_requests_total{path="/invocations",status="400"} 1.0',
        'pixelwise_requests_total{path="other",status="404"} 1.0',
        "pixelwise_images_total 1.0",
        "pixelwise_pixels_total 512.0",
        "pixelwise_batch_seconds_count 1.0",
        "pixelwise_request_seconds_count 2.0",
        f"pixelwise_received_bytes_total {len(PNG) + 7}.0",
        "pixelwise_requests_under_way 0.0",
    ):
        assert line in lines


def test_a_line_of_the_log_has_the_facts_of_a_request(client, caplog):
    with caplog.at_level(logging.INFO, "pixelwise.serving"):
        ask(client, **{"X-Request-Id": "abc"})
        client.get("/ping")
    (record,) = [record for record in caplog.records if record.name == "pixelwise.serving"]
    facts = record.facts
    assert (facts["path"], facts["status"], facts["width"], facts["height"]) == ("/invocations", 200, 32, 16)
    assert (facts["received_bytes"], facts["request_id"], facts["reply"]) == (len(PNG), "abc", "image/png")


def test_a_model_of_five_bands_is_served_through_the_same_paths(network):
    bands = Bands("uint16", 5, (1, 2, 3, 4, 5), ((0.0, 4095.0),) * 5, is_color=False)
    bundle = types.SimpleNamespace(labels=LABELS, bands=bands, temperature=1.0, build_model=network.eval)
    predictor = Predictor(bundle, Runtime(torch.device("cpu"), torch.float32))
    values = np.zeros((16, 32, 5), np.uint16)
    values[:, :, 0] = PIXELS  # the network looks at the first channel: class 1 where it is above 127
    body, array = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(body, values, photometric="minisblack", planarconfig="contig", compression="lzw")
    np.save(array, np.tile(values, (2, 1, 1)))
    with TestClient(create_app(predictor)) as client:
        assert np.array_equal(class_ids(ask(client, body.getvalue(), kind="image/tiff")), EXPECTED)
        assert np.array_equal(class_ids(ask(client, array.getvalue(), kind="application/x-npy"))[16:], EXPECTED)
        overlaid = ask(client, body.getvalue(), kind="image/*", Accept="image/png;overlay=true")
        assert class_ids(overlaid).shape == (16, 32, 3)
        refused = ask(client)
        assert (refused.status_code, refused.json()["error"]) == (
            400,
            "The image has 3 bands of uint8, expected 5 bands of uint16, as the model takes them. Send such an image.",
        )


def test_an_endpoint_with_views_answers_as_predict_does_and_says_how_many_there_are(trained):
    predictor = load(trained, device="cpu", tta=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    expected = predictor.predict(pixels, probabilities=True)
    with TestClient(create_app(predictor)) as client:
        assert np.array_equal(class_ids(ask(client, encoded(pixels))), expected.class_ids)
        answer = ask(client, encoded(pixels), accept="application/x-npy; probabilities=true")
        assert np.array_equal(np.load(io.BytesIO(answer.content)), expected.probabilities)
        assert len(predictor.views) > 1
        assert f"pixelwise_views {len(predictor.views)}.0" in client.get("/metrics").text
