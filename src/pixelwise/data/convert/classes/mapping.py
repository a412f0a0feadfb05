"""Values or colours of a mask -> class ids, by a table."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.raw import color_number, numbered_color
from pixelwise.labels import IGNORE, LabelTable, hex_color
from pixelwise.phrases import and_more, listed


def values_of(labels: LabelTable) -> dict[int, int]:
    """{value in the masks: class id} by the table's sources; the ids themselves where it has none."""
    if not labels.sources and not labels.ignored:
        return {i: i for i in range(labels.num_classes)} | {IGNORE: IGNORE}
    return _ignored(labels, int) | {value: i for i, value in _sources(labels, int)}


def colors_of(labels: LabelTable) -> dict[int, int]:
    """{colour in the masks, 0xRRGGBB: class id} by the table's sources; the classes' own colours where it has none."""
    given = {color_number(color): i for i, color in _sources(labels, tuple)}
    own = {color_number(color): i for i, color in enumerate(labels.colors)}
    return {color_number(color): IGNORE for color in _ignored(labels, tuple)} | (given or own)


def class_ids_of(plane: npt.NDArray[Any], table: Mapping[int, int], name: str) -> npt.NDArray[np.uint8]:
    """(H, W) class ids of a plane of values or colours.

    Raises:
        FileFault: the plane has a value that `table` lacks; the message lists the first ones.
    """
    dtype = np.promote_types(plane.dtype, np.uint16)  # a table may list values that 8 bits cannot hold
    known = np.array(sorted(value for value in table if value <= np.iinfo(dtype).max), dtype=dtype)
    ids = np.array([table[int(value)] for value in known], dtype=np.uint8)
    place = np.minimum(np.searchsorted(known, plane), len(known) - 1)
    unknown = known[place] != plane
    if unknown.any():
        raise FileFault(_unknown(plane, unknown, known, name))
    result: npt.NDArray[np.uint8] = ids[place]
    return result


def _sources(labels: LabelTable, kind: type) -> Iterable[tuple[int, Any]]:
    return ((i, value) for i, values in enumerate(labels.sources) for value in values if isinstance(value, kind))


def _ignored(labels: LabelTable, kind: type) -> dict[Any, int]:
    return {value: IGNORE for value in labels.ignored if isinstance(value, kind)}


def _unknown(plane: npt.NDArray[Any], unknown: npt.NDArray[np.bool_], known: npt.NDArray[Any], name: str) -> Finding:
    values, counts = np.unique(plane[unknown], return_counts=True)
    colors = plane.dtype == np.uint32
    # A photograph has a million colours: only those that are shown become words.
    found = [f"{_shown(int(value), colors)} ({count} px)" for value, count in zip(values[:8], counts[:8], strict=True)]
    rows, columns = np.nonzero(unknown)
    expected = listed((_shown(int(value), colors) for value in known), 8)
    return Finding(
        Path(name), f"has the {'colours' if colors else 'values'} {', '.join(found)}{and_more(len(values) - 8)}",
        f"those that the classes are known by ({expected})",
        "Give a table with --classes in which they are a class's \"source\", or ignored by an entry of id 255.",
        "id-out-of-range",
        (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
    )  # fmt: skip


def _shown(value: int, colors: bool) -> str:
    return hex_color(numbered_color(value)) if colors else str(value)
