"""environment.py: what the platform's variables make of the container's endpoint."""

import pytest

from pixelwise.errors import SettingsError
from pixelwise.sagemaker.container import container
from pixelwise.sagemaker.container.environment import limits_of, port_of, reply_of
from pixelwise.serving.limits import MEBIBYTE, Limits

VARIABLES = {
    "SAGEMAKER_BIND_TO_PORT": "9000",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
}


@pytest.fixture
def served(monkeypatch):
    """What the server is started with, by a stand-in for it and for the model."""
    started = []
    monkeypatch.setattr("pixelwise.sagemaker.container.models.located_model", lambda folder, scratch: folder)
    monkeypatch.setattr(
        "pixelwise.serving.server.serve", lambda model, **options: started.append({"model": model, **options})
    )
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return started


def test_the_environment_says_port_payload_and_default_reply():
    assert port_of({}) == 8080
    assert port_of({"SAGEMAKER_BIND_TO_PORT": "9000"}) == 9000
    assert limits_of({}) == Limits()
    assert limits_of({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "6"}) == Limits(max_bytes=6 * MEBIBYTE)
    assert limits_of({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).max_bytes > 100 * MEBIBYTE
    assert reply_of({}) == "image/png"
    assert reply_of({"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json"}) == "application/json"
    with pytest.raises(SettingsError, match="SAGEMAKER_BIND_TO_PORT is 'http'"):
        port_of({"SAGEMAKER_BIND_TO_PORT": "http"})
    with pytest.raises(SettingsError, match="SAGEMAKER_MAX_PAYLOAD_IN_MB is '-1'"):
        limits_of({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "-1"})


def test_a_variable_that_is_set_to_nothing_says_nothing():
    empty = dict.fromkeys(VARIABLES, "")
    assert (port_of(empty), limits_of(empty), reply_of(empty)) == (8080, Limits(), "image/png")


def test_the_container_serves_as_the_environment_says(served, tmp_path, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert container.serve(tmp_path) == 0
    assert served == [
        {
            "model": tmp_path / "model",
            "host": "0.0.0.0",
            "port": 9000,
            "limits": Limits(max_bytes=6 * MEBIBYTE),
            "default_accept": "application/json",
        }
    ]


def test_the_container_serves_on_port_8080_by_itself(served, tmp_path):
    assert container.serve(tmp_path) == 0
    (options,) = served
    assert (options["port"], options["limits"], options["default_accept"]) == (8080, Limits(), "image/png")


def test_a_variable_that_is_no_number_ends_the_container_with_2_and_is_named(served, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SAGEMAKER_MAX_PAYLOAD_IN_MB", "six")
    assert container.serve(tmp_path) == 2
    assert served == []
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB is 'six'" in capsys.readouterr().out
