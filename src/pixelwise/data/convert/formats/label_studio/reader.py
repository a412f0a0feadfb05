"""Label Studio: its exports "JSON" and "JSON-MIN", with the images; https://labelstud.io/guide/export."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import partial

from pixelwise.data.convert.classes.names import Classes, Named, class_table, is_background, with_background
from pixelwise.data.convert.conversion import Conversion, Drawn, Item, Options
from pixelwise.data.convert.formats.label_studio.regions import Labelled, drawn
from pixelwise.data.convert.formats.label_studio.tasks import LabelTask, image_path, read_tasks
from pixelwise.data.convert.formats.polygons import NoRegion
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.objects import PASSED_OVER, Objects
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import image_shape
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE
from pixelwise.phrases import counted, listed

_STROKE = re.compile(r"(^|/)task-\d+-annotation-\d+-by-[^/]*\.(png|npy)$")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")


def read(source: Source, options: Options) -> Conversion:
    """Every annotated task of the exports in a source, with its image, which is matched by its name.

    Polygons, rectangles, ellipses and brush strokes are drawn in their order, later ones on top; pixels outside are
    background. Of several annotations of a task the newest counts, skipped ones never. A task without an annotation is
    left out, one whose annotation has no region is background.

    Raises:
        DataError: there is no export, no annotation, or none of the images.
    """
    names = [name for name in source.names if name.lower().endswith(".json")]
    exports = _exports(source, names)
    tasks = [task for found in exports.values() for task in found]
    notes = _notes(tasks, names, exports)
    done = [task for task in tasks if task.regions is not None]
    labels = {region.label for task in done for region in task.regions or () if region.label and region.kind}
    if not labels:
        raise DataError(
            f"{source.path}: none of the {counted(len(tasks), 'task')} of {listed(exports)} has a region with a label. "
            "Annotate the images, or export the annotations again."
        )
    ordered = sorted(labels, key=lambda label: (not is_background(label), label))
    classes = class_table(with_background([Named(label) for label in ordered]), options.classes, source, used=labels)
    if classes.background == IGNORE:
        notes.append("No class of the table given is called background: pixels outside all regions are ignored.")
    images = _Images(source)
    found = [images.find(task) for task in done]
    if not any(found):
        raise DataError(
            f"{source.path}: has none of the images that {listed(exports)} refers to, such as "
            f"{done[0].reference[:100]}. Put the images beside the JSON: it holds their names alone."
        )
    called = [image or image_path(task.reference).rpartition("/")[2] for task, image in zip(done, found, strict=True)]
    items = [
        Item(name, image, split_of(posixpath.dirname(image)), partial(_drawn, task, image, source, classes))
        for name, task, image in zip(short_names(called), done, called, strict=True)
    ]
    return Conversion(classes.labels, items, tuple(notes))


def _exports(source: Source, names: Sequence[str]) -> dict[str, list[LabelTask]]:
    """{file: its tasks} of the JSON files that are exports; DataError where there is none."""
    exports = {name: tasks for name in names if (tasks := read_tasks(source, name)) is not None}
    if not exports:
        strokes = next((name for name in source.names if _STROKE.search(name)), None)
        if strokes is not None:
            raise DataError(
                f"{source.path}: has masks by the number of a task ({strokes}), which do not say of which image they "
                'are. Expected the export as "JSON" or "JSON-MIN", which holds the same strokes; export it so.'
            )
        raise DataError(
            f"{source.path}: none of its {len(names)} JSON files is an export of Label Studio. Give the folder that "
            'holds the export as "JSON" or "JSON-MIN" and the images.'
        )
    return exports


def _notes(tasks: Sequence[LabelTask], names: Sequence[str], exports: Mapping[str, object]) -> list[str]:
    """What was passed over, by number."""
    notes = []
    if len(exports) < len(names):
        notes.append(f"{counted(len(names) - len(exports), 'JSON file')} passed over: no export of Label Studio.")
    bare = [task for task in tasks if task.regions is None]
    if bare:
        first = listed(image_path(task.reference).rpartition("/")[2] for task in bare)
        notes.append(f"{counted(len(bare), 'task')} without an annotation left out: {first}.")
    cancelled = sum(task.cancelled for task in tasks)
    if cancelled:
        notes.append(f"{counted(cancelled, 'skipped annotation')} passed over.")
    several = [task for task in tasks if task.others]
    if several:
        others = sum(task.others for task in several)
        numbers = listed(task.number for task in several)
        notes.append(f"{counted(others, 'older annotation')} passed over: of a task the newest counts ({numbers}).")
    manifold = [region.name for task in tasks for region in task.regions or () if region.labels > 1]
    if manifold:
        notes.append(f"{counted(len(manifold), 'region')} with several labels became the first; such as {manifold[0]}.")
    kindless = Objects()
    for region in (region for task in tasks for region in task.regions or ()):
        kindless.add(region.name, PASSED_OVER if region.kind is None else None)
    if PASSED_OVER in kindless.named:
        points = kindless.named[PASSED_OVER]
        notes.append(f"{counted(points.objects, 'region')} without an area passed over; the first is {points.first}.")
    return notes


class _Images:
    """The images of a source by what Label Studio calls them."""

    def __init__(self, source: Source) -> None:
        names = images_of(source)
        self._lookup = Lookup(names)
        by_upload: dict[str, list[str]] = {}
        for name in names:
            by_upload.setdefault(_uploaded(posixpath.basename(name)), []).append(name)
        self._by_upload = {upload: same[0] for upload, same in by_upload.items() if len(same) == 1}

    def find(self, task: LabelTask) -> str | None:
        """The image of a task: by its path, else without the eight digits that an upload puts in front of a name."""
        path = image_path(task.reference)
        folder, _, name = path.replace("\\", "/").rpartition("/")
        bare = _PREFIX.sub("", name)
        found = self._lookup.find(path, near=task.file) or self._lookup.find(f"{folder}/{bare}", near=task.file)
        return found or self._by_upload.get(bare)


def _uploaded(name: str) -> str:
    """A file's name as an upload writes it: without blanks and signs."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def _drawn(task: LabelTask, image: str, source: Source, classes: Classes) -> Drawn:
    shape = image_shape(source.read(image), image)
    regions: Sequence[Labelled] = task.regions or ()
    try:
        return drawn(regions, shape, classes.ids, classes.background)
    except NoRegion as error:
        found, expected = error.args
        remedy = "Draw it again or delete it in Label Studio, or give the image that was annotated."
        raise source.fault(task.file, found, expected=expected, remedy=remedy) from None
