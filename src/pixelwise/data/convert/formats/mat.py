"""Images with label maps in MATLAB's .mat files."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.classes.survey import Survey, survey
from pixelwise.data.convert.classes.tables import given_table, value_meaning
from pixelwise.data.convert.conversion import Conversion, Options
from pixelwise.data.convert.matching.fitting import ClassIds, fitted_items
from pixelwise.data.convert.matching.pairing import Match, find_matches, single_masks, words
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import image_shape
from pixelwise.data.masks.raw import whole_numbers
from pixelwise.data.refusals import unreadable
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.phrases import listed

_TELLING = {"label", "labels", "class", "classes", "category", "categories", "name", "names"}
_BACKGROUNDS = {"background", "null", "void", "none", "other", "unlabeled", "unlabelled"}


def read(source: Source, options: Options) -> Conversion:
    """Read images and .mat files of level 5 (`save -v7` and older), found by their folders' names or by patterns.

    The variable is the one that has the size of the image, or `options.attribute`, such as
    "groundTruth.Segmentation". Names come from `--classes`, else from a .mat file with a list of names.

    Raises:
        SettingsError: a pattern cannot be used, or `--classes` and `--num-classes` disagree.
        DataError: no image meets its label map, several variables could be it, or values have no class.
    """
    matches, notes = find_matches(source, options, mask_suffixes={".mat"})
    masks = single_masks(matches, source)
    variable = options.attribute or _variable(matches, source)
    seen = survey(list(masks.values()), lambda name: _plane(source, name, variable))
    labels, said = given_table(source, options)
    if labels is None and options.num_classes is None:
        labels = _named(source, set(masks.values()), seen)
    meaning = value_meaning(seen, labels, options.num_classes, source.path)

    def ids_of(match: Match) -> ClassIds:
        name = masks[match.image]
        return class_ids_of(_plane(source, name, variable), meaning.ids, name)

    items, scaled = fitted_items(matches, source, ids_of)
    return Conversion(meaning.labels, items, (f"Label maps are in {variable}.", *notes, *said, *meaning.notes, *scaled))


def _plane(source: Source, name: str, variable: str) -> npt.NDArray[np.uint16]:
    planes = _planes(source, name)
    if variable not in planes:
        found = f"has no variable {variable} (it has {_described(planes)})"
        raise FileFault(
            Finding(Path(name), found, "the same variable in every file", "Save it again.", "unreadable-file")
        )
    return whole_numbers(planes[variable], Path(name))


def _variable(matches: list[Match], source: Source) -> str:
    """The variable of the first readable label map that has its image's size."""
    problem: DataError | None = None
    for one in matches:
        name = one.masks[0][1]
        try:
            shape, planes = image_shape(source.read(one.image), one.image), _planes(source, name)
        except DataError as error:
            problem = problem or error
            continue
        fitting = [path for path, plane in planes.items() if plane.shape == shape and not _is_outline(path, planes)]
        if len(fitting) == 1:
            return fitting[0]
        many = "several variables have" if fitting else "no variable has"
        example = next(iter(fitting or planes), "groundtruth")
        raise DataError(
            f"{source.file(name)}: {many} the size of {one.image} ({shape[0]} x {shape[1]}); found "
            f"{_described(planes)}. Say which one holds the labels, such as --attribute {example!r}."
        )
    raise problem or DataError(f"{source.path}: no label map can be read.")


def _is_outline(path: str, planes: Mapping[str, Any]) -> bool:
    # In Berkeley's structs (BSDS 500) `Boundaries` are the outlines of the `Segmentation` beside them.
    return path.endswith(".Boundaries") and path.removesuffix("Boundaries") + "Segmentation" in planes


def _described(planes: Mapping[str, npt.NDArray[Any]]) -> str:
    shown = (f"{path}: {' x '.join(map(str, plane.shape))} {plane.dtype}" for path, plane in planes.items())
    return listed(shown, 8, separator="; ") or "no matrix of numbers"


def _planes(source: Source, name: str) -> dict[str, npt.NDArray[Any]]:
    """{path: matrix} of every matrix of numbers in a file, also inside structs and cells."""
    content = _loaded(source.read(name), name)
    return {
        path: value
        for path, value in _leaves(content)
        if value.ndim == 2 and min(value.shape) > 1 and value.dtype.kind in "biuf"
    }


def _loaded(content: bytes, name: str) -> dict[str, Any]:
    from scipy.io import loadmat

    expected = "a .mat file of level 5, as `save -v7` writes it"
    if content[:10] == b"MATLAB 7.3":
        remedy = "Save it with `save('NAME.mat', 'VARIABLE', '-v7')` in MATLAB."
        raise FileFault(Finding(Path(name), "is of version 7.3 (HDF5)", expected, remedy, "unreadable-file"))
    try:
        # Objects and functions of MATLAB are given as plain data; nothing in a file is executed.
        loaded: dict[str, Any] = loadmat(io.BytesIO(content))
    except Exception as error:  # a damaged file ends in ValueError, TypeError, struct.error, zlib.error ...
        raise FileFault(unreadable(Path(name), error, expected)) from None
    return {key: value for key, value in loaded.items() if not key.startswith("__")}


def _leaves(content: Mapping[str, Any]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """(path, array) of all that is no struct and no cell; elements of larger ones are numbered from 1."""
    waiting = list(content.items())
    while waiting:
        path, value = waiting.pop(0)
        if not isinstance(value, np.ndarray):
            continue
        elements = list(zip(_places(value.size), value.ravel(), strict=True)) if value.dtype.kind in "OV" else []
        if value.dtype.names:
            waiting += [(f"{path}{at}.{field}", one[field]) for at, one in elements for field in value.dtype.names]
        elif value.dtype.kind == "O":
            waiting += [(f"{path}{at}", one) for at, one in elements]
        else:
            yield path, value


def _places(count: int) -> list[str]:
    return [""] if count == 1 else [f"({i})" for i in range(1, count + 1)]


def _named(source: Source, masks: set[str], seen: Survey) -> LabelTable | None:
    """The classes by a list of names in another .mat file, if the values tell whether it begins with 0 or 1."""
    for name in source.names:
        if name in masks or not name.lower().endswith(".mat") or not _TELLING & set(words(Path(name).stem)):
            continue
        names = [
            str(value.ravel()[0]) for _, value in _leaves(_loaded(source.read(name), name)) if value.dtype.kind == "U"
        ]
        if len(names) < 2:
            continue
        if min(seen) == 0 or (names[0].casefold() in _BACKGROUNDS and max(seen) < len(names)):
            return LabelTable.named(names)
        if max(seen) == len(names):
            return LabelTable.named(names, sources={i: [i + 1] for i in range(len(names))})
        return None
    return None
