"""Recommended trunks: what each costs, under which licence its weights stand, and whether they can be had here."""

import functools
import socket
import threading
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import huggingface_hub
import timm
import torch

from pixelwise.models.backbones import ALIASES
from pixelwise.models.pretrained import hub_host, in_cache, look_up_hub
from pixelwise.phrases import first_line

CPU, GPU = MACHINES = ("cpu", "gpu")
"""What a trunk is recommended for: some CPU cores, or one GPU."""

PERMISSIVE = frozenset({"apache-2.0", "bsd-3-clause", "mit"})
"""Licences that ask for no consent and allow any use."""

SECONDS_TO_LOOK_UP = 2.0


class Trunk(NamedTuple):
    """A recommended trunk.

    Parameters are those of the feature maps, without the classifier. A billion multiply-adds (GMACs) are half of what
    torch's FlopCounterMode counts in one forward pass of timm's `features_only` network, with output stride 32, of an
    image of 256 x 256 pixels (266 x 266 where patches have 14). Licences are those of timm's configurations.
    """

    name: str
    parameters: float
    """In millions."""
    gmacs: float
    licence: str
    machine: str
    """One of `MACHINES`."""
    purpose: str

    @property
    def is_permissive(self) -> bool:
        """Whether the weights may be used for anything without asking."""
        return self.licence in PERMISSIVE


_APACHE, _DINOV3, _NO_COMMERCE = "apache-2.0", "dinov3-license", "cc-by-nc-4.0"

TRUNKS: tuple[Trunk, ...] = (
    Trunk("mobilenetv4_conv_small.e2400_r224_in1k", 1.3, 0.24, _APACHE, CPU, "the smallest; minutes on a few cores"),
    Trunk("hgnetv2_b0.ssld_stage2_ft_in1k", 1.9, 0.41, _APACHE, CPU, "small, with distilled weights"),
    Trunk("efficientnet_b0.ra4_e3600_r224_in1k", 3.6, 0.48, _APACHE, CPU, "small, long trained"),
    Trunk("hgnetv2_b1.ssld_stage2_ft_in1k", 2.2, 0.63, _APACHE, CPU, "small, with distilled weights"),
    Trunk("efficientnet_b1.ra4_e3600_r240_in1k", 6.1, 0.72, _APACHE, CPU, "middle-sized, long trained"),
    Trunk("mobilenetv4_conv_medium.e500_r224_in1k", 7.2, 1.08, _APACHE, CPU, "middle-sized"),
    Trunk("hgnetv2_b2.ssld_stage2_ft_in1k", 6.0, 1.48, _APACHE, CPU, "middle-sized, with distilled weights"),
    Trunk("resnet18d.ra4_e3600_r224_in1k", 11.2, 2.68, _APACHE, CPU, "plain convolutions, long trained"),
    Trunk("convnextv2_nano.fcmae_ft_in22k_in1k", 15.0, 3.19, _NO_COMMERCE, GPU, "a small ConvNeXt, not for commerce"),
    Trunk("hgnetv2_b4.ssld_stage2_ft_in1k", 13.6, 3.56, _APACHE, GPU, "fast, with distilled weights"),
    Trunk("resnet50d.ra4_e3600_r224_in1k", 23.5, 5.65, _APACHE, GPU, "plain convolutions, long trained"),
    Trunk("convnext_tiny.in12k_ft_in1k", 27.8, 5.82, _APACHE, GPU, "a feature pyramid, for any use"),
    Trunk("convnext_tiny.dinov3_lvd1689m", 27.8, 5.82, _DINOV3, GPU, "a feature pyramid distilled from DINOv3"),
    Trunk("convnextv2_tiny.fcmae_ft_in22k_in1k", 27.9, 5.82, _NO_COMMERCE, GPU, "a feature pyramid, not for commerce"),
    Trunk("vit_small_patch16_dinov3.lvd1689m", 21.6, 6.25, _DINOV3, GPU, "few images: frozen, or with layer decay"),
    Trunk("vit_small_patch14_reg4_dinov2.lvd142m", 22.1, 9.09, _APACHE, GPU, "few images, for any use"),
    Trunk("convnext_small.dinov3_lvd1689m", 49.5, 11.34, _DINOV3, GPU, "a larger pyramid distilled from DINOv3"),
    Trunk("vit_base_patch16_dinov3.lvd1689m", 85.6, 23.57, _DINOV3, GPU, "few images and hours"),
    Trunk("vit_base_patch14_reg4_dinov2.lvd142m", 86.6, 33.72, _APACHE, GPU, "few images and hours, for any use"),
)
"""Cheapest first."""


def can_be_had(name: str) -> str | None:
    """None if the published weights of backbone `name` are here or where they are published can be looked up.

    Else why not, in words: "timm publishes none", "the hub is switched off by HF_HUB_OFFLINE". Nothing is fetched; the
    answer takes `SECONDS_TO_LOOK_UP` at most. That a host has an address does not promise that it answers.
    """
    config: Any = timm.get_pretrained_cfg(ALIASES.get(name, name))
    if config is None or not config.has_weights:
        return "timm publishes none"
    if config.hf_hub_id:
        return None if in_cache(config.hf_hub_id) else _hub_is_out_of_reach()
    if not config.url:
        return None  # in a file, or in the configuration itself
    if (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(config.url).path).name).is_file():
        return None
    return _fault_in_time(urlsplit(config.url).hostname or "", socket.getaddrinfo, urlsplit(config.url).hostname, 443)


def _hub_is_out_of_reach() -> str | None:
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return "they are not on this machine, and the hub is switched off by HF_HUB_OFFLINE"
    return _hub_fault(hub_host() or "")


@functools.cache
def _hub_fault(host: str) -> str | None:
    """Asked once: a table of trunks has one hub, and a resolver without a network takes its time."""
    return _fault_in_time(host, look_up_hub)


def _fault_in_time(host: str, look_up: Any, *arguments: Any) -> str | None:
    """What is wrong with a host that `look_up` looks up; resolvers have no time limit of their own."""
    faults: list[str] = ["no answer"]

    def ask() -> None:
        try:
            look_up(*arguments)
            faults.clear()
        except OSError as error:
            faults[:] = [first_line(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_LOOK_UP)
    return f"they are not on this machine, and {host} has no address here ({faults[0]})" if faults else None
