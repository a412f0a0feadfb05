"""What fits into memory: pieces of a batch, and smaller crops where even the smallest piece is too large."""

from pixelwise.data.check.dataset import CheckReport
from pixelwise.errors import OutOfMemory, SettingsError
from pixelwise.phrases import memory_size
from pixelwise.planning.draft import Draft
from pixelwise.planning.fitting import SHARE, Fit, fitting
from pixelwise.planning.machine import Machine
from pixelwise.planning.memory import ImageLoad
from pixelwise.runtime import Runtime

BYTES_PER_PIXEL, BYTES_BESIDE = 48 * 1024, 2 << 30
"""A generous bound on what a network keeps for a pixel of a batch, and on its weights with all that learns them. A
batch far below it needs no rehearsal to fit; should it not fit after all, training goes on in pieces."""


def decide_pieces(
    draft: Draft, report: CheckReport, machine: Machine, runtime: Runtime, *, always: bool
) -> Fit | str | None:
    """Pieces of a batch, and if need be a smaller crop; the sizes, or why they cannot be told.

    `always` rehearses a step also where a batch is so small that it fits for certain; else None then.

    Raises:
        OutOfMemory: nothing fits that the user left open.
    """
    pixels = draft["mini_batch_size"] * draft["crop_size"] ** 2
    if not always and BYTES_PER_PIXEL * pixels + BYTES_BESIDE < SHARE * machine.memory:
        free = memory_size(machine.memory)
        draft.decide("gradient_accumulation", 1, f"a batch of {pixels:,} pixels is small beside {free} of free memory")
        return None
    try:
        fit = fitting(draft.settings(), _load(report), runtime, machine.memory)
    except SettingsError as error:
        draft.decide("gradient_accumulation", 1, "the memory cannot be predicted, so that a batch is tried whole")
        return str(error)
    for name in ("gradient_accumulation", "crop_size"):
        needed = getattr(fit, name)
        if draft.is_given(name) and needed != draft[name]:
            raise OutOfMemory(
                f"{name} {draft[name]} needs more memory than the {memory_size(machine.memory)} that are free; "
                f"{name} {needed} would fit. Give that, or leave it out."
            )
    needs = f"{memory_size(fit.memory.peak)} at the peak"
    if fit.crop_size != draft["crop_size"]:
        draft.decide("crop_size", fit.crop_size, f"a larger one does not fit into memory ({needs})")
    whole = "a batch fits into memory whole" if fit.gradient_accumulation == 1 else "so many pieces of a batch fit"
    draft.decide("gradient_accumulation", fit.gradient_accumulation, f"{whole}: {needs}")
    return fit


def _load(report: CheckReport) -> ImageLoad:
    """What of the images decides about memory."""
    train, validation = report.splits["train"].sizes, report.splits["validation"].sizes
    pixels = sum(width * height * count for (width, height), count in train.counts.items())
    width, height = max(validation.counts, key=lambda size: size[0] * size[1], default=(0, 0))
    return ImageLoad(report.labels.num_classes, report.bands, pixels, (height, width) if width else None)
