"""Files, functions and folders stay as small as CONTRIBUTING.md says."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pixelwise"
FILE_LINES = 300
FUNCTION_LINES = 45
FILES_IN_A_FOLDER = 15
FILES_OF_A_PREFIX = 2

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def test_no_file_is_longer_than_its_budget() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_its_budget() -> None:
    lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def folders(*roots: Path) -> dict[str, list[str]]:
    """The names of the files in each folder below `roots`."""
    found = defaultdict(list)
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".so"):
                found[str(path.parent.relative_to(ROOT))].append(path.name)
    return dict(found)


def spelled_folders(names: Iterable[str]) -> dict[str, list[str]]:
    """{prefix: files} where names spell a folder: more than two of them begin with one word."""
    by_prefix = defaultdict(set)
    for name in names:
        stem = name.partition(".")[0]
        if not stem.startswith("__"):
            by_prefix[stem.partition("_")[0]].add(stem)
    return {prefix: sorted(stems) for prefix, stems in by_prefix.items() if len(stems) > FILES_OF_A_PREFIX}


def test_no_folder_is_a_list_that_nobody_reads() -> None:
    found = folders(PACKAGE, ROOT / "tests", ROOT / "benchmarks")
    assert len(found) > 50
    assert {folder: len(names) for folder, names in found.items() if len(names) > FILES_IN_A_FOLDER} == {}


def test_a_third_file_of_one_prefix_makes_a_folder() -> None:
    assert spelled_folders(["voc.py", "voc_lists.py", "voc_classes.py", "__init__.py"]) == {
        "voc": ["voc", "voc_classes", "voc_lists"]
    }
    assert spelled_folders(["page.py", "page.css", "page.js", "bars.py", "bars_of.py"]) == {}
    spelled = {folder: spelled_folders(names) for folder, names in folders(PACKAGE).items()}
    assert {folder: found for folder, found in spelled.items() if found} == {}


def test_every_module_begins_by_saying_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "util.py", "common.py", "base.py", "types.py", "helpers.py", "misc.py"}
    assert [path.name for path in PACKAGE.rglob("*.py") if path.name in drawers] == []
