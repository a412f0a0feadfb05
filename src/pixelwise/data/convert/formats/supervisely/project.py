"""The files of a Supervisely project: meta.json and the annotations of its datasets, each with its image."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pixelwise.data.convert.classes.names import Named, shown_color
from pixelwise.data.convert.matching.references import images_of, split_of
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.phrases import listed

_META = "meta.json"
_ANNOTATION = re.compile(r"((?:.*/)?)ann/([^/]+)\.json")
_EXPORT = "Export the project again, as Supervisely format."


class Annotated(NamedTuple):
    """An annotation file and its image, which may be missing."""

    file: str
    image: str
    split: str | None


class KnownClasses(NamedTuple):
    """The classes of meta.json."""

    named: Sequence[Named]
    kinds: Mapping[str, str]  # {class: the kind of its objects, "any" where there are several}


def known_classes(source: Source) -> KnownClasses | None:
    """The classes of all meta.json files, those of several projects together; None where there is no such file.

    Raises:
        FileFault: it is no meta.json of images.
    """
    files = _metas(source)
    named: dict[str, Named] = {}
    kinds: dict[str, str] = {}
    for file in files:
        for entry in _entries(source, file):
            title = entry["title"].strip()
            kind = str(entry.get("shape"))
            kinds[title] = kind if kinds.get(title, kind) == kind else "any"
            named.setdefault(title, Named(title, shown_color(entry.get("color"))))
    return KnownClasses([*named.values()], kinds) if files else None


def _metas(source: Source) -> list[str]:
    return [name for name in source.names if posixpath.basename(name) == _META]


def _entries(source: Source, file: str) -> Iterator[Mapping[str, Any]]:
    content = source.json(file)
    entries = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise source.fault(file, "has no list of classes", expected="those of a project", remedy=_EXPORT)
    if content.get("projectType", "images") != "images":
        raise source.fault(
            file, f"is that of a project of {str(content['projectType'])[:40]}", expected="a project of images",
            remedy="Export its frames as images.",
        )  # fmt: skip
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("title"), str) or not entry["title"].strip():
            raise source.fault(file, "has a class without a title", expected="a title for each", remedy=_EXPORT)
        yield entry


def annotated_images(source: Source) -> tuple[list[Annotated], list[str]]:
    """Every annotation with its image in img/ beside ann/, and the images there that have none.

    Raises:
        DataError: an annotation without the suffix of its image has several.
    """
    by_stem: dict[str, list[str]] = {}
    for image in images_of(source):
        by_stem.setdefault(posixpath.splitext(image)[0], []).append(image)
    projects = [posixpath.dirname(name) for name in _metas(source)]
    found = []
    roots = set()
    for fit in filter(None, map(_ANNOTATION.fullmatch, source.names)):
        roots.add(f"{fit[1]}img/")
        image = _image(source, fit[0], f"{fit[1]}img/{fit[2]}", by_stem)
        found.append(Annotated(fit[0], image, split_of(_inside(fit[1], projects))))
    taken = {each.image for each in found}
    bare = [name for name in images_of(source) if f"{posixpath.dirname(name)}/" in roots and name not in taken]
    return found, bare


def _image(source: Source, file: str, wanted: str, by_stem: Mapping[str, Sequence[str]]) -> str:
    """The image of an annotation: "a.jpg.json" is of a.jpg, "a.json" of a.* in old projects."""
    if wanted in source:
        return wanted
    fits = by_stem.get(wanted, [])
    if len(fits) > 1:
        raise DataError(
            f"{source.file(file)}: may be of {listed(fits)}. Expected one image; call it by its whole name, such as "
            f"{posixpath.basename(fits[0])}.json."
        )
    return fits[0] if fits else wanted


def _inside(folder: str, projects: Sequence[str]) -> str:
    """The folder of a dataset inside its project, whose own name says nothing of splits."""
    prefixes = [f"{project}/" if project else "" for project in projects]
    own = max((prefix for prefix in prefixes if folder.startswith(prefix)), key=len, default="")
    return folder[len(own) :].rstrip("/")
