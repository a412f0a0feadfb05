"""A closer look at two pictures whose fingerprints are near: whether they agree where they are finely drawn."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pixelwise.data.check.duplicates import same_picture
from pixelwise.data.reading import load, open_image, orientation, to_rgb, upright
from pixelwise.errors import DataError

ALIKE = 0.4
"""The correlation that three quarters of the blocks of a copy reach.

Measured on retinas, micrographs, road surfaces, tiles, streets, people and aerial pictures: photographs recompressed
(JPEG 50 to 95), rescaled (50 to 90 %), changed in brightness, contrast and colour, shifted or cropped by a hundredth,
and one photograph in the colours of another film, have 0.56 and more. Unlike pictures whose fingerprints are near have
0.19 at most: retinas, whose rims and large vessels agree; textures have 0.11.
"""

_SIDE, _BLOCK, _REACH = 128, 16, 2  # pixels; the third is how far a copy may be shifted
_BLUR = 3  # pixels; what is coarser, the fingerprints have compared
_FLAT = 0.7  # gray levels of standard deviation; below it are rounding and the marks of JPEG

_QUARTER = 25  # percent

_Plane = npt.NDArray[np.float32]


def relation(first: Path, second: Path) -> Literal["same", "near", "unlike"]:
    """What two image files whose fingerprints are near are to each other; a file that does not decode is unlike all.

    "near" takes agreement in fine detail, so that pictures of one composition (a disc on black, a plain tile) are
    unlike, and pictures without detail are "same" or "unlike".
    """
    try:
        agreement = detail_agreement(_gray(first), _gray(second))
    except DataError:
        return "unlike"
    if agreement is not None and agreement < ALIKE:
        return "unlike"
    if same_picture(first, second):
        return "same"
    return "unlike" if agreement is None else "near"


def detail_agreement(first: Image.Image, second: Image.Image) -> float | None:
    """How well two mode "L" pictures agree in detail, -1 to 1: three quarters of their blocks correlate as well.

    Both are brought to one size, what is coarse is taken from them, and blocks are compared by normalised correlation
    at the shift that suits them best together, or a pixel beside it, as a crop changes the scale. Blocks that are flat
    in both say nothing; None if all are.
    """
    one, other = _detail(first), _detail(second)
    shifts = 2 * _REACH + 1
    size = _SIDE - shifts + 1
    blocks = _blocks(one[_REACH:-_REACH, _REACH:-_REACH])
    found = np.empty((shifts, shifts, len(blocks)), dtype=np.float32)
    for top, left in np.ndindex(shifts, shifts):
        found[top, left] = _correlations(blocks, _blocks(other[top : top + size, left : left + size]))
    known = ~np.isnan(found).any(axis=(0, 1))
    if not known.any():
        return None
    found = found[:, :, known]
    together = np.percentile(found, _QUARTER, axis=2)
    top, left = (int(i) for i in np.unravel_index(int(together.argmax()), together.shape))
    nearby = found[max(0, top - 1) : top + 2, max(0, left - 1) : left + 2]
    return float(np.percentile(nearby.max(axis=(0, 1)), _QUARTER))


def _gray(path: Path) -> Image.Image:
    image = open_image(path)
    turn = orientation(image)
    image.draft(None, (2 * _SIDE, 2 * _SIDE))  # of a large JPEG no more is decoded
    gray = to_rgb(load(image, path)).convert("L")
    return gray if image.format == "TIFF" else upright(gray, turn)  # Pillow itself has turned a TIFF


def _detail(gray: Image.Image) -> _Plane:
    small = gray.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    coarse = small.filter(ImageFilter.GaussianBlur(_BLUR))
    return np.asarray(small, dtype=np.float32) - np.asarray(coarse, dtype=np.float32)


def _blocks(plane: _Plane) -> _Plane:
    """(N, pixels) of the whole blocks of a plane, each less its mean."""
    count = plane.shape[0] // _BLOCK
    side = count * _BLOCK
    blocks = plane[:side, :side].reshape(count, _BLOCK, count, _BLOCK).swapaxes(1, 2).reshape(count**2, _BLOCK**2)
    centred: _Plane = blocks - blocks.mean(axis=1, keepdims=True)
    return centred


def _correlations(blocks: _Plane, others: _Plane) -> _Plane:
    """(N,) of N blocks; NaN for those that are flat in both."""
    spread, spread_of_others = (np.sqrt((side * side).mean(axis=1)) for side in (blocks, others))
    correlation: _Plane = (blocks * others).mean(axis=1) / np.maximum(spread * spread_of_others, (_FLAT / 2) ** 2)
    correlation[np.maximum(spread, spread_of_others) < _FLAT] = np.nan
    return correlation
