"""Ids of COCO's lists, which some tools write as text in one place and as a number in another."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any

Id = int | str


def plain_id(value: Any) -> Any:
    """A text or a float that is a whole number, as this number; all else as it is."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Ids:
    """The ids of a list; one that is asked for may be written in the other way."""

    def __init__(self, ids: Iterable[Any]) -> None:
        self._ids = set(ids)
        by_number: dict[Hashable, set[Any]] = defaultdict(set)
        for one in self._ids:
            by_number[plain_id(one)].add(one)
        self._by_number = {plain: next(iter(same)) for plain, same in by_number.items() if len(same) == 1}

    def find(self, value: Any) -> Any:
        """The id of the list that `value` means; None where it has none, or several that could be meant."""
        return value if value in self._ids else self._by_number.get(plain_id(value))
