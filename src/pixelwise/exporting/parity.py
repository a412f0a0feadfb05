"""Whether an exported file gives what its model gives, on images of odd and even sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.bundle import Bundle
from pixelwise.errors import ModelError
from pixelwise.exporting.drawn import drawn_images
from pixelwise.exporting.formats import Runner
from pixelwise.inference.forward import class_logits, likeliest
from pixelwise.phrases import first_line
from pixelwise.runtime import Runtime

PROBABILITY_TOLERANCE = 1e-3
EQUAL_PIXELS = 0.999

# (images, height, width): divisible by 32, by nothing, barely more than 32, wide, high, and larger.
SIZES = ((2, 64, 96), (3, 97, 131), (2, 33, 47), (1, 35, 240), (1, 225, 161), (1, 256, 385))


class Trial(NamedTuple):
    """What one batch showed; differences are the largest absolute ones."""

    images: int
    height: int
    width: int
    logit_difference: float
    probability_difference: float
    equal_pixels: float  # share of pixels of the same class, 0..1


@dataclass(frozen=True)
class Parity:
    """Every trial, and the worst of them."""

    trials: tuple[Trial, ...]

    @property
    def logit_difference(self) -> float:
        """Largest absolute difference of logits."""
        return max(trial.logit_difference for trial in self.trials)

    @property
    def probability_difference(self) -> float:
        """Largest absolute difference of probabilities."""
        return max(trial.probability_difference for trial in self.trials)

    @property
    def equal_pixels(self) -> float:
        """Share of all pixels that have the same class, 0..1."""
        pixels = [trial.images * trial.height * trial.width for trial in self.trials]
        return sum(n * trial.equal_pixels for n, trial in zip(pixels, self.trials, strict=True)) / sum(pixels)

    def fault(self) -> str | None:
        """The first trial that is out of tolerance, in words; None if the proof holds."""
        for trial in self.trials:
            # Asked this way round, a NaN is a fault.
            near = trial.probability_difference <= PROBABILITY_TOLERANCE
            if not (near and trial.equal_pixels >= EQUAL_PIXELS):
                return (
                    f"on {trial.images} images of {trial.height}x{trial.width} probabilities differ by up to "
                    f"{trial.probability_difference:.2g} and {100 * trial.equal_pixels:.2f} % of the pixels have the "
                    f"same class, expected at most {PROBABILITY_TOLERANCE:g} and at least {100 * EQUAL_PIXELS:g} %"
                )
        return None


def measure(run: Runner, bundle: Bundle, sizes: Sequence[tuple[int, int, int]] = SIZES) -> Parity:
    """Run the exported file and the bundle's own network, in float32 on the CPU, on drawn images.

    Raises:
        ModelError: the exported file refuses a size.
    """
    model, runtime = bundle.build_model(), Runtime(torch.device("cpu"), torch.float32)
    trials = []
    for seed, size in enumerate(sizes):
        images, expected = drawn_images(bundle.bands, *size, seed=seed)
        own = class_logits(model, torch.from_numpy(expected), runtime=runtime)
        try:
            found = run(images)
        except Exception as error:  # each runtime has exceptions of its own
            raise ModelError(
                f"The exported model does not run on {size[0]} images of {size[1]}x{size[2]} ({first_line(error)}). "
                "Nothing was written. Give a fixed --size, such as 512x512, or another one."
            ) from error
        trials.append(_compared(own, bundle.temperature, found))
    return Parity(tuple(trials))


def _compared(own: torch.Tensor, temperature: float, found: tuple[NDArray[np.uint8], NDArray[np.float32]]) -> Trial:
    class_ids, logits = (torch.from_numpy(array) for array in found)
    expected_ids, expected = likeliest(own), own / temperature
    if class_ids.shape != expected_ids.shape or logits.shape != expected.shape:
        raise ModelError(
            f"The exported model gives class ids {tuple(class_ids.shape)} and logits {tuple(logits.shape)}, expected "
            f"{tuple(expected_ids.shape)} and {tuple(expected.shape)}. Nothing was written."
        )
    return Trial(
        images=len(own),
        height=own.shape[-2],
        width=own.shape[-1],
        logit_difference=float((logits - expected).abs().max()),
        probability_difference=float((logits.softmax(dim=1) - expected.softmax(dim=1)).abs().max()),
        equal_pixels=float((class_ids == expected_ids).double().mean()),
    )
