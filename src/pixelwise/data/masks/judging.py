"""What the values of masks draw, seen together: one judge for check, repair, convert and score."""

import json
from collections.abc import Iterable, Mapping, Set

from pixelwise.labels import IGNORE, LabelTable

_MOST_STEPS = 63  # between 64 grays; closer ones are told from ids no more
_PRESENT = 0.75  # of the grays of an even spread, the share that has to occur


def drawn_grays(values: Set[int]) -> dict[int, int]:
    """{value: class id} where 0 and 255 alone draw two classes, or grays as `spread_grays` has them; else empty."""
    return {0: 0, IGNORE: 1} if values == {0, IGNORE} else spread_grays(values)


def spread_grays(values: Set[int]) -> dict[int, int]:
    """{gray: class id} of three grays or more that are evenly spread from 0 to 255 (0, 85, 170, 255); else empty.

    Each lies within 1 of its place, as rounding leaves it, and two that differ by 1 may share one. A quarter of the
    places may stay empty.
    """
    if IGNORE not in values or not values <= set(range(IGNORE + 1)):
        return {}
    grids = (_on_grid(sorted(values), steps) for steps in range(2, _MOST_STEPS + 1))
    return next(filter(None, grids), {})


def spread_by_split(used: Mapping[str, Set[int]]) -> dict[str, dict[int, int]]:
    """{split: {gray: class id}} of the splits whose values are evenly spread grays; a split may hold ids already.

    Where all values together are such grays they draw every split; else each is judged for itself, and the others have
    to hold ids of the same classes.
    """
    together = spread_grays(set().union(*used.values()))
    if together:
        return dict.fromkeys(used, together)
    drawn = {split: grays for split, values in used.items() if (grays := spread_grays(values))}
    counts = {max(grays.values()) + 1 for grays in drawn.values()}
    others = set().union(*(values for split, values in used.items() if split not in drawn)) - {IGNORE}
    return drawn if len(counts) == 1 and max(others, default=0) < max(counts) else {}


def listed_values(values: Set[int], labels: LabelTable) -> dict[int, int]:
    """{value: class id or IGNORE} by the sources of a table; empty where `values` may be class ids already.

    A table that a conversion or a repair wrote tells what its masks were, and these now hold ids.
    """
    listed = numbers_listed(labels)
    are_no_ids = any(not 0 <= value < labels.num_classes and listed.get(value) != value for value in values)
    return listed if are_no_ids and values <= listed.keys() else {}


def numbers_listed(labels: LabelTable) -> dict[int, int]:
    """{value: class id or IGNORE} by the numbers among the sources of a table; empty where there are none.

    A class of which nothing is said keeps its id, unless the table gives this number to another.
    """
    sources = labels.sources or ((),) * labels.num_classes
    listed = {value: IGNORE for value in labels.ignored if isinstance(value, int)}
    listed |= {value: i for i, values in enumerate(sources) for value in values if isinstance(value, int)}
    return listed and {i: i for i, values in enumerate(sources) if not values} | listed


def ignoring(values: Iterable[int]) -> str:
    """The entry of a table of classes, as JSON, that ignores `values`."""
    listed = sorted(values)
    return json.dumps({"id": IGNORE, "name": "ignored", "source": listed[0] if len(listed) == 1 else listed})


def source_entries(grays: Mapping[int, int]) -> str:
    """The table of classes, as JSON, that makes classes of {gray: class id}; its names are to be replaced."""
    entries = []
    for class_id in sorted(set(grays.values())):
        sources = [value for value, place in grays.items() if place == class_id]
        source = sources[0] if len(sources) == 1 else sources
        entries.append({"id": class_id, "name": f"class {class_id}", "source": source})
    return json.dumps(entries)


def _on_grid(values: list[int], steps: int) -> dict[int, int]:
    step = IGNORE / steps
    places: dict[int, list[int]] = {}
    for value in values:
        places.setdefault(round(value / step), []).append(value)
    if len(places) < max(3, _PRESENT * (steps + 1)):
        return {}
    for place, there in places.items():
        exact = place in (0, steps)  # black and white need no rounding
        off = max(abs(value - place * step) for value in there)
        if off > (0 if exact else 1) or there[-1] - there[0] > 1:
            return {}
    return {value: i for i, place in enumerate(sorted(places)) for value in places[place]}
