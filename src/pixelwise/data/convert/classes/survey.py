"""Which values or colours occur in the masks of a source, how often and where."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from pixelwise.data.masks.raw import value_counts
from pixelwise.errors import DataError
from pixelwise.phrases import counted, listed
from pixelwise.workers import in_order

MAX_VALUES = 65_536
"""So many different values are counted; colour masks with more are photographs."""

_LISTED = 12


class Seen(NamedTuple):
    """How often a value occurs in the masks of a source."""

    pixels: int
    files: int
    example: str  # the first mask that has it


Survey = Mapping[int, Seen]
"""{value or 0xRRGGBB: how often}, in the order of the values."""


def survey(masks: Sequence[str], read: Callable[[str], npt.NDArray[Any]]) -> Survey:
    """Which values occur in `masks`, as `read` gives them (H, W); masks that cannot be read are passed over.

    Raises:
        DataError: no mask at all can be read; the error is that of the first.
    """
    seen: dict[int, Seen] = {}
    faults: list[DataError] = []

    def counts_in(name: str) -> dict[int, int] | DataError:
        try:
            return value_counts(read(name))
        except DataError as error:
            return error

    for name, counts in zip(masks, in_order(counts_in, masks), strict=True):
        if isinstance(counts, DataError):
            faults.append(counts)
        else:
            _add(seen, counts, name)
    if faults and len(faults) == len(masks):
        raise faults[0]
    return dict(sorted(seen.items()))


def shares(values: Survey, total: int, show: Callable[[int], str]) -> str:
    """The most frequent of `values` with their share of `total` pixels, for a message."""
    most = sorted(values.items(), key=lambda item: -item[1].pixels)
    told = (
        f"{show(value)} ({100 * found.pixels / max(total, 1):.2g} % of pixels, {counted(found.files, 'mask')}, e.g. "
        f"{found.example})"
        for value, found in most
    )
    return listed(told, _LISTED, separator="; ")


def _add(seen: dict[int, Seen], counts: Mapping[int, int], name: str) -> None:
    for value, pixels in counts.items():
        before = seen.get(value)
        if before is not None:
            seen[value] = Seen(before.pixels + pixels, before.files + 1, before.example)
        elif len(seen) < MAX_VALUES:
            seen[value] = Seen(pixels, 1, name)
