"""What an interrupted conversion has done already, so that running it again continues it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from pixelwise.data.convert.objects import Objects
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE
from pixelwise.phrases import listed

FOLDER = ".conversion"
"""Where a conversion works until all of it is done; hidden, so that nothing takes it for a part of the dataset."""


class Done(NamedTuple):
    """An item whose image and mask are written."""

    suffix: str  # of the image
    pixels: dict[int, int]  # {class id: pixels}, IGNORE included
    objects: Objects | None  # None: the format has masks and no objects

    @property
    def classes(self) -> frozenset[int]:
        """The classes that have a pixel in the mask."""
        return frozenset(i for i, count in self.pixels.items() if count and i != IGNORE)

    def to_json(self) -> dict[str, Any]:
        """A line of the journal, without the item's name."""
        return {**self._asdict(), "objects": self.objects and self.objects.to_json()}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; ValueError, KeyError, TypeError or AttributeError where it did not."""
        pixels = {int(i): count for i, count in entry["pixels"].items()}
        return cls(entry["suffix"], pixels, entry["objects"] and Objects.from_json(entry["objects"]))


class Journal:
    """Completed items by name, one JSON line each, appended and flushed as they come."""

    def __init__(self, done: dict[str, Done], file: IO[bytes]) -> None:
        self.done = done
        self._file = file

    @classmethod
    def open(cls, dataset: Path, key: str) -> Self:
        """Begin or continue the conversion `key` in `dataset`.

        Raises:
            DataError: `dataset` holds something other than an interrupted conversion of this very kind.
        """
        path = dataset / FOLDER / "journal.jsonl"
        if not path.exists():
            _require_empty(dataset)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        # A line without an end was cut off by the interruption; its item is done anew.
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        done = _parsed(lines, dataset, key) if lines else {}
        file = path.open("r+b")
        file.truncate(sum(map(len, lines)))
        file.seek(0, 2)
        journal = cls(done, file)
        if not lines:
            journal._write({"conversion": key})
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, item: str, done: Done) -> None:
        """Note an item whose files are in their place."""
        self.done[item] = done
        self._write({"item": item, **done.to_json()})

    def _write(self, entry: dict[str, object]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()


def _parsed(lines: list[bytes], dataset: Path, key: str) -> dict[str, Done]:
    try:
        header, *entries = (json.loads(line) for line in lines)
        known = header["conversion"]
        done = {entry["item"]: Done.from_json(entry) for entry in entries}
    except (ValueError, KeyError, TypeError, AttributeError):
        known, done = None, {}
    if known != key:
        raise DataError(
            f"{dataset}: holds an interrupted conversion of another source, or with other options. Expected the same, "
            "to be continued; give an empty folder or remove this one."
        )
    return done


def _require_empty(dataset: Path) -> None:
    if dataset.exists() and not dataset.is_dir():
        raise DataError(f"{dataset}: is a file, expected an empty or a new folder. Give another name.")
    found = sorted(entry.name for entry in dataset.iterdir() if entry.name[0] != ".") if dataset.exists() else []
    if "conversion.json" in found:
        raise DataError(f"{dataset}: is converted already. Give a new folder, or remove this one to convert again.")
    if found:
        raise DataError(
            f"{dataset}: is not empty ({listed(found)}), expected an empty or a new folder. Give another one."
        )
