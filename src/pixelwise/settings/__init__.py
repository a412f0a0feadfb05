"""Every setting once: its type, its range, its default and one line of meaning.

A setting that is `planned` has a default that `train` does without: it finds a value for the data and the machine,
unless one is given; see `pixelwise.planning`.
"""

from pixelwise.settings.forms import BAND_LIST, parse_loss
from pixelwise.settings.settings import AWS, FIELDS, GROUPS, KINDS, OUTPUT_STRIDES, Settings, allowed
from pixelwise.settings.together import MOST_BANDS

__all__ = [
    "AWS",
    "BAND_LIST",
    "FIELDS",
    "GROUPS",
    "KINDS",
    "MOST_BANDS",
    "OUTPUT_STRIDES",
    "Settings",
    "allowed",
    "parse_loss",
]
