"""The network as it is deployed: the numbers of a file in, class ids and logits out, traced for images of any size."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pixelwise.bundle import Bundle
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.models.segmenter import Segmenter

INPUT = "images"
OUTPUTS = ("class_ids", "logits")

# Odd and unequal sides, so that no rule that holds only for these numbers can be read off the trace.
_EXAMPLE = (97, 131)


class DeployedGraph(nn.Module):
    """`Segmenter` with what is made of its logits.

    Takes images (N, C, H, W) of the depth of `bands` (RGB of uint8 as a rule), in the files' own numbers. Gives class
    ids (N, H, W) uint8 and logits (N, K, H, W) float32 that are divided by the bundle's temperature, so that softmax
    over the classes gives calibrated probabilities.
    """

    def __init__(self, model: Segmenter, temperature: float, bands: Bands = PHOTOGRAPH) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.bands = bands

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        if self.bands.depth == "float32" and self.model.lowest is not None:
            # What is not a number has no value to predict from; `data.planes.chosen_values` says the same to `predict`.
            images = torch.where(torch.isfinite(images), images, self.model.lowest)
        logits = self.model(images).main / self.temperature
        return logits.argmax(dim=1).to(torch.uint8), logits


class RegionPooling(nn.Module):
    """`nn.AdaptiveAvgPool2d` as two matrix products.

    ONNX has no such operator, and its regions depend on the size of the map; the matrices are computed with it.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, bins, bins)."""
        return self._shares(features, -2) @ features @ self._shares(features, -1).T

    def _shares(self, features: Tensor, axis: int) -> Tensor:
        """What each position along an axis counts in each region, (bins, size): 1 / length of the region or 0."""
        size = features.shape[axis]
        region = torch.arange(self.bins, device=features.device)[:, None]
        first, end = region * size // self.bins, ((region + 1) * size + self.bins - 1) // self.bins
        position = torch.arange(size, device=features.device)
        inside = (position >= first) & (position < end)
        return inside.to(features.dtype) / (end - first).to(features.dtype)


def deployed_graph(bundle: Bundle) -> DeployedGraph:
    """The graph of a bundle, with weights of its own."""
    return DeployedGraph(bundle.build_model(), bundle.temperature, bundle.bands).requires_grad_(False).eval()


def use_region_pooling(module: nn.Module) -> None:
    """Swap pooling into more than one region for `RegionPooling`, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d) and isinstance(child.output_size, int) and child.output_size > 1:
            setattr(module, name, RegionPooling(child.output_size))
        else:
            use_region_pooling(child)


def trace(graph: DeployedGraph, size: tuple[int, int] | None) -> ExportedProgram:
    """The program of `graph`, for any number of images of any size, or of `size` (height, width).

    Raises whatever torch.export raises where that cannot be had.
    """
    free: dict[int, Any] = {0: Dim.DYNAMIC}
    if size is None:
        free |= {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.zeros(2, graph.bands.count, *(size or _EXAMPLE), dtype=getattr(torch, graph.bands.depth))
    return torch.export.export(graph, (example,), dynamic_shapes={INPUT: free}, strict=False)
