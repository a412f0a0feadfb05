"""Whether images have an up, and whether their rows and columns, or left and right, differ.

It decides whether a network may be shown turned images. Asked is whether an image can be told from its turned copy by
what is coarse in it: colours, detail and classes of one half against the other, and how sharply it changes along rows
and along columns. Two things must come together, since either alone misleads:

- It is seen in new images. A rule is found on seven eighths of the images and tried on the rest, in blocks of
  neighbours, as these may be frames of one video. One number comes from many features, so that none is picked because
  it differs by chance.
- It is large. Slices of one specimen share a slight trend of brightness in all of them, which makes no up: the means
  of the halves must lie apart by a fifth of the spread of pixels inside an image at least, what is called a small
  effect (Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2); rows and columns by a
  quarter.

In doubt images have an up: training without turns costs variety, training with wrong ones shows what never occurs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.facts.sampling import Bound, sampled
from pixelwise.data.planes import Picture, Planes, of_each
from pixelwise.data.reading import read_pair
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.phrases import counted
from pixelwise.values import strict_json

Array = NDArray[np.float64]

_BOUND = Bound(most=200, least=16, pixels=40_000_000)
_SIDE = 128  # pixels of the longer side that are looked at
_FEWEST = 8  # images; of fewer a rule cannot be found and tried
_FOLDS = 8
_TOLD = 0.75  # half of what there is between guessing and certainty
_SMALL_EFFECT = 0.2
_SMALL_FACTOR = 1.25
_NOISE = 1e-3  # of the range of values: steadies ratios of flat images


@dataclass(frozen=True)
class Asymmetry:
    """How two directions of the images differ; NaN where there are too few images."""

    told: float
    """Share (0 to 1) of the images that a rule found on the others tells from their turned copies; guessing is 0.5."""
    size: float
    """The largest mean difference: of halves in spreads of pixels inside an image, of rows and columns a factor."""
    by: str
    """What differs most: a band, "detail", "outlines" or a class."""
    differs: bool
    """Whether both are more than little."""


@dataclass(frozen=True)
class Orientation:
    """What some images of a split say of directions."""

    images: int
    up_down: Asymmetry
    left_right: Asymmetry
    rows_columns: Asymmetry

    @property
    def is_known(self) -> bool:
        """Whether there are images enough to say anything."""
        return self.images >= _FEWEST

    @property
    def has_up(self) -> bool:
        """Whether top and bottom differ; also where nothing is known."""
        return self.up_down.differs or not self.is_known

    @property
    def upright(self) -> bool:
        """The setting `upright`: whether crops keep their up. One flag decides: also where only quarters matter."""
        return self.has_up or self.rows_columns.differs

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        if not self.is_known:
            few = counted(self.images, "image")
            return f"Images are taken to have an up: {few} of the {_FEWEST} that are needed to see whether they do."
        ends, turned = self.up_down, self.rows_columns
        if self.has_up:
            return (
                f"Images have an up: {ends.told:.0%} of {self.images} are told from upside-down copies; top and bottom "
                f"differ most in {ends.by}, by {ends.size:.2f} of its spread over pixels."
            )
        if self.upright:
            return (
                f"Images keep their direction: {turned.told:.0%} of {self.images} are told from copies turned by a "
                f"quarter; rows and columns differ most in {turned.by}, by a factor of {turned.size:.2f}."
            )
        return (
            f"Images have no up: of {self.images}, {ends.told:.0%} are told from upside-down copies, of which halves "
            f"differ by {ends.size:.2f} of the spread over pixels at most, and {turned.told:.0%} from copies turned by "
            f"a quarter, by a factor of {turned.size:.2f} at most."
        )

    def to_json(self) -> dict[str, Any]:
        """The numbers and what follows from them, null for NaN."""
        sides = ("up_down", "left_right", "rows_columns")
        found = {name: strict_json(vars(getattr(self, name))) for name in sides}
        return {"images": self.images, "upright": self.upright, "reason": self.reason, **found}


class _Look(NamedTuple):
    """What one image shows, by features."""

    up_down: Array  # (F,) mean of the top half less that of the bottom half
    left_right: Array  # (F,)
    variance: Array  # (F,) of the pixels
    rows_columns: Array  # (2,) logarithm of changes along rows over changes along columns


def orientation_of(pairs: Sequence[Pair], labels: LabelTable, bands: Bands = PHOTOGRAPH) -> Orientation:
    """What up to 200 images and masks, spread evenly over `pairs`, say; of large images fewer.

    Raises:
        DataError: a file cannot be read.
    """

    def look(pair: Pair) -> tuple[int, _Look]:
        image, mask = read_pair(pair, labels, bands)
        return image.width * image.height, _looked(*_small(image, mask, bands), labels.num_classes)

    looks = sampled(pairs, look, _BOUND)
    if len(looks) < _FEWEST:
        unknown = Asymmetry(math.nan, math.nan, "", differs=False)
        return Orientation(len(looks), unknown, unknown, unknown)
    up_down, left_right, variance, rows_columns = (np.stack(each) for each in zip(*looks, strict=True))
    spread = np.sqrt(variance.mean(axis=0))
    colors = ("red", "green", "blue") if bands.is_photograph else tuple(f"band {band}" for band in bands.chosen)
    names = (*colors, "detail", *labels.names)
    ratio = _asymmetry(rows_columns, np.ones(2), ("detail", "outlines"), math.log(_SMALL_FACTOR))
    return Orientation(
        images=len(looks),
        up_down=_asymmetry(up_down, spread, names, _SMALL_EFFECT),
        left_right=_asymmetry(left_right, spread, names, _SMALL_EFFECT),
        rows_columns=Asymmetry(ratio.told, math.exp(ratio.size), ratio.by, ratio.differs),
    )


def _asymmetry(differences: Array, unit: Array, names: Sequence[str], small: float) -> Asymmetry:
    """What differences (N, F) between two directions say; their means are measured in `unit` (F,)."""
    means = np.abs(differences.mean(axis=0))
    sizes = np.divide(means, unit, out=np.zeros_like(means), where=unit > 1e-9)
    most = int(sizes.argmax())
    told, size = _told(differences), float(sizes[most])
    # One standard error of a share is granted: few images are no reason to take the risk.
    differs = told + 0.5 / math.sqrt(len(differences)) >= _TOLD and size >= small
    return Asymmetry(told, size, names[most], differs)


def _told(differences: Array) -> float:
    """Share of the images whose differences (N, F) point to where those of the others do, feature by feature.

    Every feature counts by its mean over its mean square, as in a linear discriminant without covariances.
    """
    number = len(differences)
    block = np.arange(number) * _FOLDS // number
    points = np.zeros(number)
    for i in range(_FOLDS):
        others = differences[block != i]
        square = (others**2).mean(axis=0)
        weights = np.divide(others.mean(axis=0), square, out=np.zeros_like(square), where=square > 1e-12)
        points[block == i] = np.sign(differences[block == i] @ weights)
    return float((points + 1).mean() / 2)


def _small(image: Picture, mask: Image.Image, bands: Bands) -> tuple[Array, NDArray[np.uint8]]:
    """(C, H, W) of values from 0 to 1 in the bands' ranges, and (H, W) of class ids, of 128 pixels a side at most."""
    factor = min(1.0, _SIDE / max(image.size))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    shrunk = of_each(image, lambda picture: picture.resize(size, Image.Resampling.BILINEAR))
    values = shrunk.values() if isinstance(shrunk, Planes) else np.asarray(shrunk).transpose(2, 0, 1)
    low, high = np.array(bands.ranges).T[:, :, None, None]
    inside = np.clip((values - low) / (high - low), 0, 1)
    return inside, np.asarray(mask.resize(size, Image.Resampling.NEAREST))


def _looked(values: Array, class_ids: NDArray[np.uint8], num_classes: int) -> _Look:
    down, across = (np.abs(np.diff(values, axis=axis, prepend=values.take([0], axis=axis))) for axis in (1, 2))
    planes = np.concatenate([values, (down + across).mean(axis=0)[None]])
    shares = _shares(class_ids, num_classes)
    return _Look(
        np.append(_halves(planes), _halves_of_classes(class_ids, num_classes)),
        np.append(_halves(planes.transpose(0, 2, 1)), _halves_of_classes(class_ids.T, num_classes)),
        np.append(planes.var(axis=(1, 2)), shares * (1 - shares)),
        np.log([(across.mean() + _NOISE) / (down.mean() + _NOISE), _outlines(class_ids.T) / _outlines(class_ids)]),
    )


def _halves(planes: Array) -> Array:
    """(F,) of planes (F, H, W): the mean of the top half less that of the bottom half."""
    half = max(1, planes.shape[1] // 2)
    difference: Array = planes[:, :half].mean(axis=(1, 2)) - planes[:, -half:].mean(axis=(1, 2))
    return difference


def _halves_of_classes(class_ids: NDArray[np.uint8], num_classes: int) -> Array:
    """(K,) share of each class in the top half less that in the bottom half; 0 where one has no labelled pixel."""
    half = max(1, len(class_ids) // 2)
    top, bottom = class_ids[:half], class_ids[-half:]
    if (top == IGNORE).all() or (bottom == IGNORE).all():
        return np.zeros(num_classes)
    return _shares(top, num_classes) - _shares(bottom, num_classes)


def _shares(class_ids: NDArray[np.uint8], num_classes: int) -> Array:
    """(K,) of the labelled pixels."""
    counts = np.bincount(class_ids.ravel(), minlength=256)[:num_classes]
    return np.asarray(counts / max(1, counts.sum()))


def _outlines(class_ids: NDArray[np.uint8]) -> int:
    """How often the class changes from a row to the next, ignored pixels apart; 1 more, so that there is a ratio."""
    above, below = class_ids[:-1], class_ids[1:]
    return 1 + int(np.count_nonzero((above != below) & (above != IGNORE) & (below != IGNORE)))
