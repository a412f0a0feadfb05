"""What test-time augmentation brings and costs: the scores and the time with all views beside those without."""

from dataclasses import dataclass
from typing import Any

from pixelwise.phrases import counted
from pixelwise.scoring.comparison.compare import METHOD, ScoreDifference
from pixelwise.scoring.metrics import Scores

DEFINITION = (
    "The scores beside this are of the mean of the probabilities over all views; plain: of the image as it is, the "
    "first view, alone. seconds_per_image: of the network, both from one pass, without reading and counting. In "
    f"difference A is plain, B with all views. {METHOD}"
)


@dataclass(frozen=True)
class Gain:
    """Both sides over the same `num_images` images; seconds are of the network, a mean over the images."""

    views: tuple[str, ...]
    num_images: int
    plain: Scores
    mean_iou: ScoreDifference  # A is plain, B with all views
    plain_seconds: float
    seconds: float

    @property
    def verdict(self) -> str:
        """One sentence on what it brings and costs."""
        found = self.mean_iou
        sure = ""
        if found.interval is not None:
            shown = "real" if found.is_real else f"not shown to be real by {counted(self.num_images, 'image')}"
            sure = (
                f" (difference {found.interval.low:+.3f} to {found.interval.high:+.3f} with 95 % confidence, {shown})"
            )
        return (
            f"With test-time augmentation ({counted(len(self.views), 'view')}): mean IoU {found.b:.3f} instead of "
            f"{found.a:.3f}{sure}; {self.seconds / self.plain_seconds:.1f} times the time "
            f"({self.seconds:.3g} s instead of {self.plain_seconds:.3g} s an image)."
        )

    def to_json(self) -> dict[str, Any]:
        """The part "tta" of scores.json; `plain` is what a scores.json without views begins with."""
        return {
            "definition": DEFINITION,
            "verdict": self.verdict,
            "views": list(self.views),
            "seconds_per_image": self.seconds,
            "plain": {**self.plain.to_json(), "seconds_per_image": self.plain_seconds},
            "difference": self.mean_iou.to_json(),
        }
