"""Count what the masks of a dataset hold, in whatever form, so that one plan can be made for all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.masks.judging import spread_by_split
from pixelwise.data.masks.raw import PALETTES, RawMask
from pixelwise.labels import IGNORE, Color, SourceValue

_MOST_ENTRIES = 100_000  # so that masks of arbitrary colours do not fill the memory


class Entry(NamedTuple):
    """A value of the masks of a split, in the colour in which one kind of file shows it."""

    split: str
    kind: str
    value: SourceValue
    color: Color | None


class Values:
    """What all masks hold together: pixels by entry, masks by kind."""

    def __init__(self) -> None:
        self.pixels: Counter[Entry] = Counter()
        self.masks: Counter[str] = Counter()
        self.origins: dict[int, set[int]] = {}  # {class id of a label map: the values that become it}
        self.foreign_palettes = False  # palette masks of colours that are no PNG

    def add(self, split: str, raw: RawMask) -> None:
        """Count one mask."""
        self.masks[raw.kind] += 1
        self.foreign_palettes |= raw.kind == "palette" and raw.format != "PNG"
        for value, count in raw.counts.items():
            entry = Entry(split, raw.kind, value, raw.color_of(value))
            if entry in self.pixels or len(self.pixels) < _MOST_ENTRIES:
                self.pixels[entry] += count
        for value, class_id in raw.mapped.items():
            if class_id != IGNORE:
                self.origins.setdefault(class_id, set()).add(value)

    def merge(self, other: "Values") -> None:
        """Take in what another one counted."""
        self.masks.update(other.masks)
        self.foreign_palettes |= other.foreign_palettes
        self.pixels.update(other.pixels)
        for class_id, values in other.origins.items():
            self.origins.setdefault(class_id, set()).update(values)

    def add_map(self, label_map: LabelMap) -> None:
        """Note for each class of a label map its smallest value, whether masks have it or not."""
        for value, class_id in enumerate(label_map.table):
            if 0 <= class_id < IGNORE and label_map.table.index(class_id) == value:
                self.origins.setdefault(class_id, set()).add(value)

    def colors(self, kinds: Iterable[str]) -> Counter[Color]:
        """Pixels by colour shown."""
        chosen = frozenset(kinds)
        total: Counter[Color] = Counter()
        for entry, count in self.pixels.items():
            if entry.kind in chosen and entry.color is not None:
                total[entry.color] += count
        return total

    @property
    def palettes(self) -> list[str]:
        """The kinds whose indices may be ids; where such files have colours, those of gray alone are of their kind."""
        return [kind for kind in PALETTES if kind in self.masks and (kind == "palette" or self.foreign_palettes)]

    @property
    def palette(self) -> dict[Color, int]:
        """The one index of each colour in the palette masks; nothing if they do not agree on it."""
        pairs = self._palette_pairs()
        indices = {color: index for index, color in pairs}
        return indices if len(indices) == len(pairs) == len({index for index, _ in pairs}) else {}

    @property
    def palettes_contradict(self) -> bool:
        """Whether one index has two colours and one colour two indices, as where each file has its own palette."""
        pairs = self._palette_pairs()
        return len({index for index, _ in pairs}) < len(pairs) > len({color for _, color in pairs})

    def contradiction(self) -> tuple[int, list[Color]]:
        """An index that palettes show in several colours, and these, where `palettes_contradict`."""
        colors: dict[int, set[Color]] = {}
        for index, color in self._palette_pairs():
            colors.setdefault(index, set()).add(color)
        index = max(colors, key=lambda each: len(colors[each]))
        return index, sorted(colors[index])

    def _palette_pairs(self) -> set[tuple[int, Color]]:
        kinds = frozenset(self.palettes)
        entries = (entry for entry in self.pixels if entry.kind in kinds)
        return {(value, color) for _, _, value, color in entries if isinstance(value, int) and color is not None}


class Numbers:
    """The values and shades in use, by split and over all; `bits` are those of 1-bit masks."""

    def __init__(self, survey: Values, readings: Mapping[str, str], splits: Iterable[str]) -> None:
        self.by_split: dict[str, set[int]] = {split: set() for split in splits}
        self.bits: set[int] = set()
        self._through_map: set[str] = set()
        for split, kind, value, color in survey.pixels:
            if readings.get(kind) not in ("value", "shade"):
                continue
            number = number_of(readings[kind], value, color)
            (self.bits if kind == "1-bit" else self.by_split[split]).add(number)
            if kind == "mapped":
                self._through_map.add(split)
        self.used: set[int] = set().union(*self.by_split.values())

    @property
    def ids(self) -> list[int]:
        """All but IGNORE and what is negative, which only a table makes a class; in order."""
        return sorted((self.used | self.bits) - {IGNORE} - self.negative)

    @property
    def negative(self) -> set[int]:
        """Those below 0, as rasters have them where there is no data."""
        return {value for value in self.used if value < 0}

    def drawn_as_255(self) -> set[str]:
        """The splits in which 255 draws the object: with 0 alone beside it, and where no other says it is ignored."""
        if not self.used <= {0, 1, IGNORE}:
            return set()
        drawn = {split for split, used in self.by_split.items() if used == {0, IGNORE}} - self._through_map
        others = set().union(*(used for split, used in self.by_split.items() if split not in drawn))
        if drawn and others == {IGNORE}:  # a split of a few masks may be the object throughout
            return self.by_split.keys() - self._through_map
        return set() if IGNORE in others else drawn

    def spread(self) -> dict[str, dict[int, int]]:
        """{split: {gray: class id}} of all splits where evenly spread grays up to 255 draw some of them; else empty.

        Label maps give ids, and a bit says nothing about grays.
        """
        drawn = {} if self._through_map or 1 in self.bits else spread_by_split(self.by_split)
        if not drawn:
            return {}
        classes = 1 + max(next(iter(drawn.values())).values())
        ids = {i: i for i in range(classes)} | {IGNORE: IGNORE}
        return {split: drawn.get(split, ids) for split in self.by_split}


def number_of(reading: str, value: SourceValue, color: Color | None) -> int:
    """What counts of a value that a mask shows in a colour: itself, or its shade of gray."""
    if reading == "shade" and color is not None:
        return color[0]
    assert isinstance(value, int)
    return value
