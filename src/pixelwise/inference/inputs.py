"""Which files are predicted: what files, folders and patterns name, what of it is left out, and frames in a file."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import features

from pixelwise.data.dataset.channels import PREDICTED_SUFFIXES
from pixelwise.data.file_kinds import FIRST_BYTES, image_format
from pixelwise.data.reading import open_image
from pixelwise.errors import DataError

# The decoders that not every build of Pillow has.
_DECODERS = {".webp": "webp", ".avif": "avif", ".jp2": "jpg_2000", ".j2k": "jpg_2000"}

# Images by their names that are not read: of phones and of design, raw, of medicine and of science.
_UNREAD_SUFFIXES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".bpg", ".flif", ".psd", ".psb", ".xcf", ".exr", ".svg", ".eps"),
        *(".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef"),
        *(".srw", ".x3f", ".3fr", ".iiq", ".erf", ".mrw", ".dcm", ".dicom", ".nii", ".nrrd", ".mha", ".svs", ".ndpi"),
        *(".mrxs", ".czi", ".lif", ".nd2", ".vsi", ".fits", ".sid", ".ecw"),
    }
)

# Of the formats that are read, the suffix.
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "WebP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
_ENDINGS |= {"JPEG 2000": ".jp2", "AVIF": ".avif"}

# GDAL lays these TIFFs beside an image: the same at smaller sizes, and where it is valid.
_COMPANIONS = (".ovr", ".msk")

# Of an MPO, which many phones write, the other frames are previews and depths; layers of a PSD are no frames.
_FRAMED = ("GIF", "PNG", "TIFF", "WEBP", "AVIF")
_TIFF_SUBFILE, _TIFF_REDUCED_OR_MASK = 254, 0b101


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
        """Take in what is an image, leave out what looks like one; how many of these there are."""
        count = 0
        for name, path in named:
            if path.suffix.lower() in readable_suffixes():
                self.add(name, path)
            elif (reason := _why_left_out(path)) is not None:
                self.left_out[path] = reason
            else:
                self.others.add(path)
                continue
            count += 1
        return count


@cache
def readable_suffixes() -> frozenset[str]:
    """Suffixes of the images that are predicted, of those that this machine's Pillow has a decoder for."""
    supported = {*features.get_supported_modules(), *features.get_supported_codecs()}
    return frozenset(suffix for suffix in PREDICTED_SUFFIXES if _DECODERS.get(suffix) in (None, *supported))


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


def count_frames(path: Path) -> int:
    """Frames of an animation or pages of a TIFF, without its smaller versions and masks; 1 for a single image."""
    try:
        image = open_image(path)
        frames = int(getattr(image, "n_frames", 1)) if image.format in _FRAMED else 1
        if image.format != "TIFF":
            return frames
        pages = 1
        for i in range(1, frames):
            image.seek(i)
            pages += not int(image.tag_v2.get(_TIFF_SUBFILE, 0)) & _TIFF_REDUCED_OR_MASK  # type: ignore[attr-defined]
        return pages
    except Exception:  # a damaged second frame is no reason to lose the first, which is read
        return 1


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
    kind = _format_of(path)
    if kind is None or path.suffix.lower() in _COMPANIONS:
        return None
    found = f"is {kind} inside, which {path.suffix or 'a name without a suffix'} does not say"
    return f"{path}: {found}. Rename it to end in {_ENDINGS[kind]}, or give it by name."


def _not_read(path: Path, what: str) -> str:
    return f"{path}: images in {what} are not read. Export it as PNG or TIFF."


def _unread(path: Path) -> str | None:
    """The format of an image that is not read: by its first bytes, else its suffix."""
    suffix, kind = path.suffix.lower(), _format_of(path)
    # Raw images begin as a TIFF does, and what a TIFF's reader finds in them is a small preview.
    if suffix in _UNREAD_SUFFIXES | PREDICTED_SUFFIXES and kind in (None, "TIFF"):
        return suffix
    return None if kind is None or _ENDINGS.get(kind) in readable_suffixes() else kind


def _format_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return image_format(file.read(FIRST_BYTES))
    except OSError:
        return None
