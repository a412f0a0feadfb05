"""Layout: which folders play the part of the channels, where people did not name them so."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

from pixelwise.data.dataset.channels import ARRAY_SUFFIXES, IMAGE_SUFFIXES
from pixelwise.errors import DataError
from pixelwise.phrases import counted

_IMAGES = ("images", "image", "imgs", "img", "img_dir")
_MASKS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "ann_dir"),
    *("gt", "ground_truth"),
)
_SPLITS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
_SHORT = {"tr": "train", "ts": "test"}  # behind images and labels alone, as nnU-Net has them

_MOST_FOLDERS = 10_000  # that are looked into for a first picture: `/` is no dataset

MASK_ENDINGS = (
    *("_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "_annotation"),
    *("-mask", "-label", ".mask"),
)
"""What people put behind the name of an image to name its mask."""

Folders = Mapping[str, Path]


def find_layout(root: Path, *, given: Iterable[str] = ()) -> dict[str, Path]:
    """{channel: folder} below `root`, where images and masks lie as people have them; without the channels `given`.

    Known are `images` beside `masks`, each with or without a folder a split; `train/images` beside `train/masks`;
    `train_images` beside `train_masks` and `imagesTr` beside `labelsTr`; folders, or `root` itself, in which
    `a_mask.png` lies beside `a.jpg` (one folder is then both channels). Other usual names of images, masks and splits
    are known, in any case. Empty where there is no such layout.

    Raises:
        DataError: there are several; the message shows two and how to choose.
    """
    taken = frozenset(given)
    found = [{name: path for name, path in each.items() if name not in taken} for each in _readings(root)]
    found = _distinct(found)
    usable = [each for each in found if all(_may_hold(path) for path in each.values())]
    found = usable or found
    if not found and not {"train", "train_annotation"} & taken and is_side_by_side(root):
        return {"train": root, "train_annotation": root}
    for first, second in combinations(found, 2):
        if any(first[name] != second[name] for name in first.keys() & second.keys()):
            raise DataError(
                f"{root}: can be read in {_ways(found)}: {shown(first, root)}; or {shown(second, root)}. Say which "
                "with --train and --train-annotation (and --validation, --validation-annotation), or move one "
                "elsewhere."
            )
    return {name: path for each in found for name, path in each.items()}


def shown(folders: Folders, root: Path) -> str:
    """Such as "train from images/train and masks/train, validation from images/val and masks/val"."""
    names = [name for name in _SPLITS if name in folders or f"{name}_annotation" in folders]
    return ", ".join(f"{name} from {_shown_pair(folders, name, root)}" for name in names)


def _shown_pair(folders: Folders, name: str, root: Path) -> str:
    images, masks = folders.get(name), folders.get(f"{name}_annotation")
    texts = [path.relative_to(root).as_posix() for path in (images, masks) if path is not None]
    if images is not None and images == masks:
        return f"{'the folder itself' if images == root else texts[0]}, masks beside the images"
    return " and ".join(texts) + (" without masks" if masks is None else "")


def unpaired_validation(root: Path, folders: Folders) -> Path | None:
    """A folder that is named after validation, at the top or one below, and is none of the channels."""
    known = {path for path in folders.values() if path is not None}
    tops = [root / name for name in subfolders(root)]
    for folder in [*tops, *(top / name for top in tops if top not in known for name in subfolders(top))]:
        if folder not in known and _parsed(folder.name)[0] == "validation":
            return folder
    return None


def uneven(root: Path) -> tuple[Path, Path] | None:
    """A folder of images and one of masks of which only one has folders of splits: the divided one first."""
    top = _folders(root)
    for pair in itertools.product(_named(top, _IMAGES), _named(top, _MASKS)):
        divided = [folder for folder in pair if _split_folders(folder)]
        if len(divided) == 1:
            return (pair[0], pair[1]) if divided[0] == pair[0] else (pair[1], pair[0])
    return None


def is_side_by_side(folder: Path) -> bool:
    """Whether some folder at or below `folder` holds an image and a mask named after it, `a.jpg` and `a_mask.png`."""
    for _, below, files in itertools.islice(os.walk(folder), _MOST_FOLDERS):
        below[:] = sorted(name for name in below if name[0] != ".")
        stems = {stem for stem, suffix in map(os.path.splitext, files) if suffix.lower() in IMAGE_SUFFIXES}
        if any(stem.endswith(end) and stem.removesuffix(end) in stems for stem in stems for end in MASK_ENDINGS):
            return True
    return False


def _readings(root: Path) -> Iterator[dict[str, Path]]:
    top = _folders(root)
    # The kind above the split: every folder of images with every folder of masks.
    for images in _named(top, _IMAGES):
        for masks in _named(top, _MASKS):
            of_images, of_masks = _split_folders(images), _split_folders(masks)
            yield _paired(of_images, of_masks) or _whole(images, masks, is_divided=bool(of_images or of_masks))
    # The split above the kind: all splits have their folders by the same names.
    splits = _split_folders(root)
    inside = {name: _folders(folder) for name, folder in splits.items()}
    for image_name in _IMAGES:
        for mask_name in _MASKS:
            images_of = {name: folders[image_name] for name, folders in inside.items() if image_name in folders}
            masks_of = {name: folders[mask_name] for name, folders in inside.items() if mask_name in folders}
            yield _paired(images_of, masks_of)
    yield from _joined(top)
    # Image and mask in one folder.
    for images in _named(top, _IMAGES):
        beside = {name: folder for name, folder in _split_folders(images).items() if is_side_by_side(folder)}
        if beside or _is_flat_side_by_side(images):
            yield _paired(beside, beside) or _paired({"train": images}, {"train": images})
    beside = {name: folder for name, folder in splits.items() if is_side_by_side(folder)}
    yield _paired(beside, beside)


def _whole(images: Path, masks: Path, *, is_divided: bool) -> dict[str, Path]:
    """All is train, unless one of the two has folders of splits that the other lacks."""
    return {} if is_divided else _paired({"train": images}, {"train": masks})


def _is_flat_side_by_side(images: Path) -> bool:
    return not _split_folders(images) and is_side_by_side(images)


def _joined(top: Folders) -> Iterator[dict[str, Path]]:
    """Readings of folders whose names say split and kind: `train_img` and `train_label`, `imagesTr` and `labelsTr`."""
    by_kind: dict[tuple[str, str], dict[str, Path]] = {}
    for name, folder in top.items():
        split, kind, said = _parsed(name)
        if split is not None:
            by_kind.setdefault((kind or "image", said), {})[split] = folder
    for (kind, _), images in by_kind.items():
        if kind == "image":
            for (other, _), masks in by_kind.items():
                if other == "mask":
                    yield _paired(images, masks)
            if images.keys() == {"train"}:  # Training_Images beside Ground_Truth
                yield from (_paired(images, {"train": masks}) for masks in _named(top, _MASKS))


def _parsed(name: str) -> tuple[str | None, str | None, str]:
    """(split or None, "image", "mask" or None, the word for the kind) of a folder's name."""
    plain = _plain(name)
    kinds = {_plain(word): "image" for word in _IMAGES} | {_plain(word): "mask" for word in _MASKS}
    splits = {word: split for split, words in _SPLITS.items() for word in words}
    if plain in splits:
        return splits[plain], None, ""
    for word, kind in kinds.items():
        if plain.startswith(word) and plain.removeprefix(word) in (splits | _SHORT):
            return (splits | _SHORT)[plain.removeprefix(word)], kind, word
        if plain.endswith(word) and plain.removesuffix(word) in splits:
            return splits[plain.removesuffix(word)], kind, word
    return None, None, ""


def _paired(images: Folders, masks: Folders) -> dict[str, Path]:
    """The splits of both; test images may be without masks."""
    both = [name for name in images if name in masks]
    alone = {"test": images["test"]} if both and "test" in images and "test" not in masks else {}
    return {name: images[name] for name in both} | {f"{name}_annotation": masks[name] for name in both} | alone


def _distinct(readings: Iterable[dict[str, Path]]) -> list[dict[str, Path]]:
    """Those that say something, without the ones that are a part of another."""
    found: list[dict[str, Path]] = []
    for reading in readings:
        if not any(reading.items() <= other.items() for other in found):
            found = [*(other for other in found if not other.items() <= reading.items()), reading]
    return [reading for reading in found if reading]


def _ways(readings: list[dict[str, Path]]) -> str:
    return counted(len(readings), "way")


def _may_hold(folder: Path) -> bool:
    """Whether a folder holds pictures or nothing; one of text files (boxes, say) is no folder of masks."""
    suffixes = IMAGE_SUFFIXES | ARRAY_SUFFIXES
    is_empty = True
    for _, below, files in itertools.islice(os.walk(folder), _MOST_FOLDERS):
        below[:] = [name for name in below if name[0] != "."]
        if any(os.path.splitext(name)[1].lower() in suffixes for name in files):
            return True
        is_empty = is_empty and not files
    return is_empty


def _split_folders(folder: Path) -> dict[str, Path]:
    """{split: folder} of those below `folder` that are named after a split."""
    below = _folders(folder)
    found = {split: _named(below, names) for split, names in _SPLITS.items()}
    for split, folders in found.items():
        if len(folders) > 1:
            raise DataError(
                f"{folders[0]} and {folders[1]} are both named after the {split} split, expected one. Rename or move "
                "one, or give the channels one by one."
            )
    return {split: folders[0] for split, folders in found.items() if folders}


def _named(folders: Folders, names: tuple[str, ...]) -> list[Path]:
    plain = {_plain(name): folder for name, folder in folders.items()}
    return [plain[_plain(name)] for name in names if _plain(name) in plain]


def _folders(folder: Path) -> dict[str, Path]:
    """{name in lower case: folder} of the visible folders in `folder`."""
    return {name.lower(): folder / name for name in subfolders(folder)}


def _plain(name: str) -> str:
    """`Ground_Truth`, `ground-truth` and `groundTruth` are one name."""
    return re.sub(r"[-_ .]", "", name.lower())


def subfolders(folder: Path) -> list[str]:
    """The names of the visible folders in `folder`, sorted."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return []
