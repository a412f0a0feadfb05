"""The whole server in a process of its own, with a real network, spoken to over sockets."""

import builtins
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from pixelwise.bundle import Bundle, save_bundle
from pixelwise.errors import MissingExtra, ModelError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.models.segmenter import build_segmenter
from pixelwise.serving.server import serve
from pixelwise.settings import Settings
from tests.serving.conftest import PIXELS, encoded, until

PROGRAM = """
import sys
from pixelwise.serving.limits import Limits
from pixelwise.serving.server import serve

serve(sys.argv[1], port=0, limits=Limits(max_bytes=1 << 20), device="cpu", tta=len(sys.argv) > 2)
"""
# What a machine of SageMaker's may have set is no business of an endpoint that runs elsewhere.
NOT_OURS = {
    "SAGEMAKER_BIND_TO_PORT": "http",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    settings = Settings(algorithm="fcn", backbone="mobilenetv2_035")
    state = build_segmenter(settings, 3, load_weights=False).state_dict()
    folder = tmp_path_factory.mktemp("run") / "model"
    save_bundle(folder, Bundle(settings, LabelTable.numbered(3), {}, {}, state))
    return folder


@pytest.fixture
def process(model, request):
    words = [sys.executable, "-c", PROGRAM, str(model), *getattr(request, "param", [])]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, **NOT_OURS})
    yield process
    process.kill()
    process.communicate()


def address(process):
    line = json.loads(process.stderr.readline())
    assert line["event"] == "listening"
    return urlsplit(line["url"])


def connect(place):
    return http.client.HTTPConnection(place.hostname, place.port, timeout=60)


def asked(place, method, path, body=None, **headers):
    connection = connect(place)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def is_open(place):
    try:
        socket.create_connection((place.hostname, place.port), timeout=5).close()
    except OSError:
        return False
    return True


def test_sigterm_lets_the_request_under_way_be_answered_and_ends_with_0(process):
    place = address(process)
    assert asked(place, "GET", "/ping") == (200, b"")
    content = encoded(PIXELS)
    slow = connect(place)
    slow.putrequest("POST", "/invocations")
    slow.putheader("Content-Type", "image/png")
    slow.putheader("Content-Length", str(len(content)))
    slow.endheaders(content[:50])
    until(lambda: b"pixelwise_requests_under_way 1" in asked(place, "GET", "/metrics")[1])
    process.send_signal(signal.SIGTERM)
    until(lambda: not is_open(place))
    slow.send(content[50:])
    answer = slow.getresponse()
    assert answer.status == 200
    assert np.asarray(Image.open(io.BytesIO(answer.read()))).shape == (16, 32)
    slow.close()
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in rest.splitlines()]
    assert events == ["request", "stopped"]


def test_ctrl_c_ends_with_0_and_a_body_far_above_the_limit_still_gets_its_answer(process):
    place = address(process)
    status, content = asked(place, "POST", "/invocations", bytes(8 << 20), **{"Content-Type": "image/png"})
    assert (status, "more than 1048576 bytes" in json.loads(content)["error"]) == (413, True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_the_platform_that_an_endpoint_may_run_on_does_not_change_it(process):
    place = address(process)
    parameters = json.loads(asked(place, "GET", "/execution-parameters")[1])
    assert parameters["MaxPayloadInMB"] == 1
    status, content = asked(place, "POST", "/invocations", encoded(PIXELS), **{"Content-Type": "image/png"})
    assert (status, content[:4]) == (200, b"\x89PNG")


@pytest.mark.parametrize("process", [["tta"]], indirect=True)
def test_with_views_the_first_line_of_the_log_says_how_often_an_image_is_computed(process):
    line = json.loads(process.stderr.readline())
    assert line["event"] == "listening"
    assert line["tta"].startswith("each image is computed 6 times: as it is; mirrored; scaled by 0.75;")
    status, content = asked(urlsplit(line["url"]), "POST", "/invocations", encoded(PIXELS))
    assert (status, content[:4]) == (200, b"\x89PNG")


def test_a_port_in_use_is_one_message_before_the_model_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port} cannot be listened at .*--port"):
            serve("no/such/model", port=port)


@pytest.mark.parametrize("port", [70000, -1])
def test_a_port_that_cannot_be_is_one_message(port):
    with pytest.raises(SettingsError, match="--port"):
        serve("no/such/model", port=port)


def test_a_model_that_is_not_there_is_said_so():
    with pytest.raises(ModelError, match="no/such/model"):
        serve("no/such/model", port=0)


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "prometheus_client"])
def test_without_the_extra_the_message_names_it(monkeypatch, model, package):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **more)

    for module in ("app", "batching", "metrics", "watching"):
        monkeypatch.delitem(sys.modules, f"pixelwise.serving.{module}", raising=False)
        monkeypatch.delattr(f"pixelwise.serving.{module}", raising=False)  # else the package keeps the second import
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pixelwise\[serve\]"):
        serve(model, port=0)
