"""VIA's JSON files: projects and exported annotations, of versions 1 and 2, as lists of images with regions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pixelwise.data.convert.source import Source

_PROJECT = "_via_img_metadata"
_ATTRIBUTES = "_via_attributes"


class ViaImage(NamedTuple):
    """An image as a file has it."""

    document: str
    filename: str
    regions: Any  # as written; `regions_of` checks them


class ViaDocument(NamedTuple):
    """A JSON file of VIA."""

    name: str
    images: Sequence[ViaImage]
    attributes: Mapping[str, Any]  # {attribute of regions: its type and options}; empty in exported annotations


def via_document(source: Source, name: str) -> ViaDocument | None:
    """The images of a JSON file; None where it is not VIA's.

    Raises:
        FileFault: it is no JSON, or a project of VIA 3.
    """
    content = source.json(name)
    if not isinstance(content, dict):
        return None
    if {"project", "metadata", "view", "file"} <= content.keys():
        raise source.fault(
            name, "is a project of VIA 3", expected="a project or annotations of VIA 2",
            remedy="Draw in VIA 2, or export as COCO and convert with `coco`.",
        )  # fmt: skip
    entries = content.get(_PROJECT, content)
    if not isinstance(entries, dict):
        return None
    listed = [entry for entry in entries.values() if isinstance(entry, dict) and "regions" in entry]
    images = [ViaImage(name, entry["filename"], entry["regions"]) for entry in listed if _is_name(entry)]
    if not images:
        return None
    if len(images) < len(entries):
        key = next(key for key, entry in entries.items() if not (isinstance(entry, dict) and _is_name(entry)))
        raise source.fault(
            name, f"lists {key[:60]!r}, which has no filename and regions", expected="those of an image",
            remedy="Export it again.",
        )  # fmt: skip
    attributes = content.get(_ATTRIBUTES)
    of_regions = attributes.get("region") if isinstance(attributes, dict) else None
    return ViaDocument(name, images, of_regions if isinstance(of_regions, dict) else {})


def _is_name(entry: Mapping[str, Any]) -> bool:
    return "regions" in entry and isinstance(entry.get("filename"), str) and bool(entry["filename"].strip())


def regions_of(image: ViaImage) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """(name for messages, shape, attributes) of each region; version 1 has an object of them where 2 has a list.

    Raises:
        ValueError: a region has neither shape nor attributes; its text says which.
    """
    given = image.regions
    regions = given if isinstance(given, list) else list(given.values()) if isinstance(given, dict) else [given]
    for number, region in enumerate(regions, 1):
        what = f"region {number} of {image.filename}"
        shape, values = (
            (region.get("shape_attributes"), region.get("region_attributes") or {})
            if isinstance(region, dict)
            else (None, {})
        )
        if not isinstance(shape, dict) or not isinstance(values, dict):
            raise ValueError(what)
        yield what, shape, values
