"""What the values and colours of all masks mean together: what a repair would make of them, and what it could not."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixelwise.data.check.classes import GivenLabels, too_few_classes
from pixelwise.data.check.split import Tally
from pixelwise.data.findings import Finding
from pixelwise.data.masks.raw import RawMask
from pixelwise.data.repair.plan import Plan, make_plan
from pixelwise.data.repair.report import source_text
from pixelwise.data.repair.survey import Entry, Numbers, Values, number_of
from pixelwise.labels import SourceValue
from pixelwise.phrases import listed

_BLANK = Image.new("L", (1, 1))
_LISTED = 8
_CODES = {"colors": "mask-colors", "16-bit": "mask-16-bit"}  # by kind; of the others training refuses the format
_TAKEN = ("gray", "palette", "1-bit", "mapped")  # by training: unknown values have faults of their own


class MaskMeaning(NamedTuple):
    """What the plan of a repair says of the masks as they are."""

    survey: Values
    plan: Plan
    numbers: Numbers

    @classmethod
    def of(cls, tallies: Mapping[str, Tally], given: GivenLabels, *, by_user: bool) -> "MaskMeaning":
        """Of all masks of the splits; `by_user` says that the table was given for this check."""
        names, survey = list(tallies), Values()
        for tally in tallies.values():
            survey.merge(tally.survey)
        plan = make_plan(survey, names, given.labels, given=by_user)
        return cls(survey, plan, Numbers(survey, plan.readings, names))

    def findings(self, tallies: Mapping[str, Tally]) -> list[Finding]:
        """What shows only when masks of all kinds are seen together, besides grays that draw classes.

        Findings of single masks that promise a repair which would leave them out get the remedy that helps.
        """
        everywhere = next((tally.split.truth for tally in tallies.values()), Path())
        findings = [self._contradiction(everywhere)] if self._contradicts() else []
        for name, tally in tallies.items():
            ids, left_out = self._outcome(name, tally)
            if tally.values and left_out.get("mask-format") == self.plan.unread and self.plan.readings:
                findings.append(_kept_by_none(tally.split.truth, self.plan.unread))
            for code, reason in left_out.items():
                remedy = _remedy(reason)
                tally.findings = [
                    each._replace(remedy=remedy) if each.code == code else each for each in tally.findings
                ]
            if ids and not tally.values:  # of masks that training refuses no other looks at the ids
                findings += too_few_classes(tally.split, ids)
        return findings

    def _contradicts(self) -> bool:
        return self.plan.readings.get("palette") == "value" and self.survey.palettes_contradict

    def _contradiction(self, truth: Path) -> Finding:
        index, colors = self.survey.contradiction()
        shown = listed((source_text(color) for color in colors), _LISTED)
        return Finding(
            truth, f"has palettes that contradict each other: index {index} is shown as {shown}, and one colour has "
            "several indices", "one colour for each index in all masks",
            "If the colours are the classes, save the masks as RGB and repair these, or use `pixelwise convert "
            "color-masks`; if the indices are class ids, `--fix` saves them as gray.", "mask-palettes",
        )  # fmt: skip

    def _outcome(self, split: str, tally: Tally) -> tuple[set[int], dict[str, str]]:
        """The class ids that the masks of a split become, and why others are left out, by the code of their fault."""
        ids: set[int] = set()
        left_out: dict[str, str] = {}
        unknown: dict[str, Counter[SourceValue]] = {}
        for entry, pixels in self.survey.pixels.items():
            if entry.split != split:
                continue
            known = self.plan.ids_of(split, _raw(entry, pixels))
            ids |= set(known.values())
            code, reading = _CODES.get(entry.kind, "mask-format"), self.plan.readings.get(entry.kind)
            if reading is None:
                left_out[code] = self.plan.unread
            elif not known and not (entry.kind in _TAKEN and entry.value in tally.values):
                value = entry.color if reading == "color" and entry.color else number_of(reading, *entry[2:])
                unknown.setdefault(code, Counter())[value] += pixels
        for code, values in unknown.items():
            shown = listed((f"{source_text(value)} ({count} px)" for value, count in values.most_common()), _LISTED)
            left_out[code] = f"no class has {shown}"
        return ids, left_out


def _raw(entry: Entry, pixels: int) -> RawMask:
    shown = {entry.value: entry.color} if isinstance(entry.value, int) and entry.color is not None else {}
    return RawMask(Path(), entry.kind, "", "", _BLANK, shown, {entry.value: pixels})


def _kept_by_none(truth: Path, unread: str) -> Finding:
    return Finding(
        truth, f"cannot be understood beside the other masks: {unread}", "masks of one kind, or a table",
        "Give a table of classes (classes.json) with the id and the colour of each; without one, `--fix` leaves the "
        "masks of ids out.", "id-out-of-range",
    )  # fmt: skip


def _remedy(reason: str) -> str:
    return (
        f"`--fix` leaves masks of this kind out: {reason}. Give a table of classes (classes.json) that lists every "
        'value or colour as a "source" of a class or, with the id 255, of what is ignored.'
    )
