"""Read true and predicted masks of any kind, and say what their values mean, seen together."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of, colors_of
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.judging import drawn_grays, listed_values, source_entries
from pixelwise.data.masks.raw import RawMask
from pixelwise.data.reading import open_image
from pixelwise.data.refusals import wrong_mask
from pixelwise.labels import IGNORE, LabelTable, hex_color
from pixelwise.phrases import listed


class ValueMeanings(NamedTuple):
    """{value: class id or IGNORE} on both sides, where values are no ids; the classes if they follow; notes."""

    truth: Mapping[int, int]
    predicted: Mapping[int, int]
    labels: LabelTable | None
    notes: tuple[str, ...] = ()


def read_values(path: Path, labels: LabelTable | None) -> npt.NDArray[np.generic]:
    """(H, W) values of a mask, uint8, uint16 or int32; of colours the class ids that a table of classes gives them.

    Raises:
        FileFault: it is damaged, was saved with loss, has colours that no table lists, or fractions.
    """
    raw = decode(path)
    if raw.format in ("JPEG", "WEBP"):
        raise FileFault(wrong_mask(path, open_image(path)))
    if raw.kind != "colors":
        return raw.values()
    if labels is None or labels == LabelTable.numbered(labels.num_classes):
        raise _colored(raw.counted())
    return class_ids_of(raw.colors(), colors_of(labels), str(path))


def meaning_of(truth: Path, true_values: Set[int], values: Set[int], labels: LabelTable | None) -> ValueMeanings:
    """What the values in the true masks, all in the folder `truth`, and in the predictions mean.

    Values are class ids unless the `source` entries of a table list them, or grays are drawn on both sides.

    Raises:
        FileFault: the true masks draw their classes as grays up to 255, and the predictions do not.
    """
    if labels is not None and (labels.sources or labels.ignored):
        return ValueMeanings(listed_values(true_values, labels), listed_values(values, labels), labels)
    if true_values == {IGNORE}:
        found, remedy = f"holds masks of the value {IGNORE} (ignored) only", "Give the folder of the true masks."
        raise FileFault(Finding(truth, found, "some pixels of a class", remedy, "nothing-labelled"))
    num_classes = None if labels is None else labels.num_classes
    grays = drawn_grays(true_values)
    ids_too = num_classes is not None and len(grays) > 2 and max(grays.keys() - {IGNORE}) < num_classes
    if grays and not ids_too:
        return _drawn(truth, grays, values, labels)
    if values == {0, IGNORE} and true_values <= {0, 1} and num_classes in (None, 2):
        note = f"The predictions hold 0 and {IGNORE} alone, the truth none: {IGNORE} counts as class 1."
        return ValueMeanings({}, {0: 0, IGNORE: 1}, labels or LabelTable.numbered(2), (note,))
    return ValueMeanings({}, {}, labels)


def _drawn(truth: Path, grays: Mapping[int, int], values: Set[int], labels: LabelTable | None) -> ValueMeanings:
    """Of true masks whose values are `grays`."""
    both = drawn_grays(grays.keys() | values)
    classes = max(both.values(), default=0) + 1
    fits = labels is None or labels.num_classes == classes
    # Values that ids may be as well, such as 0 alone, are no sign of grays.
    if not both or not fits or max(values, default=0) < classes or (len(grays) == 2) != (len(both) == 2):
        raise FileFault(_undrawn(truth, grays, values))
    shown = listed((str(value) for value in sorted(both)), 8)
    note = f"Truth and predictions hold {shown} alone: these are {classes} classes, and {IGNORE} is the last."
    sources = {i: [value for value, place in both.items() if place == i] for i in range(classes)}
    names = (labels or LabelTable.numbered(classes)).names
    return ValueMeanings(both, both, labels or LabelTable.named(names, sources=sources), (note,))


def _undrawn(truth: Path, grays: Mapping[int, int], values: Set[int]) -> Finding:
    entries = source_entries(grays)
    shown = listed((str(value) for value in sorted(values)), 8)
    return Finding(
        truth,
        f"holds masks of the values {listed(map(str, grays), 8)} only, and the predictions hold {shown}",
        f"class ids on both sides, of which {IGNORE} is ignored, or the same grays on both sides",
        f"If {IGNORE} draws a class, give --classes FILE with {entries}; as it is, that class would count for "
        f'nothing. If {IGNORE} is ignored, give --classes FILE with the names and {{"id": {IGNORE}, "name": '
        f'"ignored", "source": {IGNORE}}}.',
        "mask-0-255" if len(grays) == 2 else "mask-spread-gray",
    )


def _colored(raw: RawMask) -> FileFault:
    most = sorted(raw.counts, key=lambda color: -raw.counts[color])
    shown = listed((hex_color(color) for color in most if isinstance(color, tuple)), 8)
    finding = Finding(
        raw.path, f"has the channels {raw.channels} and {len(most)} colours ({shown})",
        "one value for each pixel", 'Give --classes FILE in which each colour is a class\'s "source".', "mask-colors",
    )  # fmt: skip
    return FileFault(finding)
