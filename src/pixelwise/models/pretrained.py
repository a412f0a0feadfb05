"""Weights for a trunk: from a local file in timm or torchvision naming, or fetched by timm."""

import socket
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import safetensors.torch
import timm
import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from pixelwise.errors import ModelError, WeightsUnavailable
from pixelwise.phrases import first_line

# What wraps a trunk in files: DDP, Lightning, torchvision's segmentation models, our own bundles.
_WRAPPERS = ("module.", "model.", "backbone.", "trunk.")


def fetch_trunk(model_name: str, options: dict[str, Any]) -> nn.Module:
    """The timm trunk `model_name`, built with `options`, with its published weights.

    Raises WeightsUnavailable when timm has none or they cannot be fetched.
    """
    config = timm.get_pretrained_cfg(model_name)
    if config is None or not config.has_weights:
        raise WeightsUnavailable(f"timm has no pretrained weights for backbone {model_name!r}.")
    try:
        if config.hf_hub_id and not in_cache(config.hf_hub_id):
            look_up_hub()
        trunk: nn.Module = timm.create_model(model_name, pretrained=True, **options)
    except Exception as error:  # timm and its hubs raise almost anything: URLError, HTTPError, LocalEntryNotFound ...
        raise WeightsUnavailable(
            f"The pretrained weights of backbone {model_name!r} could not be fetched ({first_line(error)})."
        ) from error
    return trunk


def load_trunk_weights(trunk: nn.Module, path: Path, model_name: str) -> None:
    """Fill `trunk`, a timm model with feature maps, from a safetensors or state-dict file.

    Tensors are found by timm's names or, where a file has names of its own, by their order, if every tensor of
    the whole network then fits (torchvision's MobileNetV2 does). The file's classifier is ignored. Nothing is
    executed. Raises ModelError for a file that cannot be read and for any trunk tensor that is missing or has
    another shape.
    """
    found = unwrapped(read_tensors(path))
    wanted = {plain_name(name): tensor for name, tensor in trunk.state_dict().items()}
    by_name = {plain_name(name): tensor for name, tensor in found.items()}
    needed = [name for name in wanted if not name.endswith("num.batches.tracked")]
    if not any(name in by_name for name in needed):
        by_name = _name_by_order(found, path, model_name)
    adapt_input(by_name, wanted, model_name)
    for name in needed:
        _check_fit(name, wanted[name], by_name.get(name), where=(path, model_name))
    # num_batches_tracked is missing in old files, and BatchNorm with a momentum does not read it.
    trunk.load_state_dict({name: by_name.get(plain_name(name), own) for name, own in trunk.state_dict().items()})


def adapt_input(found: dict[str, Tensor], wanted: Mapping[str, Tensor], model_name: str) -> None:
    """Spread the weights for red, green and blue over the channels that `wanted` has, as timm does it."""
    config = timm.get_pretrained_cfg(model_name)
    first: Any = (config.first_conv if config else None) or ()
    for name in (first,) if isinstance(first, str) else first:
        plain = plain_name(f"{name}.weight")
        own, other = wanted.get(plain), found.get(plain)
        if own is not None and other is not None and own.dim() == other.dim() == 4 and other.shape[1] == 3:
            found[plain] = adapt_input_conv(own.shape[1], other)


def read_tensors(path: Path, *, meant_for: str = "backbone_weights") -> dict[str, Tensor]:
    """Names and tensors of a safetensors or state-dict file, as `meant_for` (a setting) gives it; nothing is executed.

    Raises:
        ModelError: the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file for {meant_for}. Give a safetensors or state-dict file.")
    try:
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, zipfile, pickle and torch each have their own
        raise ModelError(
            f"{path}: cannot be read as weights ({first_line(error)}). Expected a whole safetensors file "
            "or a state dict of tensors written by torch.save; other objects are refused."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    is_dict = isinstance(content, dict) and content
    if not is_dict or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelError(f"{path}: found {_describe(content)}, expected a state dict: tensor names and tensors.")
    return {str(name): tensor for name, tensor in content.items()}


def unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the trunk alone, without the names of what it was wrapped in."""
    for prefix in _WRAPPERS:
        inside = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        tensors = inside or tensors
    return tensors


def plain_name(name: str) -> str:
    """A tensor's name as the whole network and its feature-map form both spell it.

    timm flattens `stages.0.blocks` to `stages_0.blocks` in one form and puts `model.` before it in another.
    """
    return name.removeprefix("model.").replace("_", ".")


def _name_by_order(found: dict[str, Tensor], path: Path, model_name: str) -> dict[str, Tensor]:
    """The tensors of a file with unknown names under timm's names, by their order in the whole network."""
    config = timm.get_pretrained_cfg(model_name)
    named: Any = (config.classifier if config else None) or ()
    classifiers = (named,) if isinstance(named, str) else tuple(named)
    network = timm.create_model(model_name, pretrained=False).state_dict()
    names = [name for name in _counted(network) if not name.startswith(tuple(f"{part}." for part in classifiers))]
    theirs = _counted(found)
    if len(theirs) == len(_counted(network)):
        theirs = theirs[: len(names)]  # the classifier stands last in both namings
    for name, other in zip(names, theirs, strict=False):
        # Equal last parts (weight, bias, running_var) keep tensors of equal shape from changing places.
        same_role = name.rpartition(".")[2] == other.rpartition(".")[2]
        if not same_role or network[name].shape != found[other].shape:
            raise ModelError(
                f"{path}: does not hold the weights of backbone {model_name!r}: tensor {other!r} is "
                f"{shape_text(found[other])}, expected {name!r}, {shape_text(network[name])}. {_remedy(model_name)}"
            )
    if len(theirs) != len(names):
        raise ModelError(
            f"{path}: has {len(theirs)} tensors before the classifier, backbone {model_name!r} has {len(names)}. "
            f"{_remedy(model_name)}"
        )
    return {plain_name(name): found[other] for name, other in zip(names, theirs, strict=True)}


def _counted(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.endswith("num_batches_tracked")]


def _check_fit(name: str, own: Tensor, other: Tensor | None, *, where: tuple[Path, str]) -> None:
    path, model_name = where
    if other is None or other.shape != own.shape:
        state = "is missing" if other is None else f"is {shape_text(other)}"
        raise ModelError(
            f"{path}: tensor {name!r} {state}, backbone {model_name!r} needs {shape_text(own)}. {_remedy(model_name)}"
        )


def _remedy(model_name: str) -> str:
    architecture = model_name.partition(".")[0]
    hint = ""
    if architecture in ("resnet50s", "resnet101s"):
        hint = f" torchvision's ResNet has no deep stem and fits backbone {architecture[:-1]!r}."
    return f"Give weights of timm's {architecture!r}, or the backbone that the file belongs to.{hint}"


def in_cache(hub_id: str) -> bool:
    """Whether the weights `hub_id` of Hugging Face's hub are on this machine."""
    files = ("model.safetensors", "pytorch_model.bin")
    return any(isinstance(huggingface_hub.try_to_load_from_cache(hub_id, file), str) for file in files)


def hub_host() -> str | None:
    """The host of Hugging Face's hub, or of what stands in for it."""
    return urlsplit(huggingface_hub.constants.ENDPOINT).hostname


def look_up_hub() -> None:
    """Raise OSError where the hub has no address: its client would try again for most of a minute."""
    host = hub_host()
    if host and not urllib.request.getproxies() and not huggingface_hub.constants.HF_HUB_OFFLINE:
        socket.getaddrinfo(host, 443)


def shape_text(tensor: Tensor) -> str:
    """The size of a tensor in words: "64x3x7x7"."""
    return "x".join(map(str, tensor.shape)) or "a single number"


def _describe(content: Any) -> str:
    if isinstance(content, dict) and content:
        strange = next((key for key, value in content.items() if not isinstance(value, Tensor)), None)
        return f"a dictionary with {strange!r}: {type(content[strange]).__name__}"
    return f"{type(content).__name__} without tensors"
