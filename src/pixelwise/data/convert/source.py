"""A folder or an archive as a list of names and their bytes; nothing in it is ever changed."""

import json
import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, TypeVar

from pixelwise.data.findings import FileFault, Finding
from pixelwise.errors import DataError

MAX_FILE_BYTES = 2_000_000_000
"""Larger files are refused: an archive of a few kilobytes can hold one that fills the memory."""

_ARCHIVES = ".zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz"
_PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MAX_LINKS = 8
# What the standard library raises over damaged, encrypted or unknown content.
_BROKEN = (
    OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
)  # fmt: skip

_File = TypeVar("_File", tarfile.TarInfo, Path)
_Archive = TypeVar("_Archive", zipfile.ZipFile, tarfile.TarFile)


class Source:
    """A folder or an archive, read in place; may be read from several threads.

    `names` are all files as sorted posix paths relative to the root; hidden files, what macOS adds to archives and
    names that lead out of an archive are left out.
    """

    def __init__(self, path: Path, names: Iterable[str], fetch: Callable[[str], bytes]) -> None:
        self.path = path
        self.names = tuple(sorted(name for name in names if _visible(name)))
        self._known = frozenset(self.names)
        self._fetch = fetch

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def file(self, name: str) -> Path:
        """How messages call a file of the source."""
        return self.path / name

    def read(self, name: str) -> bytes:
        """The bytes of a file; FileFault when it is missing, damaged, encrypted or above MAX_FILE_BYTES."""
        if name not in self._known:
            raise self.fault(
                name, "is missing", expected="a file, as others refer to it", remedy="Complete the source."
            )
        try:
            return self._fetch(name)
        except _BROKEN as error:
            found = f"cannot be read ({error or type(error).__name__})"
            raise self.fault(
                name, found, expected="a readable file", remedy="Fetch the source again, or unpack it first."
            ) from None

    def json(self, name: str) -> Any:
        """The parsed content of a JSON file; FileFault that names the line when it is none."""
        try:
            return json.loads(self.read(name).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:  # RecursionError: nested too deep
            found = f"is no JSON ({error})"
            raise self.fault(name, found, expected="JSON in UTF-8", remedy="Fetch or export it again.") from None

    def prefixes(self, folder: str) -> list[str]:
        """Where `folder` (such as "ImageSets/Segmentation") lies, at any depth: [""] or ["VOCdevkit/VOC2012/", ...]."""
        inside = re.compile(rf"((?:.*?/)?){re.escape(folder)}/")
        return sorted({fit[1] for fit in map(inside.match, self.names) if fit})

    def fault(self, name: str, found: str, *, expected: str, remedy: str, code: str = "unreadable-file") -> FileFault:
        """An error about one file of the source, for raising."""
        return FileFault(Finding(self.file(name), found, expected, remedy, code))


def open_source(path: Path, *, by_name: bool = False) -> AbstractContextManager[Source]:
    """A folder or an archive, to be used in `with`; packed tars are unpacked once into a temporary folder.

    With `by_name`, what is no folder is left to the reader of its format, as a source without files.

    Raises:
        DataError: there is nothing at `path`, it is no archive that is read, or it is damaged or encrypted.
    """
    if path.is_dir():
        return _folder(path)
    if by_name:
        return nullcontext(Source(path, (), _read_nothing))
    if not path.exists():
        raise DataError(f"{path}: does not exist, expected a folder or an archive ({_ARCHIVES}). Check the path.")
    name = path.name.lower()
    if name.endswith(".zip"):
        return _zip(path)
    if name.endswith(".tar"):
        return _tar(path)
    if name.endswith(_PACKED_TARS):
        return _packed_tar(path)
    raise DataError(f"{path}: is a file, expected a folder or an archive ({_ARCHIVES}). Give the folder that holds it.")


@contextmanager
def _folder(path: Path) -> Iterator[Source]:
    yield Source(path, _below(path), lambda name: _read(path / name))


@contextmanager
def _zip(path: Path) -> Iterator[Source]:
    one_at_a_time = threading.Lock()  # a ZipFile counts its open members without one
    with _opened(path, lambda: zipfile.ZipFile(path)) as archive:
        members = {_posix(info.filename): info for info in archive.infolist() if _is_plain(info)}
        if any(info.flag_bits & 1 for info in members.values()):
            raise DataError(f"{path}: is encrypted. Unpack it with its password and give the folder.")

        def fetch(name: str) -> bytes:
            _limit(members[name].file_size)
            with one_at_a_time:
                return archive.read(members[name])

        yield Source(path, members, fetch)


@contextmanager
def _tar(path: Path) -> Iterator[Source]:
    one_at_a_time = threading.Lock()  # a tar has one place to read at
    with _opened(path, lambda: tarfile.open(path, "r:")) as archive:
        listed = {_posix(member.name): member for member in _members(archive, path)}
        plain = {name: member for name, member in listed.items() if member.isreg()}
        plain |= _linked(listed, plain)

        def fetch(name: str) -> bytes:
            _limit(plain[name].size)
            with one_at_a_time:
                return _content(archive, plain[name]).read()

        yield Source(path, plain, fetch)


@contextmanager
def _packed_tar(path: Path) -> Iterator[Source]:
    with tempfile.TemporaryDirectory(prefix="pixelwise-") as folder:
        listed: dict[str, tarfile.TarInfo] = {}
        files: dict[str, Path] = {}
        with _opened(path, lambda: tarfile.open(path, "r:*")) as archive:
            for member in _members(archive, path):
                name = _posix(member.name)
                listed[name] = member
                if member.isreg() and _visible(name):
                    # Numbered, so that no name in an archive ever becomes a path.
                    files[name] = Path(folder, str(len(listed)))
                    _unpack(archive, member, files[name], path)
        files |= _linked(listed, files)
        yield Source(path, files, lambda name: _read(files[name]))


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, path: Path) -> None:
    if member.size > shutil.disk_usage(target.parent).free:
        raise DataError(
            f"{path}: needs more room than {target.parent.parent} has left. Unpack it elsewhere and give the folder, "
            "or set TMPDIR to a larger place."
        )
    try:
        with target.open("wb") as file:
            shutil.copyfileobj(_content(archive, member), file)
    except _BROKEN as error:
        raise _damaged(path, error) from None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    assert content is not None  # only plain files are asked for
    return content


def _members(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Every entry of a tar, in the order of the file; DataError where it is damaged."""
    entries = iter(archive)
    while True:
        try:
            entry = next(entries, None)
        except _BROKEN as error:
            raise _damaged(path, error) from None
        if entry is None:
            return
        yield entry


def _linked(listed: Mapping[str, tarfile.TarInfo], files: Mapping[str, _File]) -> dict[str, _File]:
    """Links of a tar that end at a file of the same tar, by their names; links out of it are left out."""
    found = {}
    for name in listed:
        target = name
        for _ in range(_MAX_LINKS):
            link = listed.get(target)
            if link is None or not (link.islnk() or link.issym()):
                break
            target = _posix(link.linkname) if link.islnk() else _posix(f"{posixpath.dirname(target)}/{link.linkname}")
        if target != name and target in files:
            found[name] = files[target]
    return found


@contextmanager
def _opened(path: Path, opening: Callable[[], _Archive]) -> Iterator[_Archive]:
    try:
        archive = opening()
    except _BROKEN as error:
        raise _damaged(path, error) from None
    with archive:
        yield archive


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read as an archive ({error or type(error).__name__}). Fetch it again.")


def _read_nothing(name: str) -> bytes:
    raise OSError(f"{name} is no file")


def _read(file: Path) -> bytes:
    _limit(file.stat().st_size)
    return file.read_bytes()


def _limit(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise OSError(f"it has {size / 1e9:.1f} GB, at most {MAX_FILE_BYTES / 1e9:.0f} GB are read")


def _is_plain(info: zipfile.ZipInfo) -> bool:
    # A link is stored as a file whose content is a path; the upper half of external_attr is the mode of Unix.
    return not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)


def _posix(name: str) -> str:
    r"""A name of an archive as a path from its root: "./a/../b" and Windows' "a\b" become "b" and "a/b"."""
    return posixpath.normpath(name.replace("\\", "/"))


def _visible(name: str) -> bool:
    """Whether a name stays inside (neither absolute nor through "..") and is not hidden."""
    return not any(part.startswith(".") or part in ("", "__MACOSX") for part in name.split("/"))


def _below(folder: Path) -> Iterator[str]:
    """Every file below `folder`; links are followed once."""
    seen = set()
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            subfolders.clear()
            continue
        seen.add(real)
        yield from (Path(parent, name).relative_to(folder).as_posix() for name in names)
