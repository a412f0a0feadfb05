"""Draw what a finding is about: its files small and side by side, with a frame around the faulty place."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from pixelwise.data.bands import PHOTOGRAPH, ImageKind
from pixelwise.data.dataset.label_map import LabelMap
from pixelwise.data.decoders.decode import decode
from pixelwise.data.decoders.deep import DeepImage
from pixelwise.data.display import Display
from pixelwise.data.findings import Box, FileFault, Finding
from pixelwise.data.planes import unfit
from pixelwise.data.reading import mask_values, open_image, orientation, to_rgb, upright
from pixelwise.data.refusals import IMAGE_EXPECTED, unreadable
from pixelwise.labels import IGNORE, Color, LabelTable

SIDE = 256
"""The longest side of a drawing in pixels, without the margin that a frame may need."""

MAX_PIXELS = 100_000_000
"""Of larger pictures nothing is decoded for a drawing."""

UNKNOWN_COLORS: tuple[Color, Color] = ((255, 0, 255), (255, 255, 0))
"""Values that are no class are checked in these, a pattern that no class has."""

_IGNORED_GRAYS = (150, 200)
_FRAME, _FRAME_EDGE = (214, 0, 0), (255, 255, 255)
_SURROUNDINGS, _MARGIN = 64, 7
_FEW, _DOT = 0.0005, 7


class File(NamedTuple):
    """A file to draw; `label_map` says what a mask's values mean, None: they are class ids."""

    path: Path
    is_mask: bool
    label_map: LabelMap | None = None


class Drawing(NamedTuple):
    """A picture or, where there can be none, the `problem`; and what it shows."""

    picture: Image.Image | None
    caption: str
    values: tuple[int, ...] = ()  # in the drawn part of a mask: those without a class, then by frequency
    problem: str = ""


class _Opened(NamedTuple):
    """A file whose header is read, a deep image whole; no image where it cannot be."""

    file: File
    image: Image.Image | DeepImage | None
    size: tuple[int, int] = (0, 0)  # (width, height), of an image as it stands upright
    problem: str = ""


class _View(NamedTuple):
    """The part of a picture that is drawn (left, top, right, bottom as shares of it) and the size it gets."""

    part: tuple[float, float, float, float]
    size: tuple[int, int]
    place: Box | None = None  # in the drawing's pixels


def drawings(
    finding: Finding, files: Sequence[File], labels: LabelTable, display: Display | None = None
) -> list[Drawing]:
    """The files of a finding, the faulty one first; around the finding's place where it has one.

    Files whose sizes are the fault are drawn at one scale. Images are drawn as `display` says, those that do not fit it
    in their own ranges. Nothing is raised for a broken file.
    """
    display = display or Display.of(PHOTOGRAPH)
    opened = [_opened(file) for file in files]
    largest = [max(each.size) for each in opened]
    known = [each.size for each in opened if each.image is not None]
    around = _around(finding.place, known[0]) if finding.place and known else None
    return [
        _drawn(
            each,
            around or _whole(each.size, max(largest) if finding.code.startswith("size-") else side),
            labels,
            display,
        )
        for each, side in zip(opened, largest, strict=True)
    ]


def _opened(file: File) -> _Opened:
    try:
        if not file.path.is_file():  # a pipe would be waited for
            return _Opened(file, None, problem="is not there")
        image = open_image(file.path) if file.is_mask else decode(file.path)
        if isinstance(image, DeepImage):
            return _Opened(file, image, image.size)
        turned = not file.is_mask and orientation(image) > 4
        return _Opened(file, image, image.size[::-1] if turned else image.size)
    except Exception as error:  # a decoder meets broken data with all kinds of errors
        return _Opened(file, None, problem=_reason(file.path, error))


def _drawn(opened: _Opened, view: _View, labels: LabelTable, display: Display) -> Drawing:
    file, image, (width, height), problem = opened
    name = f"{'mask' if file.is_mask else 'image'} {file.path.name}"
    if image is None:
        return Drawing(None, name, problem=problem)
    values: tuple[int, ...] = ()
    said = ""
    try:
        if isinstance(image, DeepImage):
            picture, said = _deep(image, view, display)
        else:
            _load(image, file.path, view)
            if file.is_mask and image.mode in ("L", "P", "1"):
                picture, values = _mask(image, file, view, labels)
            else:
                picture = _photograph(image, file, view)
        if not isinstance(image, DeepImage) and not file.is_mask and display.bands.is_photograph:
            picture, said = display.picture(picture), display.text()
    except Exception as error:  # see _opened
        return Drawing(None, f"{name}, {width} x {height} px", problem=_reason(file.path, error))
    if view.place:
        picture = _framed(picture, view.place)
    caption = f"{name}, {width} x {height} px{_where(view, opened.size)}"
    return Drawing(picture, f"{caption}. {said}" if said else caption, values)


def _deep(image: DeepImage, view: _View, display: Display) -> tuple[Image.Image, str]:
    """A part of an image, in its own ranges where it is none of the dataset's kind, and how it was made."""
    fits = not display.bands.is_photograph and unfit(Path("image"), ImageKind.of(image), display.bands) is None
    how = display if fits else Display.of_itself(image, display.show)
    picture = how.picture(image)
    return _resized(picture.crop(_pixels(view.part, picture.size)), view), how.text()


def _reason(path: Path, error: Exception) -> str:
    finding = error.finding if isinstance(error, FileFault) else unreadable(path, error, IMAGE_EXPECTED)
    return finding.found


def _whole(size: tuple[int, int], largest: int) -> _View:
    """All of a picture, at the scale at which `largest` pixels get SIDE."""
    return _View((0, 0, 1, 1), _scaled(size, _scale(largest)))


def _around(place: Box, size: tuple[int, int]) -> _View:
    """A part of a picture with `place` in the middle and some surroundings."""
    width, height = size
    left, top = min(max(place[0], 0), width - 1), min(max(place[1], 0), height - 1)
    right, bottom = min(max(place[2], left + 1), width), min(max(place[3], top + 1), height)
    side = max(_SURROUNDINGS, 3 * max(right - left, bottom - top) // 2)
    part_width, part_height = min(side, width), min(side, height)
    x = min(max((left + right - part_width) // 2, 0), width - part_width)
    y = min(max((top + bottom - part_height) // 2, 0), height - part_height)
    scale = _scale(max(part_width, part_height))
    part = (x / width, y / height, (x + part_width) / width, (y + part_height) / height)
    marked = [round(edge * scale) for edge in (left - x, top - y, right - x, bottom - y)]
    return _View(part, _scaled((part_width, part_height), scale), (marked[0], marked[1], marked[2], marked[3]))


def _scale(largest: int) -> float:
    """What makes SIDE of `largest` pixels; whole where it enlarges, so that pixels stay square."""
    return SIDE // largest if 0 < largest <= SIDE else SIDE / max(1, largest)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _pixels(part: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
    (left, top, right, bottom), (width, height) = part, size
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height))


def _where(view: _View, size: tuple[int, int]) -> str:
    if view.part == (0, 0, 1, 1):
        return ""
    left, top, right, bottom = _pixels(view.part, size)
    return f", columns {left} to {right - 1}, rows {top} to {bottom - 1}"


def _load(image: Image.Image, path: Path, view: _View) -> None:
    """Decode an image, a large JPEG no finer than the view needs."""
    left, top, right, bottom = view.part
    needed = int(max(view.size[0] / (right - left), view.size[1] / (bottom - top)))
    image.draft(None, (needed, needed))
    if image.width * image.height > MAX_PIXELS:
        raise FileFault(
            Finding(path, "is too large to be drawn", f"{MAX_PIXELS} pixels", "Cut it.", "decompression-bomb")
        )
    if image.mode not in ("L", "P", "1"):  # a mask's values are decoded by mask_values, which looks at the header
        image.load()


def _photograph(image: Image.Image, file: File, view: _View) -> Image.Image:
    image.load()
    turned = image if file.is_mask else upright(image, orientation(image))
    part = turned.crop(_pixels(view.part, turned.size))
    if file.is_mask and part.mode.startswith(("I", "F")):
        part = _stretched(part)
    return _resized(to_rgb(part), view)


def _resized(part: Image.Image, view: _View) -> Image.Image:
    enlarges = view.size[0] >= part.width
    return part.resize(view.size, Image.Resampling.NEAREST if enlarges else Image.Resampling.BOX)


def _stretched(part: Image.Image) -> Image.Image:
    """Values of more than 8 bits from black (0) to white (the largest), as class ids would be black all over."""
    values = np.nan_to_num(np.asarray(part, dtype=np.float32), posinf=0, neginf=0).clip(0)
    return Image.fromarray((values * (255 / max(1.0, float(values.max())))).astype(np.uint8))


def _mask(image: Image.Image, file: File, view: _View, labels: LabelTable) -> tuple[Image.Image, tuple[int, ...]]:
    """The part in the classes' colours, 255 hatched, values without a class loud; and the values in it."""
    mask = mask_values(image, file.path)
    part = mask.crop(_pixels(view.part, mask.size))
    if file.label_map is not None:
        part = file.label_map.resolved(labels.num_classes).apply(part)
    counts = part.histogram()
    known = [value < labels.num_classes or value == IGNORE for value in range(256)]
    values = sorted((value for value in range(256) if counts[value]), key=lambda value: (known[value], -counts[value]))
    ids = np.asarray(part)
    (height, width), (columns, rows) = ids.shape, view.size
    drawn = ids[np.ix_(_nearest(height, rows), _nearest(width, columns))]
    unknown = _any_of(~np.array(known)[ids], rows, columns)
    colors = np.array([*labels.colors, *[(0, 0, 0)] * (256 - labels.num_classes)], dtype=np.uint8)[drawn]
    across, down = np.arange(columns), np.arange(rows)[:, None]
    hatch = np.array(_IGNORED_GRAYS, dtype=np.uint8)[(across + down) // 3 % 2]
    checks = np.array(UNKNOWN_COLORS, dtype=np.uint8)[(across // 4 + down // 4) % 2]
    colors = np.where((drawn == IGNORE)[..., None], hatch[..., None], colors)
    return Image.fromarray(np.where(unknown[..., None], checks, colors)), tuple(values)


def _nearest(length: int, drawn: int) -> npt.NDArray[np.intp]:
    """Which of `length` pixels each of `drawn` pixels shows."""
    return (np.arange(drawn) * 2 + 1) * length // (2 * drawn)


def _any_of(marked: npt.NDArray[np.bool_], rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """(rows, columns) True where any marked pixel falls, so that a single one is seen in a small drawing."""
    is_reduced = rows < marked.shape[0]
    for axis, drawn in ((0, rows), (1, columns)):
        length = marked.shape[axis]
        if drawn < length:
            marked = np.logical_or.reduceat(marked, np.arange(drawn) * length // drawn, axis=axis)
        else:
            marked = marked.take(_nearest(length, drawn), axis=axis)
    if is_reduced and 0 < marked.mean() < _FEW:
        marked = np.asarray(Image.fromarray(marked).convert("L").filter(ImageFilter.MaxFilter(_DOT))) > 0
    return marked


def _framed(picture: Image.Image, place: Box) -> Image.Image:
    """The picture with a margin and a red frame around the place that covers neither it nor a dot at its edge."""
    framed = ImageOps.expand(picture, _MARGIN, fill=_FRAME_EDGE)
    draw = ImageDraw.Draw(framed)
    left, top, right, bottom = (edge + _MARGIN for edge in place)
    for grow, width, color in ((_MARGIN, 4, _FRAME_EDGE), (_MARGIN - 1, 2, _FRAME)):
        draw.rectangle((left - grow, top - grow, right - 1 + grow, bottom - 1 + grow), outline=color, width=width)
    return framed
