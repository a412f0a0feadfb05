"""Parameters that the loss cannot reach: they are found by following the graph back, and frozen."""

import torch
from torch import Tensor

from pixelwise.models.segmenter import Segmenter
from pixelwise.phrases import counted

# Long enough for every stage to have more than one position.
_SIDE = 64


def freeze_unreached(model: Segmenter) -> str | None:
    """Freeze the parameters of `model`, on the CPU, that get no gradient from its logits; a sentence that names them.

    Some trunks make more than a head takes: without gradients these weights stay as they are, and
    DistributedDataParallel would wait for them for ever. Nothing else changes, the averages of BatchNorm and the state
    of random numbers included. None where every parameter learns.
    """
    reached = {id(parameter) for parameter in _reached(model)}
    idle = [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in reached
    ]
    if not idle:
        return None
    for _, parameter in idle:
        parameter.requires_grad_(False)
    numbers = sum(parameter.numel() for _, parameter in idle)
    return (
        f"{numbers / 1e6:.1f} M parameters ({counted(len(idle), 'tensor')}, {idle[0][0]} the first) have no way to the "
        "output of this head: they keep the values that they start with."
    )


def _reached(model: Segmenter) -> list[Tensor]:
    """The parameters behind the logits, by the graph of one forward pass; nothing is computed backwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    model.training = True  # of the network alone: the auxiliary head runs, BatchNorm's averages stay as they are
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            logits = model(torch.zeros(1, model.mean.shape[1], _SIDE, _SIDE))
    finally:
        for module, mode in modes.items():
            module.training = mode
    waiting = [output.grad_fn for output in logits if output is not None]
    seen, leaves = set(waiting), []
    while waiting:
        node = waiting.pop()
        leaves += [node.variable] if hasattr(node, "variable") else []
        following = {after for after, _ in getattr(node, "next_functions", ()) if after is not None} - seen
        seen |= following
        waiting += following
    return leaves
