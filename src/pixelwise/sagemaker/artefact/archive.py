"""The files of a model.tar.gz that Amazon's image wrote, found in the archive or in its unpacked folder."""

import contextlib
import gzip
import json
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from pixelwise.bundle import FACTS_FILE
from pixelwise.errors import ModelError

HYPERPARAMETERS = "hyperparams.json"
PARAMETERS = ("model_best.params", "model_algo-1")
"""The best epoch and the last one; the endpoint served the best, so that is taken where both are there."""

# What one file may take: deeplab on resnet-101 with 254 classes and 64-bit numbers is 0.6 GB.
_LARGEST = {HYPERPARAMETERS: 1 << 20, **dict.fromkeys(PARAMETERS, 1 << 30)}

# What a whole archive may unpack to, and what one read of it may ask for: headers can claim any length.
_LARGEST_ARCHIVE = 4 << 30
_LARGEST_READ = 1 << 20
_MOST_MEMBERS = 1000

_EXPECTED = f"Expected the artefact of a training job: {HYPERPARAMETERS} and {PARAMETERS[0]} or {PARAMETERS[1]}."


class Artefact(NamedTuple):
    """What a training job left: the file of parameters, and its hyperparameters if they came along."""

    parameters: Path
    hyperparameters: dict[str, Any]


@contextlib.contextmanager
def open_artefact(source: Path) -> Iterator[Artefact]:
    """The files of `source`, a model.tar.gz or its unpacked folder; an archive's are gone when the context ends.

    Raises:
        ModelError: `source` is neither, is damaged, or is not safe to unpack.
    """
    try:
        if source.is_dir():
            yield _found(source, source)
            return
        if not source.exists():
            raise ModelError(f"{source}: does not exist. Give the model.tar.gz of a training job or its folder.")
        with tempfile.TemporaryDirectory(prefix="pixelwise-") as folder:
            _unpack(source, Path(folder))
            yield _found(Path(folder), source)
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror or error}). Check that it may be read.") from None


def _found(folder: Path, source: Path) -> Artefact:
    if (folder / FACTS_FILE).exists():
        raise ModelError(f"{source}: holds {FACTS_FILE}: it is a bundle already. Use it as it is.")
    for name in PARAMETERS:
        if (folder / name).is_file():
            return Artefact(folder / name, _hyperparameters(folder / HYPERPARAMETERS, source))
    raise ModelError(f"{source}: holds neither {PARAMETERS[0]} nor {PARAMETERS[1]}. {_EXPECTED}")


def _hyperparameters(path: Path, source: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    where = f"{source}: {HYPERPARAMETERS}"
    if path.stat().st_size > _LARGEST[HYPERPARAMETERS]:
        raise ModelError(f"{where} has {path.stat().st_size} bytes, expected at most {_LARGEST[HYPERPARAMETERS]}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not valid JSON ({error}). Copy the artefact again from the job.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{where} is a {type(content).__name__}, expected names and values of hyperparameters.")
    return content


class _Bounded:
    """An unpacked stream that refuses to be read far beyond what an artefact needs."""

    def __init__(self, stream: gzip.GzipFile, source: Path) -> None:
        self.stream, self.source = stream, source

    def read(self, length: int) -> bytes:
        # Headers can also claim a negative length, which would mean everything.
        if not 0 <= length <= _LARGEST_READ or self.stream.tell() + length > _LARGEST_ARCHIVE:
            raise self._too_large(length)
        return self.stream.read(length)

    def seek(self, position: int) -> int:
        if not 0 <= position <= _LARGEST_ARCHIVE:
            raise self._too_large(position)
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()

    def _too_large(self, length: int) -> ModelError:
        return ModelError(
            f"{self.source}: claims a part of {length} bytes or more than {_LARGEST_ARCHIVE >> 30} GB in all. "
            f"{_EXPECTED}"
        )


def _unpack(source: Path, folder: Path) -> None:
    """Write the files that count, and no other, into `folder`."""
    seen: set[str] = set()
    try:
        with gzip.open(source) as stream:
            bounded = cast(IO[bytes], _Bounded(stream, source))  # what tarfile needs of one
            archive = tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115  # holds nothing of its own
            for number, member in enumerate(archive):
                name = _safe_name(member, source, number)
                if name not in _LARGEST and name != FACTS_FILE:
                    continue
                if name in seen:
                    raise ModelError(f"{source}: holds {name} twice. {_EXPECTED}")
                seen.add(name)
                content = archive.extractfile(member)
                assert content is not None  # a plain file
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file, _LARGEST_READ)
                if (folder / name).stat().st_size != member.size:
                    raise EOFError(f"{name} is cut off")
            while bounded.read(_LARGEST_READ):  # to the end, where gzip compares its checksum
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise ModelError(f"{source}: is not a complete model.tar.gz ({error}). {_EXPECTED}") from None


def _safe_name(member: tarfile.TarInfo, source: Path, number: int) -> str:
    """The name of a plain file, "" for a folder; what an artefact never holds ends the reading."""
    outside = member.name.startswith("/") or ".." in PurePosixPath(member.name).parts
    if outside or member.issparse() or not (member.isfile() or member.isdir()):
        raise ModelError(
            f"{source}: holds {member.name!r}, a link, a device or a path that leads out. Not a safe artefact."
        )
    if number >= _MOST_MEMBERS:
        raise ModelError(f"{source}: holds more than {_MOST_MEMBERS} files. {_EXPECTED}")
    name = member.name.removeprefix("./").removeprefix("model/") if member.isfile() else ""
    if not 0 <= member.size <= _LARGEST.get(name, _LARGEST_ARCHIVE):
        raise ModelError(f"{source}: {member.name} claims {member.size} bytes, which it cannot have. {_EXPECTED}")
    return name
