"""Images of a model's own bands, drawn to prove an exported file on: values over the ranges and beyond."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.bands import Bands
from pixelwise.data.decoders.deep import DeepImage, PixelArray
from pixelwise.data.planes import as_depth, chosen_values
from pixelwise.data.synthetic.scene import draw_scene

# Of a band's range that is drawn below and above it, where the type has such numbers.
_BEYOND = 0.25

# Of the pixels of noise in float32 that are not numbers, as where a raster has no data.
_GAPS = 0.01


def drawn_images(bands: Bands, count: int, height: int, width: int, *, seed: int) -> tuple[PixelArray, PixelArray]:
    """`count` images (count, C, height, width): as a file is given them, and as the network of `predict` is.

    For photographs street scenes and noise by turns; for other bands smooth waves and noise, from a quarter of the
    range below it to a quarter above.
    """
    generator = np.random.default_rng(seed)
    draw = _photograph if bands.is_photograph else _image
    images = [draw(bands, generator, (height, width), is_noise=i % 2 == 1) for i in range(count)]
    places = [band - 1 for band in bands.chosen]
    given = np.stack([image.values[:, :, places] for image in images]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(given), np.stack([chosen_values(image, bands, Path("drawn")) for image in images])


def _photograph(_: Bands, generator: np.random.Generator, size: tuple[int, int], *, is_noise: bool) -> DeepImage:
    if is_noise:
        return DeepImage(generator.integers(0, 256, (*size, 3), dtype=np.uint8), is_color=True)
    return DeepImage(np.asarray(draw_scene(generator, size[::-1])[0].convert("RGB")), is_color=True)


def _image(bands: Bands, generator: np.random.Generator, size: tuple[int, int], *, is_noise: bool) -> DeepImage:
    """As a file has it: the bands that the network is not given are 0."""
    values: NDArray[Any] = np.zeros((*size, bands.in_file))
    for band, (low, high) in zip(bands.chosen, bands.ranges, strict=True):
        shares = generator.random(size) if is_noise else _waves(generator, size)
        values[:, :, band - 1] = low + ((1 + 2 * _BEYOND) * shares - _BEYOND) * (high - low)
    limit = float(np.finfo(np.float32).max)
    values = as_depth(np.clip(values, -limit, limit), bands.depth)
    if bands.depth == "float32" and is_noise:
        gaps = generator.random(values.shape) < _GAPS
        values[gaps] = generator.choice(np.array([np.nan, np.inf, -np.inf], dtype=np.float32), int(gaps.sum()))
    return DeepImage(values, bands.is_color)


def _waves(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """A mean of three waves of one to sixteen periods across, 0..1."""
    rows, columns = np.mgrid[0.0 : 1.0 : size[0] * 1j, 0.0 : 1.0 : size[1] * 1j]
    waves = []
    for periods in (1, 4, 16):
        angle, phase = generator.uniform(0, 2 * np.pi, 2)
        waves.append(np.sin(2 * np.pi * periods * (rows * np.sin(angle) + columns * np.cos(angle)) + phase))
    mean: NDArray[np.float64] = np.mean(waves, axis=0) / 2 + 0.5
    return mean
