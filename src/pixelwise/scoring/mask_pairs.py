"""Which predicted mask belongs to which true one: by names, as convert matches masks with images."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pixelwise.data.convert.matching.pairing import PICTURES, affixes
from pixelwise.data.dataset.channels import ARRAY_SUFFIXES
from pixelwise.data.dataset.listing import Listing
from pixelwise.errors import DataError
from pixelwise.phrases import counted, listed, listed_lines

_FAULTS_SHOWN = 20
_ENDING = re.compile(
    r"([_.-]?(pred|prediction|predicted|output|result|mask|label|labelids|gt|truth|target|seg|segmentation|annotation)s?)+$",
    re.IGNORECASE,
)


class MaskPair(NamedTuple):
    """A true mask and the one predicted."""

    truth: Path
    predicted: Path


class _Way(NamedTuple):
    """Names by what is compared of them, on both sides."""

    truth: dict[str, str]
    predicted: dict[str, str]
    note: str

    @property
    def matches(self) -> int:
        return len(self.truth.keys() & self.predicted.keys())


def mask_pairs(truth: Path, predicted: Path) -> tuple[dict[str, MaskPair], list[str]]:
    """{name of the true mask: both files}, and notes on how names were matched.

    Names are paths without suffix. Where no two are equal, affixes that all of a side share and endings such as
    `_pred` are left off, and folders where the names alone tell the files apart.

    Raises:
        DataError: a folder without masks, two masks of one name, or masks without partner, all of them named.
    """
    faults: list[str] = []
    notes: list[str] = []
    there, here = (_listing(folder, faults, notes) for folder in (truth, predicted))
    refuse(faults)
    way = _best_way(there.files, here.files)
    lone = [name for key, name in way.truth.items() if key not in way.predicted]
    unasked = [name for key, name in way.predicted.items() if key not in way.truth]
    title = (
        f"{len(lone)} of {counted(len(there.files), 'true mask')} without prediction, {len(unasked)} of "
        f"{counted(len(here.files), 'prediction')} without truth. Expected one prediction for each true mask, of its "
        "name or with an ending that all share, such as p0.png and p0_pred.png."
    )
    refuse(_without_partner(there, here, lone, unasked), title)
    pairs = {
        name: MaskPair(there.path(name), here.path(way.predicted[key]))
        for key, name in sorted(way.truth.items(), key=lambda item: item[1])
    }
    return pairs, notes + ([way.note] if way.note else [])


def refuse(faults: Iterable[str], title: str = "") -> None:
    """Raise one DataError with all faults, if there are any, below a title."""
    lines = listed_lines(faults, _FAULTS_SHOWN, " faults")
    if lines:
        raise DataError("\n".join([title, *lines] if title else lines))


def _listing(folder: Path, faults: list[str], notes: list[str]) -> Listing:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder}: {found}. Expected a folder of masks; check the path.")
    listing = Listing.of(folder, PICTURES, root=folder, otherwise=ARRAY_SUFFIXES)
    if not listing.files:
        faults.append(
            f"{folder}: holds no images to read as masks. Expected PNG, TIFF, BMP, GIF or .npy files; check the path."
        )
    faults += [str(each) for each in listing.findings if each.severity == "fault" and each.code != "empty-channel"]
    strays = [each.file.name for each in listing.findings if each.code == "stray-file"]
    if strays:
        notes.append(f"{counted(len(strays), 'file')} of other types in {folder} left out: {listed(strays, 8)}.")
    return listing


def _best_way(truth: Iterable[str], predicted: Iterable[str]) -> _Way:
    """The way to compare names that matches most of them; equal names come first."""
    true_names, names = list(truth), list(predicted)
    equal = _Way(_by_itself(true_names), _by_itself(names), "")
    return equal if equal.matches else max([equal, *_ways(true_names, names)], key=lambda way: way.matches)


def _ways(truth: list[str], predicted: list[str]) -> Iterator[_Way]:
    sides = [(_by_itself(truth), _by_itself(predicted), "")]
    bases = [{name.rpartition("/")[2]: name for name in names} for names in (truth, predicted)]
    if [len(side) for side in bases] == [len(truth), len(predicted)]:
        note = "Masks were matched by name, whatever folders they lie in."
        yield _Way(bases[0], bases[1], note)
        sides.append((bases[0], bases[1], f" {note}"))
    for there, here, note in sides:
        patterns = [affixes(side) for side in (there, here)]
        told = [f'"{before}{{name}}{after}"' for before, after in patterns]
        text = f"True masks {told[0]} were matched with predictions {told[1]}.{note}"
        cut = [_cut(side, *pattern) for side, pattern in zip((there, here), patterns, strict=True)]
        yield _Way(cut[0], cut[1], text)
        bare = [{_ENDING.sub("", key): name for key, name in side.items()} for side in (there, here)]
        if [len(side) for side in bare] == [len(there), len(here)]:
            yield _Way(bare[0], bare[1], f'Masks were matched by name without endings such as "_pred".{note}')


def _by_itself(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


def _cut(names: Mapping[str, str], before: str, after: str) -> dict[str, str]:
    return {key[len(before) : len(key) - len(after)]: name for key, name in names.items()}


def _without_partner(there: Listing, here: Listing, lone: list[str], unasked: list[str]) -> Iterator[str]:
    for name in sorted(lone):
        yield f"{there.path(name)}: has no prediction. Expected {name}.png in {here.folder}; predict it too."
    for name in sorted(unasked):
        yield f"{here.path(name)}: has no truth. Expected {name}.png in {there.folder}; add it or remove this."
