"""Which files are predicted: what files, folders and patterns name, and what of it is left out."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pixelwise.data.decoders.arrays import holds_image
from pixelwise.data.decoders.formats import ARRAY_SUFFIXES, FORMATS, PROBABILITIES, FileFormat, readable_formats
from pixelwise.data.file_kinds import FIRST_BYTES, image_format
from pixelwise.errors import DataError

# Images by their names that are not read: of design, raw, of medicine and of science.
_UNREAD_SUFFIXES = frozenset(
    {
        *(".jxl", ".jxr", ".bpg", ".flif", ".psd", ".psb", ".xcf", ".exr", ".svg", ".eps"),
        *(".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef"),
        *(".srw", ".x3f", ".3fr", ".iiq", ".erf", ".mrw", ".nii", ".nrrd", ".mha", ".svs", ".ndpi"),
        *(".mrxs", ".czi", ".lif", ".nd2", ".vsi", ".fits", ".sid", ".ecw"),
    }
)

# GDAL lays these TIFFs beside an image: the same at smaller sizes, and where it is valid.
_COMPANIONS = (".ovr", ".msk")


@dataclass
class Found:
    """What the inputs hold."""

    images: dict[str, Path] = field(default_factory=dict)
    """Output name without suffix -> image."""
    left_out: dict[Path, str] = field(default_factory=dict)
    """Images in formats that are not read, in folders also those under names of other kinds -> what to do about it."""
    others: set[Path] = field(default_factory=set)
    """Files of folders and patterns that are no images, or hidden."""

    def take(self, path: Path) -> None:
        """Take in a file that was given by name: an image unless its suffix or first bytes say that it is not read."""
        unread = None if path.suffix.lower() in readable_suffixes() else _unread(path)
        if unread is None:
            self.add(path.stem, path)
        else:
            self.left_out[path] = _not_read(path, unread)

    def add(self, name: str, path: Path) -> None:
        """Take an image in; DataError if another one has its name."""
        if self.images.setdefault(name, path) != path:
            raise DataError(
                f"{path} and {self.images[name]} would both be written as {name}.png. Predict them with "
                "different --output folders, or rename one."
            )

    def sort(self, named: Iterable[tuple[str, Path]]) -> int:
        """Take in what is an image, leave out what looks like one; how many of these there are.

        Arrays are images by their shape alone, and none beside a picture of their name or where they hold what
        `predict` writes.
        """
        count = 0
        for name, path in sorted(named, key=lambda each: each[1].suffix.lower() in ARRAY_SUFFIXES):
            if path.suffix.lower() in ARRAY_SUFFIXES and not self._is_image(name, path):
                self.others.add(path)
                continue
            if path.suffix.lower() in readable_suffixes():
                self.add(name, path)
            elif (reason := _why_left_out(path)) is not None:
                self.left_out[path] = reason
            else:
                self.others.add(path)
                continue
            count += 1
        return count

    def _is_image(self, name: str, array: Path) -> bool:
        is_free = self.images.get(name, array) == array
        return is_free and not array.name.endswith(PROBABILITIES) and holds_image(array)


@cache
def readable_suffixes() -> frozenset[str]:
    """Suffixes of the images that are predicted: of those formats that this machine has a decoder for."""
    return frozenset(suffix for each in readable_formats() for suffix in each.suffixes)


def find_images(inputs: Sequence[str]) -> Found:
    """The images of files, folders (searched through) and patterns such as `*.jpg`.

    A file given by name is tried whatever its suffix, unless it is one of a format that is not read.

    Raises:
        DataError: an input does not exist or holds nothing that looks like an image, or two images have one name.
    """
    found = Found()
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            _search(path, found)
        elif path.is_file():
            found.take(path)
        else:
            matches = [Path(match) for match in sorted(glob.glob(text, recursive=True))]
            if not found.sort((match.stem, match) for match in matches if match.is_file()):
                raise DataError(
                    f"{text}: no such image, folder of images or pattern that matches images. Check the path; "
                    f"images end in {', '.join(sorted(readable_suffixes()))}."
                )
    return found


def _search(folder: Path, found: Found) -> None:
    visible = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            found.others.add(path)
        else:
            visible.append((inside.with_suffix("").as_posix(), path))
    if not found.sort(visible):
        raise DataError(f"{folder}: holds no images ({', '.join(sorted(readable_suffixes()))}). Check the path.")


def _why_left_out(path: Path) -> str | None:
    """The sentence on a file that looks like an image and has no suffix that is read; None for other files."""
    unread = _unread(path)
    if unread is not None:
        return _not_read(path, unread)
    kind = _kind_of(path)
    if kind is None or path.suffix.lower() in _COMPANIONS:
        return None
    found = f"is {kind} inside, which {path.suffix or 'a name without a suffix'} does not say"
    ending = next(each.suffixes[0] for each in FORMATS if each.name == kind)
    return f"{path}: {found}. Rename it to end in {ending}, or give it by name."


def _not_read(path: Path, what: str) -> str:
    known = _known(what)
    if known is not None and known.extra is not None:
        return f'{path}: images in {known.name} are read with an extra: pip install "pixelwise[{known.extra}]".'
    return f"{path}: images in {what} are not read. Export it as PNG or TIFF."


def _known(what: str) -> FileFormat | None:
    """The format of this name, or with this suffix."""
    return next((each for each in FORMATS if what == each.name or what in each.suffixes), None)


def _unread(path: Path) -> str | None:
    """The format of an image that is not read: by its first bytes, else its suffix."""
    suffix, kind = path.suffix.lower(), _kind_of(path)
    # Raw images begin as a TIFF does, and what a TIFF's reader finds in them is a small preview.
    if (suffix in _UNREAD_SUFFIXES or _known(suffix) is not None) and kind in (None, "TIFF"):
        return suffix
    return None if kind is None or _known(kind) in readable_formats() else kind


def _kind_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return image_format(file.read(FIRST_BYTES))
    except OSError:
        return None
