"""What became of the objects that people drew: how many reached a mask, and why the others did not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from pixelwise.phrases import counted, shortened

NO_IMAGE = "no-image"
NO_CATEGORY = "no-category"
NO_CLASS = "no-class"
OUTSIDE = "outside"
EMPTY = "empty"
PASSED_OVER = "passed-over"
NO_AREA = "no-area"
BOXES = "boxes"
MOSTLY_OUTSIDE = "mostly-outside"
NORMALISED = "normalised"
IN_PIXELS = "in-pixels"

MEANING: dict[str, str] = {
    NO_IMAGE: "belong to no image of their list and were passed over",
    NO_CATEGORY: "have no category of the list; their pixels are ignored",
    NO_CLASS: "have no class, several or one that is not listed; their pixels are ignored",
    OUTSIDE: "lie outside of their images",
    EMPTY: "have no area of a pixel (fewer than three points, a line, or empty run lengths)",
    PASSED_OVER: "are of a kind that has no area and were passed over",
    NO_AREA: "are points, lines or of another kind that has no area, and were passed over",
    BOXES: "are boxes, not outlines, and were passed over",
    IN_PIXELS: "have coordinates in pixels, where shares of the size from 0 to 1 belong, and were passed over",
    MOSTLY_OUTSIDE: "lie more than half outside of their images",
    NORMALISED: "have coordinates from 0 to 1 alone, which are pixels here",
}
"""By reason why an object is named; the order is that of the notes."""

_LONGEST_NAME = 200  # an id may be a number of any length
_IN_MASKS = (MOSTLY_OUTSIDE, NORMALISED)  # they have pixels, if few


class Mention(NamedTuple):
    """The objects of one reason."""

    objects: int
    first: str  # which object came first, as its source calls it


class Furthest(NamedTuple):
    """How far the points of objects lie outside, in pixels, and the image of which they are the furthest."""

    x: float = 0
    y: float = 0
    width: int = 0
    height: int = 0

    @property
    def ratio(self) -> float:
        """The furthest point in sizes of its image; 0 where nothing lies outside."""
        return max(self.x / self.width, self.y / self.height) if self.width and self.height else 0


@dataclass
class Objects:
    """A count that grows as the objects of an image are drawn; those of several images add up."""

    given: int = 0
    named: dict[str, Mention] = field(default_factory=dict)  # {reason: its objects}
    reach: Furthest = field(default_factory=Furthest)

    def add(self, name: str, reason: str | None = None, *, count: int = 1) -> None:
        """One more object, or several of a kind; `reason` says why it is named, None: nothing is amiss."""
        self.given += count
        if reason is not None and count:
            known = self.named.get(reason, Mention(0, shortened(name, _LONGEST_NAME)))
            self.named[reason] = known._replace(objects=known.objects + count)

    @property
    def in_masks(self) -> int:
        """Those drawn in a mask, even if later ones cover them."""
        return self.given - sum(found.objects for reason, found in self.named.items() if reason not in _IN_MASKS)

    @property
    def sound(self) -> int:
        """Those drawn where they are meant to be, as far as can be told."""
        return self.in_masks - self.named.get(NORMALISED, Mention(0, "")).objects

    @classmethod
    def united(cls, counts: Iterable[Self]) -> Self:
        """The sum of `counts`; the first of each reason is the first of the first that has it."""
        whole = cls()
        for one in counts:
            whole.given += one.given
            for reason, found in one.named.items():
                known = whole.named.get(reason, Mention(0, found.first))
                whole.named[reason] = known._replace(objects=known.objects + found.objects)
            whole.reach = max(whole.reach, one.reach, key=lambda reach: reach.ratio)
        return whole

    def notes(self) -> list[str]:
        """A sentence for each reason that readers leave to this: how many objects, and the first."""
        said = [(reason, self.named[reason]) for reason in MEANING if reason in self.named and reason != PASSED_OVER]
        notes = [
            f"{found.objects:,} of {counted(self.given, 'object')} {MEANING[reason]}; the first is {found.first}."
            for reason, found in said
        ]
        if 2 * sum(found.objects for reason, found in said if reason in (OUTSIDE, MOSTLY_OUTSIDE)) > self.given:
            notes.append(f"Most objects lie outside. {self._remedy(OUTSIDE)}")
        return notes

    def refusal(self) -> str:
        """Why no object reached a mask, with the likely cause and what to do; for `sound` of 0."""
        most = max(self.named, key=lambda reason: self.named[reason].objects)
        found = self.named[most]
        none = (
            "its only object reaches no mask"
            if self.given == 1
            else f"none of its {self.given:,} objects reaches a mask"
        )
        return f"{none}: {found.objects:,} {MEANING[most]}, the first is {found.first}. {self._remedy(most)}"

    def _remedy(self, reason: str) -> str:
        reach = self.reach
        if reason == OUTSIDE and reach.ratio <= 1:
            return "Expected pixels of the images, counted from the left top corner. Export the objects as such."
        return {
            NO_IMAGE: "Expected annotations whose image_id is the id of an image. Export the file again.",
            NO_CATEGORY: "Expected annotations whose category_id is the id of a category. Export the file again.",
            OUTSIDE: (
                f"Coordinates reach {reach.x:g}, {reach.y:g} in an image of {reach.width} x {reach.height} px: they "
                "were drawn at another scale. Expected pixels of the images here; give the images that were annotated, "
                "or scale the coordinates."
            ),
            NO_CLASS: "Expected one class for each object. Name the objects, or choose another attribute.",
            BOXES: (
                "Expected outlines: a class and x1 y1 x2 y2 x3 y3 ... in a line. Export for segmentation, not for "
                "detection, or draw outlines."
            ),
            IN_PIXELS: "Divide x by the width and y by the height of the image, or export again.",
            NORMALISED: (
                "Expected pixels; these look normalised, as YOLO and others write them. Multiply x by the width and y "
                "by the height of the image."
            ),
        }.get(reason, "Expected polygons of three points or more, or masks. Draw or export the objects as such.")

    def summary(self) -> str:
        """What was given and what reached a mask: "objects: 340 given, 328 in masks."."""
        return f"objects: {self.given:,} given, {self.in_masks:,} in masks."

    def to_json(self) -> dict[str, Any]:
        """For conversion.json and the journal."""
        return {
            "given": self.given,
            "in_masks": self.in_masks,
            "named": {reason: found._asdict() for reason, found in self.named.items()},
            "reach": list(self.reach),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; KeyError, TypeError or AttributeError where it did not."""
        named = {reason: Mention(found["objects"], found["first"]) for reason, found in entry["named"].items()}
        return cls(entry["given"], named, Furthest(*entry["reach"]))
