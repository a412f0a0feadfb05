"""What callers may write for paths and settings, brought into one form."""

import os
from collections.abc import Mapping
from pathlib import Path

PathLike = str | os.PathLike[str]


def path_of(path: PathLike | None) -> Path | None:
    """A path, or None."""
    return None if path is None else Path(path)


def paths_of(channels: Mapping[str, PathLike | None] | None) -> dict[str, Path | None]:
    """The folders of the channels that are given."""
    return {name: path_of(path) for name, path in (channels or {}).items()}
