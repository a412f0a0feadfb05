"""The closer look after a training: the temperature of its model and its report, within what a budget has left."""

import dataclasses
import time
from collections.abc import Callable, Sequence

from pixelwise.bundle import load_bundle, save_bundle
from pixelwise.data.batches import EvaluationBatches
from pixelwise.inference.predictor import Predictor
from pixelwise.phrases import counted
from pixelwise.report.run.gather import Report, read_history, write_report_of
from pixelwise.report.run.viewer.panels import EACH, GROUPS
from pixelwise.runtime import alone
from pixelwise.scoring.evaluate import evaluate as evaluate_pairs
from pixelwise.training.budget.clock import Spent
from pixelwise.training.budget.examination import EXAMINED, FEWEST, WRITING, evenly_spread, scattered
from pixelwise.training.run import TrainingRequest, TrainingResult
from pixelwise.values import duration_text

_BATCH = 4  # images that are read and seen together


def finish(
    result: TrainingResult,
    request: TrainingRequest,
    show_bands: Sequence[int] | str | None,
    say: Callable[[str], None],
) -> None:
    """Fit the temperature of the trained model on validation, keep it in the bundle, and write RUN/report.

    A budget that runs out ends the closer look with the images it has, and leaves fewer pictures; `say` tells.
    """
    pace = _Pace(result.spent)
    bundle = load_bundle(result.bundle)
    pairs = request.report.pairs["validation"]
    # Those that the scores are of, and in an order that may end anywhere where time may end it.
    examined = evenly_spread(evenly_spread(pairs, result.validation_images), EXAMINED)
    examined = examined if result.spent is None else scattered(examined)
    # A group has ended by now: what is left is the work of one process.
    runtime = alone(request.device, bundle.settings.precision)
    predictor = Predictor(bundle, runtime)
    evaluation = evaluate_pairs(
        predictor.model,
        EvaluationBatches(examined, bundle.labels, bands=bundle.bands, batch_size=_BATCH),
        labels=bundle.labels,
        runtime=runtime,
        bands=bundle.bands,
        is_enough=pace.is_enough,
    )
    assert evaluation.insight is not None
    calibrated = dataclasses.replace(bundle, temperature=evaluation.insight.calibration.best_temperature)
    save_bundle(result.bundle, calibrated)
    seen = examined[: len(evaluation.counts)]
    notes = [*result.warnings, *_of_fewer(len(seen), len(examined), result.validation_images, len(pairs))]
    for note in notes[len(result.warnings) :]:  # the warnings were said when training ended
        say(note)
    title = f"{result.folder.resolve().name} on validation"
    noted = dataclasses.replace(evaluation, notes=(*notes, *evaluation.notes))
    source = Report(
        title, noted, seen, request.report.facts_json(), read_history(result.folder), show_bands, pace.each()
    )
    # The temperature changes the probabilities alone, so that the predictor need not be built again.
    predictor.temperature = calibrated.temperature
    write_report_of(source, calibrated, predictor, result.folder / "report")
    if result.spent is not None:
        say(_account(result))


class _Pace:
    """How fast the closer look is, and whether what is left of a budget has time for more."""

    def __init__(self, spent: Spent | None) -> None:
        self._spent, self._began, self._image = spent, time.monotonic(), 0.0

    def is_enough(self, images: int) -> bool:
        """Whether the look must end with so many images, for another batch would leave no time for the report."""
        if self._spent is None or not images:
            return False
        self._image = (time.monotonic() - self._began) / images
        return images >= FEWEST and self._spent.left() < self._image * (_BATCH + FEWEST) + WRITING

    def each(self) -> int:
        """How many of the worst, the median and the best images there is time to show."""
        if self._spent is None or not self._image:
            return EACH
        pictures = (self._spent.left() - WRITING) / self._image
        return max(1, min(EACH, int(pictures / GROUPS)))


def _of_fewer(seen: int, planned: int, validated: int, all_images: int) -> list[str]:
    """What must be said where scores are of fewer images than there are."""
    notes = []
    if validated < all_images:
        notes.append(
            f"The scores of training are of {validated} of {all_images} validation images, evenly spread: the budget "
            "leaves no time for more. `pixelwise evaluate` scores all."
        )
    if seen < planned:
        notes.append(
            f"The closer look ended after {seen} of {counted(planned, 'image')}, for the budget ran out: the report is "
            "of these. `pixelwise evaluate` looks at all."
        )
    return notes


def _account(result: TrainingResult) -> str:
    """How a budget was used."""
    assert result.spent is not None
    spent = result.spent
    total, after = spent.seconds(), spent.seconds() - result.seconds
    return (
        f"The budget of {duration_text(spent.budget)}: {spent.steps:.0f} s of steps, {spent.start:.0f} s before the "
        f"first, {result.seconds - spent.steps - spent.start:.0f} s of validating and saving, {after:.0f} s of closer "
        f"look and report; {total:.0f} s in all."
    )
