"""One word, one meaning: no two public classes or names of types in the package share a name."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "pixelwise"
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


def names(text: str) -> Iterator[str]:
    """Public classes and names given to types at the top of a module."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp | ast.Name):
            yield from (
                each.id for each in node.targets if isinstance(each, ast.Name) and _TYPE_NAME.fullmatch(each.id)
            )


def shared(texts: dict[str, str]) -> dict[str, list[str]]:
    """{name: modules} of the names that several modules define."""
    homes = defaultdict(list)
    for module, text in texts.items():
        for name in names(text):
            if not name.startswith("_"):
                homes[name].append(module)
    return {name: modules for name, modules in homes.items() if len(modules) > 1}


def test_no_two_public_classes_or_types_share_a_name():
    texts = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    assert len(texts) > 100
    assert shared(texts) == {}


def test_the_guard_sees_classes_and_types():
    first = "class Job: ...\nSize = tuple[int, int]\nLIMIT = sizes[0]\nclass _Own: ..."
    assert shared({"a": first, "b": "Size = int\nLIMIT = sizes[1]\nclass _Own: ...", "c": "class Job: ..."}) == {
        "Job": ["a", "c"],
        "Size": ["a", "b"],
    }
