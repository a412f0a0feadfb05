"""What a reader of a foreign layout hands to the writer: a label table and items that decode on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.labels import LabelTable

if TYPE_CHECKING:  # the command line lists the formats and must answer at once
    import numpy as np
    import numpy.typing as npt


class Item(NamedTuple):
    """One image to convert."""

    name: str  # its path in our layout without suffix, with "/"; unique within its split
    image: str  # its name in the source
    split: str | None  # "train", "validation" or "test"; None: the writer splits
    class_ids: "Callable[[], npt.NDArray[np.uint8]]"
    """(H, W) of the upright image, 0..K-1 or IGNORE, decoded anew by every call; raises DataError."""
    content: Callable[[], bytes] | None = None
    """The image's bytes where it lies inside the file `image`; None: that file is the image."""


@dataclass(frozen=True)
class Conversion:
    """A whole source, read as far as its lists and labels; no pixel is decoded yet.

    `notes` say what was recognised or repaired, one sentence each.
    """

    labels: LabelTable
    items: Sequence[Item]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What the user adds to what a source says of itself."""

    classes: LabelTable | None = None
    num_classes: int | None = None
    images: str | None = None  # a pattern of the images' names, see patterns.match
    masks: str | None = None  # a pattern of the masks' names
    attribute: str | None = None  # the label attribute of a Ground Truth manifest


class Format(NamedTuple):
    """A foreign layout: its reader and one line that says what it reads."""

    read: Callable[[Source, Options], Conversion]
    meaning: str
    accepts: tuple[str, ...] = ()  # of the options images, masks and attribute; the others are for all
