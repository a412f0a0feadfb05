"""SageMaker's label maps: which value in the masks of a split stands for which class."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from PIL import Image

from pixelwise.errors import DataError
from pixelwise.labels import IGNORE
from pixelwise.values import unknown_name

UNLISTED = -1
"""What a `map` says about a value that it does not list; such pixels are ignored, with a warning."""

_KEYS = ("scale", "map")
_FORMS = '{"scale": 3} or {"map": {"0": 5, "1": 0}}, where the key is the class id and the value the pixel value'


@dataclass(frozen=True)
class LabelMap:
    """What every value of a mask becomes, after the `label_map` channel of SageMaker's Semantic Segmentation.

    `table` has 256 entries: the class id, IGNORE or UNLISTED for each value in the file. `source` is named in
    errors. `scale` is what the file says, None where it holds a `map`.
    """

    table: tuple[int, ...]
    source: str
    scale: float | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one `*_label_map.json`; of `scale` and `map` in one file, `map` counts.

        `{"scale": "3"}` makes class floor(value / 3). `{"map": {"0": 5, "1": [0, 7]}}` makes class 0 of the value 5
        and class 1 of 0 and 7 (lists are our extension); class 255 means ignored.

        Raises:
            DataError: the file is no such JSON, or a class id or a value is outside 0 to 255 or given twice.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_repeats)
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read as JSON ({error}). Expected {_FORMS}.") from None
        if not isinstance(content, dict):
            raise DataError(f"{path}: holds {type(content).__name__}, expected an object: {_FORMS}.")
        for name in content:
            if name not in _KEYS:
                raise DataError(f"{path}: {unknown_name(name, _KEYS, 'key')} Expected {_FORMS}.")
        if not content:
            raise DataError(f"{path}: is an empty object. Expected {_FORMS}; without a map, remove the file.")
        scale = _scale(content["scale"], path) if "scale" in content else None
        if "map" in content:
            return cls(_mapped(content["map"], path), str(path))
        assert scale is not None
        return cls(_scaled(scale), str(path), scale).resolved(None)

    def resolved(self, num_classes: int | None) -> Self:
        """This map for a known number of classes, which decides what 255 means under a `scale`.

        A mask's 255 stays ignored unless the file sends it to a class. A `map` does so by listing it. A `scale` does
        so when floor(255 / scale) is below `num_classes`: with `{"scale": 255}`, 0/255 masks become 0/1, and with
        `{"scale": 3}` and 3 classes (0, 3, 6), 255 would be class 85 and is ignored. While `num_classes` is None,
        2 are certain, so that 255 is a class from scale 128 on.
        """
        if self.scale is None:
            return self
        top = math.floor(IGNORE / self.scale)
        return replace(self, table=(*self.table[:IGNORE], top if top < (num_classes or 2) else IGNORE))

    def apply(self, mask: Image.Image) -> Image.Image:
        """A mode "L" mask of class ids from one of file values; what is not listed becomes IGNORE."""
        return mask.point([IGNORE if class_id == UNLISTED else class_id for class_id in self.table])

    def unlisted(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Of {file value: pixels}, those that the map does not list and that are therefore ignored."""
        return {value: count for value, count in counts.items() if count and self.table[value] == UNLISTED}


def find_label_maps(root: Path) -> dict[str, Path]:
    """{split: its label map}, in `root/label_map/` as SageMaker's channel has it, else in `root` itself."""
    found = {}
    for split in ("train", "validation", "test"):
        name = f"{split}_label_map.json"
        places = [folder / name for folder in (root / "label_map", root) if (folder / name).is_file()]
        if places:
            found[split] = places[0]
    return found


def _without_repeats(items: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(items)
    if len(content) < len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is written twice; give several values of one class as a list")
    return content


def _scale(value: Any, path: Path) -> float:
    try:
        scale = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):  # OverflowError: 400 digits
        scale = math.nan
    if not 1 <= scale <= IGNORE:
        raise DataError(f"{path}: the scale is {value!r}, expected a number from 1 to {IGNORE}, such as 3.")
    return scale


def _scaled(scale: float) -> tuple[int, ...]:
    return tuple(math.floor(value / scale) for value in range(256))


def _mapped(content: Any, path: Path) -> tuple[int, ...]:
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: the map is {content!r}, expected an object. Expected {_FORMS}.")
    table = [UNLISTED] * IGNORE + [IGNORE]
    taken: dict[int, int] = {}
    for class_id, value in _entries(content, path):
        if value in taken:
            raise DataError(
                f"{path}: the pixel value {value} is given to the classes {taken[value]} and {class_id}. Give each "
                "value to one class; in a map the key is the class id and the value the pixel value."
            )
        taken[value] = table[value] = class_id
    return tuple(table)


def _entries(content: Mapping[str, Any], path: Path) -> Iterator[tuple[int, int]]:
    """(class id, pixel value) of every entry of a map."""
    for key, values in content.items():
        class_id = _byte(key, f"{path}: the map has the class id {key!r}")
        for value in values if isinstance(values, list) else [values]:
            yield class_id, _byte(value, f"{path}: class {class_id} has the pixel value {value!r}")


def _byte(value: Any, where: str) -> int:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 255 or number != int(number):
        raise DataError(f"{where}, expected a whole number from 0 to 255. The key is the class, the value the pixel.")
    return int(number)
