"""The table of recommended trunks is true, and whether weights can be had is told without fetching."""

import socket
import time

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from pixelwise.models import trunks
from pixelwise.models.trunks import MACHINES, TRUNKS, can_be_had


@pytest.fixture
def hub(monkeypatch):
    """No weights in the cache, no proxy, and a resolver to put in place."""
    trunks._hub_fault.cache_clear()
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    yield lambda resolver: monkeypatch.setattr(socket, "getaddrinfo", resolver)
    trunks._hub_fault.cache_clear()


@pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: trunk.name)
def test_timm_publishes_the_weights_under_the_licence_of_the_table(trunk):
    assert trunk.name in timm.list_models(pretrained=True)
    assert timm.get_pretrained_cfg(trunk.name).license == trunk.licence
    assert trunk.machine in MACHINES


def test_names_differ_and_the_cheapest_come_first():
    assert len({trunk.name for trunk in TRUNKS}) == len(TRUNKS)
    assert [trunk.gmacs for trunk in TRUNKS] == sorted(trunk.gmacs for trunk in TRUNKS)
    assert {trunk.is_permissive for trunk in TRUNKS if trunk.licence == "dinov3-license"} == {False}


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "resnet18d", "hgnetv2_b0"])
def test_sizes_and_costs_are_those_that_torch_counts(name):
    trunk = next(trunk for trunk in TRUNKS if trunk.name.partition(".")[0] == name)
    with torch.device("meta"):
        network = timm.create_model(trunk.name, features_only=True).eval()
        images = torch.zeros(1, 3, 256, 256)
    with FlopCounterMode(display=False) as counted:
        network(images)
    assert trunk.parameters == pytest.approx(sum(p.numel() for p in network.parameters()) / 1e6, abs=0.05)
    assert trunk.gmacs == pytest.approx(counted.get_total_flops() / 2e9, abs=0.005)


def test_weights_in_the_cache_can_be_had_without_a_network(hub, monkeypatch):
    def fail(*arguments):
        raise AssertionError("nobody needs to ask")

    hub(fail)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments: "/cache/model.safetensors")
    assert can_be_had("resnet18") is None


def test_weights_can_be_had_where_the_hub_has_an_address(hub):
    hub(lambda *arguments: [("address",)])
    assert can_be_had("resnet-50") is None


def test_without_an_address_the_reason_is_said_and_asked_for_once(hub):
    asked = []

    def resolver(*arguments):
        asked.append(arguments)
        raise socket.gaierror("Name or service not known")

    hub(resolver)
    for name in ("resnet18", "convnext_tiny"):
        assert "has no address here (Name or service not known)" in can_be_had(name)
    assert len(asked) == 1


def test_a_resolver_that_hangs_is_not_waited_for(hub, monkeypatch):
    monkeypatch.setattr(trunks, "SECONDS_TO_LOOK_UP", 0.05)
    hub(lambda *arguments: time.sleep(2))
    began = time.monotonic()
    assert "no answer" in can_be_had("resnet18")
    assert time.monotonic() - began < 1.5


def test_a_hub_that_is_switched_off_is_not_asked(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "switched off by HF_HUB_OFFLINE" in can_be_had("resnet18")


def test_a_network_without_published_weights_cannot_be_had():
    assert can_be_had("cspresnet50d") == "timm publishes none"
