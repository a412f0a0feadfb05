"""Images with one black and white mask for each class, or for each object of one class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.color_tables import found_table
from pixelwise.data.convert.classes.survey import Survey, survey
from pixelwise.data.convert.classes.tables import one_kind
from pixelwise.data.convert.conversion import Conversion, Options
from pixelwise.data.convert.matching.fitting import ClassIds, fitted_items
from pixelwise.data.convert.matching.pairing import PICTURES, Match, find_matches
from pixelwise.data.convert.matching.patterns import match
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import decode
from pixelwise.errors import DataError
from pixelwise.labels import LabelTable
from pixelwise.phrases import listed

_LAYOUTS = (
    ("**/{name}/images/*", "**/{name}/masks/*"),  # the Data Science Bowl of 2018
    ("**/images/{name}.*", "**/masks/{class}/{name}.*"),
)
_MOST_SHARED = 0.01
_MOST_BETWEEN = 0.25
_WHITES = (255, 65535)
_NEAR_WHITE = 0.05

_Plane = npt.NDArray[np.bool_]


def read(source: Source, options: Options) -> Conversion:
    """Read binary masks; where the pattern of masks has {class}, it names the class, else all show one object class.

    A pixel above half of the largest value in the masks is object, a pixel in no mask is class 0. Masks of one class
    are united. Where classes share pixels the later one in `--classes` counts; without that table, an image in which
    they share more than 1 % of the labelled pixels is refused. `--classes` names the object class or orders the
    classes.

    Raises:
        SettingsError: a pattern cannot be used.
        DataError: no image meets a mask, the masks are not black and white, or a name is not given.
    """
    matches, notes = find_matches(source, _with_patterns(source, options))
    by_class: dict[str | None, list[str]] = {}
    for one in matches:
        for kind, file in one.masks:
            by_class.setdefault(kind, []).append(file)
    surveys = {kind: survey(files, lambda name: _gray(source, name)) for kind, files in by_class.items()}
    top = max(max(seen, default=0) for seen in surveys.values())
    notes += _noise(surveys, top, source)
    filled = [kind for kind, seen in surveys.items() if 2 * max(seen, default=0) > top]
    labels, ids, said = _labels(options, list(surveys), filled, source)

    def ids_of(one: Match) -> ClassIds:
        planes = _united(one, source, top)
        if options.classes is None:
            _require_apart(planes, one)
        class_ids = np.zeros(next(iter(planes.values())).shape, dtype=np.uint8)
        for kind in sorted(planes, key=lambda kind: ids[kind]):
            class_ids[planes[kind]] = ids[kind]
        return class_ids

    items, scaled = fitted_items(matches, source, ids_of)
    return Conversion(labels, items, (*notes, *said, *scaled))


def _with_patterns(source: Source, options: Options) -> Options:
    """Options with the patterns of a known layout, if the source has one and the user gave none."""
    if options.images is not None or options.masks is not None:
        return options
    for images, masks in _LAYOUTS:
        named = [told["name"] for name, told in match(source.names, images) if Path(name).suffix.lower() in PICTURES]
        fitting = {told["name"] for _, told in match(source.names, masks)} & set(named)
        if fitting and len(named) == len(set(named)):
            return replace(options, images=images, masks=masks)
    return options


def _gray(source: Source, name: str) -> npt.NDArray[np.uint16]:
    return decode(source.read(name), name).gray()


def _united(one: Match, source: Source, top: int) -> dict[str | None, _Plane]:
    """{class: where it is}."""
    planes: dict[str | None, _Plane] = {}
    for kind, file in one.masks:
        plane = _gray(source, file) > top / 2
        first = next(iter(planes.values()), plane)
        if plane.shape != first.shape:
            (height, width), (other_height, other_width) = plane.shape, first.shape
            finding = Finding(
                Path(file), f"is {width} x {height} px, others of its image are {other_width} x {other_height} px",
                "equal sizes", "Export the masks of an image at one size.", "size-mismatch",
            )  # fmt: skip
            raise FileFault(finding)
        planes[kind] = planes[kind] | plane if kind in planes else plane
    return planes


def _require_apart(planes: Mapping[str | None, _Plane], one: Match) -> None:
    times = np.sum([plane for kind, plane in planes.items() if not _is_background(kind)], axis=0, dtype=np.uint8)
    labelled, shared = np.count_nonzero(times), np.count_nonzero(times > 1)
    if shared > _MOST_SHARED * labelled:
        finding = Finding(
            Path(one.image), f"has {shared} of {labelled} labelled pixels in the masks of two classes or more",
            "each pixel in one mask", "Give --classes with the classes in order: the later one counts.",
            "unreadable-file",
        )  # fmt: skip
        raise FileFault(finding)


def _noise(surveys: Mapping[str | None, Survey], top: int, source: Source) -> list[str]:
    """A note when there are other values than black and white; DataError when they are no noise."""
    if top == 0:
        raise DataError(f"{source.path}: every mask is black throughout. Expected objects in white.")
    seen = [(value, found.pixels) for each in surveys.values() for value, found in each.items()]
    others = sum(pixels for value, pixels in seen if value not in (0, top))
    if not others:
        return []
    white = sum(pixels for value, pixels in seen if 2 * value > top)
    between = sum(pixels for value, pixels in seen if top < 4 * value < 3 * top)
    # Noise lies around two values, of which the larger is near white; 0, 1 and 255 are a class and ignored pixels.
    is_noise = min(abs(top - full) / full for full in _WHITES) < _NEAR_WHITE and between <= _MOST_BETWEEN * white
    values = sorted({value for value, _ in seen})
    share = f"{100 * others / sum(pixels for _, pixels in seen):.2g} %"
    if not is_noise or values == [0, 1, 255]:
        raise DataError(
            f"{source.path}: the masks are not black and white: they have the values {listed([*map(str, values)])}; "
            f"{share} of the pixels are neither 0 nor {top}. If the values are class ids, convert with `id-masks`."
        )
    return [f"{share} of the masks' pixels are neither 0 nor {top}; those above {top // 2} count as object."]


def _labels(
    options: Options, kinds: Sequence[str | None], filled: Sequence[str | None], source: Source
) -> tuple[LabelTable, dict[str | None, int], list[str]]:
    """The classes, {class of a mask: its id} and notes."""
    given = options.classes
    named = sorted(kind for kind in kinds if kind is not None)
    if not named:
        found_in = found_table(source) if given is None and options.num_classes is None else None
        said = list(found_in.notes) if found_in is not None else []
        given = found_in.labels if found_in is not None else given
        example = (
            '{"0": "background", "1": "cell"}; if a part of the path is the class, give --masks a pattern '
            'with {class}, such as "masks/{class}/{name}.png".'
        )
        return one_kind(given, options, f"{source.path}: the masks show", example), {None: 1}, said
    empty = [kind for kind in named if kind not in filled]
    names = given.names if given else ("background", *(k for k in named if k in filled and not _is_background(k)))
    known = {name.casefold(): i for i, name in enumerate(names)}
    ids: dict[str | None, int] = {kind: known.get(kind.casefold(), 0) for kind in named}
    unknown = [kind for kind in named if kind in filled and kind.casefold() not in known and not _is_background(kind)]
    if unknown:
        raise DataError(
            f"{source.path}: there are masks of {listed(unknown)}, which the table of classes lacks. It has "
            f"{listed(names)}. Add them, or narrow --masks."
        )
    gone = [kind for kind in empty if kind.casefold() not in known]
    notes = [f"The masks of {listed(gone)} are empty: their images are background."] if gone else []
    return given or LabelTable.named(names), ids, notes


def _is_background(kind: str | None) -> bool:
    return kind is not None and kind.casefold() in ("background", "_background_")
