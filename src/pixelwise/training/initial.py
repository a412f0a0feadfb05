"""Start a training from a trained model: of ours and of the same network, or one that somebody else has published.

The number of classes may be another one.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pixelwise.bundle import Bundle, load_bundle
from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.errors import SettingsError
from pixelwise.models.published.weights import PublishedWeights, is_published, read_published
from pixelwise.models.segmenter import Segmenter
from pixelwise.settings import Settings

NETWORK = ("algorithm", "backbone", "output_stride", "input_scale", "align_corners")
"""The settings that must be those of the trained model, as they say which network it is."""


Initial = Bundle | PublishedWeights
"""What a training may start from."""


def load_initial(path: Path) -> Initial:
    """The trained model at `path`: a bundle, or published weights. Raises ModelError for what cannot be read."""
    return read_published(path) if is_published(path) else load_bundle(path)


def network_of(initial: Initial) -> dict[str, Any]:
    """The settings of `NETWORK` that the trained model has; and how it sees images, unless these are photographs.

    Of published weights those that are known.
    """
    if isinstance(initial, PublishedWeights):
        return initial.network
    found = {name: getattr(initial.settings, name) for name in NETWORK}
    if initial.bands == PHOTOGRAPH:
        return found
    # Its weights are used to these values: a range found anew would show them other images.
    ranges = tuple(value for limits in initial.bands.ranges for value in limits)
    return {**found, "bands": initial.bands.chosen, "value_range": ranges}


def start_from(model: Segmenter, initial: Initial, settings: Settings, bands: Bands = PHOTOGRAPH) -> str:
    """Fill `model` with the weights of `initial`; return a line that says what was taken.

    Tensors whose shape depends on the number of classes keep their random values where that number changed, and so
    does the auxiliary head, which no bundle holds. `bands` are those of the images. Of published weights the trunk is
    taken and what of the head fits; see `PublishedWeights.fill`.

    Raises:
        ModelError: published weights are of another trunk.
        SettingsError: a setting of `NETWORK` is not the trained model's, or the images are not what it takes.
    """
    if isinstance(initial, PublishedWeights):
        return initial.fill(model, settings)
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
