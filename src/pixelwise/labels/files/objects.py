"""JSON and YAML that name the classes: our own forms, nnU-Net's, YOLO's, Hugging Face's and Supervisely's."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pixelwise.errors import DataError
from pixelwise.labels.files.entries import Entries, NoClassNames, in_order, told
from pixelwise.labels.files.text import text_of
from pixelwise.labels.ids import IGNORE
from pixelwise.phrases import listed

_MOST_JSON = 32_000_000  # nnU-Net's dataset.json lists the files too
_MOST_YAML = 256_000  # the parser takes seconds for more
# Where the names lie in a larger object; label2id says the same as id2label the other way round.
_HOMES = ("id2label", "names", "labels", "classes", "label2id")
_ID = re.compile(r"\s*[+-]?\d+\s*")
_FORMS = '{"0": "sky", "1": "road"}, or these below "id2label" (Hugging Face), "labels" (nnU-Net) or "names" (YOLO)'


def parsed_json(content: bytes) -> Any:
    """The value of a JSON text; ValueError where it is none, is nested too deep or names a key twice."""
    try:
        return json.loads(text_of(content, _MOST_JSON), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def parsed_yaml(content: bytes) -> Any:
    """The value of a YAML text in which every scalar is a text, so that a class may be called `no`.

    Raises:
        ValueError: it is none, is nested too deep, names a key twice or has aliases, by which few bytes become many.
    """
    import yaml  # late: only for this format, and slow to import

    class Plain(yaml.BaseLoader):
        """Texts, lists and objects: no tag makes anything else."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                place = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise ValueError(f"line {place.line + 1} has an alias (*); write out what it stands for")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value if isinstance(key.value, str) else repr(key.tag) for key, _ in node.value]
            _without_repeats([(key, None) for key in keys])
            return super().construct_mapping(node, deep=deep)

    text = text_of(content, _MOST_YAML)
    try:
        return yaml.load(text, Loader=Plain)  # BaseLoader builds texts alone
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def entries_of_json(content: Any, where: str) -> Any:
    """What `content` lists, in a form that LabelTable.from_json reads; what is unknown is left to its errors.

    Raises:
        NoClassNames: an object has no class names.
        DataError: classes of nnU-Net are regions, or an id has no number.
    """
    if isinstance(content, list) and not any(isinstance(entry, str) for entry in content):
        return _of_list(content, where)  # a list of names alone has no ids that one could see
    if not isinstance(content, dict) or any(_is_id(key) for key in content):
        return content
    home = next((key for key in _HOMES if key in content), None)
    if home is not None:
        return _inside(content[home], where, home)
    if any(map(_is_id, content.values())) and all(map(_is_id_or_region, content.values())):
        return _by_name(content, where)
    keys = listed((told(key) for key in content), 6) or "nothing"
    raise NoClassNames(f"{where}: has no class names; its keys are {keys}. Expected {_FORMS}. Give the right file.")


def entries_of_yaml(content: Any, where: str) -> Any:
    """As `entries_of_json`, for YOLO's data.yaml: `nc` must fit, and one class alone has a background before it."""
    entries = entries_of_json(content, where)
    names = len(entries) if isinstance(entries, list | dict) else 0
    count = content.get("nc") if isinstance(content, dict) else None
    if _is_id(count) and names and int(str(count)) != names:
        raise DataError(f"{where}: nc is {count}, but names lists {names}. Correct one of them.")
    only = list(entries.values()) if isinstance(entries, dict) else list(entries or [])
    if len(only) == 1 and isinstance(only[0], str) and isinstance(content, dict) and "names" in content:
        return in_order([("the background", "background"), ("names", only[0].strip())], where)  # YOLO leaves it out
    return entries


def _inside(content: Any, where: str, home: str) -> Any:
    inside = f"{where}: {home}"
    if isinstance(content, list) and all(isinstance(entry, str | dict) for entry in content):
        return _of_list(content, inside)
    if not isinstance(content, dict):  # StyleGAN's dataset.json has pairs of a file and a number there
        raise NoClassNames(f"{inside} is {told(content)}, expected class names such as {_FORMS}.")
    return content if any(_is_id(key) for key in content) else _by_name(content, inside, ignore=home == "labels")


def _of_list(content: list[Any], where: str) -> Any:
    if len(content) > 1 and all(isinstance(entry, str) for entry in content):
        return in_order([(f"entry {i}", name.strip()) for i, name in enumerate(content)], where)
    if content and all(isinstance(entry, dict) and "title" in entry for entry in content):
        # Supervisely's: drawn in colours, so that one without is a fault.
        return [
            {"id": i, "name": entry["title"], "color": entry.get("color") or "missing"}
            for i, entry in enumerate(content)
        ]
    return content


def _by_name(content: Mapping[Any, Any], where: str, *, ignore: bool = False) -> Entries:
    """Entries of {name: id}; nnU-Net's label `ignore` is what counts for nothing."""
    entries: Entries = []
    names: dict[int, str] = {}
    for name, value in content.items():
        if isinstance(value, list):
            raise DataError(
                f"{where}: {told(name)} is a region of the labels {listed(map(told, value), 6)}, expected one number. "
                "Regions overlap, and a mask here has one class for each pixel: give the labels one by one with "
                "--classes FILE."
            )
        if not _is_id(value):
            raise DataError(f"{where}: {told(name)} has the id {told(value)}, expected a number from 0 on. Correct it.")
        if names.setdefault(int(value), name) != name:
            raise DataError(
                f"{where}: the id {int(value)} stands for {told(names[int(value)])} and for {told(name)}. Give each "
                "class its own."
            )
        entries.append({"id": value, "name": name})
    given = next((entry for entry in entries if ignore and entry["name"] == "ignore"), None)
    if given is None or int(given["id"]) == IGNORE:
        return entries
    # A table that lists one value lists all, so that masks are read by it.
    classes = [entry | {"source": int(entry["id"])} for entry in entries if entry is not given]
    return [*classes, {"id": IGNORE, "name": "ignored", "source": int(given["id"])}]


def _is_id(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    return abs(value) < 10**9 if isinstance(value, int) else len(value) < 10 and _ID.fullmatch(value) is not None


def _is_id_or_region(value: Any) -> bool:
    return _is_id(value) or (isinstance(value, list) and bool(value) and all(map(_is_id, value)))


def _without_repeats(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {told(key)} is there twice")
        found[key] = value
    return found
