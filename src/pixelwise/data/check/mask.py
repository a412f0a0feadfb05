"""Look at one mask: what its file alone can show."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import gray_or_palette, read_raw
from pixelwise.data.masks.judging import ignoring, spread_grays
from pixelwise.data.masks.raw import RawMask, to_ids
from pixelwise.data.masks.smoothing import is_smoothed, place_between
from pixelwise.data.reading import mask_values, open_mask
from pixelwise.data.refusals import count_ids, unknown_ids
from pixelwise.labels import IGNORE, MAX_CLASSES
from pixelwise.phrases import listed, percent

MOSTLY = 0.5
"""The share of ignored pixels from which a mask is worth a warning."""

_OTHER_KINDS = ("mask-format", "mask-16-bit", "mask-colors", "mask-rgb")


class MaskLook(NamedTuple):
    """A mask that could be decoded; `ids` is None and `counts` empty where it is of a kind that training refuses."""

    size: tuple[int, int]  # (width, height)
    ids: Image.Image | None
    counts: dict[int, int]  # {class id or IGNORE: pixels}
    unlisted: dict[int, int]  # {value in the file that the label map does not list: pixels}
    raw: RawMask | None  # None if it was smoothed, so that its values mean nothing


def look_at_mask(pair: Pair, num_classes: int | None, findings: list[Finding]) -> MaskLook | None:
    """Decode a mask of any kind and add what is wrong with it to `findings`; None without a mask.

    Raises:
        FileFault: it cannot be decoded.
    """
    if pair.mask is None:
        return None
    try:
        opened = open_mask(pair.mask)
    except FileFault as fault:
        if fault.finding.code not in _OTHER_KINDS:
            raise
        return _of_another_kind(pair, num_classes, fault.finding, findings)
    if opened.mode == "1":
        findings.append(_one_bit(pair.mask))
    mask = mask_values(opened, pair.mask)
    counts, unlisted = count_ids(mask), {}
    grays = spread_grays(counts.keys())  # in which 255 may be white
    smoothed = is_smoothed(mask, len(counts)) or bool(grays and is_smoothed(mask, len(counts), ignored=None))
    if smoothed:
        findings.append(_smoothed(pair.mask, mask, counts))
    raw = replace(gray_or_palette(opened, mask, pair.mask), counts=dict(counts.items()))
    if pair.label_map is not None:
        label_map = pair.label_map.resolved(num_classes)
        unlisted = label_map.unlisted(counts)
        raw = raw.through(label_map)
        mask = raw.image
        counts = count_ids(mask)
    unknown = None if smoothed else unknown_ids(pair.mask, mask, counts, num_classes)
    findings += [unknown] if unknown else []
    findings += _content(pair.mask, counts, mask.width * mask.height)
    return MaskLook(mask.size, mask, counts, unlisted, None if smoothed else raw)


def _of_another_kind(pair: Pair, num_classes: int | None, refusal: Finding, findings: list[Finding]) -> MaskLook | None:
    """A mask that training refuses and a repair may take: what is in it is read as the repair reads it."""
    assert pair.mask is not None
    try:
        raw = read_raw(pair.mask, pair.label_map and pair.label_map.resolved(num_classes))
    except FileFault as fault:  # why a repair would leave it out
        same = fault.finding.code == refusal.code == "mask-rgb"
        findings.append(refusal if same else fault.finding)
        return None
    findings.append(_with_negative(refusal, raw))
    values = sorted(value for value in raw.counts if isinstance(value, int))
    is_ordered = raw.kind not in ("colors", "palette") and len(values) <= MAX_CLASSES
    ranks = to_ids(raw, {value: i for i, value in enumerate(values)}) if is_ordered else None
    smoothed = ranks is not None and is_smoothed(ranks, len(values))
    if ranks is not None and smoothed:
        findings.append(_smoothed(pair.mask, ranks, count_ids(ranks)))
    return MaskLook(raw.image.size, None, {}, {}, None if smoothed else raw)


def _with_negative(refusal: Finding, raw: RawMask) -> Finding:
    """The fault of a mask of another kind; where it has values below 0, they are named with what takes them."""
    negative = {value: count for value, count in raw.counts.items() if isinstance(value, int) and value < 0}
    if not negative:
        return refusal
    shown = listed((f"{value} ({count} px)" for value, count in negative.items()), 8)
    remedy = (
        f"`--fix` and `pixelwise convert id-masks` take them where --classes FILE has the entry {ignoring(negative)}."
    )
    return refusal._replace(found=f"{refusal.found} with the values {shown}", remedy=remedy)


def _one_bit(path: Path) -> Finding:
    return Finding(
        path, "has 1 bit a pixel", "8 bits", "It is read as 0 and 1; save it with 8 bits, as `--fix` does, for others.",
        "mask-1-bit",
    )  # fmt: skip


def _smoothed(path: Path, mask: Image.Image, counts: dict[int, int]) -> Finding:
    return Finding(
        path, f"has {len(counts)} values, of which many lie only between two others where regions meet",
        "class ids alone", "Export the mask again; resize masks with nearest neighbour and save them as PNG.",
        "mask-smoothed", place_between(mask),
    )  # fmt: skip


def _content(path: Path, counts: dict[int, int], pixels: int) -> list[Finding]:
    """What the amounts of a mask show; nothing of it is wrong in itself."""
    ignored = counts.get(IGNORE, 0) / pixels
    if ignored > MOSTLY:
        return [
            Finding(
                path, f"is ignored on {percent(ignored)} of its pixels", f"at most {percent(MOSTLY)}",
                "Label more of it, or leave the pair out: it costs time and teaches little.", "mask-mostly-ignored",
            )
        ]  # fmt: skip
    if len(counts) == 1:
        return [
            Finding(
                path, f"is class {next(iter(counts))} throughout", "two classes or more in most masks",
                "Nothing, if the image shows nothing else.", "mask-one-class",
            )
        ]  # fmt: skip
    return []
