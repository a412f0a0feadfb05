"""Paired random scale, crop, flip, colour and blur; only the pixels that land in the crop are resampled."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from pixelwise.data.reading import Sample, to_sample
from pixelwise.labels import IGNORE
from pixelwise.settings import Settings

PADDING_COLOR = (124, 116, 104)
"""Mean of ImageNet in RGB: after normalisation the padding is about 0."""

_LARGEST_HUE_TURN = math.radians(45)
_LARGEST_BLUR_RADIUS = 1.0  # pixels, as in GluonCV's recipe
_LUMA = np.array([0.299, 0.587, 0.114])
# RGB -> YIQ (NTSC), where hue is an angle in the plane of the last two axes.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = np.linalg.inv(_YIQ)


class _Span(NamedTuple):
    """One axis of a crop: source pixels `start`..`stop` fill `filled` pixels of it from `offset` on."""

    start: float
    stop: float
    filled: int
    offset: int


def augment(
    image: Image.Image,
    mask: Image.Image,
    settings: Settings,
    *,
    generator: np.random.Generator,
    mirrored: tuple[int, ...],
) -> Sample:
    """A random square crop of `settings.crop_size` pixels, out of an RGB image and its "L" mask.

    Where the scaled image does not fill the crop the mask is IGNORE and the image PADDING_COLOR.
    `mirrored[i]` is the class that class i becomes in a flipped image. The number of draws from
    `generator` depends neither on the image nor on the settings.
    """
    scale, left, top, flip, blur, radius = generator.random(6).tolist()
    jitter = generator.uniform(-1, 1, 4)
    factor = settings.scale_min + scale * (settings.scale_max - settings.scale_min)
    if settings.base_size is not None:
        factor *= settings.base_size / max(image.size)
    columns = _span(image.width, factor, settings.crop_size, left)
    rows = _span(image.height, factor, settings.crop_size, top)
    crop = _cut(image, columns, rows, Image.Resampling.BILINEAR)
    if settings.color_jitter:
        crop = crop.convert("RGB", color_matrix(settings.color_jitter, jitter))
    if blur < settings.blur:
        crop = crop.filter(ImageFilter.GaussianBlur(radius * _LARGEST_BLUR_RADIUS))
    # Padding comes after colours and blur, which so leave it as it is.
    crop = _padded(crop, columns, rows, settings.crop_size, PADDING_COLOR)
    mask = _cut(mask, columns, rows, Image.Resampling.NEAREST)
    mask = _padded(mask, columns, rows, settings.crop_size, IGNORE)
    return to_sample(*(flipped(crop, mask, mirrored) if flip < settings.flip else (crop, mask)))


def flipped(image: Image.Image, mask: Image.Image, mirrored: tuple[int, ...]) -> tuple[Image.Image, Image.Image]:
    """Image and mask mirrored left to right, with left and right classes swapped."""
    image, mask = (each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in (image, mask))
    if any(partner != class_id for class_id, partner in enumerate(mirrored)):
        mask = mask.point([*mirrored, *range(len(mirrored), 256)])
    return image, mask


def color_matrix(strength: float, draws: np.ndarray) -> tuple[float, ...]:
    """Brightness, contrast, saturation and hue as one 3 x 4 matrix for `Image.convert`.

    `draws` are four numbers in -1..1; at `strength` 0.4 the first three factors lie in 0.6..1.4 and
    the hue turns by up to 18 degrees.
    """
    brightness, contrast, saturation = 1 + strength * draws[:3]
    angle = strength * draws[3] * _LARGEST_HUE_TURN
    turn = np.array([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])
    saturate = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    matrix = contrast * brightness * (_RGB @ turn @ _YIQ @ saturate)
    offset = 127.5 * (1 - contrast)
    return tuple(np.column_stack([matrix, np.full(3, offset)]).ravel().tolist())


def _span(length: int, factor: float, side: int, place: float) -> _Span:
    scaled = max(1, round(length * factor))
    filled = min(scaled, side)
    # One of the two is 0: either the crop moves over the image or the image over the crop.
    first = int(place * (scaled - filled + 1))
    offset = int(place * (side - filled + 1))
    # Whole pixels of the scaled image, so that the crop equals resizing everything and cropping then.
    return _Span(first * length / scaled, min(length, (first + filled) * length / scaled), filled, offset)


def _cut(image: Image.Image, columns: _Span, rows: _Span, resample: Image.Resampling) -> Image.Image:
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return image.resize((columns.filled, rows.filled), resample, box=box)


def _padded(
    crop: Image.Image, columns: _Span, rows: _Span, side: int, color: int | tuple[int, int, int]
) -> Image.Image:
    if crop.size == (side, side):
        return crop
    canvas = Image.new(crop.mode, (side, side), color)
    canvas.paste(crop, (columns.offset, rows.offset))
    return canvas
