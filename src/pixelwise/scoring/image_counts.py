"""ImageCounts: what each image contributes to the scores, enough for every mean and for the bootstrap."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError
from pixelwise.labels import MAX_CLASSES
from pixelwise.scoring.confusion import by_class
from pixelwise.scoring.formulas import Sums

_FIRST_ROWS = 64
_PARTS = ("intersection", "truth", "predicted")


class ImageCounts:
    """Per image and class: pixels right, pixels in the truth, pixels predicted; 24 K bytes an image.

    Only pixels whose truth is not ignored count. Images keep the order in which they were added.
    """

    def __init__(self, num_classes: int) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise ValueError(f"num_classes is {num_classes}, expected 1 to {MAX_CLASSES}")
        self.num_classes = num_classes
        self._places: dict[str, int] = {}
        self._rows = np.zeros((_FIRST_ROWS, len(_PARTS), num_classes), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def names(self) -> tuple[str, ...]:
        """The images, in order."""
        return tuple(self._places)

    @property
    def intersection(self) -> NDArray[np.int64]:
        """(N, K): pixels of each class that were predicted as it."""
        return self._rows[: len(self), 0]

    @property
    def truth(self) -> NDArray[np.int64]:
        """(N, K): pixels of each class in the truth."""
        return self._rows[: len(self), 1]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N, K): pixels predicted as each class."""
        return self._rows[: len(self), 2]

    @property
    def sums(self) -> Sums:
        """All three, (N, K) each: a row of sums for each image."""
        return Sums(*self._rows[: len(self)].swapaxes(0, 1).astype(np.float64))

    def add(self, name: str, counts: NDArray[np.int64]) -> None:
        """Note one image by its confusion matrix, (K, K) with rows truth; a name may come once."""
        if counts.shape != (self.num_classes, self.num_classes) or counts.dtype != np.int64:
            raise ValueError(f"counts of {name} are {counts.dtype} {counts.shape} for {self.num_classes} classes")
        self._append(name, by_class(counts))

    def merge(self, other: Self) -> None:
        """Append the images of `other`, from another part of the data or another process."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge {other.num_classes} classes into {self.num_classes}")
        for name, place in other._places.items():
            self._append(name, other._rows[place])

    def ordered(self, names: Iterable[str]) -> Self:
        """The same counts with the images in the order of `names`, or only those of them."""
        result = type(self)(self.num_classes)
        result._places = {name: place for place, name in enumerate(names)}
        result._rows = self._rows[[self._places[name] for name in result._places]]
        return result

    def to_json(self) -> dict[str, Any]:
        """Strict JSON; for each image only the classes that occur in its truth or prediction."""
        return {"num_classes": self.num_classes, "images": [self._image_json(name) for name in self._places]}

    @classmethod
    def from_json(cls, content: Any, *, source: str) -> Self:
        """Read what `to_json` gave back; `source` names the file in an error.

        Raises:
            DataError: it is something else.
        """
        try:
            result = cls(content["num_classes"])
            for image in content["images"]:
                result._append(image["name"], _row(image, result.num_classes))
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{source}: does not hold counts per image ({type(error).__name__}: {error}). Expected the "
                "images.json that `pixelwise evaluate` or `pixelwise score` wrote; write it again."
            ) from None
        return result

    def _append(self, name: str, row: NDArray[np.int64]) -> None:
        if name in self._places:
            raise ValueError(f"image {name} is counted twice")
        place = len(self)
        if place == len(self._rows):  # doubling: copying costs a constant for each image
            more = np.zeros((max(_FIRST_ROWS, place), *self._rows.shape[1:]), dtype=np.int64)
            self._rows = np.concatenate([self._rows, more])
        self._rows[place] = row
        self._places[name] = place

    def _image_json(self, name: str) -> dict[str, Any]:
        row = self._rows[self._places[name]]
        class_ids = np.flatnonzero(row.any(axis=0))
        parts = zip(_PARTS, row[:, class_ids].tolist(), strict=True)
        return {"name": name, "class_ids": class_ids.tolist(), **dict(parts)}


def _row(image: Any, num_classes: int) -> NDArray[np.int64]:
    """(3, K) of one image's JSON; ValueError and others where it is not what `to_json` gives."""
    if not isinstance(image["name"], str):
        raise TypeError(f"{image['name']!r} is no name")
    class_ids = image["class_ids"]
    parts = np.array([image[part] for part in _PARTS])
    if parts.shape != (len(_PARTS), len(class_ids)) or (parts.size and parts.dtype.kind != "i"):
        raise ValueError(f"{image['name']} does not hold three counts for each class")
    row = np.zeros((len(_PARTS), num_classes), dtype=np.int64)
    if len(set(class_ids)) < len(class_ids) or min(class_ids, default=0) < 0:
        raise ValueError(f"{image['name']} names a class twice or one below 0")
    row[:, class_ids] = parts
    hits, truth, predicted = row
    if row.min() < 0 or (hits > np.minimum(truth, predicted)).any() or truth.sum() != predicted.sum():
        raise ValueError(f"{image['name']} holds counts that contradict each other")
    return row
