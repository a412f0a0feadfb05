"""Which images a report shows as pictures, and how these are made small enough for a page."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.report.run.content import Panel
from pixelwise.scoring.evaluation import ImageFacts

EACH, GROUPS = 8, 3
"""So many images at most in each of so many groups: the worst, those around the median and the best."""
LONGER_SIDE = 640
"""No picture of a panel is longer, in pixels."""


def choose(images: Sequence[ImageFacts], *, each: int = EACH) -> dict[str, list[int]]:
    """Indices of the images to show: "worst" and "best" by mean IoU, the extremes first, and those around the median.

    No image is in two groups; with fewer than three times `each` all groups are smaller. Of equal images the first
    counts as worse; those where nothing could be measured are left out.
    """
    return choose_by([image.mean_iou for image in images], each=each)


def choose_by(mean_ious: Sequence[float], *, each: int = EACH) -> dict[str, list[int]]:
    """`choose` by the numbers alone."""
    ordered = sorted((i for i, value in enumerate(mean_ious) if not math.isnan(value)), key=mean_ious.__getitem__)
    number = len(ordered)
    # With few images the worst are shown rather than none: they teach the most.
    worst = min(each, -(-number // 3))
    best = min(each, (number - worst + 1) // 2)
    median = min(each, number - worst - best)
    start = min(max((number - median) // 2, worst), number - best - median)
    return {
        "worst": ordered[:worst],
        "median": ordered[start : start + median],
        "best": ordered[number - best :][::-1],
    }


def make_panel(
    name: str,
    image: Image.Image,
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    confidence: NDArray[Any],
) -> Panel:
    """A panel of at most LONGER_SIDE pixels.

    Args:
        name: of the image.
        image: any mode.
        truth: (H, W) class ids, 255 where ignored, of the size of the image.
        predicted: (H, W) class ids.
        confidence: (H, W) probability of the chosen class, floating from 0 to 1 or uint8 from 0 to 255.
    """
    shape = (image.height, image.width)
    for plane in (truth, predicted, confidence):
        if plane.shape != shape:
            raise ValueError(f"{name}: {plane.shape} beside an image of {shape}")
    if confidence.dtype != np.uint8:
        confidence = np.rint(255 * np.clip(np.nan_to_num(confidence), 0, 1)).astype(np.uint8)
    scale = min(1.0, LONGER_SIDE / max(shape))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Class ids have nothing between them, and a probability belongs to the pixel whose class is shown.
    planes = [nearest(plane, size) for plane in (truth, predicted, confidence)]
    photo = image.convert("RGB")
    return Panel(name, photo if photo.size == size else photo.resize(size, Image.Resampling.LANCZOS), *planes)


def nearest(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The plane (H, W) at a size (width, height), without any value that it did not have."""
    if size == plane.shape[::-1]:
        return plane.astype(np.uint8)
    return np.array(Image.fromarray(plane.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
