"""Paired random scale, crop, flip, turn, colour and blur; only the pixels that land in the crop are resampled.

Photographs stay Pillow's RGB pictures throughout. Of deep images every band is cut as one, in its own depth, and colour
and blur are computed in floating point: at no point is anything reduced to 8 bits.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.planes import Picture, Planes, as_depth, of_each
from pixelwise.data.rare import rare_pixel
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

_TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


class _Span(NamedTuple):
    """One axis of a crop: source pixels `start`..`stop` fill `filled` pixels of it from `offset` on."""

    start: float
    stop: float
    filled: int
    offset: int


class _Place(NamedTuple):
    """Where a crop lies in its image, and what of its square that fills."""

    columns: _Span
    rows: _Span
    side: int


class _Wish(NamedTuple):
    """What is done to the colours and the sharpness of a crop; None: nothing."""

    colors: tuple[float, ...] | None  # see `color_matrix`
    blur: float | None  # pixels


def augment(
    image: Picture,
    mask: Image.Image,
    settings: Settings,
    *,
    generator: np.random.Generator,
    mirrored: tuple[int, ...],
    bands: Bands = PHOTOGRAPH,
    rare: Sequence[int] = (),
) -> Sample:
    """A random square crop of `settings.crop_size` pixels, out of an image of `bands` and its "L" mask.

    Where the scaled image does not fill the crop the mask is IGNORE and the image `padding(bands)`.
    `mirrored[i]` is the class that class i becomes in a flipped image; `rare` are the classes that a share of
    `settings.rare_crops` is laid around, each place of the crop that holds the drawn pixel alike. The number of draws
    from `generator` depends neither on the image nor on the settings.
    """
    scale, left, top, flip, blur, radius = generator.random(6).tolist()
    jitter = generator.uniform(-1, 1, 4)
    # Behind the older draws, so that these are what they were.
    half_turn, quarter_turn, rarity, which, pixel = generator.random(5).tolist()
    factor = settings.scale_min + scale * (settings.scale_max - settings.scale_min)
    if settings.base_size is not None:
        factor *= settings.base_size / max(image.size)
    around = rare_pixel(mask, rare, which, pixel) if rarity < settings.rare_crops else None
    column, row = around or (None, None)
    columns = _span(image.width, factor, settings.crop_size, left, column)
    rows = _span(image.height, factor, settings.crop_size, top, row)
    # Padding comes after colours and blur, which so leave it as it is.
    place = _Place(columns, rows, settings.crop_size)
    wish = _Wish(
        color_matrix(settings.color_jitter, jitter) if settings.color_jitter else None,
        radius * _LARGEST_BLUR_RADIUS if blur < settings.blur else None,
    )
    mask = _padded(_cut(mask, place, Image.Resampling.NEAREST), place, IGNORE)
    crop = _cropped(image, place, wish, bands)
    if flip < settings.flip:
        crop, mask = flipped(crop, mask, mirrored)
    if not settings.upright:
        crop, mask = turned(crop, mask, 2 * (half_turn < 0.5) + (quarter_turn < 0.5))
    return to_sample(crop, mask)


def padding(bands: Bands) -> tuple[float, ...]:
    """What fills a crop where the image ends, a value a band: after normalisation it is about 0."""
    if bands.is_photograph:
        return PADDING_COLOR
    shares = [share / 255 for share in PADDING_COLOR] if bands.count == 3 else [sum(PADDING_COLOR) / 765] * bands.count
    return bands.values(shares)


def _cropped(image: Picture, place: _Place, wish: _Wish, bands: Bands) -> Picture:
    if isinstance(image, Image.Image):
        return _of_photograph(image, place, wish)
    return _of_planes(image, place, wish, bands)


def _of_photograph(image: Image.Image, place: _Place, wish: _Wish) -> Image.Image:
    crop = _cut(image, place, Image.Resampling.BILINEAR)
    if wish.colors is not None:
        crop = crop.convert("RGB", wish.colors)
    if wish.blur is not None:
        crop = crop.filter(ImageFilter.GaussianBlur(wish.blur))
    return _padded(crop, place, PADDING_COLOR)


def _of_planes(image: Planes, place: _Place, wish: _Wish, bands: Bands) -> Planes:
    cut = [_cut(picture, place, Image.Resampling.BILINEAR) for picture in image.pictures]
    if (wish.colors is not None and bands.shows_color) or wish.blur is not None:
        values = np.stack([np.asarray(picture) for picture in cut]).astype(np.float64)
        if wish.colors is not None and bands.shows_color:
            values[:3] = _recolored(values[:3], np.reshape(wish.colors, (3, 4)), bands)
        if wish.blur is not None:
            values = gaussian_filter(values, wish.blur, axes=(1, 2), mode="nearest")
        cut = list(Planes.of(as_depth(values, image.depth)).pictures)
    filling = zip(cut, padding(bands), strict=True)
    return Planes(tuple(_padded(picture, place, value) for picture, value in filling), image.depth)


def _recolored(values: npt.NDArray[np.float64], matrix: np.ndarray, bands: Bands) -> npt.NDArray[np.float64]:
    """Red, green and blue (3, H, W) under a matrix that is meant for 0..255, inside their ranges."""
    low, high = np.array(bands.ranges[:3]).T[:, :, None, None]
    photo = 255 * (values - low) / (high - low)
    mixed = np.tensordot(matrix[:, :3], photo, axes=1) + matrix[:, 3:, None]
    inside: npt.NDArray[np.float64] = low + (high - low) * np.clip(mixed / 255, 0, 1)
    return inside


def flipped(image: Picture, mask: Image.Image, mirrored: tuple[int, ...]) -> tuple[Picture, Image.Image]:
    """Image and mask mirrored left to right, with left and right classes swapped."""
    image = of_each(image, _mirror)
    mask = _mirror(mask)
    if any(partner != class_id for class_id, partner in enumerate(mirrored)):
        mask = mask.point([*mirrored, *range(len(mirrored), 256)])
    return image, mask


def turned(image: Picture, mask: Image.Image, quarters: int) -> tuple[Picture, Image.Image]:
    """Image and mask turned by so many quarters, 0 to 3, against the clock.

    Turning leaves left and right classes as they are: a left hand stays one, as only a mirror makes it a right hand. So
    whatever is mirrored goes through `flipped`; turns of it give the other mirror images, such as upside down.
    """
    turn = _TURNS[quarters]
    if turn is None:
        return image, mask
    return of_each(image, lambda picture: picture.transpose(turn)), mask.transpose(turn)


def _mirror(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


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


def _span(length: int, factor: float, side: int, place: float, pixel: int | None = None) -> _Span:
    """One axis of a crop at `place` in [0, 1); where a `pixel` of the image is given, among the places that hold it."""
    scaled = max(1, round(length * factor))
    filled = min(scaled, side)
    lowest, highest = 0, scaled - filled
    if pixel is not None:
        there = int((pixel + 0.5) * scaled / length)  # its middle in the scaled image
        lowest, highest = max(lowest, there - filled + 1), min(highest, there)
    # One of the two has no choice: either the crop moves over the image or the image over the crop.
    first = lowest + int(place * (highest - lowest + 1))
    offset = int(place * (side - filled + 1))
    # Whole pixels of the scaled image, so that the crop equals resizing everything and cropping then.
    return _Span(first * length / scaled, min(length, (first + filled) * length / scaled), filled, offset)


def _cut(image: Image.Image, place: _Place, resample: Image.Resampling) -> Image.Image:
    columns, rows = place.columns, place.rows
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return image.resize((columns.filled, rows.filled), resample, box=box)


def _padded(crop: Image.Image, place: _Place, color: float | tuple[int, int, int]) -> Image.Image:
    if crop.size == (place.side, place.side):
        return crop
    value = round(color) if isinstance(color, float) and crop.mode != "F" else color
    canvas = Image.new(crop.mode, (place.side, place.side), value)
    canvas.paste(crop, (place.columns.offset, place.rows.offset))
    return canvas
