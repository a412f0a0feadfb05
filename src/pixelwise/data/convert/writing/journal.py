"""What an interrupted conversion has done already, so that running it again continues it."""

import json
from pathlib import Path
from typing import IO, NamedTuple, Self

from pixelwise.errors import DataError
from pixelwise.phrases import listed

FOLDER = ".conversion"
"""Where a conversion works until all of it is done; hidden, so that nothing takes it for a part of the dataset."""


class Done(NamedTuple):
    """An item whose image and mask are written."""

    suffix: str  # of the image
    pixels: dict[int, int]  # {class id: pixels}, IGNORE included


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
        self._write({"item": item, "suffix": done.suffix, "pixels": done.pixels})

    def _write(self, entry: dict[str, object]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()


def _parsed(lines: list[bytes], dataset: Path, key: str) -> dict[str, Done]:
    try:
        header, *entries = (json.loads(line) for line in lines)
        known = header["conversion"]
        done = {
            entry["item"]: Done(entry["suffix"], {int(i): count for i, count in entry["pixels"].items()})
            for entry in entries
        }
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
