"""Take validation from the pairs of train: what is alike or of one video stays together, classes are on both sides."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise.data.check.duplicates import WORDS, Fingerprints, across, apart, video_neighbours, within
from pixelwise.data.check.pair import Look
from pixelwise.data.dataset.pairs import Pairs
from pixelwise.data.dataset.splits.division import Division, SplitRule
from pixelwise.data.dataset.splits.grouping import united
from pixelwise.data.dataset.splits.pattern import grouped_by
from pixelwise.data.dataset.splits.series import are_called_frames, runs
from pixelwise.data.dataset.splits.sides import SHARE, PairGroup, place, sides_of
from pixelwise.errors import SettingsError
from pixelwise.labels import IGNORE

NEARER, NEARER_OF_FEW, FEW = 0.85, 0.7, 5
"""How far neighbours in a series of numbered pictures are apart, as a share of how far pictures of the set are (both
medians), for them to be frames of a video; for series of fewer pictures than FEW it is less.

Drives of CamVid, every thirtieth frame, have 0.50 to 0.81, a scanned volume 0.58; numbered photographs 0.89 (pavements)
to 1.0 (people, retinas, aerial tiles).
"""

_ROUNDS = 20

Links = list[Sequence[int]]


def kept_division(pairs: Pairs, rule: SplitRule) -> tuple[Division, dict[str, Pairs]] | None:
    """The sides as a run began with them; None where there is no such run, or it was of quite another dataset.

    Raises:
        DataError: pairs of the run are missing.
    """
    kept, names = rule.kept, pairs.names
    if kept is None or not kept.is_of(names):
        return None
    kept.require(names)
    new = tuple(name for name in names if name not in kept.train and name not in kept.validation)
    sides = {"train": pairs.only(kept.train), "validation": pairs.only(kept.validation)}
    counts = (len(sides["train"]), len(sides["validation"]))
    return Division(*counts, kept.split_by, source=kept.path, left_out=new), sides


class Dividing:
    """A division under way: names first, for the looks at the files to know which are looked at closely."""

    def __init__(self, pairs: Pairs, rule: SplitRule) -> None:
        """SettingsError where the pattern of `rule` does not fit the names."""
        self.pairs, self.names, self.split_by = pairs, pairs.names, rule.split_by
        self.keys = self.names
        if self.split_by is not None:
            try:
                self.keys = grouped_by(self.split_by, self.names)
            except SettingsError:
                if not rule.is_own:
                    raise
                self.split_by = None

    def likely(self) -> list[list[int]]:
        """The positions of the pairs that will be train and validation, but for the few that change sides."""
        sides = [place(key) < SHARE for key in self.keys]
        return [[i for i, side in enumerate(sides) if side == is_validation] for is_validation in (False, True)]

    def made(self, looks: Sequence[Look]) -> tuple[Division, dict[str, list[int]]]:
        """The division, and {"train": positions, "validation": positions}."""
        rows = [i for i, look in enumerate(looks) if look.fingerprint is not None]
        prints = np.array([looks[i].fingerprint for i in rows], dtype=np.uint64).reshape(-1, WORDS)
        classes = [frozenset(look.counts) - {IGNORE} for look in looks]
        by_key: dict[str, list[int]] = {}
        for i, key in enumerate(self.keys):
            by_key.setdefault(key, []).append(i)
        # A pattern says what belongs together; a guess beside it would unite patients whose slices look alike.
        videos = self._videos(rows, prints) if self.split_by is None else []
        links: Links = [*by_key.values(), *videos]
        links += [(rows[link.first], rows[link.second]) for link in within(prints)]
        leaders, note = united(len(self.names), links), ""
        if len(set(leaders)) < 2 < 1 + len(self.names):
            leaders, note = self._apart(list(by_key.values()), videos)
        sides = self._sides(leaders, classes)
        for _ in range(0 if note else _ROUNDS):
            crossing = _crossing(sides, rows, prints)
            closer = united(len(self.names), [*crossing, *((i, leader) for i, leader in enumerate(leaders))])
            if not crossing or len(set(closer)) < 2:
                break
            leaders = closer
            sides = self._sides(leaders, classes)
        positions = {
            name: [i for i, side in enumerate(sides) if side == is_validation]
            for name, is_validation in (("train", False), ("validation", True))
        }
        return self._division(leaders, positions, note), positions

    def _division(self, leaders: Sequence[int], positions: dict[str, list[int]], note: str) -> Division:
        sizes = np.unique(leaders, return_counts=True)[1]
        return Division(
            len(positions["train"]),
            len(positions["validation"]),
            self.split_by,
            groups=len(sizes),
            united=int(sizes[sizes > 1].sum()),
            note=note,
        )

    def _sides(self, leaders: Sequence[int], classes: Sequence[frozenset[int]]) -> list[bool]:
        """Whether each pair is validation."""
        members: dict[int, list[int]] = {}
        for i, leader in enumerate(leaders):
            members.setdefault(leader, []).append(i)
        # By the smallest key: it stays the same when most pairs are added to a group.
        groups = [
            PairGroup(min(self.keys[i] for i in each), len(each), frozenset().union(*(classes[i] for i in each)))
            for each in members.values()
        ]
        of_group = dict(zip(members, sides_of(groups), strict=True))
        return [of_group[leader] for leader in leaders]

    def _videos(self, rows: Sequence[int], prints: Fingerprints) -> Links:
        """The numbered names that are videos: neighbours look more alike than others, or the names say so.

        These are whole series, whatever frames are missing; of a series that is all there is, the runs without a gap.
        """
        row_of = {i: row for row, i in enumerate(rows)}
        anywhere = _median(apart(prints, np.roll(prints, len(prints) // 2, axis=0)))

        def is_video(run: Sequence[int]) -> bool:
            steps = [(row_of[a], row_of[b]) for a, b in itertools.pairwise(run) if a in row_of and b in row_of]
            first, second = ([step[side] for step in steps] for side in (0, 1))
            limit = NEARER if len(run) >= FEW else NEARER_OF_FEW
            return _median(apart(prints[first], prints[second])) <= limit * anywhere

        whole = [run for run in runs(self.names, lambda _first, _second: True) if len(run) < len(self.names)]
        found: Links = []
        taken: set[int] = set()
        for run in [*whole, *runs(self.names, video_neighbours)]:
            left = [i for i in run if i not in taken]  # a picture is of one video, and drives are no frames of another
            # What all names say tells nothing apart.
            is_called = len(left) < len(self.names) and are_called_frames([self.names[i] for i in left])
            if len(left) > 1 and (is_called or is_video(left)):
                found.append(left)
                taken.update(left)
        return found

    def _apart(self, by_key: Links, videos: Links) -> tuple[list[int], str]:
        """Groups where all pairs belong together, and the sentence that says so."""
        count = len(self.names)
        if self.split_by is not None:
            joined = "near-duplicates join all groups of the pattern, so that only these were kept together"
            return united(count, by_key), f"{joined}, and scores are optimistic: give validation of its own"
        optimistic = "and scores are optimistic: give validation of its own, or --split-by"
        whole = next((run for run in videos if len(run) == count), None)
        if whole is None:
            none = "all pictures are near-duplicates or frames of one video, so that nothing was kept together"
            return list(range(count)), f"{none}, {optimistic}"
        cut = count - max(1, round(SHARE * count))
        ends = "all pairs are frames of one video, cut into its first and its last part"
        return united(count, [whole[:cut], whole[cut:]]), f"{ends}, {optimistic}"


def _median(distances: npt.NDArray[np.float64]) -> float:
    """NaN where nothing is known."""
    known = distances[~np.isnan(distances)]
    return float(np.median(known)) if len(known) else math.nan


def _crossing(sides: Sequence[bool], rows: Sequence[int], prints: Fingerprints) -> Links:
    """Pairs of pictures that are nearly the same and not on one side."""
    of_sides = [[row for row, i in enumerate(rows) if sides[i] == is_validation] for is_validation in (False, True)]
    train, validation = of_sides
    twins = across(prints[train], prints[validation]) if train and validation else []
    return [(rows[train[twin.first]], rows[validation[twin.second]]) for twin in twins]
