"""Write files that are complete or not there at all, and say so plainly when that cannot be done."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pixelwise.errors import Unwritable


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends well, and else is removed.

    Folders on the way are made. What was written is on the disk before it takes its name, so that neither a kill nor
    a power cut leaves half a file.

    Raises:
        Unwritable: `path` cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(path, error) from None
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (temporary, path):
            raise  # about another file of the block: a source that cannot be read
        raise _refusal(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`text` as the UTF-8 file `path`, by `whole`; names of files that are no valid text are escaped in it."""
    # Bytes of a file name that are no characters come as lone surrogates, which UTF-8 cannot hold.
    content = text.encode("utf-8", "backslashreplace")
    with whole(path) as temporary:
        temporary.write_bytes(content)


def made_folder(folder: Path) -> Path:
    """`folder`, made if need be: asked for before long work, so that its result has somewhere to go.

    Raises:
        Unwritable: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from None
    return folder


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> Unwritable:
    return Unwritable(
        f"{path}: cannot be written ({error.strerror or error}). Expected a folder that may be written and has room; "
        "free space or give another output."
    )
