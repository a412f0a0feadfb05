"""Repair one image and its mask: look at them, convert what has to be, and write both or neither."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.data.check.report import CheckReport
from pixelwise.data.dataset.pairs import Pair
from pixelwise.data.decoders.decode import decode as decode_image
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.findings import FileFault, Finding
from pixelwise.data.masks.decoding import read_raw
from pixelwise.data.masks.judging import ignoring
from pixelwise.data.masks.raw import ALPHA, RawMask, to_ids
from pixelwise.data.masks.smoothing import is_smoothed
from pixelwise.data.planes import read_picture
from pixelwise.data.reading import load, orientation, upright, upright_size
from pixelwise.data.refusals import count_ids, unequal_sizes
from pixelwise.data.repair.plan import Plan
from pixelwise.data.repair.report import LABEL_MAP, ORIENTATION, RENAMED, became, source_text
from pixelwise.data.repair.survey import number_of
from pixelwise.labels import IGNORE, SourceValue
from pixelwise.outputs import whole
from pixelwise.phrases import listed, percent

_SPOILED = {"empty-file", "truncated-file", "unreadable-file", "decompression-bomb", "mask-smoothed"}
_SPOILED |= {"image-depth", "image-bands"}
_CONVERTED = {
    "image-cmyk": "converted from CMYK and saved as 8-bit RGB PNG",
    "image-alpha": "transparency dropped, saved as 8-bit RGB PNG",
    "image-animated": "first frame saved as 8-bit RGB PNG",
    "image-16-bit": "reduced to 8 bits and saved as RGB PNG",
}


class LeftOut(Exception):
    """A pair that cannot be repaired; `args` are the findings that say why."""


class Change(NamedTuple):
    """One thing that was done to a file."""

    file: Path
    written: Path
    code: str
    change: str


class Outcome(NamedTuple):
    """What became of a pair; of one that was left out only why."""

    changes: tuple[Change, ...]
    left_out: tuple[Finding, ...]
    ids: frozenset[int]  # the class ids in the mask, IGNORE included


class Task(NamedTuple):
    """A pair, and where it is written."""

    split: str
    pair: Pair
    image: Path  # without suffix
    mask: Path


@dataclass(frozen=True)
class Known:
    """What the check says about single files."""

    spoiled: dict[Path, Finding]  # cannot be used at all
    unusual: dict[Path, list[str]]  # images that have to be converted, and the codes that say why

    @classmethod
    def of(cls, report: CheckReport) -> "Known":
        """Gather it from a report."""
        known = cls({}, {})
        for finding in report.findings:
            if finding.code in _SPOILED:
                known.spoiled.setdefault(finding.file, finding)
            elif finding.code == "duplicate-stem" and finding.other is not None:
                known.spoiled[finding.other] = finding  # which of the two is meant is open
            elif finding.code in _CONVERTED and (report.bands.is_photograph or finding.code != "image-animated"):
                known.unusual.setdefault(finding.file, []).append(finding.code)
        return known


class Examined(NamedTuple):
    """A pair that can be read and whose mask covers its image, if need be after `misfit` is corrected."""

    raw: RawMask | None
    size: tuple[int, int]  # (width, height) of the upright image
    orientation: int
    misfit: Finding | None
    is_deep: bool = False  # an image of more than 8 bits or of other bands than a photograph's


def examine(pair: Pair, known: Known, num_classes: int | None) -> Examined:
    """Decode the mask and the header of the image.

    Raises:
        LeftOut: one of the files cannot be used, or nothing says how the mask lies on the image.
    """
    spoiled = [known.spoiled[path] for path in (pair.image, pair.mask) if path in known.spoiled]
    # Of masks the check knows PNG alone.
    spoiled = [finding for finding in spoiled if (finding.file, finding.code) != (pair.mask, "unreadable-file")]
    if spoiled:
        raise LeftOut(*spoiled)
    try:
        exif, size, is_deep = _lying(pair.image)
        if pair.mask is None:
            return Examined(None, size, exif, None, is_deep)
        label_map = pair.label_map and pair.label_map.resolved(num_classes)
        raw = read_raw(pair.mask, label_map)
    except FileFault as fault:
        raise LeftOut(fault.finding) from None
    if raw.image.size == size:
        return Examined(raw, size, exif, None, is_deep)
    misfit = unequal_sizes(pair, size, raw.image.size, turned=exif > 4)
    if misfit.code not in ("size-exif", "size-scaled"):
        raise LeftOut(misfit)
    return Examined(raw, size, exif, misfit, is_deep)


def _lying(path: Path) -> tuple[int, tuple[int, int], bool]:
    """The EXIF orientation of an image, its (width, height) when upright, and whether it is deep, and so upright."""
    image = decode_image(path)
    if isinstance(image, DeepImage):
        return 1, image.size, True
    exif, size = orientation(image), image.size
    return exif, upright_size(load(image, path) if image.format == "TIFF" else image, size), False


def repair_pair(task: Task, plan: Plan, known: Known, num_classes: int | None) -> Outcome:
    """Write one pair as the plan has it, the mask in 8-bit gray; files that need no change are copied byte for byte."""
    pair = task.pair
    try:
        examined = examine(pair, known, num_classes)
        mask, mask_changes, ids = _mask(task, examined, plan)
        image, image_changes = _image(pair, examined, known)
    except LeftOut as left_out:
        return Outcome((), left_out.args, frozenset())
    written = task.image.with_name(task.image.name + (pair.image.suffix if image is None else ".png"))
    named = written if image is None else written.with_suffix(pair.image.suffix)
    if named.name != pair.image.name:
        image_changes.append((RENAMED, f"named {written.name}"))
    changes = [Change(pair.image, written, *change) for change in image_changes]
    if pair.mask is not None:
        if pair.mask.name != task.mask.name:
            mask_changes.append((RENAMED, f"named {task.mask.name}"))
        changes += [Change(pair.mask, task.mask, *change) for change in mask_changes]
        _place(task.mask, pair.mask if mask is None else mask)
    _place(written, pair.image if image is None else image)
    return Outcome(tuple(changes), (), ids)


def _image(pair: Pair, examined: Examined, known: Known) -> tuple[Image.Image | None, list[tuple[str, str]]]:
    """The image as it is to be saved, None if its file may stay, and what changed.

    An image with an EXIF orientation is saved upright: our reader would turn it, but not every tool does, and its
    mask lies as it is shown. It becomes a PNG, as a JPEG would lose quality with every saving.
    """
    codes = known.unusual.get(pair.image, [])
    if examined.is_deep:  # such a file stays as it is unless photographs are wanted
        codes = [code for code in codes if code == "image-16-bit"]
    changes = [(code, _CONVERTED[code]) for code in codes]
    if 2 <= examined.orientation <= 8:
        text = f"turned upright by its EXIF orientation {examined.orientation} and saved as PNG"
        changes.insert(0, (ORIENTATION, text))
    if not changes:
        return None, []
    try:
        picture = read_picture(pair.image, PHOTOGRAPH)
    except FileFault as fault:
        raise LeftOut(fault.finding) from None
    assert isinstance(picture, Image.Image)  # of photographs there are no planes
    return picture, changes


def _mask(
    task: Task, examined: Examined, plan: Plan
) -> tuple[Image.Image | None, list[tuple[str, str]], frozenset[int]]:
    """The mask as it is to be saved, None if its file may stay, what changed, and the class ids it has."""
    raw, path = examined.raw, task.pair.mask
    if raw is None or path is None:
        return None, [], frozenset()
    ids = plan.ids_of(task.split, raw)
    unknown = {value: count for value, count in raw.counts.items() if value not in ids}
    if unknown:
        raise LeftOut(_unplanned(path, raw, unknown, plan))
    changes = _changes(raw, ids, plan) + _fitting(examined)
    if not changes:
        return None, [], frozenset(ids.values())
    mask = to_ids(raw, ids)
    if examined.misfit is not None:
        turned = examined.misfit.code == "size-exif"
        mask = upright(mask, examined.orientation) if turned else mask.resize(examined.size, Image.Resampling.NEAREST)
    found = count_ids(mask)
    if is_smoothed(mask, len(found)):
        text = "would have many class ids only where two others meet, as smoothing leaves them"
        remedy = "Export the mask again without smoothing."
        raise LeftOut(Finding(path, text, "regions of class ids", remedy, "mask-smoothed"))
    return mask, changes, frozenset(found)


def _changes(raw: RawMask, ids: dict[SourceValue, int], plan: Plan) -> list[tuple[str, str]]:
    """(code, what was done) for everything about a mask but its size."""
    changes = []
    mapped = {value: class_id for value, class_id in raw.mapped.items() if value != class_id}
    if mapped:
        changes.append((LABEL_MAP, f"the label map made {became(mapped.items())}"))
    stored = (
        (raw.kind == "1-bit", "mask-1-bit", "1 bit a pixel became 8"),
        (raw.kind == "16-bit", "mask-16-bit", "16 bits a pixel became 8"),
        (raw.channels == ALPHA, "mask-alpha", "the mask was taken from its transparency"),
        (raw.format != "PNG", "mask-format", f"{raw.format} became PNG"),
    )
    changes += [(code, change) for is_so, code, change in stored if is_so]
    reading, numbers = plan.readings[raw.kind], ids
    if raw.kind == "gray palette" and reading == "shade":
        numbers = {number_of(reading, value, raw.color_of(value)): class_id for value, class_id in ids.items()}
    moved = {value: class_id for value, class_id in numbers.items() if value != class_id}
    if raw.kind == "colors" or (moved and numbers is ids and reading != "value" and raw.kind != "gray"):
        changes.append(("mask-colors", became((raw.color_of(value) or value, i) for value, i in ids.items())))
    elif moved:
        code = "mask-0-255" if moved.get(IGNORE) == 1 else plan.renumbering
        changes.append((code, became(moved.items())))
    few_bits = raw.kind == "gray" and raw.shown.get(1) != (1, 1, 1)
    if not changes and (raw.channels == "P" or few_bits):  # of which other libraries read other numbers
        changes.append(("mask-gray", "saved as 8-bit gray, with the same class ids"))
    return changes


def _fitting(examined: Examined) -> list[tuple[str, str]]:
    if examined.misfit is None or examined.raw is None:
        return []
    (width, height), (new_width, new_height) = examined.raw.image.size, examined.size
    how = "turned as its image is shown" if examined.misfit.code == "size-exif" else "resized without smoothing"
    return [(examined.misfit.code, f"{how}, from {width} x {height} to {new_width} x {new_height} px")]


def _unplanned(path: Path, raw: RawMask, unknown: dict[SourceValue, int], plan: Plan) -> Finding:
    """Why a mask's values cannot become class ids."""
    negative = [value for value in unknown if isinstance(value, int) and value < 0]
    entry = f", by an entry such as {ignoring(negative)}" if negative else ""
    remedy = f"Give a table that lists every value or colour, as a class or, with the id 255, as ignored{entry}."
    reading = plan.readings.get(raw.kind)
    if reading is None:
        code = {"16-bit": "mask-16-bit", "colors": "mask-colors"}.get(raw.kind, "id-out-of-range")
        return Finding(path, f"cannot be understood: {plan.unread}", "masks of one kind, or a table", remedy, code)
    pixels = sum(raw.counts.values())
    most = sorted(unknown, key=lambda value: -unknown[value])
    texts = listed((f"{_text(raw, value, reading)} ({percent(unknown[value] / pixels)})" for value in most), 8)
    kind, code = ("colours", "mask-colors") if reading == "color" else ("values", "id-out-of-range")
    found = f"has the {kind} {texts}, which no class has"
    return Finding(path, found, f"the {kind} of the {plan.labels.num_classes} classes", remedy, code)


def _text(raw: RawMask, value: SourceValue, reading: str) -> str:
    color = raw.color_of(value)
    return source_text(color if reading == "color" and color is not None else number_of(reading, value, color))


def _place(path: Path, content: Path | Image.Image) -> None:
    """Copy a file or save a PNG."""
    with whole(path) as temporary:
        if isinstance(content, Path):
            shutil.copyfile(content, temporary)
        else:
            content.save(temporary, format="PNG")
