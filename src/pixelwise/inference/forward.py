"""Whole or tiled logits for images of any size: the one forward of validation, evaluation and prediction."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pixelwise.errors import SettingsError
from pixelwise.models.segmenter import Segmenter
from pixelwise.runtime import Runtime

WHOLE_PIXELS = 2048 * 2048
"""Images of up to this many pixels go through the network whole when no tile is given."""

DEFAULT_TILE = 1024
"""Side of a tile, in pixels, for larger images when no tile is given."""

SMALLEST_TILE = 32

# The coarsest feature grid: tiles that start on it see the features that the whole image has there.
_GRID = 32


def class_logits(
    model: Segmenter, images: Tensor, *, runtime: Runtime, tile: int | None = None, overlap: float = 0.25
) -> Tensor:
    """Logits (N, K, H, W) float32 on the runtime's device for images (N, C, H, W) of the model's bands.

    An image longer or wider than `tile` pixels goes through overlapping tiles whose logits are blended;
    `overlap` is what neighbouring tiles have in common, as a share of the tile in [0, 0.75]. Without `tile`,
    images of up to `WHOLE_PIXELS` go through whole. An image's logits do not depend on the others of its
    batch. The model must be in eval mode.

    Raises:
        SettingsError: `tile` or `overlap` is out of range.
    """
    if model.training:
        raise ValueError("class_logits needs a model in eval mode: BatchNorm would mix the images of a batch.")
    if tile is not None and tile < SMALLEST_TILE:
        raise SettingsError(f"tile is {tile}, expected at least {SMALLEST_TILE} pixels. Give 512 or more.")
    if not 0 <= overlap <= 0.75:
        raise SettingsError(f"overlap is {overlap}, expected a share of the tile from 0 to 0.75.")
    height, width = images.shape[-2:]
    if tile is None:
        tile = max(height, width) if height * width <= WHOLE_PIXELS else DEFAULT_TILE
    with torch.inference_mode(), runtime.autocast():
        if max(height, width) > tile:
            return _tiled(model, images, runtime, (tile, round(tile * overlap)))
        # One by one, large images need the memory of one.
        if len(images) * height * width > WHOLE_PIXELS:
            return torch.cat([_whole(model, image[None], runtime) for image in images])
        return _whole(model, images, runtime)


def likeliest(logits: Tensor) -> Tensor:
    """Class ids (N, H, W) uint8 of the largest of the logits (N, K, H, W)."""
    # On a CPU, argmax over a dimension that is not the last takes nine times as long as max.
    return logits.max(dim=1).indices.to(torch.uint8)


def probabilities_of(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities of the K classes, in the shape of `logits` (N, K, H, W): softmax(logits / temperature)."""
    return (logits / temperature).softmax(dim=1)


def _whole(model: Segmenter, images: Tensor, runtime: Runtime) -> Tensor:
    on_device = images.to(runtime.device, memory_format=torch.channels_last, non_blocking=True)
    logits: Tensor = model(on_device).main
    return logits.float()


def _tiled(model: Segmenter, images: Tensor, runtime: Runtime, geometry: tuple[int, int]) -> Tensor:
    """Blend tile by tile, one image after the other, so that memory holds one tile's features."""
    height, width = images.shape[-2:]
    logits: Tensor | None = None
    for i, image in enumerate(images):
        for rows, row_weights in _spans(height, *geometry):
            for columns, column_weights in _spans(width, *geometry):
                piece = _whole(model, image[None, :, rows, columns], runtime)[0]
                # The number of classes is known with the first piece only.
                if logits is None:
                    logits = piece.new_zeros(len(images), len(piece), height, width)
                weights = row_weights[:, None] * column_weights
                logits[i, :, rows, columns] += piece * weights.to(piece.device)
    if logits is None:
        raise ValueError("class_logits needs at least one image")
    return logits


def _spans(length: int, tile: int, overlap: int) -> Iterator[tuple[slice, Tensor]]:
    """Where tiles lie along one side, with weights (tile,) that sum to 1 at every pixel of the side.

    The weights rise and fall as raised cosines over the overlap; the last tile is aligned to the border. They
    are products of rows and columns, so that normalising each side makes the sum over the image 1 as well.
    """
    tile = min(tile, length)
    starts = _starts(length, tile, overlap)
    position = torch.arange(tile, dtype=torch.float64) + 0.5
    # Half a pixel off zero: also the outermost pixel of a tile has a weight above 0.
    edge = torch.minimum(position, tile - position).clamp(max=max(overlap, 1)) / max(overlap, 1)
    window = torch.sin(edge * torch.pi / 2) ** 2
    total = torch.zeros(length, dtype=torch.float64)
    for start in starts:
        total[start : start + tile] += window
    for start in starts:
        span = slice(start, start + tile)
        yield span, (window / total[span]).float()


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """As few evenly spread tiles as the overlap allows; all but the last begin on the grid where they can."""
    last = length - tile
    gaps = -(-last // (tile - overlap))
    grid = _GRID if overlap >= _GRID else 1  # moving to the grid may cost up to one step of overlap
    return [i * last // gaps // grid * grid for i in range(gaps)] + [last]
