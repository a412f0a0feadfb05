"""The mask of one line of a Ground Truth manifest -> class ids, by its colours."""

import numpy as np
import numpy.typing as npt

from pixelwise.data.convert.classes.mapping import class_ids_of, values_of
from pixelwise.data.convert.classes.names import Classes, is_background
from pixelwise.data.convert.formats.ground_truth.lines import Label
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode
from pixelwise.data.masks.raw import color_number, numbered_color
from pixelwise.data.reading import open_image
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, hex_color
from pixelwise.phrases import listed

_WHITE = 0xFFFFFF  # what nobody labelled, and every entry of the palette that is not used


def class_ids_of_mask(source: Source, name: str, label: Label, classes: Classes) -> npt.NDArray[np.uint8]:
    """(H, W) class ids of a mask.

    Colours decide. Where the map lists none, or the mask has none of them, the stored values are taken for the map's
    keys; in masks of mid-2020, whose values are wrong, they are not.

    Raises:
        FileFault: the mask is damaged, or has colours that the map does not list.
    """
    raw = decode(source.read(name), name)
    if not label.entries:
        return class_ids_of(raw.values(), values_of(classes.labels), name)
    known = _by_color(label, classes)
    colors = raw.colors()
    present = set(np.unique(colors).tolist())
    if known and present <= known.keys():
        return class_ids_of(colors, known, name)
    has_own_colors = bool(present & known.keys() - {_WHITE})
    if label.is_suspect or has_own_colors or raw.kind in ("16-bit", "colors"):
        unknown = listed((_hex(color) for color in sorted(present - known.keys())), 8)
        raise source.fault(
            name, f"has colours that its internal-color-map does not list: {unknown}",
            expected=", ".join(_hex(color) for color in sorted(known)) or "a map with a hex-color for each class",
            remedy="Fetch the mask again as Ground Truth wrote it, or complete the map.", code="mask-colors",
        )  # fmt: skip
    keys = {entry.key: classes.ids.get(entry.name, IGNORE) for entry in label.entries}
    if not any(is_background(entry.name) for entry in label.entries):
        keys.setdefault(0, classes.background)
    return class_ids_of(raw.values(), keys, name)


def has_wrong_indices(source: Source, name: str, label: Label) -> bool:
    """Whether the palette of a mask does not have the classes' colours at the map's keys."""
    try:
        image = open_image(source.read(name))
    except DataError:  # said when the mask is decoded
        return False
    palette = image.getpalette("RGB") if image.mode == "P" else None
    return palette is not None and any(
        tuple(palette[3 * entry.key : 3 * entry.key + 3]) != entry.color
        for entry in label.entries
        if entry.color is not None
    )


def _by_color(label: Label, classes: Classes) -> dict[int, int]:
    """{0xRRGGBB: class id}; empty where colours do not tell the classes apart."""
    colors = [entry.color for entry in label.entries if entry.color is not None]
    if len(set(colors)) < len(label.entries):
        return {}
    known = {
        color_number(entry.color): classes.ids.get(entry.name, IGNORE)
        for entry in label.entries
        if entry.color is not None
    }
    known.setdefault(_WHITE, classes.background)
    return known


def _hex(color: int) -> str:
    return hex_color(numbered_color(color))
