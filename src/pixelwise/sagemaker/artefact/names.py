"""Where a parameter of GluonCV's segmentation networks lives in ours.

GluonCV (gluoncv/model_zoo: resnetv1b.py, segbase.py, fcn.py, pspnet.py, deeplabv3.py) names parameters by the
attributes that lead to them. Its trunk is called as timm's is; the heads are the same layers under other names.
"""

import re
from collections.abc import Iterable

AUXILIARY = "auxlayer."
"""What the parameters of the auxiliary head begin with: only training uses them."""

# BatchNorm's names; its statistics and the weights and biases of convolutions are called as in PyTorch.
_LEAVES = {"gamma": "weight", "beta": "bias"}

_TRUNK = re.compile(r"(conv1|bn1|layer[1-4])\.")

# By algorithm, where a layer stands there and here. In a `block`, 2 is the ReLU and 3 the dropout.
_HEADS: dict[str, dict[str, str]] = {
    "fcn": {"block.0": "reduce.0", "block.1": "reduce.1", "block.4": "classify"},
    "psp": {
        **{f"psp.conv{i + 1}.{j}": f"pools.{i}.1.{j}" for i in range(4) for j in range(2)},
        "block.0": "fuse.0",
        "block.1": "fuse.1",
        "block.4": "classify",
    },
    "deeplab": {
        **{f"aspp.concurent.{i}.{j}": f"aspp.branches.{i}.{j}" for i in range(4) for j in range(2)},
        **{f"aspp.concurent.4.gap.{j + 1}": f"aspp.image_pooling.1.{j}" for j in range(2)},
        **{f"aspp.project.{j}": f"aspp.project.{j}" for j in range(2)},
        "block.0": "fuse.0",
        "block.1": "fuse.1",
        "block.4": "classify",
    },
}

CLASSIFIER_BIAS = "head.block.4.bias"


def our_name(name: str, algorithm: str) -> str | None:
    """What the parameter `name` is called in our network of `algorithm`; None where it has no place."""
    layer, _, leaf = name.rpartition(".")
    leaf = _LEAVES.get(leaf, leaf)
    if _TRUNK.match(name):
        return f"backbone.trunk.{layer}.{leaf}"
    place = _HEADS[algorithm].get(layer.removeprefix("head.")) if layer.startswith("head.") else None
    return f"head.{place}.{leaf}" if place else None


def algorithm_of(names: Iterable[str]) -> str:
    """The algorithm that parameters of these names belong to."""
    present = set(names)
    if any(name.startswith("head.psp.") for name in present):
        return "psp"
    return "deeplab" if any(name.startswith("head.aspp.") for name in present) else "fcn"


def backbone_of(names: Iterable[str]) -> str:
    """The backbone, told by the third stage: 6 blocks in resnet-50, 23 in resnet-101."""
    return "resnet-101" if any(name.startswith("layer3.6.") for name in names) else "resnet-50"
