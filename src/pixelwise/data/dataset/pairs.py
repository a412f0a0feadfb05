"""Match each image with its mask: dataset folder -> Split -> Pair, with every fault noted on the way."""

import difflib
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, overload

from pixelwise.data.dataset.channels import ARRAY_SUFFIXES, CHANNELS, IMAGE_SUFFIXES, SPLITS
from pixelwise.data.dataset.label_map import LabelMap, find_label_maps
from pixelwise.data.dataset.layout import find_layout, shown, subfolders, unpaired_validation
from pixelwise.data.dataset.listing import Listing
from pixelwise.data.dataset.manifest import read_manifest
from pixelwise.data.dataset.missing import lone_validation, missing_channel
from pixelwise.data.dataset.partners import name_alike, side_by_side, unmatched
from pixelwise.data.dataset.splits.division import SplitRule
from pixelwise.data.findings import Finding
from pixelwise.errors import DataError, SettingsError
from pixelwise.labels import LabelTable
from pixelwise.labels.files.beside import found_beside
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

    def only(self, names: Container[str]) -> "Pairs":
        """The pairs of these names."""
        kept = [entry for entry in self._files if entry[0] in names]
        return Pairs(self._images, self._masks, kept, self._label_map, labels=self.labels)

    @property
    def names(self) -> list[str]:
        """The names of the pairs, in order."""
        return [entry[0] for entry in self._files]

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
    class_files: tuple[Path, ...] = ()  # found beside the data, where no other was given; the first counts
    rule: SplitRule | None = None  # how validation is taken from train, where no validation is given


def open_dataset(
    root: Path | None,
    *,
    classes_file: Path | None = None,
    required: Sequence[str] | None = None,
    channels: Mapping[str, Path | None] | None = None,
    rule: SplitRule | None = None,
) -> Dataset:
    """Find the folders of a dataset below `root`; `channels` (by name: train, train_annotation, ...) win over it.

    Folders may also lie as `layout.find_layout` knows them: `images` and `masks`, `train/images` ...

    `required` names the channels that must exist. By default these are train and, where anything is named after it,
    validation; where nothing is, the dataset has a `rule` (one of its own unless it is given) by which a check takes
    validation from train, also where a `rule` is given beside `required` and there is train. The channels of images
    may be manifests (`train.manifest`, JSON Lines as Ground Truth writes them), which list the masks too.

    Raises:
        DataError: a folder is missing or is a file; the message says what was found in its place.
        SettingsError: a channel has an unknown name; `rule` groups by a pattern, but folders give validation.
    """
    given = {name: folder for name, folder in (channels or {}).items() if folder is not None}
    layout = _layout(root, given)
    folders = _channel_folders(root, {**layout, **given})
    has_validation = bool(folders["validation"] or folders["validation_annotation"])
    divides = not has_validation and (required is None or bool(rule and folders["train"]))
    if required is None or divides:
        required = CHANNELS[:2] if divides else CHANNELS[:4]
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
    files = () if root is None or classes_file is not None else found_beside([root, *_folders_of(splits, root)])
    dataset = Dataset(splits, classes_file or next(iter(files), None), root, said, files)
    return _divided(dataset, folders, rule) if divides else _as_given(dataset, rule)


def _folders_of(splits: Mapping[str, Split], root: Path) -> Iterator[Path]:
    """Where files of class names may lie in `root` too: the splits' own folders and those around them."""
    for split in splits.values():
        for folder in (split.images, split.masks):
            if folder is not None and folder.is_relative_to(root) and folder != root:
                yield from (each for each in (folder.parent, folder) if each != root and each.is_dir())


def _layout(root: Path | None, given: Mapping[str, Path]) -> dict[str, Path]:
    """The channels by other names than their own; beside `train_annotation` only validation may have one."""
    if root is None or not root.is_dir():
        return {}
    if not _has_channels(root):
        return find_layout(root, given=given)
    if _existing(root, "validation", "validation_annotation", "validation.manifest") or "validation" in given:
        return {}
    layout = find_layout(root, given=(*given, "train", "train_annotation", "test", "test_annotation"))
    return layout if {"validation", "validation_annotation"} <= layout.keys() | given.keys() else {}


def _divided(dataset: Dataset, folders: Mapping[str, Path | None], rule: SplitRule | None) -> Dataset:
    """The dataset with a validation split that lies where train does, and the rule that tells the two apart."""
    root, train = dataset.root, dataset.splits["train"]
    lone = None if root is None else unpaired_validation(root, {name: path for name, path in folders.items() if path})
    if root is not None and lone is not None:
        is_named = lone.parent == root and _has_channels(root)
        raise DataError(missing_channel(root, "validation") if is_named else lone_validation(root, lone))
    splits = {"train": train, "validation": replace(train, name="validation"), **dataset.splits}
    return replace(dataset, splits=splits, rule=rule or SplitRule())


def _as_given(dataset: Dataset, rule: SplitRule | None) -> Dataset:
    if rule is None or rule.split_by is None or rule.is_own:
        return dataset
    place = dataset.splits["validation"].images if "validation" in dataset.splits else dataset.root
    raise SettingsError(
        f"split_by is {rule.split_by!r}, but the split is given by folders ({place}). Leave it out, or give a dataset "
        "without validation."
    )


def find_pairs(
    images: Path, masks: Path | None, *, label_map: LabelMap | None = None, root: Path | None = None
) -> tuple[Pairs, list[Finding]]:
    """Pairs by equal path without suffix, sorted by name, and what is wrong with the rest.

    `images` is a folder or a manifest; `root` is the folder that links should not lead out of. Masks may have an
    ending of `layout.MASK_ENDINGS`; then `masks` may be the folder of the images.

    Raises:
        DataError: there is one file for each channel of an image.
    """
    if images.is_file():
        return _listed_pairs(images, label_map)
    if masks is None:
        listing = Listing.of(images, IMAGE_SUFFIXES, root=root or images, otherwise=ARRAY_SUFFIXES)
        files = [(name, listing.files[name], "") for name in sorted(listing.files)]
        return Pairs(images, None, files), listing.findings
    if images == masks:
        image_listing, mask_listing = side_by_side(Listing.of(images, IMAGE_SUFFIXES, root=root or images))
    else:
        image_listing = Listing.of(images, IMAGE_SUFFIXES, root=root or images, otherwise=ARRAY_SUFFIXES)
        # A mask of another type is matched too, so that the fault is its type and not a missing mask.
        mask_listing = Listing.of(masks, IMAGE_SUFFIXES, root=root or masks, otherwise=ARRAY_SUFFIXES)
        name_alike(image_listing, mask_listing)
    findings = image_listing.findings + mask_listing.findings
    if image_listing.files and mask_listing.files:
        findings += unmatched(image_listing, mask_listing)
    suffixes, names = mask_listing.files, sorted(image_listing.files)
    files = [(name, image_listing.files[name], suffixes[name]) for name in names if name in suffixes]
    return Pairs(images, masks, files, label_map), findings


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
