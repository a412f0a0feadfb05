"""Everything that one pass over a split shows: scores with their certainty, and where the model fails."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.outputs import write_text
from pixelwise.phrases import counted
from pixelwise.scoring.bootstrap import Interval, Intervals, intervals
from pixelwise.scoring.definitions import other_definitions
from pixelwise.scoring.gain import Gain
from pixelwise.scoring.image_counts import ImageCounts
from pixelwise.scoring.insight.tally import Result
from pixelwise.scoring.metrics import Scores
from pixelwise.values import strict_json

SCORES_FILE, IMAGES_FILE = "scores.json", "images.json"


@dataclass(frozen=True)
class ImageFacts:
    """What one image showed; shares are from 0 to 1, NaN where nothing could be measured."""

    name: str
    pixel_accuracy: float
    mean_iou: float
    brightness: float  # mean of the gray image
    confidence: float  # mean probability of the chosen class over the labelled pixels
    wrong: float  # labelled pixels that are wrong
    confidently_wrong: float  # labelled pixels that are wrong at a probability above 0.9
    errors_at_boundary: float  # wrong pixels within 4 px of a boundary of the truth

    def to_json(self) -> dict[str, Any]:
        """The fields by name, null for NaN."""
        return strict_json(vars(self))


@dataclass(frozen=True)
class Insight:
    """What takes a model or its probabilities to know, beside the class maps."""

    results: Mapping[str, Result]  # by the names of `menus.TALLIES`; each is an attribute too: `insight.calibration`
    images: tuple[ImageFacts, ...]  # in the order of the counts
    intervals: Mapping[str, Interval | None]  # by name of the score

    def __getattr__(self, name: str) -> Any:
        results = self.__dict__.get("results", {})  # a copy under way has no fields yet
        if name not in results:
            raise AttributeError(f"{name!r} was not scored; there is {', '.join(results)}")
        return results[name]

    def to_json(self) -> dict[str, Any]:
        """The summaries; the images are written to a file of their own."""
        return {name: result.to_json() for name, result in self.results.items()}


@dataclass(frozen=True)
class Evaluation:
    """Scores of a split, what each image contributes to them, and their 95 % intervals."""

    scores: Scores
    counts: ImageCounts
    intervals: Intervals
    other_definitions: Mapping[str, float]
    insight: Insight | None = None  # None where only masks were compared
    notes: tuple[str, ...] = ()  # sentences that belong beside the scores
    tta: Gain | None = None  # where predictions are means over views: what that brings and costs

    @classmethod
    def of(
        cls, scores: Scores, counts: ImageCounts, insight: Insight | None = None, *, notes: tuple[str, ...] = ()
    ) -> "Evaluation":
        """Everything that follows from the counts; where the truth has one class, a note says so."""
        others = other_definitions(counts, scores.confusion)
        return cls(scores, counts, intervals(counts), others, insight, notes + _of_one_class(scores))

    def to_json(self) -> dict[str, Any]:
        """The content of scores.json."""
        return {
            **self.scores.to_json(),
            "images": len(self.counts),
            "notes": list(self.notes),
            "intervals": {**self.intervals, **(self.insight.intervals if self.insight else {})},  # [low, high]
            "other_definitions": strict_json(self.other_definitions),
            **(self.insight.to_json() if self.insight else {}),
            **({"tta": self.tta.to_json()} if self.tta else {}),
        }

    def images_json(self) -> dict[str, Any]:
        """The content of images.json: the counts of each image, and its facts where a model was looked at."""
        facts = [image.to_json() for image in self.insight.images] if self.insight else None
        return {"labels": self.scores.labels.to_json(), "counts": self.counts.to_json(), "facts": facts}

    def table(self) -> str:
        """Plain text for a terminal: the scores, and how sure and how comparable they are."""
        lines = [*self.notes, *([""] if self.notes else []), self.scores.table(), "", *self._sureness()]
        lines += [self.tta.verdict] if self.tta else []
        lines += ["", "mean IoU of the same predictions under other definitions (docs/metrics.md):"]
        width = max(map(len, self.other_definitions))
        lines += [f"  {name:<{width}}  {_text(value)}" for name, value in self.other_definitions.items()]
        return "\n".join(lines)

    def _sureness(self) -> list[str]:
        sure = self.intervals["mean_iou"]
        count = len(self.counts)
        if not isinstance(sure, Interval):
            return [f"{counted(count, 'image')}: too few for an interval."]
        return [f"mean IoU is {sure.low:.4f} to {sure.high:.4f} with 95 % confidence (bootstrap over {count} images)"]


def image_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """For each image its facts and the IoU of each class (null where the class is in neither truth nor prediction)."""
    counts = evaluation.counts
    iou = counts.sums.iou.tolist()
    facts = evaluation.insight.images if evaluation.insight else ()
    return [
        {**(facts[i].to_json() if facts else {"name": name}), "iou": strict_json(iou[i])}
        for i, name in enumerate(counts.names)
    ]


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `folder`/scores.json and images.json, each whole or not at all.

    Raises:
        SettingsError: the folder cannot be written.
    """
    contents = {IMAGES_FILE: evaluation.images_json(), SCORES_FILE: evaluation.to_json()}
    for name, content in contents.items():
        text = json.dumps(content, indent=2 if name == SCORES_FILE else None, allow_nan=False) + "\n"
        write_text(folder / name, text)


def read_counts(path: Path) -> tuple[ImageCounts, LabelTable]:
    """The counts and the classes of an images.json, given as the file or as its folder.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    file = path / IMAGES_FILE if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        labels, counts = content["labels"], content["counts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: cannot be read as an evaluation ({type(error).__name__}: {error}). Expected the folder that "
            "`pixelwise evaluate --output` or `pixelwise score --output` wrote."
        ) from None
    return ImageCounts.from_json(counts, source=str(file)), LabelTable.from_json(labels, source=str(file))


def _of_one_class(scores: Scores) -> tuple[str, ...]:
    present = [i for i, pixels in enumerate(scores.confusion.counts.sum(axis=1)) if pixels]
    if len(present) != 1:
        return ()
    name = scores.labels.names[present[0]]
    return (
        f"Only one class occurs in the truth, {present[0]} ({name}): the scores do not say whether classes are told "
        "apart.",
    )


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
