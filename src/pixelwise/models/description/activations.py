"""What a training step keeps of a forward pass: the activation memory, found on the meta device."""

import itertools
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pixelwise.models.description.trace import running


class Kept(NamedTuple):
    """Bytes of one image that autograd keeps from the forward pass for the backward pass."""

    float32: int
    bfloat16: int


def kept(network: nn.Module, images: Tensor) -> dict[str, Kept]:
    """What a training step keeps for one image, by the module that was running; the network is left in train mode.

    Counted are the distinct tensors that autograd saves in the forward pass, per image of the batch: the inputs of
    convolutions and matrix products, of normalisations, the outputs of activations, dropout masks, pooling indices.
    Left out are parameters, gradients, the state of the optimizer and the work space of kernels. The column for
    bfloat16 halves the floating-point ones.

    Args:
        network: returns a tensor, or a tuple whose first entry is one.
        images: (N, C, H, W); N of 2 or more where BatchNorm needs more than one value per channel.
    """
    network.train()
    own = {tensor.untyped_storage()._cdata for tensor in itertools.chain(network.parameters(), network.buffers())}
    saved: dict[int, tuple[str, Tensor]] = {}
    with running(network) as stack:

        def pack(tensor: Tensor) -> Tensor:
            key = tensor.untyped_storage()._cdata
            if key not in own:
                saved.setdefault(key, (stack[-1], tensor))
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), FusedAttention():
            network(images)
    result: dict[str, Kept] = {}
    for module, tensor in saved.values():
        size = tensor.untyped_storage().nbytes() // len(images)
        before = result.get(module, Kept(0, 0))
        half = size // 2 if tensor.dtype == torch.float32 else size
        result[module] = Kept(before.float32 + size, before.bfloat16 + half)
    return result


class FusedAttention(TorchFunctionMode):
    """Attention as training devices run it, without a matrix of all pairs; the meta device would write that out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = dict(kwargs or {})
        if func is F.scaled_dot_product_attention and len(args) == 3:
            mask = options.pop("attn_mask", None)
            if mask is None or not mask.requires_grad:
                options = {name: options[name] for name in ("dropout_p", "is_causal", "scale") if name in options}
                fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
                return fused(*args, attn_mask=mask, **options)[0]
        return func(*args, **(kwargs or {}))
