"""The lists of ImageSets/Segmentation: which image of a VOC folder is in which split."""

import re
from collections.abc import Iterable

from pixelwise.data.convert.source import Source

_SPLITS = {
    "train": "train",
    "trainaug": "train",  # VOC's train with the annotations of Hariharan et al. 2011
    "train_aug": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
    "trainval": None,
}


def read_lists(source: Source, root: str, masks: Iterable[str]) -> tuple[dict[str, str | None], list[str]]:
    """{stem: split} of the images to convert, None where only trainval.txt or no known list names them, and notes.

    Where there are lists, masks in none of them are passed over. A stem in several lists is held out.
    """
    stems = set(masks)
    lists = _lists(source, root)
    known = {name: listed for name, listed in lists.items() if name in _SPLITS}
    notes: list[str] = []
    if not known:
        return dict.fromkeys(sorted(stems)), notes
    splits: dict[str, str | None] = {}
    for name in sorted(known, key=lambda name: (None, "train", "test", "validation").index(_SPLITS[name])):
        absent = [stem for stem in known[name] if stem not in stems]
        if name == "test" and absent:
            notes.append(f"test.txt names {len(absent)} images without masks, which are left out.")
        chosen = [stem for stem in known[name] if name != "test" or stem in stems]
        notes += _overlap(splits, chosen, name)
        splits |= dict.fromkeys(chosen, _SPLITS[name])
    unlisted = stems - splits.keys()
    if unlisted:
        notes.append(f"{len(unlisted)} masks are in no list of {root}ImageSets/Segmentation and were passed over.")
    return splits, notes


def _overlap(splits: dict[str, str | None], chosen: Iterable[str], name: str) -> list[str]:
    twice = [stem for stem in chosen if splits.get(stem) not in (None, _SPLITS[name])]
    text = f"{len(twice)} images of {name}.txt are in another list too and became {_SPLITS[name]}."
    return [text] if twice else []


def _lists(source: Source, root: str) -> dict[str, list[str]]:
    """{name of a list in lower case: stems}."""
    pattern = re.compile(rf"{re.escape(root)}ImageSets/Segmentation/([^/]+)\.txt")
    found = filter(None, map(pattern.fullmatch, source.names))
    texts = {fit[1].lower(): source.read(fit[0]).decode("utf-8-sig", "replace") for fit in found}
    return {
        name: [line.strip().strip('"') for line in text.splitlines() if line.strip()] for name, text in texts.items()
    }
