"""Layout: which folders play the part of the channels, where people did not name them so."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pixelwise.data.dataset.channels import CHANNELS
from pixelwise.errors import DataError
from pixelwise.phrases import listed

_IMAGES = ("images", "image", "imgs", "img", "img_dir")
_MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "ann_dir", "gt", "ground_truth")
_SPLITS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}

MASK_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_annotation", "-mask", "-label", ".mask")
"""What people put behind the name of an image to name its mask."""

Folders = Mapping[str, Path]


def find_layout(root: Path) -> dict[str, Path]:
    """{channel: folder} below `root`, for `images/train` beside `masks/train` or `train/images` beside `train/masks`.

    Other usual names of images, masks and splits are known, in any case. Empty where there is no such layout.

    Raises:
        DataError: there are several; the message shows two and how to choose.
    """
    found = [reading for reading in _readings(root) if reading]
    if len(found) > 1:
        raise DataError(
            f"{root}: can be read in {len(found)} ways: {shown(found[0], root)}; or {shown(found[1], root)}. Say which "
            "with --train and --train-annotation (and --validation, --validation-annotation), or move one elsewhere."
        )
    return dict(found[0]) if found else {}


def shown(folders: Folders, root: Path) -> str:
    """Such as "train from images/train and masks/train, validation from images/val and masks/val"."""
    splits = [name for name in _SPLITS if name in folders]
    pairs = ((folders[name], folders[f"{name}_annotation"]) for name in splits)
    texts = (" and ".join(folder.relative_to(root).as_posix() for folder in pair) for pair in pairs)
    return ", ".join(f"{name} from {text}" for name, text in zip(splits, texts, strict=True))


def _readings(root: Path) -> Iterator[Folders]:
    top = _folders(root)
    # The kind above the split: every folder of images with every folder of masks.
    for images in _named(top, _IMAGES):
        for masks in _named(top, _MASKS):
            yield _paired(_split_folders(images), _split_folders(masks))
    # The split above the kind: all splits have their folders by the same names.
    splits = _split_folders(root)
    inside = {name: _folders(folder) for name, folder in splits.items()}
    for image_name in _IMAGES:
        for mask_name in _MASKS:
            images_of = {name: folders[image_name] for name, folders in inside.items() if image_name in folders}
            masks_of = {name: folders[mask_name] for name, folders in inside.items() if mask_name in folders}
            yield _paired(images_of, masks_of)


def _paired(images: Folders, masks: Folders) -> dict[str, Path]:
    both = [name for name in images if name in masks]
    return {name: images[name] for name in both} | {f"{name}_annotation": masks[name] for name in both}


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
    return [folders[name] for name in names if name in folders]


def _folders(folder: Path) -> dict[str, Path]:
    """{name in lower case: folder} of the visible folders in `folder`."""
    return {name.lower(): folder / name for name in subfolders(folder)}


def missing_channel(root: Path | None, name: str) -> str:
    """Why the channel `name` cannot be found below `root`, with what is there and what may be meant."""
    if root is None:
        return f"The channel {name!r} is not given. Give its folder, or a dataset folder that contains it."
    names = [folder for folder in subfolders(root) if folder not in CHANNELS]
    found = listed(subfolders(root), 12) or "no folders"
    near = _similar(name, names)
    hint = f" {root / near} looks like it: rename it to {name!r} or give it as that channel." if near else ""
    return (
        f"{root}: has no folder {name!r}; found {found}. Expected train/, train_annotation/, validation/ and "
        f"validation_annotation/ with images and PNG masks of the same file names; images/train beside "
        f"masks/train, and the like, is taken too.{hint}"
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


def subfolders(folder: Path) -> list[str]:
    """The names of the visible folders in `folder`, sorted."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return []
