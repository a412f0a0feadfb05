"""Find the files that a list refers to, and what the names of lists and folders say of splits."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import unquote

from pixelwise.data.convert.source import Source
from pixelwise.data.dataset.channels import IMAGE_SUFFIXES
from pixelwise.errors import DataError
from pixelwise.phrases import listed

_SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def split_of(name: str) -> str | None:
    """The split that a path speaks of, its last part first: "annotations/panoptic_val2017.json" is validation."""
    for part in reversed(name.split("/")):
        found = {_SPLIT_WORDS[word] for word in re.findall("[a-z]+", part.lower()) if word in _SPLIT_WORDS}
        if len(found) == 1:
            return found.pop()
    return None


def images_of(source: Source) -> list[str]:
    """Every file of a source that has the suffix of an image."""
    return [name for name in source.names if posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES]


def short_names(references: Sequence[str]) -> list[str]:
    """A name for each file in a dataset: its stem where all stems differ, else its path without suffix."""
    paths = [posixpath.splitext("/".join(_parts(reference)))[0] for reference in references]
    stems = [path.rsplit("/", 1)[-1] for path in paths]
    return stems if len({stem.casefold() for stem in stems}) == len(stems) else paths


def names_by_split(splits: Mapping[str, str | None]) -> dict[str, str]:
    """{file: its name in a dataset} of {file: split}; names are `short_names` among those of a split."""
    files: dict[str | None, list[str]] = defaultdict(list)
    for file, split in splits.items():
        files[split].append(file)
    return {file: name for same in files.values() for file, name in zip(same, short_names(same), strict=True)}


class Lookup:
    """The files of a source by what others call them."""

    def __init__(self, names: Iterable[str], *, stems: bool = False) -> None:
        """`stems`: references have no suffix."""
        self._by_last: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
        for name in names:
            parts = (posixpath.splitext(name)[0] if stems else name).split("/")
            self._by_last[parts[-1]].append((parts, name))

    def find(self, reference: str, *, near: str = "") -> str | None:
        """The file that shares the most trailing parts with `reference`, a path or an address; None: there is none.

        Of several that share as many, one of the split that `near` speaks of is taken, then the one whose folders
        agree longest with `near`.

        Raises:
            DataError: several files fit equally.
        """
        wanted = _parts(reference)
        if not wanted:
            return None
        fits = _best(self._by_last.get(wanted[-1], []), lambda parts: _shared(parts[::-1], wanted[::-1]))
        if len(fits) > 1:
            split = split_of(near)
            fits = _best(fits, lambda parts: int(split is not None and split_of("/".join(parts[:-1])) == split))
        if len(fits) > 1:
            fits = _best(fits, lambda parts: _shared(parts, near.split("/")[:-1]))
        if len(fits) > 1:
            files = listed(name for _, name in fits)
            raise DataError(
                f"{near or 'The source'}: refers to {reference}, which may be any of {files}. Expected one file; keep "
                "as much of the folders of the reference as tells them apart, or give a folder with one of them."
            )
        return fits[0][1] if fits else None


_Fit = tuple[list[str], str]


def _best(fits: list[_Fit], score: Callable[[list[str]], int]) -> list[_Fit]:
    """Those of `fits` whose parts have the highest score."""
    highest = max((score(parts) for parts, _ in fits), default=0)
    return [fit for fit in fits if score(fit[0]) == highest]


def _parts(reference: str) -> list[str]:
    """The folders and the name of a path, of a Windows path or of an address; ".." leads nowhere."""
    scheme, separator, rest = reference.replace("\\", "/").partition("://")
    path = unquote(rest) if scheme.lower() == "file" else rest
    parts = (path.split("/")[1:] if scheme.lower() != "file" else path.split("/")) if separator else scheme.split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts two paths have in common from their beginning on."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
