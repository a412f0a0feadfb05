"""Names of classes inside a dataset of Hugging Face."""

from typing import Any

from pixelwise.data.convert.classes.tables import GivenTable
from pixelwise.labels import LabelTable


def names_inside(mask: Any) -> GivenTable:
    """The classes by the ClassLabel inside the feature `mask`, and a note.

    Other columns of class labels say what a whole image shows and name no values of masks.
    """
    inner = mask
    while inner is not None and not hasattr(inner, "names"):
        inner = inner[0] if isinstance(inner, list) and inner else getattr(inner, "feature", None)
    names = list(getattr(inner, "names", None) or [])
    if len(names) < 2:
        return GivenTable(None)
    return GivenTable(LabelTable.named(names), ("Names of the classes come from the ClassLabel of the masks.",))
