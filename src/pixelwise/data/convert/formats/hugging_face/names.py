"""Names of classes that come with a dataset of Hugging Face."""

import posixpath
from typing import Any

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import IGNORE, LabelTable


def find_names(source: Source, mask: Any) -> tuple[LabelTable | None, list[str]]:
    """The classes by an id2label.json of the source, else by the ClassLabel inside the feature `mask`; and a note.

    Other columns of class labels say what a whole image shows and name no values of masks.

    Raises:
        DataError: id2label.json is no object of ids and names.
    """
    files = sorted(
        (name for name in source.names if posixpath.basename(name).endswith("id2label.json")),
        key=lambda name: name.count("/"),
    )
    if files:
        return _of_ids(source, files[0]), [f"Names of the classes come from {files[0]}."]
    inner = mask
    while inner is not None and not hasattr(inner, "names"):
        inner = inner[0] if isinstance(inner, list) and inner else getattr(inner, "feature", None)
    names = list(getattr(inner, "names", None) or [])
    if len(names) < 2:
        return None, []
    return LabelTable.named(names), ["Names of the classes come from the ClassLabel of the masks."]


def _of_ids(source: Source, name: str) -> LabelTable:
    content = source.json(name)
    try:
        by_id = {int(str(key)): str(value).strip() for key, value in content.items()}
    except (AttributeError, ValueError):
        by_id = {}
    if not by_id:
        raise DataError(
            f'{source.file(name)}: expected an object of ids and names such as {{"0": "wall", "1": "sky"}}.'
        )
    ids = sorted(value for value in by_id if value != IGNORE)
    entries = [{"id": i, "name": by_id[value], "source": value} for i, value in enumerate(ids)]
    if ids == list(range(len(ids))):
        entries = [{"id": i, "name": by_id[i]} for i in ids]
    return LabelTable.from_json(entries, source=str(source.file(name)))
