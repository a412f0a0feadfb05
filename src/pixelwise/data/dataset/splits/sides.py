"""Groups of pairs -> train or validation: by a hash of their names, mended only where a side would lack something."""

import unicodedata
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

SHARE = 0.2
"""The share of the groups that becomes validation."""

_DEPTH, _WIDTH = 4, 8  # of the search for several groups that change sides together


class PairGroup(NamedTuple):
    """Pairs that stay on one side; `key` is what is hashed."""

    key: str
    pairs: int
    classes: frozenset[int] = frozenset()  # that occur in its masks


def place(key: str) -> float:
    """0 to 1, evenly spread, of a text; the same on every machine. Below SHARE is validation.

    Of equal texts in other Unicode forms, as file systems write them, the place is one.
    """
    content = unicodedata.normalize("NFC", key).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest()) / 2**64


def sides_of(groups: Sequence[PairGroup]) -> list[bool]:
    """Whether each group is validation.

    That is so where the place of its key is below SHARE. Groups change sides only

    - where a side would be empty, or validation would hold more than half of the pairs;
    - where a class that occurs in two groups or more would be missing on a side, as few groups as a search finds, the
      nearest to the border first. Classes may exclude each other; then as many as can be are on both sides.
    """
    places = [place(group.key) for group in groups]
    half = sum(group.pairs for group in groups) / 2
    sides = [at < SHARE and group.pairs <= half for at, group in zip(places, groups, strict=True)]
    by_place = sorted(range(len(groups)), key=lambda i: (places[i], groups[i].key))
    if len(groups) > 1 and not any(sides):
        small = [i for i in by_place if groups[i].pairs <= half]
        sides[small[0] if small else min(by_place, key=lambda i: groups[i].pairs)] = True
    held = sum(group.pairs for group, is_validation in zip(groups, sides, strict=True) if is_validation)
    for i in reversed(by_place):
        if held > half and sides[i] and sum(sides) > 1:
            sides[i], held = False, held - groups[i].pairs
    if len(groups) > 1 and all(sides):
        sides[by_place[-1]] = False
    return _Cover(groups, sides, sorted(by_place, key=lambda i: abs(places[i] - SHARE))).mended()


class _Cover:
    """How many groups of each class are on each side; `order` is the order in which groups would change sides."""

    def __init__(self, groups: Sequence[PairGroup], sides: list[bool], order: Sequence[int]) -> None:
        self.groups, self.sides = groups, sides
        self.of_class: dict[int, list[int]] = {}
        for i in order:
            for each in groups[i].classes:
                self.of_class.setdefault(each, []).append(i)
        # A class of one group cannot be on both sides.
        self.of_class = {each: members for each, members in sorted(self.of_class.items()) if len(members) > 1}
        self.counts = {each: [0, 0] for each in self.of_class}
        for i, group in enumerate(groups):
            for each in group.classes & self.counts.keys():
                self.counts[each][sides[i]] += 1
        self.on_side = [len(sides) - sum(sides), sum(sides)]

    def mended(self) -> list[bool]:
        """The sides, once no exchange makes fewer classes miss a side."""
        while missing := self.missing(self.counts):
            # The first of the best: in the order of the classes, then of the places.
            best = max((i for each in missing for i in self.of_class[each]), key=self._gain)
            if self._gain(best) > 0:
                self._flip(best)
            elif not self._any_chain(missing):
                break
        return self.sides

    def missing(self, classes: Iterable[int]) -> list[int]:
        """Those of `classes` that one side lacks."""
        return [each for each in classes if each in self.counts and 0 in self.counts[each]]

    def _gain(self, i: int) -> int:
        """How many classes fewer would be missing if a group changed sides."""
        side = self.sides[i]
        if self.on_side[side] == 1:
            return -len(self.counts) - 1  # nothing would be left
        own = [self.counts[each] for each in self.groups[i].classes if each in self.counts]
        return sum((count[not side] == 0) - (count[side] == 1) for count in own)

    def _flip(self, i: int) -> None:
        side = self.sides[i]
        for each in self.groups[i].classes & self.counts.keys():
            self.counts[each][side] -= 1
            self.counts[each][not side] += 1
        self.on_side[side] -= 1
        self.on_side[not side] += 1
        self.sides[i] = not side

    def _any_chain(self, missing: list[int]) -> bool:
        tries = ((each, depth) for depth in range(2, _DEPTH + 1) for each in missing)
        return any(self._chain(each, depth, len(missing), set()) for each, depth in tries)

    def _chain(self, lacking: int, depth: int, limit: int, changed: set[int]) -> bool:
        """Let a group of a class change sides, then one of each class that it took along, until fewer are missing."""
        for i in [i for i in self.of_class[lacking] if i not in changed and self.on_side[self.sides[i]] > 1][:_WIDTH]:
            self._flip(i)
            if len(self.missing(self.counts)) < limit:
                return True
            broken = self.missing(self.groups[i].classes) if depth > 1 else []
            if any(self._chain(each, depth - 1, limit, changed | {i}) for each in broken):
                return True
            self._flip(i)
        return False
