"""At which rate a pretrained trunk learns: by its kind, and slower the nearer a layer stands to the image."""

from typing import Any, NamedTuple

import timm
import torch
from timm.layers import RmsNorm  # type: ignore[attr-defined]
from timm.models import group_parameters
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.models.backbones import ALIASES
from pixelwise.models.pretrained import plain_name

PLAIN, HIERARCHICAL, CONVNEXT, CONVOLUTIONAL = KINDS = (
    "plain transformer",
    "hierarchical transformer",
    "ConvNeXt",
    "convolutional network",
)
"""Trunks that are fine-tuned alike; see `kind_of`."""

_LAYER_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, RmsNorm)


class Rates(NamedTuple):
    """The settings of these names that suit a pretrained trunk, and where they come from."""

    learning_rate: float
    pretrained_learning_rate_factor: float
    layer_decay: float
    weight_decay: float
    source: str


# The trunk's rates are the sources'; the head learns ten times as fast, as in SegFormer's published configurations.
_RATES = {
    PLAIN: Rates(
        1e-3, 0.1, 0.8, 0.05, "EoMT on DINOv2 (arXiv 2503.19108): AdamW 1e-4, a decay of 0.8 a block, weight decay 0.05"
    ),
    HIERARCHICAL: Rates(
        6e-4, 0.1, 1.0, 0.01, "SegFormer (arXiv 2105.15203, 4.1): AdamW 6e-5, weight decay 0.01, no decay by layers"
    ),
    CONVNEXT: Rates(
        1e-3, 0.1, 0.9, 0.05, "ConvNeXt (arXiv 2201.03545, A.3): AdamW 1e-4, a decay of 0.9 a stage, weight decay 0.05"
    ),
    CONVOLUTIONAL: Rates(2e-3, 0.5, 1.0, 0.01, "the settings' own defaults, which trained best on photographs"),
}


def recommended_rates(backbone: str) -> Rates:
    """What to fine-tune the pretrained trunk `backbone` with; a pure function of its architecture."""
    return _RATES[kind_of(backbone)]


def kind_of(backbone: str) -> str:
    """Which of `KINDS` a trunk is, read off its architecture in timm.

    A network that normalises by LayerNorm or its kin, and not as often by BatchNorm, is fine-tuned as a transformer is.
    It is plain if all its maps have one stride, else hierarchical if it has attention, else a ConvNeXt. Hybrids with
    more BatchNorm, such as MobileViT, count as convolutional.
    """
    network = outline(backbone)
    batch_norms = sum(isinstance(module, _BatchNorm) for module in network.modules())
    layer_norms = sum(isinstance(module, _LAYER_NORMS) for module in network.modules())
    if layer_norms <= batch_norms:
        return CONVOLUTIONAL
    if len({stage["reduction"] for stage in getattr(network, "feature_info", [])}) == 1:
        return PLAIN
    kinds = {type(module).__name__.lower() for module in network.modules()}
    has_attention = any("attention" in kind or "attn" in kind for kind in kinds)
    return HIERARCHICAL if has_attention else CONVNEXT


def outline(backbone: str) -> Any:
    """The whole network of timm that `backbone` is the trunk of, without numbers in it: on PyTorch's meta device."""
    name = ALIASES.get(backbone, backbone)
    try:
        with torch.device("meta"):
            return timm.create_model(name, pretrained=False)
    except (NotImplementedError, RuntimeError):
        # Some read numbers back while they are built, which the meta device does not have.
        return timm.create_model(name, pretrained=False)


def layers_above(trunk: nn.Module, backbone: str) -> dict[str, int]:
    """How many layers of `trunk` stand above each of its parameters, by name; 0 for the last layer.

    The layers are those of timm: blocks of a plain transformer, as in BEiT (arXiv 2106.08254), and stages of any other
    network, as in ConvNeXt's segmentation; where timm has none, the modules that the trunk consists of, in their order.
    """
    names = [name for name, _ in trunk.named_parameters()]
    network = outline(backbone)
    if hasattr(network, "group_matcher"):
        matcher = network.group_matcher(coarse=kind_of(backbone) != PLAIN)
        grouped = {plain_name(name): layer for name, layer in group_parameters(network, matcher, reverse=True).items()}
    else:
        grouped = {}
    if not all(plain_name(name) in grouped for name in names):
        order = list(dict.fromkeys(name.partition(".")[0] for name in names))
        grouped = {plain_name(name): order.index(name.partition(".")[0]) for name in names}
    present = sorted({grouped[plain_name(name)] for name in names})
    return {name: len(present) - 1 - present.index(grouped[plain_name(name)]) for name in names}
