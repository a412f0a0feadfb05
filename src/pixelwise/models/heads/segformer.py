"""SegFormer's head: one linear layer for each map, then one for all."""

from torch import Tensor, nn

from pixelwise.models.heads.layers import Fusion, start_lively
from pixelwise.models.heads.taps import Strides, taken, without_finest


class SegformerHead(nn.Module):
    """The all-MLP decoder of SegFormer (arXiv 2105.15203, section 3.2), 256 wide, on maps of stride 4 or more."""

    WIDTH = 256

    taps = staticmethod(without_finest)

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, strides: Strides, align_corners: bool = False
    ) -> None:
        super().__init__()
        self._taps = taken(self, strides)[::-1]  # coarsest first, as it was published
        # A linear layer for each position is a 1x1 convolution.
        self.project = nn.ModuleList(nn.Conv2d(channels[i], self.WIDTH, 1) for i in self._taps)
        self.merge = Fusion(len(self._taps) * self.WIDTH, self.WIDTH, 1, align_corners=align_corners)
        self.dropout = nn.Dropout(0.1)
        self.classify = nn.Conv2d(self.WIDTH, num_classes, 1)
        start_lively(self)

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, K, h, w) at the size of the finest map that is taken."""
        projected = [layer(maps[i]) for layer, i in zip(self.project, self._taps, strict=True)]
        logits: Tensor = self.classify(self.dropout(self.merge(projected, projected[-1])))
        return logits
