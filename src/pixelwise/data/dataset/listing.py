"""The files below a folder by name, and what in the listing itself would mislead."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.data.decoders.formats import IMAGE_FORMATS
from pixelwise.data.findings import Finding
from pixelwise.labels.files.beside import rank

# Manifests, label maps and notes lie among images in real datasets; they are nobody's fault.
_TOLERATED_SUFFIXES = frozenset({".json", ".jsonl", ".manifest", ".txt", ".md"})


@dataclass
class Listing:
    """Files by name: the path below the folder without suffix, with `/`.

    Of each file one text is kept; a hundred thousand `Path`s would take a hundred megabytes.
    """

    folder: Path
    suffixes: frozenset[str]
    files: dict[str, str] = field(default_factory=dict)  # {name: suffix}
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of(
        cls, folder: Path, suffixes: frozenset[str], *, root: Path, otherwise: frozenset[str] = frozenset()
    ) -> "Listing":
        """Every visible file with one of `suffixes` below `folder`, a part of the dataset at `root`.

        Where there is none, every file with one of `otherwise`.
        Subfolders are searched, links are followed once; nested `*_annotation` folders (an S3 prefix `train` also
        brings `train_annotation`) and hidden files are passed over.
        """
        findings: list[Finding] = []
        links: list[str] = []
        paths = list(_walk(folder, "", findings, links, set()))
        known = {os.path.splitext(path)[1].lower() for path in paths}
        listing = cls(folder, suffixes if suffixes & known else suffixes | otherwise, findings=findings)
        for path in paths:
            listing._add(path)
        outside = _leading_out(folder, links, root)
        if outside:
            listing.findings.append(_links_outside(folder, outside))
        listing.findings += _case_collisions(listing)
        if not listing.files:
            listing.findings.append(_empty(folder))
        return listing

    def _add(self, path: str) -> None:
        stem, suffix = os.path.splitext(path)
        if suffix.lower() not in self.suffixes:
            if suffix.lower() not in _TOLERATED_SUFFIXES and rank(path) is None:
                self.findings.append(_stray(self.folder / path, suffix))
        elif stem in self.files:
            self.findings.append(_twice(self.folder / path, Path(stem + self.files[stem]).name))
        else:
            self.files[stem] = sys.intern(suffix)

    def shorten(self, ending: str) -> None:
        """Call files by their names without `ending`, where they have it and no other file is called so."""
        if ending:
            short = {name: name.removesuffix(ending) for name in self.files if name.endswith(ending)}
            short = {name: other for name, other in short.items() if other not in self.files}
            whole = {name: (ending if name in short else "") + suffix for name, suffix in self.files.items()}
            self.files = {short.get(name, name): suffix for name, suffix in whole.items()}

    def path(self, name: str) -> Path:
        """The file called `name`."""
        return self.folder / (name + self.files[name])


def _walk(folder: Path, below: str, findings: list[Finding], links: list[str], seen: set[str]) -> Iterator[str]:
    """Paths of the visible files below `folder`/`below`, relative to `folder`, sorted within each folder."""
    real = os.path.realpath(folder / below)
    if real in seen:  # a link that leads back up
        return
    seen.add(real)
    files, subfolders = [], []
    with os.scandir(folder / below) as entries:
        for entry in entries:
            if entry.name[0] == ".":
                continue
            if entry.is_symlink():
                links.append(below + entry.name)
            if entry.is_file():
                files.append(entry.name)
            elif entry.is_dir():
                subfolders.append(entry.name)
            elif entry.is_symlink():
                findings.append(_broken_link(folder / below / entry.name))
    yield from (below + name for name in sorted(files))
    yield from _walk_subfolders(folder, [below + name for name in sorted(subfolders)], findings, links, seen)


def _walk_subfolders(
    folder: Path, paths: list[str], findings: list[Finding], links: list[str], seen: set[str]
) -> Iterator[str]:
    for path in paths:
        if path.endswith("_annotation"):
            findings.append(_nested(folder / path))
        else:
            yield from _walk(folder, f"{path}/", findings, links, seen)


def _leading_out(folder: Path, links: Iterable[str], root: Path) -> list[str]:
    home = os.path.realpath(root)
    targets = ((path, os.path.realpath(folder / path)) for path in links)
    return [path for path, target in targets if os.path.exists(target) and not f"{target}/".startswith(f"{home}/")]


def _case_collisions(listing: Listing) -> list[Finding]:
    seen: dict[str, str] = {}
    findings = []
    for name in listing.files:
        first = seen.setdefault(name.casefold(), name)
        if first is not name:
            file, other = listing.path(name), listing.path(first)
            remedy = "Rename one with its mask: Windows and macOS cannot hold both."
            found = f"differs from {other.name} only in case"
            findings.append(Finding(file, found, "names that differ otherwise too", remedy, "name-case", other=other))
    return findings


def _empty(folder: Path) -> Finding:
    remedy = "Put the files there or give the right folder."
    if any(True for _ in folder.rglob("*.txt")) or any(True for _ in folder.rglob("*.json")):
        remedy = "Outlines in text or JSON are drawn by `pixelwise convert` (yolo, coco, labelme and others)."
    return Finding(folder, "holds no images", f"{IMAGE_FORMATS} files", remedy, "empty-channel")


def _twice(path: Path, other: str) -> Finding:
    return Finding(
        path, f"has the same name as {other}", "one file of each name, apart from the suffix",
        "Remove or rename one of the two.", "duplicate-stem", other=path.with_name(other),
    )  # fmt: skip


def _stray(path: Path, suffix: str) -> Finding:
    return Finding(
        path, f"is of a type ({suffix or 'no suffix'}) that is not read", f"{IMAGE_FORMATS} files",
        "It is left out; save it in one of these formats if it is needed.", "stray-file",
    )  # fmt: skip


def _nested(folder: Path) -> Finding:
    return Finding(
        folder, "is a folder of masks inside a folder of images", "masks beside the images' folder",
        "It is left out. Copying a prefix `train` also brings `train_annotation`; end the prefix with `/`.",
        "nested-annotations",
    )  # fmt: skip


def _links_outside(folder: Path, paths: list[str]) -> Finding:
    count = f"{len(paths)} symbolic links lead" if len(paths) > 1 else "one symbolic link leads"
    return Finding(
        folder, f"{count} out of the dataset, such as {paths[0]}", "files inside the dataset",
        "They are read, but a copy of the folder may miss them; copy with links resolved (cp -rL).", "link-outside",
    )  # fmt: skip


def _broken_link(path: Path) -> Finding:
    return Finding(
        path, f"is a symbolic link to {os.readlink(path)}, which does not exist", "a file",
        "Restore the file or remove the link.", "link-broken",
    )  # fmt: skip
