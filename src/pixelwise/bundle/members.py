"""The files of a bundle, found in what the user gave: a folder, the run around it, or an archive."""

import gzip
import os
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from pixelwise.errors import ModelError

WEIGHTS_FILE = "model.safetensors"
FACTS_FILE = "model.json"

# What one member may take in memory: an archive from elsewhere must not be able to ask for more.
LARGEST = {WEIGHTS_FILE: 8 << 30, FACTS_FILE: 64 << 20}

REMEDY = "Copy the bundle again from where it was trained."


def members_of(path: Path) -> tuple[str, dict[str, bytes]]:
    """The name for messages and the content of both files."""
    try:
        if path.is_file():
            return str(path), _from_archive(path)
        folder = _located(path)
        return str(folder), {name: (folder / name).read_bytes() for name in LARGEST}
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename}: is missing. A bundle is {FACTS_FILE} and {WEIGHTS_FILE}. {REMEDY}"
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}). Check that it may be read.") from None


def _located(path: Path) -> Path:
    """The bundle's folder in what the user gave; also one that an interrupted save left half renamed."""
    for folder in (path, path / "model"):
        if (folder / FACTS_FILE).exists() or (folder / WEIGHTS_FILE).exists():
            return folder
        new, old = siblings(Path(os.path.realpath(folder)))
        if not folder.exists() and old.exists():
            return new if new.exists() else old
    if not path.exists():
        raise ModelError(
            f"{path}: does not exist. Expected a bundle such as RUN/model or model.tar.gz; check the path."
        )
    raise ModelError(
        f"{path}: holds no {FACTS_FILE}. Expected a bundle ({FACTS_FILE} and {WEIGHTS_FILE}), as training "
        "writes it to RUN/model; give that folder."
    )


def _from_archive(path: Path) -> dict[str, bytes]:
    """The two files of a model.tar.gz, read into memory; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        # As a stream: each member is met once, and the end of the archive need not be reached by seeking.
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = _expected_name(member, path)
                if name is None:
                    continue
                if name in found:
                    raise ModelError(f"{path}: holds {name} twice. Pack one bundle into one archive.")
                content = archive.extractfile(member)
                found[name] = content.read() if content else b""
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ModelError(
            f"{path}: is not a complete model.tar.gz ({error}). Expected a bundle's folder or its archive; "
            "weights alone are no bundle."
        ) from None
    for name in LARGEST:
        if name not in found:
            raise ModelError(
                f"{path}: holds no {name}. Pack {FACTS_FILE} and {WEIGHTS_FILE} at the top of the archive."
            )
    return found


def _expected_name(member: tarfile.TarInfo, path: Path) -> str | None:
    """Which of the two files this member is, None for another one; dangerous members end the reading."""
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or not (member.isfile() or member.isdir()):
        raise ModelError(
            f"{path}: holds {member.name!r}, a link, a device or a path that leads out. Not a safe bundle."
        )
    if not member.isfile() or member.name.removeprefix("./").removeprefix("model/") not in LARGEST:
        return None
    if member.size > LARGEST[parts[-1]]:
        limit = LARGEST[parts[-1]] >> 20
        raise ModelError(f"{path}: {parts[-1]} is {member.size >> 20} MB, expected at most {limit} MB.")
    return parts[-1]


def siblings(folder: Path) -> tuple[Path, Path]:
    """Where the new bundle is completed, and where the old one waits to be removed."""
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
