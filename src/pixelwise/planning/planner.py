"""Planner: a checked dataset and what was given -> the plan, once the machine is known."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pixelwise.data.check.dataset import CheckReport
from pixelwise.planning.draft import Draft
from pixelwise.planning.facts import DataFacts
from pixelwise.planning.fitting import Fit
from pixelwise.planning.machine import Machine
from pixelwise.planning.pace import measured_pace
from pixelwise.planning.plan import Outlook, TrainingPlan
from pixelwise.planning.rules.duration import decide_batch, decide_epochs, decide_epochs_within
from pixelwise.planning.rules.images import decide_crop, decide_jitter
from pixelwise.planning.rules.learning import decide_average, decide_crops, decide_losses, decide_rates
from pixelwise.planning.rules.memory import decide_pieces
from pixelwise.planning.rules.network import decide_head, decide_weights
from pixelwise.planning.timing import Timing
from pixelwise.runtime import Runtime

PROBED_CROP = 128
"""Side of the crops whose steps are timed, in pixels, where no crop is given: small, for it is the budget's time."""


@dataclass(frozen=True)
class Planner:
    """What finds the settings of a training as soon as the runtime stands."""

    report: CheckReport
    """Of the dataset, sound."""
    given: Mapping[str, Any]
    """Settings that the user gave, by name; they win."""
    _: KW_ONLY
    starts: bool = False
    """Whether a trained model or a file brings the trunk's weights."""
    unavailable: Callable[[str], str | None]
    """Why the weights of a trunk cannot be had, else None."""
    is_timed: bool = False
    """Whether steps are timed also where no budget asks for it."""

    def __call__(self, runtime: Runtime, *, spent: float = 0.0) -> TrainingPlan:
        """The plan for this machine; every process of a group must call this, and all get the same one.

        `spent` are the seconds of a budget that are over.

        Raises:
            SettingsError: a setting cannot be used, or no crop fits into memory.
        """
        facts, machine = DataFacts.of(self.report), Machine.of(runtime)
        draft = Draft({**self.given, "num_classes": facts.labels.num_classes})
        note = decide_weights(draft, machine, self.unavailable, starts=self.starts)
        decide_head(draft, facts)
        decide_rates(draft, has_weights=self.starts or draft["pretrained"])
        decide_losses(draft, facts)
        decide_crops(draft, facts)
        decide_batch(draft)
        timing = self._timing(draft, runtime, spent)
        decide_crop(draft, facts, machine, timing.steps_with if draft["budget"] else None)
        fit = decide_pieces(draft, self.report, machine, runtime, always=self.is_timed)
        steps = self._decide_epochs(draft, facts, timing)
        passes = steps * draft["mini_batch_size"] / facts.images
        decide_jitter(draft, facts, passes=passes, steps=steps)
        decide_average(draft, steps)
        each = timing.seconds_per_step(draft["crop_size"])
        return TrainingPlan(
            settings=draft.settings(),
            decisions=draft.decisions(),
            outlook=Outlook(
                steps=steps,
                passes=passes,
                seconds_per_step=each,
                training_seconds=None if each is None else each * steps,
                peak_bytes=fit.memory.peak if isinstance(fit, Fit) else None,
                available_bytes=machine.memory,
            ),
            data=facts.to_json(),
            machine=machine.to_json(),
            notes=tuple(each for each in (note, fit if isinstance(fit, str) else None) if each is not None),
        )

    def _timing(self, draft: Draft, runtime: Runtime, spent: float) -> Timing:
        budget, images = draft["budget"], -(-draft["mini_batch_size"] // runtime.world_size)
        if budget is None and not self.is_timed:
            return Timing(images)
        crop = draft["crop_size"] if draft.is_given("crop_size") else PROBED_CROP
        settings = draft.settings().changed(crop_size=crop)
        pace = measured_pace(settings, self.report.labels.num_classes, self.report.bands, runtime)
        return Timing(images, pace, None if budget is None else Timing.seconds_of(budget, spent))

    def _decide_epochs(self, draft: Draft, facts: DataFacts, timing: Timing) -> int:
        """Epochs and how often each repeats the images; the steps of all of them."""
        if draft["budget"] is None:
            decide_epochs(draft, facts)
            epochs, repeats, size = (int(draft[name]) for name in ("epochs", "repeats", "mini_batch_size"))
            return epochs * max(1, facts.images * repeats // size)
        steps = timing.steps_with(draft["crop_size"])
        decide_epochs_within(draft, facts, steps)
        return steps
