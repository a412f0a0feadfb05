"""Settings that fit into memory: more pieces for a batch first, then a smaller crop."""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pixelwise.errors import OutOfMemory, SettingsError
from pixelwise.phrases import memory_size
from pixelwise.planning.memory import ImageLoad, MemoryModel, TrainingMemory
from pixelwise.runtime import Runtime
from pixelwise.settings import Settings
from pixelwise.training.batchnorm import refuse_single_samples

SHARE = 0.8
"""Of the memory that is there: the prediction may be off, and other programs live on the machine."""

CROP_STEP, SMALLEST_CROP = 32, 64


@dataclass(frozen=True)
class Fit:
    """Sizes with which a training fits into memory, and what it will need."""

    mini_batch_size: int
    """As it was: what is learned does not depend on the machine."""
    gradient_accumulation: int
    crop_size: int
    memory: TrainingMemory


def fitting(settings: Settings, facts: ImageLoad, runtime: Runtime, available_bytes: int) -> Fit:
    """The sizes nearest to those of `settings` with which training adds at most 0.8 of `available_bytes`.

    The number of pieces grows from `settings.gradient_accumulation` on, as far as BatchNorm sees two samples of each;
    where that is not enough, crops shrink by 32 pixels, down to 64.

    Args:
        settings: as planned without a look at memory.
        facts: of the images.
        runtime: where the training will run.
        available_bytes: what is free beside what the process holds now; see `Runtime.available_memory`.

    Raises:
        OutOfMemory: nothing fits; the message says what is lacking.
        SettingsError: as `training_memory` raises it.
    """
    model = MemoryModel(settings, facts, runtime)
    share = settings.mini_batch_size // runtime.world_size
    least = 2 if _needs_two_samples(model) else 1
    return fit(settings, model.memory, pieces_of(share, least), int(SHARE * available_bytes))


def fit(settings: Settings, needed: Callable[[Settings], TrainingMemory], pieces: list[int], limit_bytes: int) -> Fit:
    """The first of the crops and `pieces`, which rise, with which what is `needed` adds at most `limit_bytes`."""
    choices = [number for number in pieces if number > settings.gradient_accumulation]
    memory: TrainingMemory | None = None
    for crop in _crops(settings.crop_size):
        tried: dict[int, TrainingMemory] = {}

        def fits(number: int, crop: int = crop, tried: dict[int, TrainingMemory] = tried) -> bool:
            tried[number] = needed(settings.changed(gradient_accumulation=number, crop_size=crop))
            return tried[number].added <= limit_bytes

        first = settings.gradient_accumulation
        if not fits(first):
            # More pieces never need more, so that halving the list finds the fewest that fit.
            place = bisect.bisect_left(choices, True, key=fits)
            first = choices[place] if place < len(choices) else 0
        if first:
            return Fit(settings.mini_batch_size, first, crop, tried[first])
        memory = tried[max(tried)]
    assert memory is not None
    raise OutOfMemory(_refusal(settings, memory, limit_bytes))


def pieces_of(images: int, least: int) -> list[int]:
    """Numbers of pieces that differ in their size, rising; every piece, the last one too, has `least` images."""
    numbers: dict[int, int] = {}
    for number in range(1, images + 1):
        size = -(-images // number)
        if size >= least and (images % size or size) >= least:
            numbers.setdefault(size, number)
    return list(numbers.values())


def _crops(side: int) -> Iterator[int]:
    yield side
    yield from range((side - 1) // CROP_STEP * CROP_STEP, SMALLEST_CROP - 1, -CROP_STEP)


def _needs_two_samples(model: MemoryModel) -> bool:
    try:
        refuse_single_samples(model.model, 1)
    except SettingsError:
        return True
    return False


def _refusal(settings: Settings, memory: TrainingMemory, limit_bytes: int) -> str:
    remedy = {"validation": "validation_crop_size, or smaller validation images"}.get(
        memory.moment, "a smaller backbone"
    )
    return (
        f"Out of memory: with the smallest pieces of a batch and crop_size {min(settings.crop_size, SMALLEST_CROP)}, "
        f"training still adds {memory_size(memory.added)} (at its {memory.moment}), and {memory_size(limit_bytes)} may "
        f"be taken. Take {remedy}, or a machine with more memory."
    )
