"""Write files that are complete or not there at all, and say so plainly when that cannot be done."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pixelwise.errors import SettingsError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends well, and else is removed.

    Folders on the way are made.

    Raises:
        SettingsError: `path` cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, error) from None


def made_folder(folder: Path) -> Path:
    """`folder`, made if need be: asked for before long work, so that its result has somewhere to go.

    Raises:
        SettingsError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from None
    return folder


def _refusal(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"{path}: cannot be written ({error.strerror or error}). Expected a folder that may be written and has room; "
        "free space or give another output."
    )
