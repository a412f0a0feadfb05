"""Unite what belongs together: numbers that were linked, into groups."""

from collections.abc import Iterable, Sequence


def united(count: int, links: Iterable[Sequence[int]]) -> list[int]:
    """For each of 0 to `count` - 1 the smallest number that it is linked with, over any others."""
    leader = list(range(count))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = i = leader[leader[i]]
        return i

    for link in links:
        for other in link[1:]:
            a, b = sorted((find(link[0]), find(other)))
            leader[b] = a
    return [find(i) for i in range(count)]
