"""How long to train: images to a step, steps to an epoch, epochs."""

import math

from pixelwise.phrases import counted
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts

EPOCHS = 50
"""Passes where nothing else is known: what the fixed defaults were measured with."""

STEPS_OF_AN_EPOCH = 25
"""Fewer steps than these are no epoch: validating and writing would take longer than learning."""

MOST_STEPS = 40_000
"""What published recipes take for large datasets (PSPNet on ADE20K, EoMT: anchors of 30,000 to 40,000 at 16 images)."""

VALIDATIONS = 8
"""So many epochs at least within a budget, so that the best weights can be told from the last."""


def decide_batch(draft: Draft) -> None:
    """Images to a step."""
    draft.decide("mini_batch_size", 8, "enough for BatchNorm, few enough for many steps")


def decide_epochs(draft: Draft, facts: DataFacts) -> None:
    """Without a budget: how often the images are seen, in epochs of a useful length."""
    size = draft["mini_batch_size"]
    if draft.is_given("epochs"):
        draft.decide("repeats", 1, "an epoch of those that were given takes each image once")
        return
    _decide_repeats(draft, facts, math.ceil(STEPS_OF_AN_EPOCH * size / facts.images))
    steps = max(1, facts.images * draft["repeats"] // size)
    epochs = max(1, min(EPOCHS, MOST_STEPS // steps))
    most = f"no more than about {MOST_STEPS:,} steps" if epochs < EPOCHS else "what was found to be enough"
    draft.decide("epochs", epochs, f"{counted(epochs * steps, 'step')}, {most}; a --budget counts minutes instead")


def decide_epochs_within(draft: Draft, facts: DataFacts, steps: int) -> None:
    """Within a budget of so many steps: epochs long enough to be one, short enough to choose the best of several."""
    wanted = min(STEPS_OF_AN_EPOCH, max(1, steps // VALIDATIONS))
    _decide_repeats(draft, facts, math.ceil(wanted * draft["mini_batch_size"] / facts.images))
    draft.decide("epochs", draft["epochs"], "the budget ends the training, not a number of epochs")


def _decide_repeats(draft: Draft, facts: DataFacts, repeats: int) -> None:
    size = draft["mini_batch_size"]
    once = max(1, facts.images // size)
    reason = f"{counted(facts.images, 'image')} are {counted(once, 'step')} of {size}"
    if repeats > 1:
        reason += "; repeated, an epoch is long enough to be validated after it"
    draft.decide("repeats", max(1, repeats), reason)
