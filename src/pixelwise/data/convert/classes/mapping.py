"""Values or colours of a mask -> class ids, by a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.judging import ignoring, numbers_listed
from pixelwise.data.masks.raw import color_number, numbered_color
from pixelwise.labels import IGNORE, LabelTable, hex_color
from pixelwise.phrases import and_more, listed


def values_of(labels: LabelTable) -> dict[int, int]:
    """{value in the masks: class id} by the table's sources; the ids themselves where it has none."""
    if not labels.sources and not labels.ignored:
        return {i: i for i in range(labels.num_classes)} | {IGNORE: IGNORE}
    return numbers_listed(labels)


def colors_of(labels: LabelTable) -> dict[int, int]:
    """{colour in the masks, 0xRRGGBB: class id} by the table's sources; the classes' own colours where it has none."""
    given = {
        color_number(color): i
        for i, values in enumerate(labels.sources)
        for color in values
        if isinstance(color, tuple)
    }
    own = {color_number(color): i for i, color in enumerate(labels.colors)}
    ignored = {color_number(color): IGNORE for color in labels.ignored if isinstance(color, tuple)}
    return ignored | (given or own)


def class_ids_of(plane: npt.NDArray[Any], table: Mapping[int, int], name: str) -> npt.NDArray[np.uint8]:
    """(H, W) class ids of a plane of values or colours.

    Raises:
        FileFault: the plane has a value that `table` lacks; the message lists the first ones.
    """
    dtype = np.promote_types(plane.dtype, np.int32)  # a table may list values that those of the plane cannot hold
    known = np.array(sorted(table), dtype=dtype)
    ids = np.array([table[int(value)] for value in known], dtype=np.uint8)
    place = np.minimum(np.searchsorted(known, plane), len(known) - 1)
    unknown = known[place] != plane
    if unknown.any():
        raise FileFault(_unknown(plane, unknown, known, name))
    result: npt.NDArray[np.uint8] = ids[place]
    return result


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
        _remedy([] if colors else [int(value) for value in values if value < 0]),
        "id-out-of-range",
        (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
    )  # fmt: skip


def _remedy(negative: Sequence[int]) -> str:
    entry = f" such as {ignoring(negative)}" if negative else f" of id {IGNORE}"
    return f'Give a table with --classes in which they are a class\'s "source", or ignored by an entry{entry}.'


def _shown(value: int, colors: bool) -> str:
    return hex_color(numbered_color(value)) if colors else str(value)
