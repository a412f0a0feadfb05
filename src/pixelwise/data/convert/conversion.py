"""What a reader of a foreign layout hands to the writer: a label table and items that decode on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pixelwise.data.convert.objects import Objects
from pixelwise.data.convert.source import Source
from pixelwise.labels import LabelTable

if TYPE_CHECKING:  # the command line lists the formats and must answer at once
    import numpy as np
    import numpy.typing as npt


class Drawn(NamedTuple):
    """A mask made of objects, and what became of them."""

    class_ids: "npt.NDArray[np.uint8]"
    objects: Objects


class Item(NamedTuple):
    """One image to convert."""

    name: str  # its path in our layout without suffix, with "/"; unique within its split
    image: str  # its name in the source
    split: str | None  # "train", "validation" or "test"; None: the writer splits
    decode: "Callable[[], npt.NDArray[np.uint8] | Drawn]"
    """(H, W) of the upright image, 0..K-1 or IGNORE, decoded anew by every call; raises DataError."""
    content: Callable[[], bytes] | None = None
    """The image's bytes where it lies inside the file `image`; None: that file is the image."""

    def drawn(self) -> "tuple[npt.NDArray[np.uint8], Objects | None]":
        """The mask, and what became of the objects where the format has any."""
        found = self.decode()
        return found if isinstance(found, Drawn) else (found, None)

    def class_ids(self) -> "npt.NDArray[np.uint8]":
        """The mask alone."""
        return self.drawn()[0]


@dataclass(frozen=True)
class Conversion:
    """A whole source, read as far as its lists and labels; no pixel is decoded yet.

    `notes` say what was recognised or repaired, one sentence each; `orphans` are objects that belong to no item.
    """

    labels: LabelTable
    items: Sequence[Item]
    notes: tuple[str, ...] = ()
    orphans: Objects | None = None


@dataclass(frozen=True)
class Options:
    """What the user adds to what a source says of itself."""

    classes: LabelTable | None = None
    num_classes: int | None = None
    images: str | None = None  # a pattern of the images' names, see patterns.match
    masks: str | None = None  # a pattern of the masks' names
    attribute: str | None = None  # which label of a manifest, variable of a .mat file or attribute of regions


class Format(NamedTuple):
    """A foreign layout: its reader and one line that says what it reads."""

    read: Callable[[Source, Options], Conversion]
    meaning: str
    accepts: tuple[str, ...] = ()  # of the options images, masks and attribute; the others are for all
    by_name: bool = False  # whether the source may also be a name, where no file is
