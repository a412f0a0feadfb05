"""Match each image with its mask: dataset folder -> Split -> Pair, with every fault noted on the way."""

import bisect
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pixelwise.errors import DataError, SettingsError
from pixelwise.values import unknown_name

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SPLITS = ("train", "validation", "test")
CHANNELS = tuple(name for split in SPLITS for name in (split, f"{split}_annotation"))

# A mask of another type is matched too, so that the fault is its type and not a missing mask.
_MASK_SUFFIXES = IMAGE_SUFFIXES | {".gif"}
# Manifests, label maps and notes lie among images in real datasets; they are nobody's fault.
_TOLERATED_SUFFIXES = frozenset({".json", ".manifest", ".txt", ".md"})
_FORMATS = "JPEG, PNG, WebP, BMP or TIFF"


class Pair(NamedTuple):
    """An image and its mask; `name` is the path below the split's folder without suffix, with `/`."""

    name: str
    image: Path
    mask: Path | None


class Fault(NamedTuple):
    """One finding: which file, what was found, what was expected, what to do."""

    file: Path
    found: str
    expected: str
    remedy: str
    kind: str
    severity: str = "fault"  # "fault" stops training, "warning" does not

    def __str__(self) -> str:
        """The finding as one line."""
        return f"{self.file}: {self.found}. Expected {self.expected}. {self.remedy}"


class FileFault(DataError):
    """A file that cannot be used; `fault` has the parts of the message."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True)
class Split:
    """One part of a dataset; `masks` is None for images that nobody labelled."""

    name: str
    images: Path
    masks: Path | None


@dataclass(frozen=True)
class Dataset:
    """The splits that exist, in the order train, validation, test."""

    splits: dict[str, Split]
    classes_file: Path | None


def open_dataset(
    root: Path | None,
    *,
    classes_file: Path | None = None,
    required: Sequence[str] = CHANNELS[:4],
    channels: Mapping[str, Path | None] | None = None,
) -> Dataset:
    """Find the folders of a dataset below `root`; `channels` (by name: train, train_annotation, ...) win over it.

    `required` names the channels that must exist; by default all of train and validation.

    Raises:
        DataError: a folder is missing or is a file; the message says what was found in its place.
        SettingsError: a channel has an unknown name.
    """
    folders = _channel_folders(root, channels or {})
    for name in required:
        if folders[name] is None:
            raise DataError(_missing(root, name))
    splits = {}
    for split in SPLITS:
        images, masks = folders[split], folders[f"{split}_annotation"]
        if images is not None:
            splits[split] = Split(split, images, masks)
        elif masks is not None:
            raise DataError(f"{masks}: has masks but there is no folder {split!r} with their images. Give both.")
    return Dataset(splits, classes_file or _existing(root, "classes.json"))


def find_pairs(images: Path, masks: Path | None) -> tuple[list[Pair], list[Fault]]:
    """Pairs by equal path without suffix, sorted by name, and what is wrong with the rest.

    Subfolders are searched; nested `*_annotation` folders (an S3 prefix `train` also brings
    `train_annotation`) and hidden files are passed over.
    """
    faults: list[Fault] = []
    image_files = _by_name(images, IMAGE_SUFFIXES, faults)
    if not image_files:
        faults.append(_empty(images))
    if masks is None:
        return [Pair(name, path, None) for name, path in sorted(image_files.items())], faults
    mask_files = _by_name(masks, _MASK_SUFFIXES, faults)
    if not mask_files:
        faults.append(_empty(masks))
    both = sorted(image_files.keys() & mask_files.keys())
    if image_files and mask_files:
        faults += _unmatched(image_files, mask_files)
    return [Pair(name, image_files[name], mask_files[name]) for name in both], faults


def _channel_folders(root: Path | None, given: Mapping[str, Path | None]) -> dict[str, Path | None]:
    for name in given:
        if name not in CHANNELS:
            raise SettingsError(unknown_name(name, CHANNELS, "channel"))
    if root is not None:
        _require_folder(root, "a dataset folder")
    folders = {name: given.get(name) or _existing(root, name) for name in CHANNELS}
    for name, folder in folders.items():
        if folder is not None:
            _require_folder(folder, f"the folder of channel {name!r}")
    return folders


def _existing(root: Path | None, name: str) -> Path | None:
    return root / name if root is not None and (root / name).exists() else None


def _require_folder(path: Path, what: str) -> None:
    if path.is_dir():
        return
    if path.exists():
        raise DataError(f"{path}: is a file, expected {what}. Give the folder that holds the files.")
    near = difflib.get_close_matches(path.name, _subfolders(path.parent), n=1, cutoff=0.6)
    hint = f" Did you mean {path.parent / near[0]}?" if near else ""
    raise DataError(f"{path}: does not exist, expected {what}.{hint} Check the path.")


def _missing(root: Path | None, name: str) -> str:
    if root is None:
        return f"The channel {name!r} is not given. Give its folder, or a dataset folder that contains it."
    names = [folder for folder in _subfolders(root) if folder not in CHANNELS]
    found = ", ".join(_subfolders(root)[:12]) or "no folders"
    near = _similar(name, names)
    hint = f" {root / near} looks like it: rename it to {name!r} or give it as that channel." if near else ""
    return (
        f"{root}: has no folder {name!r}; found {found}. Expected train/, train_annotation/, validation/ and "
        f"validation_annotation/ with images and PNG masks of the same file names.{hint}"
    )


def _similar(name: str, names: Sequence[str]) -> str | None:
    """The folder that most likely plays the part of channel `name` under another name."""
    split, _, annotation = name.partition("_")
    words = ("mask", "label", "annot", "gt", "seg") if annotation else (split, "image", "img")
    short = {"validation": "val", "train": "train", "test": "test"}[split]
    looks = [n for n in names if any(word in n.lower() for word in words) or (not annotation and short in n.lower())]
    of_split = [n for n in looks if short in n.lower()]
    # Without the split's name in it, `masks` may be anything: offer it only for train.
    return next(iter(of_split or (looks if split == "train" else [])), None)


def _subfolders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return []


def _files(folder: Path) -> Iterator[Path]:
    """Every visible file below `folder`; links are followed once."""
    seen = set()
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(s for s in subfolders if s[0] != "." and not s.endswith("_annotation"))
        yield from (Path(parent, name) for name in sorted(names) if name[0] != ".")


def _by_name(folder: Path, suffixes: frozenset[str], faults: list[Fault]) -> dict[str, Path]:
    """{path without suffix: file}; files of one name and of unknown types are added to `faults`."""
    files: dict[str, Path] = {}
    for path in _files(folder):
        suffix = path.suffix.lower()
        if suffix not in suffixes:
            if suffix not in _TOLERATED_SUFFIXES:
                faults.append(_unknown(path))
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            faults.append(_twice(path, files[name]))
        else:
            files[name] = path
    return files


def _unmatched(images: dict[str, Path], masks: dict[str, Path]) -> list[Fault]:
    lone_images, lone_masks = sorted(images.keys() - masks.keys()), sorted(masks.keys() - images.keys())
    faults = [
        Fault(
            images[name], "has no mask", f"a mask named {name}.png",
            _nearest(name, lone_masks, "mask") or "Add the mask or remove the image.", "image without mask",
        )
        for name in lone_images
    ]  # fmt: skip
    faults += [
        Fault(
            masks[name], "has no image", f"an image named {name}.jpg, .png, ...",
            _nearest(name, lone_images, "image") or "Add the image or remove the mask.", "mask without image",
        )
        for name in lone_masks
    ]  # fmt: skip
    return faults


def _nearest(name: str, others: Sequence[str], what: str) -> str | None:
    """A remedy that names the unmatched file with the longest common beginning, if it is a likely partner."""
    place = bisect.bisect(others, name)
    around = others[max(0, place - 1) : place + 1]
    best = max(around, key=partial(_shared_beginning, name), default=None)
    if best is None or 2 * _shared_beginning(name, best) < min(len(name), len(best)):
        return None
    return f"Pairs have equal names apart from the suffix; if {what} {best!r} belongs to it, rename one of them."


def _shared_beginning(name: str, other: str) -> int:
    differing = (i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b)
    return next(differing, min(len(name), len(other)))


def _empty(folder: Path) -> Fault:
    return Fault(
        folder, "holds no images", f"{_FORMATS} files",
        "Put the files there or give the right folder.", "empty channel",
    )  # fmt: skip


def _twice(path: Path, other: Path) -> Fault:
    return Fault(
        path, f"has the same name as {other.name}", "one file of each name, apart from the suffix",
        "Remove or rename one of the two.", "two files of one name",
    )  # fmt: skip


def _unknown(path: Path) -> Fault:
    return Fault(
        path, f"is of a type ({path.suffix or 'no suffix'}) that is not read", f"{_FORMATS} files",
        "It is left out; save it in one of these formats if it is needed.", "file of another type", "warning",
    )  # fmt: skip
