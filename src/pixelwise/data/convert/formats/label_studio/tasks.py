"""Exports of Label Studio, "JSON" and "JSON-MIN": tasks, the annotation of each that counts, and its regions."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from pixelwise.data.convert.formats.label_studio.regions import Labelled
from pixelwise.data.convert.source import Source
from pixelwise.data.dataset.channels import IMAGE_SUFFIXES

_LABELS = ("polygonlabels", "brushlabels", "rectanglelabels", "ellipselabels", "keypointlabels", "labels")
_SHAPES = {"points", "rle", "x", "y"}
_PLACES = ("image", "img", "photo", "picture", "url", "file")
_MIN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}


class LabelTask(NamedTuple):
    """An image and the regions of the annotation that counts."""

    file: str  # the JSON
    number: Any  # the id of the task
    reference: str  # what the export calls the image
    regions: Sequence[Labelled] | None  # None: nobody annotated it
    cancelled: int  # annotations that were skipped
    others: int  # annotations beside the one that counts


def read_tasks(source: Source, name: str) -> list[LabelTask] | None:
    """The tasks of a JSON file; None where it is no export of Label Studio.

    Raises:
        FileFault: it is no JSON, or a task has no image or is damaged.
    """
    content = source.json(name)
    if isinstance(content, dict) and isinstance(content.get("task"), dict) and "result" in content:
        content = [{**content["task"], "annotations": [content]}]  # as written to cloud storage, one by one
    if not isinstance(content, list) or not content or not all(isinstance(entry, dict) for entry in content):
        return None
    if all(isinstance(entry.get("data"), dict) and _annotations(entry) is not None for entry in content):
        return [_task(entry, name, source) for entry in content]
    if all(entry.keys() >= {"id"} and entry.keys() & {"annotation_id", "annotator"} for entry in content):
        return list(_minimal(content, name, source))
    return None


def image_path(reference: str) -> str:
    """The path in what Label Studio calls an image: "/data/local-files/?d=a/b.jpg" or an address, signed or not."""
    path, _, query = reference.partition("?")
    told = parse_qs(query)
    if "d" in told:
        return told["d"][0]
    if "fileuri" in told:  # how it hides an address of cloud storage
        try:
            return base64.urlsafe_b64decode(told["fileuri"][0] + "===").decode()
        except (binascii.Error, UnicodeDecodeError):
            return path
    return unquote(path)


def _annotations(entry: Mapping[str, Any]) -> Any:
    return entry.get("annotations", entry.get("completions"))  # which old versions called them


def _task(entry: Mapping[str, Any], name: str, source: Source) -> LabelTask:
    number = entry.get("id")
    annotations = _annotations(entry)
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise _damaged(source, name, f"task {number}", "a list of annotations")
    done = [one for one in annotations if not one.get("was_cancelled")]
    regions = None
    if done:
        results = max(done, key=_age).get("result")
        if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
            raise _damaged(source, name, f"task {number}", "an annotation with a list as its result")
        pictures = {str(one.get("to_name")) for one in results if _labels(one)}
        if len(pictures) > 1:
            found = f"task {number} has regions on several pictures ({', '.join(sorted(pictures))[:100]})"
            raise source.fault(name, found, expected="one picture in a task", remedy="Make a task of each picture.")
        regions = [*_regions(results, f"task {number} of {name}")]
    reference = _reference(entry["data"])
    if reference is None:
        raise _damaged(source, name, f"task {number}", "an image among its data")
    return LabelTask(name, number, reference, regions, len(annotations) - len(done), max(0, len(done) - 1))


def _minimal(content: Iterable[Mapping[str, Any]], name: str, source: Source) -> Iterator[LabelTask]:
    """Of JSON-MIN, which has an entry for each annotation and the regions under the names of the tools."""
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for entry in content:
        by_task.setdefault(str(entry["id"]), []).append(entry)
    for number, entries in by_task.items():
        newest = max(entries, key=_age)
        fields = {key: value for key, value in newest.items() if key not in _MIN}
        reference = _reference(fields)
        if reference is None:
            raise _damaged(source, name, f"task {number}", "an image")
        lists = [value for value in fields.values() if isinstance(value, list)]
        results = [{**one, "value": one} for found in lists for one in found if isinstance(one, dict)]
        yield LabelTask(name, number, reference, [*_regions(results, f"task {number} of {name}")], 0, len(entries) - 1)


def _age(annotation: Mapping[str, Any]) -> tuple[str, int]:
    """Larger for a newer annotation; times are written so that they sort as text."""
    number = annotation.get("id", annotation.get("annotation_id"))
    time = annotation.get("updated_at") or annotation.get("created_at")
    return str(time or ""), number if isinstance(number, int) else 0


def _regions(results: Sequence[Mapping[str, Any]], of: str) -> Iterator[Labelled]:
    """The regions among results; a shape and its labels may be two results of one id, and then the second counts."""
    labelled = {str(one["id"]) for one in results if "id" in one and _label(one) is not None}
    for number, one in enumerate(results, 1):
        value, label = one.get("value"), _label(one)
        is_shape = isinstance(value, dict) and bool(_SHAPES & value.keys())
        if not isinstance(value, dict) or (label is None and (not is_shape or str(one.get("id")) in labelled)):
            continue
        size = one.get("original_height"), one.get("original_width")
        name = f"region {one.get('id', number)} of {of}"
        yield Labelled(name, label, value, size, one.get("image_rotation"), max(map(len, _labels(one)), default=0))


def _labels(result: Mapping[str, Any]) -> list[list[Any]]:
    """The lists of labels of a region: one, where it has any."""
    value = result.get("value")
    found = [value.get(key) for key in _LABELS] if isinstance(value, dict) else []
    return [labels for labels in found if isinstance(labels, list) and labels]


def _label(result: Mapping[str, Any]) -> str | None:
    """The first label of a region."""
    first = next((labels[0] for labels in _labels(result)), None)
    return first.strip() or None if isinstance(first, str) else None


def _reference(data: Mapping[str, Any]) -> str | None:
    """What the data of a task call the image: by the name of the field, or as the only text that ends as images do."""
    texts = {key: value.strip() for key, value in data.items() if isinstance(value, str) and value.strip()}
    pictures = [text for text in texts.values() if _looks_like_image(text)]
    known = [texts[key] for key in _PLACES if key in texts]
    return next((text for text in known if _looks_like_image(text)), None) or next(iter([*pictures, *known]), None)


def _looks_like_image(text: str) -> bool:
    suffix = re.search(r"\.\w+$", image_path(text))
    return suffix is not None and suffix.group().lower() in IMAGE_SUFFIXES


def _damaged(source: Source, name: str, what: str, expected: str) -> Exception:
    return source.fault(name, f"has {what} without this", expected=expected, remedy="Export it again.")
