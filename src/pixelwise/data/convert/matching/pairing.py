"""Which mask belongs to which image, where a source is folders of both: by patterns or by common folder names."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from pixelwise.data.convert.conversion import Options
from pixelwise.data.convert.matching.patterns import match
from pixelwise.data.convert.source import Source
from pixelwise.data.dataset.channels import ARRAY_SUFFIXES, IMAGE_SUFFIXES
from pixelwise.data.dataset.layout import MASK_ENDINGS
from pixelwise.errors import DataError, SettingsError
from pixelwise.phrases import counted, listed

PICTURES = IMAGE_SUFFIXES

_IMAGE_WORDS = {"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "stills", "rgb"}
_MASK_WORDS = {
    "mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations", "gt", "gts",
    "groundtruth", "truth", "target", "targets", "manual", "matte", "labelids", "trainannot", "segmentationclass",
    "pixellevel", "seg",
}  # fmt: skip
# Folders of pictures that lie beside masks and are none: instances, and what tools draw for people to look at.
_OTHER_WORDS = {"object", "objects", "instance", "instances", "inst", "visualization", "viz", "preview", "overlay"}
_SPLITS = {
    "train": "train", "training": "train",
    "validation": "validation", "val": "validation", "valid": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


_Text = TypeVar("_Text", str, list[str])


class Match(NamedTuple):
    """An image of a source with its masks as (class or None, file)."""

    name: str  # for our layout
    split: str | None
    image: str
    masks: tuple[tuple[str | None, str], ...]


class _Folder(NamedTuple):
    path: str
    role: str | None  # "image", "mask", "other"; None: its name does not say
    rest: tuple[str, ...]  # its words without those that tell the role, so that images/train meets masks/train


def find_matches(
    source: Source, options: Options, *, mask_suffixes: Collection[str] = PICTURES | ARRAY_SUFFIXES
) -> tuple[list[Match], list[str]]:
    """Every image that has a mask, and notes on what was recognised and on files without a partner.

    Raises:
        SettingsError: one pattern without the other, or a pattern without {name}.
        DataError: nothing matches, or the folders can be understood in several ways.
    """
    if options.images is None and options.masks is None:
        return _by_folders(source, mask_suffixes)
    if options.images is None or options.masks is None:
        given, other = ("--masks", "--images") if options.images is None else ("--images", "--masks")
        raise SettingsError(f"{given} is given without {other}. Give both patterns, such as {_EXAMPLE}.")
    return _by_patterns(source, options.images, options.masks, mask_suffixes)


def single_masks(matches: Sequence[Match], source: Source) -> dict[str, str]:
    """{image: its mask}; DataError where the patterns give an image several."""
    for one in matches:
        if len(one.masks) > 1:
            files = listed(file for _, file in one.masks)
            raise DataError(
                f"{source.path}: {one.image} has {len(one.masks)} masks ({files}), expected one. Narrow --masks, or "
                "convert with `binary-masks` if each shows one class or one object."
            )
    return {one.image: one.masks[0][1] for one in matches}


def words(path: str) -> list[str]:
    """The words of a path in lower case: "JPEGImages/train_img" has jpeg, images, train and img."""
    return [word.lower() for word in _WORD.findall(path)]


def split_of(path: str) -> str | None:
    """The split that the words of a path tell, if just one."""
    told = {_SPLITS[word] for word in words(path) if word in _SPLITS}
    return told.pop() if len(told) == 1 else None


_EXAMPLE = '--images "photos/{name}.jpg" --masks "truth/{name}_mask.png"'


def _by_patterns(
    source: Source, images: str, masks: str, mask_suffixes: Collection[str]
) -> tuple[list[Match], list[str]]:
    for flag, pattern in (("--images", images), ("--masks", masks)):
        if "{name}" not in pattern:
            raise SettingsError(f"{flag} is {pattern!r}, expected a pattern with {{name}}, such as {_EXAMPLE}.")
    shared = [key for key in ("split", "class", "name") if f"{{{key}}}" in images and f"{{{key}}}" in masks]
    found: dict[tuple[str, ...], list[tuple[str | None, str]]] = defaultdict(list)
    for file, told in match(_typed(source.names, mask_suffixes), masks):
        found[tuple(told[key] for key in shared)].append((told.get("class"), file))
    matches: dict[tuple[str, ...], Match] = {}
    lone = []
    for file, told in match(_typed(source.names, PICTURES), images):
        key = tuple(told[part] for part in shared)
        own = tuple(entry for entry in found.get(key, ()) if entry[1] != file)
        if key in matches and own:
            raise DataError(
                f"{source.path}: {matches[key].image} and {file} are both called {'/'.join(key)}. Give --images a "
                "pattern that tells them apart."
            )
        if own:
            name = "/".join(told[part] for part in ("class", "name") if part in told)
            matches[key] = Match(name, _split(told.get("split"), file), file, own)
        else:
            lone.append(file)
    if not matches:
        fitting = sum(map(len, found.values()))
        raise DataError(
            f"{source.path}: --images {images!r} fits {len(lone)} images and --masks {masks!r} {fitting} masks, but no "
            f"two have the same name. The source has {_inventory(source)}."
        )
    unused = [file for key, files in found.items() if key not in matches for _, file in files]
    used = {file for one in matches.values() for _, file in one.masks}  # "{name}.png" also fits 1_mask.png
    return list(matches.values()), _lone([file for file in lone if file not in used], unused)


def _split(given: str | None, image: str) -> str | None:
    if given is None:
        return split_of(os.path.dirname(image))
    if given.lower() not in _SPLITS:
        raise DataError(f"{image}: {{split}} stands for {given!r}, expected one of {', '.join(_SPLITS)}.")
    return _SPLITS[given.lower()]


def _by_folders(source: Source, mask_suffixes: Collection[str]) -> tuple[list[Match], list[str]]:
    images, masks = _files(source, PICTURES, "image"), _files(source, set(mask_suffixes) - ARRAY_SUFFIXES, "mask")
    arrays = _files(source, set(mask_suffixes) & ARRAY_SUFFIXES, "mask")
    beside = [name for folder in arrays if folder in masks for name in arrays[folder].values()]
    masks = arrays | masks
    if not images:
        images = _files(source, PICTURES, None)
    matches: list[Match] = []
    notes = [f"{counted(len(beside), 'array')} beside masks left out: {listed(beside)}."] if beside else []
    lone: list[str] = []
    unused = set(masks)
    for folder, files in images.items():
        partners = [mask for mask in masks if mask.rest == folder.rest]
        if len(images) == len(masks) == 1:
            partners = list(masks)
        if len(partners) > 1:
            raise _ambiguous(source, f"{folder.path} could belong to {' or '.join(mask.path for mask in partners)}")
        if not partners or partners[0] not in unused:
            lone += files.values()
            continue
        unused.discard(partners[0])
        paired, said = _paired(folder.path, files, partners[0].path, masks[partners[0]])
        matches += paired
        notes += said
    if not matches:
        return _beside(source, mask_suffixes)
    if unused:
        raise _ambiguous(source, f"{' and '.join(sorted(folder.path for folder in unused))} may hold masks too")
    return _shortened(matches), notes + _lone(lone, [])


def _beside(source: Source, mask_suffixes: Collection[str]) -> tuple[list[Match], list[str]]:
    """Images with masks of their names and an ending, `a_mask.png` beside `a.jpg`, as Roboflow writes them."""
    masks = {os.path.splitext(name)[0]: name for name in _typed(source.names, mask_suffixes)}
    found = []
    for image in _typed(source.names, PICTURES):
        stem = os.path.splitext(image)[0]
        own = next((masks[stem + ending] for ending in MASK_ENDINGS if stem + ending in masks), None)
        if own is not None:
            kept = [part for part in PurePosixPath(stem).parent.parts if not _says_role_or_split(part)]
            name = "/".join([*kept, PurePosixPath(stem).name])
            found.append(Match(name, split_of(os.path.dirname(image)), image, ((None, own),)))
    if not found:
        raise _ambiguous(source, "no folder of images has a folder of masks with the same file names")
    used = {file for one in found for file in (one.image, one.masks[0][1])}
    notes = ['Masks lie beside their images and end in "_mask" or the like.']
    return _shortened(found), notes + _lone([name for name in _typed(source.names, PICTURES) if name not in used], [])


def _files(source: Source, suffixes: Collection[str], role: str | None) -> dict[_Folder, dict[str, str]]:
    """{folder: {stem: file}} of the folders that play a role."""
    found: dict[_Folder, dict[str, str]] = defaultdict(dict)
    for name in _typed(source.names, suffixes):
        path = PurePosixPath(name)
        folder = _folder(str(path.parent))
        if folder.role == role:
            found[folder][path.stem] = name
    return found


def _folder(path: str) -> _Folder:
    """The role of a folder, which the part of its path nearest to the files tells."""
    role, rest = None, []
    for part in reversed(PurePosixPath(path).parts):
        kept = words(part)
        joined = "".join(kept)
        for kind, menu in (("other", _OTHER_WORDS), ("mask", _MASK_WORDS), ("image", _IMAGE_WORDS)):
            telling = {joined} & menu or set(kept) & menu
            if role is None and telling:
                role = kind
                kept = [] if joined in telling else [word for word in kept if word not in telling]
        rest += kept
    return _Folder(path, role, tuple(sorted(_SPLITS.get(word, word) for word in rest)))


def _paired(
    image_folder: str, images: Mapping[str, str], mask_folder: str, masks: Mapping[str, str]
) -> tuple[list[Match], list[str]]:
    """Files of one name apart from what all images, and all masks, have in common before and after it."""
    notes = []
    by_core, mask_cores = {stem: stem for stem in images}, {stem: stem for stem in masks}
    if not set(images) & set(masks):
        (before, after), (mask_before, mask_after) = affixes(images), affixes(masks)
        by_core = {stem[len(before) : len(stem) - len(after)]: stem for stem in images}
        mask_cores = {stem[len(mask_before) : len(stem) - len(mask_after)]: stem for stem in masks}
        notes = [
            f'Images "{before}{{name}}{after}" in {image_folder} were matched with masks '
            f'"{mask_before}{{name}}{mask_after}" in {mask_folder}.'
        ]
    folders = [part for part in PurePosixPath(image_folder).parts if not _says_role_or_split(part)]
    matches = [
        Match("/".join([*folders, stem]), split_of(image_folder), images[stem], ((None, masks[mask_cores[core]]),))
        for core, stem in by_core.items()
        if core in mask_cores
    ]
    if not matches:
        return [], []
    lone = [images[stem] for core, stem in by_core.items() if core not in mask_cores]
    return matches, notes + _lone(lone, [masks[stem] for core, stem in mask_cores.items() if core not in by_core])


def affixes(stems: Iterable[str]) -> tuple[str, str]:
    """What all stems begin and end with; digits next to the rest stay with it, because they number the files."""
    known = list(stems)
    if len(known) < 2:
        return "", ""
    before = re.sub(r"\d+$", "", _shared_start(known))
    turned = _shared_start([stem[len(before) :][::-1] for stem in known])
    return before, re.sub(r"^\d+", "", turned[::-1])


def _shared_start(texts: Iterable[_Text]) -> _Text:
    known = sorted(texts)  # what the first and the last share, all share
    first, last = known[0], known[-1]
    return first[: next((i for i, part in enumerate(first) if i == len(last) or part != last[i]), len(first))]


def _says_role_or_split(part: str) -> bool:
    known = words(part)
    menu = _IMAGE_WORDS | set(_SPLITS) | {"jpeg", "original"}
    return "".join(known) in menu or all(word in menu for word in known)


def _shortened(matches: list[Match]) -> list[Match]:
    """Names without the folders that all of them share."""
    shared = _shared_start([one.name.split("/")[:-1] for one in matches])
    return [one._replace(name="/".join(one.name.split("/")[len(shared) :])) for one in matches]


def _typed(names: Iterable[str], suffixes: Collection[str]) -> Iterator[str]:
    return (name for name in names if os.path.splitext(name)[1].lower() in suffixes)


def _lone(images: Sequence[str], masks: Sequence[str]) -> list[str]:
    notes = []
    for files, kind, lacking in ((images, "image", "a mask"), (masks, "mask", "an image")):
        if files:
            notes.append(f"{counted(len(files), kind)} without {lacking} left out: {listed(files)}.")
    return notes


def _ambiguous(source: Source, problem: str) -> DataError:
    return DataError(
        f"{source.path}: {problem}. Found {_inventory(source)}. Say which files are images and which are masks with "
        f"two patterns in which {{name}} is what both have in common, such as {_EXAMPLE}."
    )


def _inventory(source: Source) -> str:
    """The folders of a source with their numbers of files by type."""
    counts = Counter((os.path.dirname(name), os.path.splitext(name)[1].lower()) for name in source.names)
    return listed(
        (f"{folder or '.'} ({count} {suffix or 'without suffix'})" for (folder, suffix), count in counts.items()), 8
    )
