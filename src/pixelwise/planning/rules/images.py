"""What the network sees: the size of crops, and how strongly scale and colour change."""

import math
from collections.abc import Callable

from pixelwise.phrases import counted, length
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts
from pixelwise.planning.machine import Machine

CROP_STEP = 32
"""The largest output stride: every feature map then has whole cells."""

SMALLEST_CROP, LARGEST = 128, {"cpu": 256, "cuda": 512}
"""Sides of crops, in pixels: below the smallest there is no context left; the largest, where nothing ends the training,
are those that the fixed defaults were measured with on cores, and what is customary on a GPU."""

ENOUGH_STEPS = 150
"""So many steps come first: a network that has made fewer has learned little, however much it was shown at once."""

THINNEST = 4.0
"""Pixels that an object keeps across when crops are shrunk: with fewer its outline is all there is of it."""

WEAKEST, FULL = 30, 300
"""Passes over the images below which nothing is varied, and from which on scale and colour vary fully."""

FEWEST_STEPS = 200
"""Below so many steps nothing is varied, however few the images are: there is not yet anything to overfit with."""


def jitter_strength(passes: float, steps: int) -> float:
    """From 0 to 1: how much of the full scale and colour jitter a training of so many passes and steps can use.

    It rises with the logarithm of the passes from `WEAKEST` to `FULL`: variety answers repetition, and a network that
    has seen an image a few times is held up by it.
    """
    if steps < FEWEST_STEPS or passes <= WEAKEST:
        return 0.0
    return min(1.0, math.log(passes / WEAKEST) / math.log(FULL / WEAKEST))


def decide_jitter(draft: Draft, facts: DataFacts, *, passes: float, steps: int) -> None:
    """Scale and colour, by how often each image will be seen and by how thin the objects are."""
    strength = round(jitter_strength(passes, steps), 2)
    seen = f"each image is seen {passes:.3g} times in {steps} steps"
    if not strength:
        reason = f"{seen}: too few for variety to pay"
        for name, value in (("scale_min", 1.0), ("scale_max", 1.0), ("color_jitter", 0.0)):
            draft.decide(name, value, reason)
        return
    wanted = 1 - 0.5 * strength
    floor = 0.0 if facts.width is None else min(1.0, THINNEST / facts.width)
    kept = "" if wanted >= floor else f"; no less, since {facts.width_text} and needs {length(THINNEST)}"
    draft.decide("scale_min", round(max(wanted, floor), 2), f"{seen}{kept}")
    draft.decide("scale_max", round(1 + strength, 2), seen)
    draft.decide("color_jitter", round(0.4 * strength, 2), seen)


def decide_crop(draft: Draft, facts: DataFacts, machine: Machine, steps_with: Callable[[int], int] | None) -> None:
    """The largest crop that leaves enough steps; `steps_with` says how many a crop leaves, if a budget ends it."""
    sizes = _crop_sizes(facts, LARGEST[machine.device])
    seen = f"images have {facts.side} px on their shorter side"
    if steps_with is None:
        draft.decide("crop_size", sizes[0], f"{seen}; the most of it that a {machine.device} takes at a good pace")
        return
    crop = next((size for size in sizes if steps_with(size) >= ENOUGH_STEPS), sizes[-1])
    steps = counted(steps_with(crop), "step")
    if crop == sizes[0]:
        reason = f"{seen}; with crops of this size the budget is {steps}"
    else:
        reason = f"{seen}; smaller crops make it {steps} within the budget, and steps teach more than context"
    draft.decide("crop_size", crop, reason)


def _crop_sizes(facts: DataFacts, largest: int) -> list[int]:
    """Crops to choose from, the largest first, in steps of 32: at most the images' shorter side."""
    side = max(min(facts.side, largest) // CROP_STEP * CROP_STEP, CROP_STEP)
    return list(range(side, min(SMALLEST_CROP, side) - 1, -CROP_STEP))
