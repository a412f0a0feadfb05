"""Rare classes: which they are, and a pixel of one that a crop is laid around."""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def rare_classes(pixels: Sequence[int]) -> tuple[int, ...]:
    """The classes that hold fewer pixels than an even share: less than 1 / P of all, where P classes have any.

    Args:
        pixels: labelled pixels of each class in the training masks.
    """
    present = sum(count > 0 for count in pixels)
    total = sum(pixels)
    return tuple(class_id for class_id, count in enumerate(pixels) if 0 < count * present < total)


def rare_pixel(mask: Image.Image, rare: Sequence[int], which: float, place: float) -> tuple[int, int] | None:
    """(column, row) of a pixel of one of the classes `rare` in an "L" mask; None where it has none of them.

    First a class is drawn, each that is present alike, then a pixel of it, each alike: so nnU-Net oversamples the
    foreground (Isensee et al., Nature Methods 18, 2021, supplementary note on patch sampling), for which every class
    but the background counts. Of two rare classes the larger would otherwise get nearly all crops.

    Args:
        mask: class ids and 255.
        rare: class ids.
        which: of the classes, a number in [0, 1).
        place: of the pixel among those of the class, a number in [0, 1).
    """
    counts = mask.histogram()
    present = [class_id for class_id in rare if counts[class_id]]
    if not present:
        return None
    class_id = present[int(which * len(present))]
    rest = int(place * counts[class_id])
    # Row by row: the indices of all pixels of a large class would take eight times the memory of the mask.
    for row, found in enumerate(np.asarray(mask) == class_id):
        count = int(np.count_nonzero(found))
        if rest < count:
            return int(np.flatnonzero(found)[rest]), row
        rest -= count
    raise AssertionError("a histogram counts the pixels of its image")
