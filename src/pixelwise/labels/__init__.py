"""The classes: their names and colours, and the files that people keep them in."""

from pixelwise.labels.ids import IGNORE, MAX_CLASSES, Color, SourceValue, hex_color
from pixelwise.labels.table import LabelTable

__all__ = ["IGNORE", "MAX_CLASSES", "Color", "LabelTable", "SourceValue", "hex_color"]
