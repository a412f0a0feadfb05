"""Which images of a YOLO dataset are in which split, and which label file is whose."""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pixelwise.data.convert.formats.yolo.data_yaml import DataYaml
from pixelwise.data.convert.matching.references import Lookup, split_of
from pixelwise.data.convert.source import Source
from pixelwise.phrases import counted, listed

_IMAGES, _LABELS = "images", "labels"


class Chosen(NamedTuple):
    """The images to convert."""

    splits: Mapping[str, str | None]  # {image: its split}
    notes: Sequence[str]


class LabelFiles:
    """The label files of a source by their images."""

    def __init__(self, source: Source, images: Iterable[str]) -> None:
        texts = {name.casefold(): name for name in source.names if name.lower().endswith(".txt")}
        self.of = {image: label for image in images if (label := _label(image, texts)) is not None}
        """{image: its label file}: in labels/ where the image is in images/, else beside it."""
        taken = set(self.of.values())
        folders = {posixpath.dirname(name) for name in taken}
        self.alone = [
            name
            for name in texts.values()
            if name not in taken and (posixpath.dirname(name) in folders or _is_below(name, _LABELS))
        ]
        """Files among the labels that belong to no image; lists of names may be among them."""


def _label(image: str, texts: Mapping[str, str]) -> str | None:
    folders = image.split("/")[:-1]
    stem = posixpath.splitext(posixpath.basename(image))[0]
    places = [i for i, folder in enumerate(folders) if folder.lower() == _IMAGES][-1:]
    beside = [[*folders[:i], _LABELS, *folders[i + 1 :]] for i in places] + [folders]
    names = ("/".join([*folder, f"{stem}.txt"]).casefold() for folder in beside)
    return next((texts[name] for name in names if name in texts), None)


def _is_below(name: str, folder: str) -> bool:
    return folder in name.lower().split("/")[:-1]


def chosen_images(source: Source, description: DataYaml | None, images: Sequence[str], labels: LabelFiles) -> Chosen:
    """The images of the splits that a description lists, else those with labels and those in images/.

    Raises:
        DataError: a list of images names one that may be any of several files.
    """
    notes: list[str] = []
    if description is not None and description.entries:
        found = _listed_images(source, description, images, labels)
        if found.splits:
            return found
        notes = [
            *found.notes,
            f"The splits are those of the folders: {description.file} lists none of the images here.",
        ]
    kept = [image for image in images if image in labels.of or _is_below(image, _IMAGES)]
    return Chosen({image: split_of(posixpath.dirname(image)) for image in kept}, notes)


def _listed_images(source: Source, description: DataYaml, images: Sequence[str], labels: LabelFiles) -> Chosen:
    splits: dict[str, str | None] = {}
    notes = []
    for split, references in description.entries.items():
        found: list[str] = []
        for reference in references:
            place = _place(source, description, reference, images)
            if place is None:
                notes.append(f"{description.file}: {split} is {reference}, which is not here.")
            elif place in source:
                inside, said = _of_list(source, place, images)
                found += inside
                notes += said
            else:
                found += [image for image in images if image.startswith(f"{place}/" if place else "")]
        twice = sum(image in splits for image in found)
        if twice:
            notes.append(f"{counted(twice, 'image')} of {split} are in another split too and became {split}.")
        splits |= dict.fromkeys(found, split)
    unlisted = [image for image in labels.of if image not in splits]
    if unlisted and splits:
        notes.append(
            f"{counted(len(unlisted), 'image')} with labels in no split of {description.file} left out: "
            f"{listed(unlisted)}."
        )
    return Chosen(splits, notes)


def _place(source: Source, description: DataYaml, reference: str, images: Sequence[str]) -> str | None:
    """The folder or the list of images in the source that an entry means; None: there is none.

    Paths are those of another machine more often than not ("../train/images", "/content/data/train/images"), so that
    the longest end of one that is here counts, as long as it speaks of the same split.
    """
    folder, entry = _parts(description.folder), _parts(reference)
    folder = [] if _is_absolute(reference) else folder
    whole = [*folder, *entry]
    base = _parts(posixpath.dirname(description.file))
    folders = {"/".join(image.split("/")[:i]) for image in images for i in range(image.count("/") + 1)}
    for start in range(len(whole) + (not entry)):
        rest = whole[start:]
        if split_of("/".join(entry[max(0, start - len(folder)) :])) != split_of("/".join(entry)):
            break
        for candidate in ("/".join([*base, *rest]), "/".join(rest)):
            if candidate in folders or (candidate in source and candidate.lower().endswith(".txt")):
                return candidate
    return None


def _is_absolute(reference: str) -> bool:
    return reference.startswith(("/", "\\")) or reference[1:2] == ":"


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _of_list(source: Source, name: str, images: Sequence[str]) -> tuple[list[str], list[str]]:
    """The images that a list names, one a line, and a note on those that are not here."""
    lookup, known = Lookup(images), set(images)
    lines = [line.strip() for line in source.read(name).decode("utf-8-sig", "replace").splitlines() if line.strip()]
    found: list[str] = []
    absent: list[str] = []
    for line in lines:
        exact = posixpath.normpath(posixpath.join(posixpath.dirname(name), line))
        image = exact if exact in known else lookup.find(line, near=name)
        (absent if image is None else found).append(image or line)
    notes = [f"{counted(len(absent), 'image')} of {name} not here and left out: {listed(absent)}."] if absent else []
    return found, notes
