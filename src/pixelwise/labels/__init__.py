"""The classes: their names and colours, and the files that people keep them in."""

from pixelwise.labels.ids import IGNORE, MAX_CLASSES, SOURCE_NUMBERS, Color, SourceValue, hex_color
from pixelwise.labels.table import LabelTable

__all__ = ["IGNORE", "MAX_CLASSES", "SOURCE_NUMBERS", "Color", "LabelTable", "SourceValue", "hex_color"]
