"""Start a training from a trained model of the same network, also where the number of classes changed."""

from typing import Any

import torch
from torch import Tensor

from pixelwise.bundle import Bundle
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.errors import SettingsError
from pixelwise.models.segmenter import Segmenter
from pixelwise.settings import Settings

NETWORK = ("algorithm", "backbone", "output_stride", "input_scale", "align_corners")
"""The settings that must be those of the trained model, as they say which network it is."""


def network_of(initial: Bundle) -> dict[str, Any]:
    """The settings of `NETWORK` that the trained model has; and how it sees images, unless these are photographs."""
    found = {name: getattr(initial.settings, name) for name in NETWORK}
    if initial.bands == PHOTOGRAPH:
        return found
    # Its weights are used to these values: a range found anew would show them other images.
    ranges = tuple(value for limits in initial.bands.ranges for value in limits)
    return {**found, "bands": initial.bands.chosen, "value_range": ranges}


def start_from(model: Segmenter, initial: Bundle, settings: Settings, bands: Bands = PHOTOGRAPH) -> str:
    """Fill `model` with the weights of `initial`; return a line that says what was taken.

    Tensors whose shape depends on the number of classes keep their random values where that number changed, and so
    does the auxiliary head, which no bundle holds. `bands` are those of the images.

    Raises:
        SettingsError: a setting of `NETWORK` is not the trained model's, or the images are not what it takes.
    """
    if bands != initial.bands:
        raise SettingsError(
            f"The images are {bands.text()}; the model to start from takes {initial.bands.text()}. Give images of its "
            "kind, leave out bands and value_range, or train without a model to start from."
        )
    for name in NETWORK:
        own, wanted = getattr(initial.settings, name), getattr(settings, name)
        if own != wanted:
            raise SettingsError(
                f"{name} is {wanted!r} but the model to start from has {own!r}. Train with {name} {own!r}, or "
                "without a model to start from."
            )
    state = model.state_dict()
    fitting = {name: tensor for name, tensor in initial.state.items() if _fits(state.get(name), tensor)}
    # Mean and spread of the input belong to the trained weights too: they are among the tensors.
    model.load_state_dict({**state, **fitting})
    changed = sorted(name for name in initial.state if name in state and name not in fitting)
    before, now = initial.labels.num_classes, settings.num_classes
    again = f"; the classifier starts anew, as {now} classes take the place of {before}" if changed else ""
    return f"Starting from the weights of a trained model ({len(fitting)} tensors){again}."


def _fits(own: Tensor | None, other: Tensor) -> bool:
    return own is not None and own.shape == other.shape and torch.is_floating_point(own) == other.is_floating_point()
