"""Plan: every setting with the reason for it, and what the training will take."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.phrases import counted, memory_size
from pixelwise.planning.draft import Decision
from pixelwise.report.numbers import duration
from pixelwise.settings import FIELDS, Settings
from pixelwise.values import strict_json

PLAN_FILE = "plan.json"

_COLUMNS = 100
_SETTING, _VALUE = 32, 20


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a training by the plan will be like.

    Attributes:
        steps: updates of the weights; under a budget as many as its share for training allows.
        passes: how often each training image is seen.
        seconds_per_step: by the pace that was measured; None where none was.
        training_seconds: of all steps together; None likewise.
        peak_bytes: memory at its peak, of each process; None where that cannot be predicted.
        available_bytes: memory that is free for it.
    """

    steps: int
    passes: float
    seconds_per_step: float | None
    training_seconds: float | None
    peak_bytes: int | None
    available_bytes: int

    def sentences(self) -> list[str]:
        """For people."""
        time = "" if self.training_seconds is None else f", {duration(self.training_seconds)}"
        pace = "" if self.seconds_per_step is None else f", each {self.seconds_per_step:.2g} s by two that were timed"
        said = [f"{counted(self.steps, 'step')}{time}{pace}: every training image is seen {self.passes:.3g} times."]
        if self.peak_bytes is not None:
            free = memory_size(self.available_bytes)
            said.append(f"Memory at its peak: {memory_size(self.peak_bytes)}; {free} are free.")
        return said


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What `train` does with a dataset on a machine.

    Attributes:
        settings: all of them.
        decisions: one for each planned setting, in the order of the settings.
        outlook: what it will take.
        data: the facts of the data that decided, by name.
        machine: those of the machine.
        notes: sentences that the user should read before training.
    """

    settings: Settings
    decisions: tuple[Decision, ...]
    outlook: Outlook
    data: Mapping[str, Any]
    machine: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything by name, as RUN/plan.json has it."""
        return {
            "settings": self.settings.to_json(),
            "decisions": [each.to_json() for each in self.decisions],
            "outlook": strict_json(vars(self.outlook)),
            "foreseen": self.outlook.sentences(),
            "data": dict(self.data),
            "machine": dict(self.machine),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """The plan for the terminal: a line for each setting, its value and the reason."""
        lines = [f"{'setting':<{_SETTING}}{'value':<{_VALUE}}why"]
        for each in self.decisions:
            first, *more = textwrap.wrap(each.reason, _COLUMNS - _SETTING) or [""]
            lines.append(f"{each.setting:<{_SETTING}}{shown(each.value):<{_VALUE}}{first}")
            lines += [f"{'':<{_SETTING + _VALUE}}{line}" for line in more]
        said = [*self.outlook.sentences(), *self.notes]
        return "\n".join([*lines, "", *(line for sentence in said for line in textwrap.wrap(sentence, _COLUMNS))])

    def lines(self) -> list[str]:
        """What a log says of it: the decisions that are not the fixed defaults, and the outlook."""
        changed = [each for each in self.decisions if not each.is_given and each.value != FIELDS[each.setting].default]
        decided = [f"Plan: {each.setting} {shown(each.value)}: {each.reason}." for each in changed]
        return [*decided, *(f"Plan: {sentence}" for sentence in self.outlook.sentences()), *self.notes]

    def write(self) -> str:
        """The text of RUN/plan.json."""
        return json.dumps(self.to_json(), indent=2) + "\n"


def shown(value: Any) -> str:
    """A value as a flag has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
