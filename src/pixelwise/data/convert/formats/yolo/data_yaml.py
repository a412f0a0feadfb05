"""data.yaml, which names the classes and the splits of a YOLO dataset; or the list of names that stands in for it."""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pixelwise.data.convert.source import Source
from pixelwise.errors import DataError
from pixelwise.labels import MAX_CLASSES
from pixelwise.phrases import first_line, listed, shortened

_USUAL = "data.yaml"
NAME_LISTS = ("classes.txt", "obj.names")  # Label Studio and labelImg write the one, Darknet the other
_SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
_REMEDY = "Correct the file, or export it again."
_MOST_SHOWN = 60


class DataYaml(NamedTuple):
    """What such a file says."""

    file: str
    names: Mapping[int, str] | None  # None: it names no class
    folder: str = ""  # its `path`, to which the entries are relative
    entries: Mapping[str, Sequence[str]] = {}  # {split: folders and lists of images, as written}


def described(source: Source) -> DataYaml | None:
    """The description of a source; None where it has none.

    Raises:
        FileFault: it cannot be used.
        DataError: there are several that nothing tells apart.
    """
    files = [name for name in source.names if name.lower().endswith((".yaml", ".yml"))]
    found = {name: content for name in files if (content := _content(source, name)) is not None}
    if not found:
        lists = [name for name in source.names if posixpath.basename(name).lower() in NAME_LISTS]
        equal = len({source.read(name) for name in lists}) == 1  # labelImg writes one into each folder of labels
        chosen = lists[0] if equal else _nearest(source, lists)
        return None if chosen is None else DataYaml(chosen, _lines(source, chosen))
    usual = [name for name in found if posixpath.basename(name).lower() == _USUAL]
    file = _nearest(source, usual or list(found))
    assert file is not None  # one was found
    return _description(source, file, found[file])


def _nearest(source: Source, files: Sequence[str]) -> str | None:
    """The one of `files` that lies highest."""
    depth = min((name.count("/") for name in files), default=0)
    highest = [name for name in files if name.count("/") == depth]
    if len(highest) > 1:
        raise DataError(
            f"{source.path}: {listed(highest)} may each describe the dataset. Expected one; give the folder of one "
            "dataset, or remove the others."
        )
    return highest[0] if highest else None


def _content(source: Source, name: str) -> Mapping[str, Any] | None:
    """What a YAML file says; None where it describes no dataset. All its scalars are texts: a class "no" stays one."""
    import yaml  # late: only for this format, and slow to import

    try:
        content = yaml.load(source.read(name).decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except Exception as error:  # the parser has many exceptions, and a source its own
        if posixpath.basename(name).lower() != _USUAL:
            return None
        found = f"is no YAML ({first_line(error)})"
        raise source.fault(name, found, expected="YAML in UTF-8", remedy=_REMEDY) from None
    if isinstance(content, dict) and not {"names", "nc"}.isdisjoint(content):
        return content
    if posixpath.basename(name).lower() == _USUAL:
        raise source.fault(name, "has neither names nor nc", expected="names of classes", remedy=_REMEDY)
    return None


def _description(source: Source, file: str, content: Mapping[str, Any]) -> DataYaml:
    if "kpt_shape" in content:
        raise source.fault(
            file, "has kpt_shape: its labels are boxes with key points", expected="outlines of objects",
            remedy="Export the dataset for segmentation.",
        )  # fmt: skip
    entries: dict[str, Sequence[str]] = {}
    for key, split in _SPLITS.items():
        entry = content.get(key) or []
        texts = entry if isinstance(entry, list) else [entry]
        if not all(isinstance(text, str) for text in texts):
            found = f"has a {key} that is neither a path nor a list of paths"
            raise source.fault(file, found, expected="folders of images or .txt lists of them", remedy=_REMEDY)
        if any(texts):
            entries[split] = [*entries.get(split, ()), *filter(None, texts)]
    folder = content.get("path")
    return DataYaml(file, _names(source, file, content), folder if isinstance(folder, str) else "", entries)


def _names(source: Source, file: str, content: Mapping[str, Any]) -> dict[int, str]:
    """{class in the labels: name}; without names, as many numbered ones as nc says."""
    given, count = content.get("names"), content.get("nc")
    number = _number(count)
    if count is not None and (number is None or number > MAX_CLASSES):
        found = f"has nc: {_shown(count)}"
        raise source.fault(file, found, expected=f"a number of classes up to {MAX_CLASSES}", remedy=_REMEDY)
    if not given and number:
        return {i: f"class {i}" for i in range(number)}
    pairs = (
        list(given.items()) if isinstance(given, dict) else list(enumerate(given)) if isinstance(given, list) else []
    )
    names = {i: name.strip() for key, name in pairs if (i := _number(key)) is not None and isinstance(name, str)}
    if not pairs or len(names) < len(pairs) or not all(names.values()):
        odd = next(((k, n) for k, n in pairs if _number(k) is None or not isinstance(n, str) or not n.strip()), None)
        found = f"has names: {_shown(given)}" if odd is None else f"names class {_shown(odd[0])} {_shown(odd[1])}"
        expected = "a list of names, or lines such as 0: crack"
        raise source.fault(file, found, expected=expected, remedy=_REMEDY)
    if number is not None and number != len(names):
        found = f"has {len(names)} names and nc: {number}"
        raise source.fault(file, found, expected="a name for each class", remedy=_REMEDY)
    return names


def _number(value: object) -> int | None:
    """A class number as YAML writes it; None where it is none."""
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _shown(value: object) -> str:
    """A value for a message; what is not one text is not written out, as aliases can make it endless."""
    if isinstance(value, int | str):
        return repr(shortened(str(value), _MOST_SHOWN))
    return {"list": "a list", "dict": "a table", "NoneType": "nothing"}.get(type(value).__name__, "something else")


def _lines(source: Source, file: str) -> dict[int, str]:
    text = source.read(file).decode("utf-8-sig", "replace")
    names = [line.strip() for line in text.strip().splitlines()]
    if not all(names):
        raise source.fault(file, "has an empty line", expected="a name in each line", remedy="Correct the file.")
    return dict(enumerate(names))
