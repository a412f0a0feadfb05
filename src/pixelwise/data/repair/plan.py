"""Decide once for a whole dataset what the values and colours of its masks become."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pixelwise.data.masks.judging import numbers_listed
from pixelwise.data.masks.raw import RawMask, is_gray
from pixelwise.data.refusals import FEW_COLORS
from pixelwise.data.repair.survey import Numbers, Values, number_of
from pixelwise.labels import IGNORE, MAX_CLASSES, Color, LabelTable, SourceValue, hex_color

_BLACK = (0, 0, 0)
_PAST_PALETTE = 256
_SPREAD = "mask-spread-gray"


@dataclass(frozen=True)
class Plan:
    """What becomes of every mask.

    `readings` says for each kind of mask what counts: the "value" stored, the "shade" of gray shown or the "color"
    shown; kinds that are not listed are left out because of `unread`.
    """

    labels: LabelTable
    readings: dict[str, str]
    values: dict[str, dict[int, int]]  # {split: {value or shade: class id or IGNORE}}
    colors: dict[Color, int]  # {colour: class id or IGNORE}
    unread: str = ""
    notes: tuple[str, ...] = ()
    renumbering: str = "ids-with-gaps"  # the code of what was wrong with values that change

    def ids_of(self, split: str, raw: RawMask) -> dict[SourceValue, int]:
        """{value in the mask: class id or IGNORE}, without those that the plan does not know."""
        reading = self.readings.get(raw.kind)
        if reading is None:
            return {}
        if reading == "color":
            colors = {value: raw.color_of(value) for value in raw.counts}
            return {value: self.colors[color] for value, color in colors.items() if color in self.colors}
        known = self.values.get(split, {})
        ids = {}
        for value in raw.counts:
            number = number_of(reading, value, raw.color_of(value))
            if raw.kind == "1-bit" and number not in known:
                number *= IGNORE  # viewers show a bit as 0 or 255, and tables may say it so
            if number in known:
                ids[value] = known[number]
        return ids


def make_plan(survey: Values, splits: Iterable[str], table: LabelTable | None, *, given: bool) -> Plan:
    """One plan for all masks of `splits`.

    `table` names the classes, None if nothing does. Where it was `given` with this repair, the values that it lists
    as `sources` decide; where it lies in the dataset, they do only if the masks' values are no class ids, for the
    masks may have been repaired already.
    """
    named = None if table is None or table == LabelTable.numbered(table.num_classes) else table
    readings, unread, notes = _readings(survey, named)
    in_color = [kind for kind, reading in readings.items() if reading == "color"]
    if in_color and named is None:
        proposed = _proposed_colors(survey, in_color)
        if proposed is not None:
            return Plan(proposed[1], readings, {}, proposed[0], unread, notes)
        readings = {kind: reading for kind, reading in readings.items() if reading != "color"}
        unread = f"the masks hold more than {FEW_COLORS} colours in all, which is no code of classes"
    numbers = Numbers(survey, readings, splits)
    if table is None:
        return _renumbered(survey, Plan(LabelTable.numbered(2), readings, {}, {}, unread, notes), numbers)
    values, labels = _by_table(table, numbers, given=given)
    labels = _with_origins(labels, survey, range(labels.num_classes))
    colors: dict[Color, int] = {}
    if in_color and named is not None:
        colors, labels = _listed_colors(named)
    renumbering = _SPREAD if values and values == numbers.spread() else "id-out-of-range"
    return Plan(labels, readings, values, colors, unread, notes, renumbering)


def _readings(survey: Values, table: LabelTable | None) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """What counts in each kind of mask, why some kinds are left out, and what is worth telling."""
    grays = [kind for kind in ("gray", "gray palette", "1-bit") if kind in survey.masks and kind not in survey.palettes]
    readings = dict.fromkeys(survey.masks, "value") | dict.fromkeys({"gray palette"} & set(grays), "shade")
    colored, palette = survey.colors(["colors"]), survey.colors(survey.palettes)
    pictures = ["colors"] if colored else []
    contradict = survey.palettes_contradict
    if (contradict and survey.foreign_palettes) or _same_code(palette, colored):
        pictures += survey.palettes
    notes: tuple[str, ...] = ()
    if contradict and "palette" not in pictures:
        notes = (
            "The palettes of the masks contradict each other: one index has several colours and one colour several "
            "indices. Indices were taken as class ids; if the colours count, save the masks as RGB and repair again.",
        )
    shown = set(survey.colors(pictures))
    if all(map(is_gray, shown)):
        return readings | dict.fromkeys(pictures, "shade"), "", notes
    pictures += [kind for kind in grays if survey.colors([kind]).keys() <= shown]
    readings |= dict.fromkeys(pictures, "color")
    others = [kind for kind in readings if readings[kind] != "color"]
    if table is not None or not others:
        return readings, "", notes
    # Nothing says which colour is which id: the larger part is kept.
    of_ids, of_colors = (sum(survey.masks[kind] for kind in kinds) for kinds in (others, pictures))
    kept = others if of_ids > of_colors else pictures
    unread = f"{of_ids} masks hold ids and {of_colors} hold colours, and no table says which colour is which id"
    return {kind: readings[kind] for kind in kept}, unread, notes


def _same_code(palette: Mapping[Color, int], colored: Mapping[Color, int]) -> bool:
    """Whether palette masks show the colours of the colour masks."""
    shared = palette.keys() & colored.keys()
    return bool(shared) and (len(shared) == len(palette) or not all(map(is_gray, shared)))


def _listed_colors(table: LabelTable) -> tuple[dict[Color, int], LabelTable]:
    """{colour: class id} of a table, and the table with these colours as sources."""
    listed = [(value, i) for i, values in enumerate(table.sources) for value in values if isinstance(value, tuple)]
    if not listed:
        listed = [(color, i) for i, color in enumerate(table.colors)]
        table = replace(table, sources=tuple((color,) for color in table.colors))
    listed += [(value, IGNORE) for value in table.ignored if isinstance(value, tuple)]
    times = Counter(color for color, _ in listed)
    # A colour of two classes says nothing.
    return {color: class_id for color, class_id in listed if times[color] == 1}, table


def _proposed_colors(survey: Values, kinds: list[str]) -> tuple[dict[Color, int], LabelTable] | None:
    """Classes in the order of the palette masks if they agree, then black, then by pixels, most first."""
    pixels = survey.colors(kinds)
    if len(pixels) > FEW_COLORS:
        return None
    indices = survey.palette if "palette" in kinds else {}
    ignored = [color for color in pixels if indices.get(color) == IGNORE]
    order = sorted(
        pixels.keys() - set(ignored),
        key=lambda color: (indices.get(color, _PAST_PALETTE), color != _BLACK, -pixels[color], color),
    )
    names = ["background" if color == _BLACK else hex_color(color) for color in order]
    names += [f"class {i}" for i in range(len(names), 2)]
    sources = {i: [color] for i, color in enumerate(order)}
    labels = LabelTable.named(names, dict(enumerate(order)), sources=sources, ignored=ignored)
    return {color: i for i, color in enumerate(order)} | dict.fromkeys(ignored, IGNORE), labels


def _renumbered(survey: Values, plan: Plan, numbers: Numbers) -> Plan:
    """Without a table: 0 and 255 become 0 and 1, other ids are closed up in ascending order."""
    if len(numbers.ids) > MAX_CLASSES:
        left = {kind: reading for kind, reading in plan.readings.items() if kind != "16-bit"}
        unread = f"the masks hold {len(numbers.ids)} different ids, more than {MAX_CLASSES}: they may be instances"
        if left == plan.readings:
            return replace(plan, readings={}, unread=unread)
        smaller = replace(plan, readings=left, unread=unread)
        return _renumbered(survey, smaller, Numbers(survey, left, numbers.by_split))
    drawn = numbers.drawn_as_255()
    if drawn:
        of_two = None if 1 in numbers.used else {0: [0], 1: [IGNORE]}
        labels = LabelTable.named(LabelTable.numbered(2).names, sources=of_two)
        return replace(plan, labels=labels, values=_two_classes(numbers, drawn))
    grays = numbers.spread()
    if grays:
        return replace(plan, labels=_of_grays(None, grays), values=grays, renumbering=_SPREAD)
    ranks = {value: i for i, value in enumerate(numbers.ids)}
    changed = any(value != i for value, i in ranks.items())
    names = LabelTable.numbered(max(2, len(ranks))).names
    sources = {i: [value] for value, i in ranks.items()} if changed else None
    colors = {ranks[index]: color for color, index in survey.palette.items() if index in ranks}
    labels = LabelTable.named(names, {} if all(map(is_gray, colors.values())) else colors, sources=sources)
    values = {split: {**ranks, IGNORE: IGNORE} for split in numbers.by_split}
    notes = plan.notes
    if max(ranks, default=0) > IGNORE:
        notes += (
            f"Values up to {max(ranks)} were taken for {len(ranks)} classes. If they number instances, read the "
            "classes with `pixelwise convert`, or give a table of classes with their values.",
        )
    return replace(plan, labels=_with_origins(labels, survey, numbers.ids), values=values, notes=notes)


def _two_classes(numbers: Numbers, drawn: set[str]) -> dict[str, dict[int, int]]:
    return {split: {0: 0, 1: 1, IGNORE: 1 if split in drawn else IGNORE} for split in numbers.by_split}


def _of_grays(labels: LabelTable | None, grays: Mapping[str, Mapping[int, int]]) -> LabelTable:
    """The table, or one without names, with the grays that became its classes."""
    drawn = {gray: i for ids in grays.values() if ids[IGNORE] != IGNORE for gray, i in ids.items()}
    labels = labels or LabelTable.numbered(max(drawn.values()) + 1)
    sources = (tuple(gray for gray, i in drawn.items() if i == class_id) for class_id in range(labels.num_classes))
    return replace(labels, sources=tuple(sources))


def _by_table(labels: LabelTable, numbers: Numbers, *, given: bool) -> tuple[dict[str, dict[int, int]], LabelTable]:
    """{split: {value: class id}} under a table, and the table with what became its classes."""
    num_classes = labels.num_classes
    listed = numbers_listed(labels)
    used = set(numbers.ids)
    sound = all(value < num_classes for value in used) and not numbers.negative
    if listed and (given or (not sound and used | numbers.negative <= listed.keys())):
        return {split: {IGNORE: IGNORE, **listed} for split in numbers.by_split}, labels
    drawn = numbers.drawn_as_255() if num_classes == 2 else set()
    if drawn:
        if 1 not in numbers.used and not labels.sources:
            labels = replace(labels, sources=((0,), (IGNORE,)))
        return _two_classes(numbers, drawn), labels
    grays = numbers.spread()
    if grays and not sound and _of_grays(None, grays).num_classes == num_classes:
        return grays, labels if labels.sources else _of_grays(labels, grays)
    first = 0
    if used == set(range(1, num_classes + 1)):  # every number up to the number of classes, and no 0
        first = 1
        labels = labels if labels.sources else replace(labels, sources=tuple((i + 1,) for i in range(num_classes)))
    table = {first + i: i for i in range(num_classes)} | {IGNORE: IGNORE}
    return {split: table for split in numbers.by_split}, labels


def _with_origins(labels: LabelTable, survey: Values, ids: Iterable[int]) -> LabelTable:
    """The table with the values that label maps read as its classes; class `i` was the i-th of `ids` to them."""
    origins = survey.origins
    if all(values == {class_id} for class_id, values in origins.items()):
        return labels
    sources = [tuple(sorted(origins.get(class_id, {class_id}))) for class_id in ids]
    return replace(labels, sources=tuple(sources + [()] * (labels.num_classes - len(sources))))
