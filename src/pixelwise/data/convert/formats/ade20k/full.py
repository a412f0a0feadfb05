"""The full release of ADE20K, with thousands of classes, of which those wanted are kept.

Encoding: https://github.com/CSAILVision/ADE20K (README and utils_ade20k.py): in *_seg.png the class is
(R // 10) * 256 + G, 0 is unlabelled; the JSON beside an image has the name of each index (2021_17_01), else
index_ade20k.mat has (2016_07_26). index_ade20k.pkl is never opened: unpickling runs code.
"""

import io
import json
import re
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.conversion import Conversion, Item, Options
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, MAX_CLASSES, LabelTable
from pixelwise.phrases import listed

_SEGMENTATION = re.compile(r"(?:.*/)?([^/]+)_seg\.png")
_SPLITS = {"training": "train", "validation": "validation"}


class _Index(NamedTuple):
    """All classes of the release."""

    names: dict[int, str]  # {index in the masks: synonyms, separated by commas}
    counts: Counter[int]  # objects of each


def read_full(source: Source, options: Options) -> Conversion:
    """Read every image beside its *_seg.png; what is not among the classes wanted is ignored.

    `options.classes` names the classes, by the whole name or its first synonym, or gives the indices as "source";
    `options.num_classes` alone takes the most frequent.

    Raises:
        DataError: nothing names the classes, a wanted one is unknown or its name stands for several, or none is given.
    """
    masks = [fit for fit in map(_SEGMENTATION.fullmatch, source.names) if fit]
    labels, notes = _wanted(source, options, [fit[0] for fit in masks])
    table = np.full(65536, IGNORE, dtype=np.uint8)
    for i, indices in enumerate(labels.sources):
        table[[index for index in indices if isinstance(index, int)]] = i
    items = [
        Item(fit[1], f"{fit[0][: -len('_seg.png')]}.jpg", _split(fit[0]), partial(_class_ids, source, fit[0], table))
        for fit in masks
    ]
    return Conversion(labels, items, tuple(notes))


def _split(path: str) -> str | None:
    folders = [_SPLITS[part] for part in path.split("/")[:-1] if part in _SPLITS]
    return folders[-1] if folders else None


def _class_ids(source: Source, mask: str, table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    class_ids: npt.NDArray[np.uint8] = table[_indices(source, mask)]
    return class_ids


def _indices(source: Source, mask: str) -> npt.NDArray[np.uint32]:
    colors = decode(source.read(mask), mask).colors()
    indices: npt.NDArray[np.uint32] = (colors >> 16) // 10 * 256 + ((colors >> 8) & 255)
    return indices


def _wanted(source: Source, options: Options, masks: list[str]) -> tuple[LabelTable, list[str]]:
    given = options.classes
    if given is not None and given.sources:
        return given, []
    index = _index(source, masks)
    if given is not None:
        sources = {i: _indices_of(name, index, source) for i, name in enumerate(given.names)}
        labels = LabelTable.named(given.names, dict(enumerate(given.colors)), sources=sources)
    elif options.num_classes is not None:
        labels = _most_frequent(index, min(options.num_classes, MAX_CLASSES))
    else:
        names = listed((_first(index.names[i]) for i, _ in index.counts.most_common()), 8)
        raise DataError(
            f"{source.path}: has {len(index.names)} classes ({names}), at most {MAX_CLASSES} fit in a mask. Name "
            "those wanted with --classes FILE; --num-classes N takes the N most frequent. The rest is ignored."
        )
    return labels, [f"{labels.num_classes} of {len(index.names)} classes were kept, the rest is ignored."]


def _most_frequent(index: _Index, num_classes: int) -> LabelTable:
    ordered = sorted(index.names, key=lambda i: (-index.counts[i], i))[:num_classes]
    firsts = Counter(_first(index.names[i]) for i in ordered)
    names = [_first(index.names[i]) if firsts[_first(index.names[i])] == 1 else index.names[i] for i in ordered]
    return LabelTable.named(names, sources={place: [i] for place, i in enumerate(ordered)})


def _first(synonyms: str) -> str:
    return synonyms.split(",", maxsplit=1)[0].strip()


def _indices_of(name: str, index: _Index, source: Source) -> list[int]:
    wanted = name.casefold()
    whole = [i for i, synonyms in index.names.items() if synonyms.casefold() == wanted]
    found = whole or [i for i, synonyms in index.names.items() if _first(synonyms).casefold() == wanted]
    if len(found) == 1:
        return found
    if not found:
        raise DataError(
            f"{source.path}: has no class {name!r}. Expected a name of the release or its first synonym, such as "
            f"{next(iter(index.names.values()), 'wall')!r}; correct the table of classes."
        )
    several = "; ".join(f"{i} ({index.names[i]})" for i in found)
    raise DataError(
        f"{source.path}: has several classes {name!r}: {several}. Give the whole name, or the numbers wanted as "
        '"source" in the table of classes.'
    )


def _index(source: Source, masks: list[str]) -> _Index:
    beside = [f"{mask[: -len('_seg.png')]}.json" for mask in masks]
    found = [(mask, file) for mask, file in zip(masks, beside, strict=True) if file in source]
    if found:
        return _index_of_json(source, found)
    tables = [name for name in source.names if name.endswith("index_ade20k.mat")]
    if not tables:
        raise DataError(
            f"{source.path}: names its classes neither in JSON files beside the images nor in index_ade20k.mat. Put "
            'that file there, or give a table with --classes whose classes have their indices as "source".'
        )
    return _index_of_mat(source, tables[0])


def _index_of_json(source: Source, files: list[tuple[str, str]]) -> _Index:
    names: dict[int, str] = {}
    counts: Counter[int] = Counter()
    for mask, file in files:
        try:
            objects = _json(source, file)["annotation"]["object"]
            named = [(int(entry["name_ndx"]), str(entry["name"])) for entry in objects]
        except (ValueError, KeyError, TypeError):
            raise source.fault(
                file, 'lacks annotation.object with "name" and "name_ndx"', expected="the JSON of ADE20K 2021_17_01",
                remedy="Fetch it again.",
            ) from None  # fmt: skip
        if not names:
            _require_agreement(source, mask, {i for i, _ in named})
        names |= dict(named)
        counts.update(i for i, _ in named)
    return _Index(dict(sorted(names.items())), counts)


def _json(source: Source, file: str) -> Any:
    content = source.read(file)
    try:
        return json.loads(content)
    except UnicodeDecodeError:  # some files of the release are in Latin-1
        return json.loads(content.decode("latin-1"))


def _require_agreement(source: Source, mask: str, named: set[int]) -> None:
    """Compare one mask with its JSON: names must not be put to other numbers than theirs."""
    unnamed = set(np.unique(_indices(source, mask)).tolist()) - named - {0}
    if unnamed:
        raise source.fault(
            mask,
            f"has the classes [{listed(sorted(unnamed), 8)}], which its JSON does not name",
            expected="numbers that name_ndx has",
            remedy='Give a table with --classes whose classes have their indices as "source".',
            code="id-out-of-range",
        )


def _index_of_mat(source: Source, file: str) -> _Index:
    from scipy.io import loadmat

    try:
        index = loadmat(io.BytesIO(source.read(file)), squeeze_me=True, struct_as_record=False)["index"]
        names = {i: str(name) for i, name in enumerate(index.objectnames, 1)}
        counts = Counter({i: int(count) for i, count in enumerate(index.objectcounts, 1)})
    except Exception as error:  # scipy meets broken data with any kind of error
        raise source.fault(
            file, f"has no index.objectnames ({error})", expected="the index of ADE20K", remedy="Fetch it again."
        ) from None
    return _Index(names, counts)
