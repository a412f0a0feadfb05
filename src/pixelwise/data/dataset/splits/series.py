"""Runs of numbered names that may be frames of one video, and what of the names alone says that they are."""

import re
from collections.abc import Callable, Sequence

_WORDS = re.compile(r"(?<![a-z])(frames?|frm|videos?|vid|clips?|seq|sequences?|movie)(?![a-z])", re.IGNORECASE)
_TIME = 13  # digits of a time in ms, us or ns since 1970


def runs(names: Sequence[str], is_next: Callable[[str, str], bool]) -> list[list[int]]:
    """Positions of names that are equal but for one number, in its order, each a neighbour of the one before.

    Runs that count with the last number of the names, as frames are counted, come first.

    Args:
        names: all of them.
        is_next: whether two such names are neighbours, such as `duplicates.video_neighbours`.
    """
    series: dict[tuple[int, tuple[str, ...]], list[tuple[int, int]]] = {}
    for i, name in enumerate(names):
        parts = re.split(r"([0-9]+)", name)
        for k in range(1, len(parts), 2):
            series.setdefault((k, (*parts[:k], *parts[k + 1 :])), []).append((int(parts[k]), i))
    found = []
    for _, members in sorted(series.items(), key=lambda item: len(item[0][1]) - item[0][0]):
        members.sort()
        run = [members[0][1]]
        for _, i in members[1:]:
            if not is_next(names[run[-1]], names[i]):
                found.append(run)
                run = []
            run.append(i)
        found.append(run)
    return [run for run in found if len(run) > 1]


def are_called_frames(names: Sequence[str]) -> bool:
    """Whether a run says by its names that it is a video: by a word such as frame or clip, or by times of the day.

    Where the word stands, the last number of a name counts frames, and others count videos.
    """
    if len(names) < 2:
        return False
    first, last = (re.findall("[0-9]+", names[i]) for i in (0, -1))
    differing = [k for k, (a, b) in enumerate(zip(first, last, strict=True)) if int(a) != int(b)]
    is_last = differing == [len(first) - 1]
    return (is_last and bool(_WORDS.search(names[0]))) or any(len(first[k]) >= _TIME for k in differing)
