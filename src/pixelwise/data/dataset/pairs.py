"""Match each image with its mask: dataset folder -> Split -> Pair, with every fault noted on the way."""

import bisect
import difflib
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, overload

from pixelwise.data.dataset.channels import ARRAY_SUFFIXES, CHANNELS, IMAGE_SUFFIXES, SPLITS
from pixelwise.data.dataset.label_map import LabelMap, find_label_maps
from pixelwise.data.dataset.layout import MASK_ENDINGS, find_layout, missing_channel, shown, subfolders
from pixelwise.data.dataset.listing import Listing
from pixelwise.data.dataset.manifest import read_manifest
from pixelwise.data.findings import Finding
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.values import unknown_name


class Pair(NamedTuple):
    """An image and its mask; `name` is the path below the split's folder without suffix, with `/`."""

    name: str
    image: Path
    mask: Path | None
    label_map: LabelMap | None = None  # what the mask's values mean; None: they are class ids


class Pairs(Sequence[Pair]):
    """The pairs of a split, made when asked for: of each only its name and what tells its two files are kept."""

    def __init__(
        self,
        images: Path,
        masks: Path | None,
        files: Sequence[tuple[str, str, str]],
        label_map: LabelMap | None = None,
        *,
        labels: LabelTable | None = None,
    ) -> None:
        """`files` are name, suffix of the image, and suffix (or path below `masks`, with `/`) of the mask, in order."""
        self._images, self._masks, self._label_map = images, masks, label_map
        self._files = list(files)
        self.labels = labels  # the classes, where a manifest names them

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, i: int) -> Pair: ...
    @overload
    def __getitem__(self, i: slice) -> "Pairs": ...
    def __getitem__(self, i: int | slice) -> "Pair | Pairs":
        if isinstance(i, slice):
            return Pairs(self._images, self._masks, self._files[i], self._label_map, labels=self.labels)
        name, image, mask = self._files[i]
        path = None if self._masks is None else self._masks / (mask if "/" in mask else name + mask)
        return Pair(name, self._images / (name + image), path, self._label_map)

    def without(self, files: Container[Path]) -> "Pairs":
        """The pairs of which neither the image nor the mask is in `files`."""
        usable = (pair.image not in files and pair.mask not in files for pair in self)
        kept = [entry for entry, is_kept in zip(self._files, usable, strict=True) if is_kept]
        return Pairs(self._images, self._masks, kept, self._label_map, labels=self.labels)


@dataclass(frozen=True)
class Split:
    """One part of a dataset; `masks` is None for images that nobody labelled and for a manifest."""

    name: str
    images: Path  # a folder, or a manifest that lists images and masks
    masks: Path | None
    label_map: LabelMap | None = None

    @property
    def is_manifest(self) -> bool:
        """Whether images and masks are listed in a file."""
        return self.images.is_file()

    @property
    def has_masks(self) -> bool:
        """Whether there is a truth."""
        return self.masks is not None or self.is_manifest

    @property
    def truth(self) -> Path:
        """Where the masks come from, as findings about all of them name it."""
        return self.masks or self.images


@dataclass(frozen=True)
class Dataset:
    """The splits that exist, in the order train, validation, test."""

    splits: dict[str, Split]
    classes_file: Path | None
    root: Path | None = None
    layout: str | None = None  # which folders are the channels, where these have names of their own


def open_dataset(
    root: Path | None,
    *,
    classes_file: Path | None = None,
    required: Sequence[str] = CHANNELS[:4],
    channels: Mapping[str, Path | None] | None = None,
) -> Dataset:
    """Find the folders of a dataset below `root`; `channels` (by name: train, train_annotation, ...) win over it.

    Folders may also lie as `layout.find_layout` knows them: `images/train` and `masks/train`, `train/images` ...

    `required` names the channels that must exist; by default all of train and validation. The channels of images
    may be manifests (`train.manifest`, JSON Lines as Ground Truth writes them), which list the masks too.

    Raises:
        DataError: a folder is missing or is a file; the message says what was found in its place.
        SettingsError: a channel has an unknown name.
    """
    given = {name: folder for name, folder in (channels or {}).items() if folder is not None}
    layout = {} if root is None or _has_channels(root) else find_layout(root)
    folders = _channel_folders(root, {**layout, **given})
    for name in required:
        images = folders[name.removesuffix("_annotation")]
        if folders[name] is None and not (images is not None and images.is_file()):
            raise DataError(missing_channel(root, name))
    label_maps = {} if root is None else find_label_maps(root)
    splits = {}
    for split in SPLITS:
        images, masks = folders[split], folders[f"{split}_annotation"]
        if images is not None:
            label_map = LabelMap.read(label_maps[split]) if split in label_maps else None
            splits[split] = Split(split, images, None if images.is_file() else masks, label_map)
        elif masks is not None:
            raise DataError(f"{masks}: has masks but there is no folder {split!r} with their images. Give both.")
    said = shown(layout, root) if layout and root is not None else None
    return Dataset(splits, classes_file or _existing(root, "classes.json"), root, said)


def find_pairs(
    images: Path, masks: Path | None, *, label_map: LabelMap | None = None, root: Path | None = None
) -> tuple[Pairs, list[Finding]]:
    """Pairs by equal path without suffix, sorted by name, and what is wrong with the rest.

    `images` is a folder or a manifest; `root` is the folder that links should not lead out of.
    """
    if images.is_file():
        return _listed_pairs(images, label_map)
    image_listing = Listing.of(images, IMAGE_SUFFIXES, root=root or images, otherwise=ARRAY_SUFFIXES)
    findings, names = image_listing.findings, sorted(image_listing.files)
    if masks is None:
        return Pairs(images, None, [(name, image_listing.files[name], "") for name in names]), findings
    # A mask of another type is matched too, so that the fault is its type and not a missing mask.
    mask_listing = Listing.of(masks, IMAGE_SUFFIXES, root=root or masks, otherwise=ARRAY_SUFFIXES)
    findings += mask_listing.findings
    mask_listing.shorten(_ending_of_masks(image_listing, mask_listing))
    if image_listing.files and mask_listing.files:
        findings += _unmatched(image_listing, mask_listing)
    suffixes = mask_listing.files
    files = [(name, image_listing.files[name], suffixes[name]) for name in names if name in suffixes]
    return Pairs(images, masks, files, label_map), findings


def _ending_of_masks(images: Listing, masks: Listing) -> str:
    """What masks have behind the names of their images, if more pairs are found so than by equal names."""
    matches = {ending: sum(f"{name}{ending}" in masks.files for name in images.files) for ending in ("", *MASK_ENDINGS)}
    return max(matches, key=lambda ending: matches[ending])


def _listed_pairs(path: Path, label_map: LabelMap | None) -> tuple[Pairs, list[Finding]]:
    """The pairs of a manifest, in its order."""
    manifest = read_manifest(path)
    folder = path.parent
    files = []
    for image, mask in manifest.lines:
        below = image.relative_to(folder) if image.is_relative_to(folder) else image
        files.append((*os.path.splitext(below.as_posix()), "" if mask is None else mask.absolute().as_posix()))
    masks = None if manifest.attribute is None else folder
    return Pairs(folder, masks, files, label_map, labels=manifest.labels), list(manifest.findings)


def _channel_folders(root: Path | None, given: Mapping[str, Path | None]) -> dict[str, Path | None]:
    for name in given:
        if name not in CHANNELS:
            raise SettingsError(unknown_name(name, CHANNELS, "channel"))
    if root is not None:
        _require_folder(root, "a dataset folder")
    folders = {name: given.get(name) or _existing(root, name, f"{name}.manifest") for name in CHANNELS}
    for name, folder in folders.items():
        if folder is not None and not _is_manifest(folder, name):
            _require_folder(folder, f"the folder of channel {name!r}")
    return folders


def _has_channels(root: Path) -> bool:
    """Whether training images and masks lie in folders of the channels' names."""
    return _existing(root, "train_annotation", "train.manifest") is not None


def _existing(root: Path | None, *names: str) -> Path | None:
    """The first of `names` that is below `root`."""
    return next((root / name for name in names if (root / name).exists()), None) if root is not None else None


def _is_manifest(path: Path, channel: str) -> bool:
    return channel in SPLITS and path.suffix.lower() in (".manifest", ".jsonl") and path.is_file()


def _require_folder(path: Path, what: str) -> None:
    if path.is_dir():
        return
    if path.exists():
        raise DataError(f"{path}: is a file, expected {what}. Give the folder that holds the files.")
    near = difflib.get_close_matches(path.name, subfolders(path.parent), n=1, cutoff=0.6)
    hint = f" Did you mean {path.parent / near[0]}?" if near else ""
    raise DataError(f"{path}: does not exist, expected {what}.{hint} Check the path.")


def _unmatched(images: Listing, masks: Listing) -> list[Finding]:
    lone_images = _Lone(images.files.keys() - masks.files.keys())
    lone_masks = _Lone(masks.files.keys() - images.files.keys())
    findings = [
        Finding(
            images.path(name), "has no mask", f"a mask named {name}.png",
            _partner(name, lone_masks, "mask") or "Add the mask or remove the image.", "image-without-mask",
        )
        for name in lone_images.names
    ]  # fmt: skip
    findings += [
        Finding(
            masks.path(name), "has no image", f"an image named {name}.jpg, .png, ...",
            _partner(name, lone_images, "image") or "Add the image or remove the mask.", "mask-without-image",
        )
        for name in lone_masks.names
    ]  # fmt: skip
    return findings


class _Lone:
    """Names without a partner, ready to be searched for a likely one."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)
        self.by_case = {name.casefold(): name for name in self.names}


def _partner(name: str, others: _Lone, what: str) -> str | None:
    """A remedy that names a likely partner: equal but for case, or the longest common beginning."""
    same = others.by_case.get(name.casefold())
    if same is not None:
        return f"The {what} {same!r} differs only in case; rename one of them."
    place = bisect.bisect(others.names, name)
    around = others.names[max(0, place - 1) : place + 1]
    best = max(around, key=partial(_shared_beginning, name), default=None)
    if best is None or 2 * _shared_beginning(name, best) < min(len(name), len(best)):
        return None
    return f"Pairs have equal names apart from the suffix; if {what} {best!r} belongs to it, rename one of them."


def _shared_beginning(name: str, other: str) -> int:
    differing = (i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b)
    return next(differing, min(len(name), len(other)))
