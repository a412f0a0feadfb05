"""What to say where a folder of a dataset is missing: what is there, and what may be meant."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.dataset.channels import CHANNELS
from pixelwise.data.dataset.layout import subfolders, uneven
from pixelwise.phrases import listed


def missing_channel(root: Path | None, name: str) -> str:
    """Why the channel `name` cannot be found below `root`, with what is there and what may be meant."""
    if root is None:
        return f"The channel {name!r} is not given. Give its folder, or a dataset folder that contains it."
    divided = uneven(root)
    if divided is not None:
        one, other = (folder.name for folder in divided)
        return (
            f"{root}: {one} has folders of splits ({listed(subfolders(divided[0]))}) and {other} has none, expected "
            f"both or neither. Divide {other} as {one} is, or move the files of {one} out of its folders."
        )
    names = [folder for folder in subfolders(root) if folder not in CHANNELS]
    found = listed(subfolders(root), 12) or "no folders"
    near = _similar(name, names)
    hint = f" {root / near} looks like it: rename it to {name!r} or give it as that channel." if near else ""
    return (
        f"{root}: has no folder {name!r}; found {found}. Expected train/, train_annotation/, validation/ and "
        f"validation_annotation/ with images and PNG masks of the same file names; images/train beside "
        f"masks/train, and the like, is taken too, as are images/ beside masks/ and a_mask.png beside a.jpg without "
        f"folders of splits. `pixelwise convert` brings in other layouts (COCO, YOLO, VOC and more).{hint}"
    )


def lone_validation(root: Path, folder: Path) -> str:
    """Why validation is not taken from train where a folder is named after it and no pair of folders is."""
    return (
        f"{root}: {folder.relative_to(root).as_posix()} is named after validation, but no images and masks of "
        "validation go together. Give both with --validation and --validation-annotation, or move the folder "
        "elsewhere; then a fifth of train becomes validation."
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
