"""Decode one pair into a checked Sample: the only place where files become what a network is given, and class ids."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.decoders.deep import PixelArray
from pixelwise.data.decoders.opening import (
    DECODERS,
    MAX_PIXELS,
    decode_mask,
    image_size,
    load,
    mask_values,
    open_image,
    open_mask,
    orientation,
    read_image,
    to_rgb,
    upright,
    upright_size,
)
from pixelwise.data.findings import FileFault
from pixelwise.data.planes import Picture, Planes, read_picture
from pixelwise.data.refusals import count_ids, unequal_sizes, unknown_ids
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable

__all__ = [
    "DECODERS",
    "MAX_PIXELS",
    "Sample",
    "decode_mask",
    "image_size",
    "load",
    "mask_values",
    "open_image",
    "open_mask",
    "orientation",
    "read_image",
    "read_mask",
    "read_pair",
    "read_sample",
    "to_rgb",
    "to_sample",
    "upright",
    "upright_size",
]


class Sample(NamedTuple):
    """One image and its truth."""

    image: PixelArray  # (C, H, W) in the files' own depth; C = 3, RGB and uint8 as a rule
    class_ids: npt.NDArray[np.uint8]  # (H, W), 0..K-1 or IGNORE


def read_mask(path: Path, labels: LabelTable, label_map: LabelMap | None = None) -> Image.Image:
    """A mode "L" image of class ids, 0..K-1 or IGNORE; palette masks give their indices.

    `label_map` says what the file's values mean; without one they are class ids.

    Raises:
        DataError: the file is broken, not an 8-bit one-channel PNG or holds ids that `labels` lacks.
    """
    mask = decode_mask(path)
    if label_map is not None:
        mask = label_map.resolved(labels.num_classes).apply(mask)
    finding = unknown_ids(path, mask, count_ids(mask), labels.num_classes)
    if finding is not None:
        raise FileFault(finding)
    return mask


def read_pair(pair: Pair, labels: LabelTable, bands: Bands = PHOTOGRAPH) -> tuple[Picture, Image.Image]:
    """Image (of `bands`, RGB of 8 bits as a rule) and mask ("L", class ids) of equal size."""
    if pair.mask is None:
        raise DataError(f"{pair.image}: has no mask, and one is needed here. Give the folder of masks.")
    image, mask = read_picture(pair.image, bands), read_mask(pair.mask, labels, pair.label_map)
    if image.size != mask.size:
        turned = isinstance(image, Image.Image) and orientation(open_image(pair.image)) > 4
        raise FileFault(unequal_sizes(pair, image.size, mask.size, turned=turned))
    return image, mask


def read_sample(pair: Pair, labels: LabelTable, bands: Bands = PHOTOGRAPH) -> Sample:
    """The whole image at its own size with its class ids."""
    return to_sample(*read_pair(pair, labels, bands))


def to_sample(image: Picture, mask: Image.Image) -> Sample:
    """Pixels as arrays: (C, H, W) and (H, W), both contiguous."""
    if isinstance(image, Planes):
        return Sample(image.values(), np.array(mask))
    return Sample(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)), np.array(mask))
