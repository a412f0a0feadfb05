"""SageMaker Ground Truth: output manifests of semantic segmentation jobs, with their masks.

A line is described in the SageMaker developer guide, "Labeling job output data", semantic segmentation. Masks are
palette PNGs whose colours are those of the line's `internal-color-map`. Between 2020-06-04 and 2020-09-04 jobs wrote
wrong indices and right colours; AWS's repair (sagemaker_ground_truth_semantic_segmentation_mask_index_correction.py in
github.com/aws/amazon-sagemaker-examples) goes by the colours, and so does this reader, always.
"""

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.names import Classes, Named, class_table, is_background, with_background
from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.formats.ground_truth.lines import FIRST_WRONG, LAST_WRONG, LabelledLine, MapEntry, lines_of
from pixelwise.data.convert.formats.ground_truth.masks import class_ids_of_mask, has_wrong_indices
from pixelwise.data.convert.matching.references import Lookup, images_of, short_names, split_of
from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import SourceValue

_SUFFIXES = (".manifest", ".jsonl")
_OUTPUT = "output.manifest"


def read(source: Source, options: Options) -> Conversion:
    """Every line that has a label, with its image and its mask.

    References s3://bucket/key lead to the file of the source that shares the most of the key's end. Of several labels
    in a line, `options.attribute` chooses.

    Raises:
        DataError: there is no manifest, it is open which label is meant, or the classes have no names.
    """
    manifests = _manifests(source)
    lines = [line for name in manifests for line in lines_of(source, name)]
    attribute = _attribute(source, lines, options.attribute)
    labelled = [line for line in lines if not line.failed(attribute)]
    classes = _classes(source, options, labelled, attribute)
    files = Lookup(images_of(source))
    items = []
    for name in manifests:
        own = [line for line in labelled if line.manifest == name]
        for line, short in zip(own, short_names([line.image for line in own]), strict=True):
            items.append(_item(short, line, attribute, files, source, classes))
    if not any(item.image in source for item in items):
        raise DataError(
            f"{source.path}: {manifests[0]} refers to {lines[0].image}, and neither this nor any other image of its "
            "lines is here. Copy the job's images and masks into the source, with as much of their keys as you like."
        )
    notes = _left_out(lines, attribute) + _repaired(labelled, attribute, files, source)
    return Conversion(classes.labels, items, tuple(notes))


def _manifests(source: Source) -> list[str]:
    """The output manifests, else every manifest."""
    names = [name for name in source.names if name.lower().endswith(_SUFFIXES)]
    names = [name for name in names if posixpath.basename(name) == _OUTPUT] or names
    if not names:
        raise DataError(
            f"{source.path}: has no manifest. Expected manifests/output/output.manifest of the labelling job, with its "
            "images and masks."
        )
    return names


def _attribute(source: Source, lines: Sequence[LabelledLine], wanted: str | None) -> str:
    """The key of the masks to read."""
    jobs: dict[str, set[str]] = {}
    for line in lines:
        for key, label in line.labels.items():
            jobs.setdefault(key, set()).update([label.job] if label.job else [])
    listed = "; ".join(f"{key} ({', '.join(sorted(named)) or 'no job named'})" for key, named in sorted(jobs.items()))
    if not jobs:
        raise DataError(f"{source.path}: no line of the manifest has a label, a key such as street-ref.")
    if wanted is not None:
        key = wanted if wanted in jobs else f"{wanted}-ref"
        if key not in jobs:
            raise DataError(f"{source.path}: no line has the label {wanted!r}. Found: {listed}.")
        return key
    if len(jobs) > 1:
        raise DataError(
            f"{source.path}: its lines have several labels: {listed}. Choose one with --attribute; what an adjustment "
            "job wrote replaces what it began with."
        )
    return next(iter(jobs))


def _classes(source: Source, options: Options, lines: Iterable[LabelledLine], attribute: str) -> Classes:
    """The classes by the keys of the maps; a line may list only those in its image."""
    first: dict[str, MapEntry] = {}
    for line in lines:
        for entry in line.labels[attribute].entries:
            known = first.setdefault(entry.name, entry)
            if known.color is None and entry.color is not None:
                first[entry.name] = known._replace(color=entry.color)
    if not first:
        if options.classes is None:
            raise DataError(
                f"{source.path}: the lines have no internal-color-map, which names the classes of {attribute}. Give a "
                'table with --classes; its ids, or their "source", are the masks\' values.'
            )
        return Classes(options.classes, {name: i for i, name in enumerate(options.classes.names)})
    order = sorted(first.values(), key=lambda entry: (not is_background(entry.name), entry.key, entry.name))
    moved = [entry.key for entry in order] != list(range(len(order)))
    return class_table(with_background([_named(entry, moved) for entry in order]), options.classes, source)


def _named(entry: MapEntry, moved: bool) -> Named:
    """A class; its colour is its source where the ids are not those of the masks."""
    values: tuple[SourceValue, ...] = (entry.color,) if moved and entry.color is not None else ()
    return Named(entry.name, entry.color, values)


def _item(name: str, line: LabelledLine, attribute: str, files: Lookup, source: Source, classes: Classes) -> Item:
    image = files.find(line.image, near=line.manifest) or line.image
    label = line.labels[attribute]
    mask = files.find(label.mask, near=line.manifest)
    split = split_of(posixpath.basename(line.manifest))
    if mask is None or mask == image:
        return Item(name, image, split, partial(_missing, line, label.mask, source))
    return Item(name, image, split, partial(class_ids_of_mask, source, mask, label, classes))


def _missing(line: LabelledLine, mask: str, source: Source) -> npt.NDArray[np.uint8]:
    raise source.fault(
        line.manifest, f"line {line.number} refers to {mask}, which is not here", expected="the mask of its image",
        remedy="Copy it into the source, with as much of its key as you like.", code="manifest",
    )  # fmt: skip


def _left_out(lines: Iterable[LabelledLine], attribute: str) -> list[str]:
    reasons = Counter(reason for line in lines if (reason := line.failed(attribute)))
    return [f"{count} lines were left out: {reason}." for reason, count in reasons.most_common(5)]


def _repaired(lines: Iterable[LabelledLine], attribute: str, files: Lookup, source: Source) -> list[str]:
    """A note on masks of the jobs that wrote wrong indices."""
    masks = [(files.find(line.labels[attribute].mask, near=line.manifest), line.labels[attribute]) for line in lines]
    wrong = sum(
        1 for mask, label in masks if mask is not None and label.is_suspect and has_wrong_indices(source, mask, label)
    )
    if not wrong:
        return []
    return [
        f"{wrong} masks of jobs between {FIRST_WRONG} and {LAST_WRONG} have wrong indices, a known fault of Ground "
        "Truth; their classes were taken from their colours."
    ]
