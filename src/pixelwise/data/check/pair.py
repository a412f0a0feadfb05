"""Look at one image and its mask: everything that the two files alone can show."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.data.check.alpha import transparency
from pixelwise.data.check.depth import DeepFacts, deep_facts, quick_look
from pixelwise.data.check.duplicates import FINEST, Fingerprint, fingerprint
from pixelwise.data.check.mask import MaskLook, look_at_mask
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.decoders.heif import BITS
from pixelwise.data.facts.regions import Regions, regions
from pixelwise.data.facts.statistics import PixelMoments
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.raw import RawMask
from pixelwise.data.reading import load, orientation, to_rgb, upright_size
from pixelwise.data.refusals import unequal_sizes


class Measured(NamedTuple):
    """What takes a closer look, at some of the pairs."""

    regions: Regions | None
    mask_size: int  # pixels
    moments: PixelMoments


class Look(NamedTuple):
    """What one pair showed; None and empty where a file cannot be read."""

    size: tuple[int, int] | None  # (width, height) of the upright image
    counts: dict[int, int]  # {class id or IGNORE: pixels}
    unlisted: dict[int, int]  # {value in the file that the label map does not list: pixels}
    findings: list[Finding]
    raw: RawMask | None  # a mask of any kind that can be decoded and is not smoothed
    fingerprint: Fingerprint | None
    measured: Measured | None
    deep: DeepFacts | None = None  # of an image that is no photograph of 8 bits


class _ImageLook(NamedTuple):
    size: tuple[int, int]
    turned: bool
    fingerprint: Fingerprint
    moments: PixelMoments | None
    deep: DeepFacts | None = None


def look_at(pair: Pair, *, num_classes: int | None, crop_size: int | None, closely: bool) -> Look:
    """Decode both files of a pair; `closely` measures regions and pixels as well, which takes the whole image."""
    findings: list[Finding] = []
    image: _ImageLook | None = None
    mask: MaskLook | None = None
    try:
        image = _look_at_image(pair.image, crop_size, findings, closely=closely)
    except FileFault as error:
        findings.append(error.finding)
    try:
        mask = look_at_mask(pair, num_classes, findings)
    except FileFault as error:
        findings.append(error.finding)
    if image and mask and image.size != mask.size:
        findings.append(unequal_sizes(pair, image.size, mask.size, turned=image.turned))
    measured = None
    if image is not None and image.moments is not None:
        measured = _measured(mask.ids if mask else None, image.moments)
    return Look(
        image.size if image else None,
        mask.counts if mask else {},
        mask.unlisted if mask else {},
        findings,
        mask.raw.without_pixels() if mask and mask.raw else None,
        image.fingerprint if image else None,
        measured,
        image.deep if image else None,
    )


def _measured(mask: Image.Image | None, moments: PixelMoments) -> Measured:
    if mask is None:
        return Measured(None, 0, moments)
    return Measured(regions(np.asarray(mask)), mask.width * mask.height, moments)


def _look_at_image(path: Path, crop_size: int | None, findings: list[Finding], *, closely: bool) -> _ImageLook:
    image = decode(path)
    if isinstance(image, DeepImage):
        facts = deep_facts(image)
        findings += _small(path, image.size, crop_size)
        picture = quick_look(image, facts.samples)
        return _ImageLook(image.size, False, fingerprint(picture), PixelMoments() if closely else None, facts)
    stored = image.size
    findings += _unusual(path, image)
    size = upright_size(load(image, path, small=not closely), stored)
    findings += transparency(path, image)
    findings += _small(path, size, crop_size)
    rgb = to_rgb(image)
    turned = orientation(image) > 4
    if not closely:
        return _ImageLook(size, turned, fingerprint(rgb), None)
    moments = PixelMoments()
    # Every fourth pixel of every fourth row: as good for a mean, and a sixteenth of the work.
    moments.add(rgb.resize((max(1, rgb.width // 4), max(1, rgb.height // 4)), Image.Resampling.NEAREST))
    small = rgb.reduce(8) if min(rgb.size) >= 8 * FINEST else rgb
    return _ImageLook(size, turned, fingerprint(small), moments)


def _small(path: Path, size: tuple[int, int], crop_size: int | None) -> list[Finding]:
    if crop_size is None or 2 * max(size) >= crop_size:
        return []
    return [
        Finding(
            path, f"is {size[0]} x {size[1]} px, less than half the crop of {crop_size} px",
            "images about as large as the crop", "Choose a smaller crop_size; the rest of the crop is padding.",
            "image-small",
        )
    ]  # fmt: skip


def _unusual(path: Path, image: Image.Image) -> list[Finding]:
    """What in an image's kind will be changed on the way to 8-bit RGB."""
    found = []
    if image.mode == "CMYK":
        found.append(("image-cmyk", "has the colours of print (CMYK)", "RGB", "Convert it with its colour profile."))
    if BITS in image.info:
        found.append(("image-16-bit", f"has {image.info[BITS]} bits a channel", "8 bits", "It is reduced to 8 bits."))
    if getattr(image, "is_animated", False):
        found.append(("image-animated", "has several frames", "one picture", "The first frame is taken."))
    return [Finding(path, text, expected, remedy, code) for code, text, expected, remedy in found]
