"""Items of matched images and masks; masks of another scale than their image are brought to it."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.convert.conversion import Item
from pixelwise.data.convert.matching.pairing import Match
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError

ClassIds = npt.NDArray[np.uint8]

_LOOKED_AT = 40


def fitted_items(
    matches: Sequence[Match], source: Source, class_ids: Callable[[Match], ClassIds]
) -> tuple[list[Item], list[str]]:
    """An item for each match and a note when masks have their image's proportions at another scale.

    Whether such masks are common is told by 40 pairs; where none of these is, a mask of another size is left to be
    refused. `class_ids` decodes (H, W) at the mask's own size.
    """
    looked_at = matches[:: max(1, len(matches) // _LOOKED_AT)]
    scaled = sum(_is_scaled(one, source, class_ids) for one in looked_at)
    if not scaled:
        return [Item(one.name, one.image, one.split, partial(class_ids, one)) for one in matches], []

    def fitted(match: Match) -> ClassIds:
        return _fitted(class_ids(match), image_shape(source.read(match.image), match.image))

    note = (
        f"{scaled} of {len(looked_at)} masks looked at have the proportions of their image at another size; such masks "
        "are enlarged or reduced to it without smoothing."
    )
    return [Item(one.name, one.image, one.split, partial(fitted, one)) for one in matches], [note]


def _is_scaled(match: Match, source: Source, class_ids: Callable[[Match], ClassIds]) -> bool:
    try:
        shape = image_shape(source.read(match.image), match.image)
        own = class_ids(match).shape
    except DataError:  # reported when the item is converted
        return False
    return own != shape and _has_proportions(own, shape)


def _has_proportions(own: tuple[int, ...], shape: tuple[int, int]) -> bool:
    # A pixel of rounding on either side.
    return abs(shape[1] * own[0] - shape[0] * own[1]) <= max(*shape, *own)


def _fitted(class_ids: ClassIds, shape: tuple[int, int]) -> ClassIds:
    if class_ids.shape == shape or not _has_proportions(class_ids.shape, shape):
        return class_ids
    resized: ClassIds = np.array(Image.fromarray(class_ids).resize(shape[::-1], Image.Resampling.NEAREST))
    return resized
