"""What follows from the facts: class weights, a crop size, and which objects are too small or too large for a head."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.facts.regions import ClassRegions
from pixelwise.data.facts.statistics import Facts, ImageSizes, Size
from pixelwise.labels import LabelTable
from pixelwise.menus import CLASS_WEIGHTS
from pixelwise.phrases import length

IMBALANCE_LIMIT = 10
"""Above this ratio of the largest class to the smallest there is a warning."""

LARGEST_WEIGHT = 10.0
"""No rule weighs a class more, in weights of the mean labelled pixel."""

_STEP = 32  # the largest output stride: every feature map then has whole cells
_SMALLEST_CROP, _WHOLE, _LARGEST_CROP = 64, 512, 1024
_FILLED = 0.75


class FieldOfView(NamedTuple):
    """One path through a head and how many pixels of the image it sees across; math.inf: all of them."""

    name: str
    extent_px: float


class CropAdvice(NamedTuple):
    """A crop size and the sentence that says why."""

    size_px: int
    reason: str


def class_weights(
    rule: str | Sequence[float], pixels: Sequence[int], pixels_where_present: Sequence[int]
) -> NDArray[np.float64] | None:
    """Weights (K,) by `rule`, scaled so that the mean weight of a labelled pixel is 1; None for "none".

    No weight of a rule is above `LARGEST_WEIGHT`. A pixel of weight 10 has as much of the loss as ten mean pixels: a
    class of a hundredth of the pixels has a tenth of the loss, which is enough to be learned. Rarer classes would get
    weights in the hundreds (earrings 219, on a set of clothing), with which a few pixels of an image, of a class that
    is seldom labelled well, outweigh all others in the update.

    Args:
        rule: a name of `menus.CLASS_WEIGHTS`, or one number per class, used as given.
        pixels: labelled pixels of each class; a class without pixels has the weight that 1 is scaled to.
        pixels_where_present: labelled pixels of all images in which the class occurs.
    """
    if not isinstance(rule, str):
        return np.asarray(rule, dtype=np.float64)
    weigh: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = CLASS_WEIGHTS[
        rule
    ].built()
    if weigh is None:
        return None
    count = np.asarray(pixels, dtype=np.float64)
    present = count > 0
    weights = np.ones_like(count)
    if not present.any():
        return weights
    weights[present] = weigh(count[present], np.asarray(pixels_where_present, dtype=np.float64)[present])
    weights *= count.sum() / (count * weights).sum()
    return _capped(weights, count)


def _capped(weights: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """`weights` (K,) of mean 1 over the `pixels` (K,) with none above `LARGEST_WEIGHT`; the others share what it frees.

    Each turn lifts the others by one factor, which may carry one of them over the limit, so that it takes up to K. They
    always have pixels: a mean of 1 leaves no room for weights of 10 alone.
    """
    while (weights > LARGEST_WEIGHT).any():
        weights = np.minimum(weights, LARGEST_WEIGHT)
        free = weights < LARGEST_WEIGHT
        left = pixels.sum() - LARGEST_WEIGHT * pixels[~free].sum()
        weights[free] *= left / (pixels * weights)[free].sum()
    return weights


def median_frequency(pixels: NDArray[np.float64], pixels_where_present: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigen and Fergus, arXiv 1411.4734, section 6.2; of the classes that occur, (P,) each."""
    frequency = pixels / pixels_where_present
    return np.asarray(np.median(frequency) / frequency)


def inverse_square_root(pixels: NDArray[np.float64], _pixels_where_present: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / sqrt(share of the pixels); of the classes that occur, (P,) each."""
    return np.asarray(1 / np.sqrt(pixels / pixels.sum()))


def suggested_crop_size(sizes: Mapping[Size, int]) -> CropAdvice | None:
    """A crop size for images of these sizes ({(width, height): images}); None without images.

    The side that at least three quarters of the images have decides, so that few crops are padded. Up to 512 px the
    crop takes all of it, for context is worth more than variety; of larger images it takes half, but at least 512,
    since memory and time grow with the square of the crop (as is customary: 512 of Cityscapes' 1024 rows). It
    is rounded down to a multiple of 32, the largest output stride, and lies between 64 and 1024.
    """
    if not sum(sizes.values()):
        return None
    side = ImageSizes(sizes).shorter_side(_FILLED)
    wanted = side if side <= _WHOLE else max(_WHOLE, side // 2)
    crop = min(max(wanted // _STEP * _STEP, _SMALLEST_CROP), _LARGEST_CROP)
    return CropAdvice(crop, f"crop_size {crop} follows: {_crop_reason(crop, side)}.")


def _crop_reason(crop: int, side: int) -> str:
    seen = f"three quarters of the images are at least {side} px on their shorter side"
    if crop > side:
        return f"{seen}, less than the smallest crop that is useful, so that crops are padded"
    if crop == _LARGEST_CROP:
        return f"{seen}, and larger crops seldom fit into memory; resize the images if objects need more context"
    if side > _WHOLE:
        return f"{seen}, and a crop of about half of it, at least {_WHOLE}, keeps memory and time in bounds"
    return f"{seen}, and the largest multiple of {_STEP} inside needs no padding"


def covering(extent_px: float, branches: Iterable[FieldOfView]) -> FieldOfView | None:
    """The branch that sees an object of this extent whole with the least around it; None if none does."""
    wide_enough = [branch for branch in branches if branch.extent_px >= extent_px]
    return min(wide_enough, key=lambda branch: branch.extent_px, default=None)


def scale_sentences(
    regions: Sequence[ClassRegions], labels: LabelTable, *, output_stride: int, branches: Sequence[FieldOfView] = ()
) -> tuple[str, ...]:
    """Which classes have objects thinner than a cell of the last feature map, or longer than any branch sees.

    An object's size is that up to which half of the class's pixels lie: the median over regions shows the specks
    that drawn masks are full of. Sizes are those of the masks, before any scaling.

    Args:
        regions: the sizes of each class.
        labels: the names of the classes.
        output_stride: pixels of the image to a cell of the last feature map.
        branches: the paths through the head; without any nothing is said of objects that are too large.
    """
    named = list(zip(labels.names, regions, strict=True))
    widest = max(branches, key=lambda branch: branch.extent_px, default=FieldOfView("", math.inf))
    thin = {name: found.typical_thickness_px for name, found in named if found.typical_thickness_px < output_stride}
    long = {name: found.typical_extent_px for name, found in named if found.typical_extent_px > widest.extent_px}
    sentences = []
    if thin:
        sentences.append(
            f"Objects thinner than a cell of the last feature map ({output_stride} px) hold most pixels of "
            f"{_sized(thin)}: a smaller output_stride, a head with a decoder (deeplabv3plus) or larger images show "
            "them better."
        )
    if long:
        sentences.append(
            f"Objects longer than the widest branch ({widest.name}) sees ({widest.extent_px:.0f} px) hold most pixels "
            f"of {_sized(long)}: pooling over the image (psp, deeplab), larger dilations or smaller images show them "
            "whole."
        )
    return tuple(sentences)


def _sized(sizes_px: Mapping[str, float]) -> str:
    return ", ".join(f"{name} ({length(size)})" for name, size in sizes_px.items())


@dataclass(frozen=True)
class Advice:
    """What follows from the facts of a split."""

    weights: Mapping[str, tuple[float, ...]]  # {rule: K numbers}
    crop: CropAdvice | None
    scales: tuple[str, ...]  # sentences

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        crop = None if self.crop is None else {"size": self.crop.size_px, "reason": self.crop.reason}
        weights = {rule: list(numbers) for rule, numbers in self.weights.items()}
        return {"class_weights": weights, "crop_size": crop, "scales": list(self.scales)}


def advise(facts: Facts, *, output_stride: int | None = None, branches: Sequence[FieldOfView] = ()) -> Advice:
    """All advice from `facts`; about scales only where the network's output stride is known."""
    balance = facts.balance
    weights = {
        rule: tuple(numbers.tolist())
        for rule in CLASS_WEIGHTS
        if (numbers := class_weights(rule, balance.pixels, balance.pixels_where_present)) is not None
    }
    scales: tuple[str, ...] = ()
    if output_stride is not None:
        scales = scale_sentences(facts.regions, facts.labels, output_stride=output_stride, branches=branches)
    return Advice(weights, suggested_crop_size(facts.sizes.counts), scales)
