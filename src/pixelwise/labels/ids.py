"""What a class id and a colour are."""

IGNORE = 255
"""The class id of pixels that count for nothing, in the loss and in every score."""

MAX_CLASSES = 254

Color = tuple[int, int, int]
SourceValue = int | Color
"""What a class was in the masks that people gave: a number or a colour."""

SOURCE_NUMBERS = range(-(2**31), 2**16)
"""The numbers that a mask may hold: below 0 lies what rasters have where there is no data, such as -1 and -9999."""


def hex_color(color: Color) -> str:
    """A colour as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)
