"""Class maps as files and as pictures: masks, overlay, error map, legend and captioned panels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixelwise.errors import SettingsError
from pixelwise.labels import IGNORE, LabelTable
from pixelwise.outputs import whole

# Okabe and Ito's bluish green and vermilion: green and red that colour-blind readers tell apart.
RIGHT, WRONG, IGNORED = (0, 158, 115), (213, 94, 0), (200, 200, 200)

_INK, _PAPER = (32, 32, 32), (255, 255, 255)
_GAP = 8


def mask_image(class_ids: NDArray[np.uint8], labels: LabelTable) -> Image.Image:
    """Mode "P" image of class ids (H, W) uint8: pixel values are the ids, the palette holds the colours."""
    image = Image.fromarray(np.ascontiguousarray(class_ids, dtype=np.uint8))
    image.putpalette(labels.palette())
    return image


def written_mask(class_ids: NDArray[np.uint8], labels: LabelTable, *, palette: bool) -> Image.Image:
    """The class map (H, W) uint8 as masks go out: mode "L", or with `palette` mode "P"; pixel values are the ids.

    Many readers (OpenCV, scikit-image, imageio) resolve a palette and find other numbers than the ids.
    """
    if palette:
        return mask_image(class_ids, labels)
    return Image.fromarray(np.ascontiguousarray(class_ids, dtype=np.uint8))


def source_mask(class_ids: NDArray[np.uint8], labels: LabelTable) -> Image.Image:
    """The class map (H, W) uint8 in the values that its classes had in the original masks.

    RGB where these were colours, else mode "L", 16-bit gray where a value is above 255, or mode "I" (int32) where one
    is below 0. Of several values of a class the first counts. IGNORE becomes the first original value that was
    ignored; without one it is white in colour and stays 255 in gray.

    Raises:
        SettingsError: the original values are not known: `labels.sources` lacks classes or mixes values and colours.
    """
    colors = [next((value for value in values if isinstance(value, tuple)), None) for values in labels.sources]
    if colors and None not in colors:
        table = np.full((256, 3), IGNORE, dtype=np.uint8)
        table[: len(colors)] = np.array(colors, dtype=np.uint8)
        table[IGNORE] = next((value for value in labels.ignored if isinstance(value, tuple)), (IGNORE,) * 3)
        return Image.fromarray(table[class_ids])
    numbers = [next((value for value in values if isinstance(value, int)), None) for values in labels.sources]
    if not numbers or None in numbers:
        raise SettingsError(_without_sources(labels))
    values = np.full(256, IGNORE, dtype=np.int32)
    values[: len(numbers)] = np.array(numbers, dtype=np.int32)
    ignored = next((value for value in labels.ignored if isinstance(value, int)), IGNORE)
    if ignored >= 0 or (class_ids == IGNORE).any():  # no model predicts IGNORE, and PNG holds all that it does
        values[IGNORE] = ignored
    width = np.int32 if values.min() < 0 else np.uint16 if values.max() > 255 else np.uint8
    return Image.fromarray(values.astype(width)[class_ids])


def overlay(
    image: Image.Image, class_ids: NDArray[np.uint8], labels: LabelTable, *, opacity: float = 0.5
) -> Image.Image:
    """The RGB image under the class colours at `opacity` in [0, 1]; ignored pixels stay as they are."""
    if not 0 <= opacity <= 1:
        raise SettingsError(f"opacity is {opacity}, expected a number from 0 to 1.")
    photo = image.convert("RGB")
    blended = Image.blend(photo, mask_image(class_ids, labels).convert("RGB"), opacity)
    counted = Image.fromarray(np.where(class_ids == IGNORE, 0, 255).astype(np.uint8))
    return Image.composite(blended, photo, counted)


def error_map(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> Image.Image:
    """RGB image of two class maps (H, W): RIGHT where they agree, WRONG elsewhere, IGNORED where no truth."""
    kinds = np.where(truth == IGNORE, 2, np.where(truth == predicted, 0, 1))
    return Image.fromarray(np.array([RIGHT, WRONG, IGNORED], dtype=np.uint8)[kinds])


def legend(labels: LabelTable, *, width: int) -> Image.Image:
    """Swatches with names, in as many lines as `width` pixels need."""
    font = ImageFont.load_default(13)
    entry = 14 + 6 + max(round(font.getlength(name)) for name in labels.names) + 2 * _GAP
    columns = max(1, (width - _GAP) // entry)
    lines = -(-labels.num_classes // columns)
    strip = Image.new("RGB", (width, lines * 20 + _GAP), _PAPER)
    draw = ImageDraw.Draw(strip)
    for i, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True)):
        x, y = _GAP + i % columns * entry, _GAP // 2 + i // columns * 20
        draw.rectangle((x, y + 3, x + 13, y + 16), fill=color, outline=_INK)
        draw.text((x + 20, y + 1), name, fill=_INK, font=font)
    return strip


def panel(
    titles: Sequence[str], rows: Sequence[Sequence[Image.Image]], *, labels: LabelTable | None = None
) -> Image.Image:
    """Pictures side by side under one title per column, row below row, with a legend of `labels` at the foot.

    A column is as wide as its widest picture; smaller ones lie at its top left.
    """
    pictures = [[picture.convert("RGB") for picture in row] for row in rows]
    font = ImageFont.load_default(15)
    widths = [max(round(font.getlength(title)), *(row[i].width for row in pictures)) for i, title in enumerate(titles)]
    heights = [max(picture.height for picture in row) for row in pictures]
    total = sum(widths) + _GAP * (len(widths) + 1)
    foot = None if labels is None else legend(labels, width=total)
    head = 26
    height = head + sum(heights) + _GAP * len(heights) + (foot.height if foot else 0)
    sheet = Image.new("RGB", (total, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    for i, (title, width) in enumerate(zip(titles, widths, strict=True)):
        draw.text((left, 4), title, fill=_INK, font=font)
        top = head
        for row, row_height in zip(pictures, heights, strict=True):
            sheet.paste(row[i], (left, top))
            top += row_height + _GAP
        left += width + _GAP
    if foot is not None:
        sheet.paste(foot, (0, height - foot.height))
    return sheet


def _without_sources(labels: LabelTable) -> str:
    if not labels.sources:
        return (
            "The model's classes have no original values: it was trained on masks of class ids as they were, and "
            "predicted masks already hold these. Leave out --as-source."
        )
    missing = [name for name, values in zip(labels.names, labels.sources, strict=True) if not values]
    which = f"{', '.join(missing)} has none" if missing else "some are values and some are colours"
    return (
        f'Not all of the model\'s classes have an original value of one kind: {which}. Give each class its "source" '
        "in classes.json and train again, or leave out --as-source."
    )


def source_suffix(image: Image.Image) -> str:
    """Of the file for what `source_mask` gave: PNG has no negative numbers, so that these go into a TIFF."""
    return ".tif" if image.mode == "I" else ".png"


def save_source(path: Path, image: Image.Image) -> None:
    """Write what `source_mask` gave, complete or not at all: a PNG, or a deflated TIFF of int32.

    Raises:
        SettingsError: the path cannot be written.
    """
    if image.mode != "I":
        save_png(path, image)
        return
    with whole(path) as temporary:
        image.save(temporary, format="TIFF", compression="tiff_adobe_deflate")


def save_png(path: Path, image: Image.Image) -> None:
    """Write a PNG that is complete or not there at all; folders on the way are made.

    Raises:
        SettingsError: the path cannot be written or does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise SettingsError(f"{path}: is not a name for a PNG file. Expected a name that ends in .png.")
    with whole(path) as temporary:
        image.save(temporary, format="PNG")
