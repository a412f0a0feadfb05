"""What documents and notebooks import is in `__all__` of the package or of a room's face; every verb has its name."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pixelwise
from pixelwise.cli import verbs

ROOT = Path(__file__).resolve().parents[2]
FACES = ("pixelwise", *(f"pixelwise.{room}" for room in ("data", "figures", "sagemaker", "serving", "settings")))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docker" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))
SCRIPTS = sorted(ROOT.glob("examples/*.py"))

# Verbs whose own name Python or a room has taken.
PYTHON_NAMES = {"report": "write_report"}
SAGEMAKER_NAMES = {"train": ["train"], "serve": ["serve"], "import": ["import_model"], "cost": ["estimates"]}
SAGEMAKER_NAMES["launch"] = ["training_request", "tuning_request", "endpoint_requests", "transform_requests", "send"]


def code_of(path: Path) -> Iterator[str]:
    """Every piece of Python that a page or a notebook shows."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    elif path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        yield from ("".join(line for line in cell["source"] if not line.startswith("%")) for cell in cells)
    else:
        yield text


def is_public(module: str, name: str) -> bool:
    return module in FACES and name in importlib.import_module(module).__all__


def offences(code: str) -> list[str]:
    """What a piece of code takes of Pixelwise that is in no list."""
    found = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "pixelwise":
                found += [f"{module}.{alias.name}" for alias in node.names if not is_public(module, alias.name)]
            case ast.Import():
                ours = [alias.name for alias in node.names if alias.name.partition(".")[0] == "pixelwise"]
                found += [name for name in ours if name not in FACES]
            case ast.Attribute(value=ast.Name(id="pixelwise")) if node.attr not in pixelwise.__all__:
                found.append(f"pixelwise.{node.attr}")
    return found


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS, *SCRIPTS], ids=lambda path: path.name)
def test_what_is_shown_imports_public_names_only(path):
    assert [offence for code in code_of(path) for offence in offences(code)] == []


def test_the_guard_refuses_what_is_in_no_list():
    assert offences("from pixelwise.data.dataset.pairs import find_pairs") == [
        "pixelwise.data.dataset.pairs.find_pairs"
    ]
    assert offences("from pixelwise.figures import np") == ["pixelwise.figures.np"]
    assert offences("import pixelwise.training.loop") == ["pixelwise.training.loop"]
    assert offences("import pixelwise\npixelwise.fit()") == ["pixelwise.fit"]
    assert offences("import pixelwise\nfrom pixelwise.serving import decode_record\npixelwise.train()") == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_names_in_the_prose_are_public(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`(pixelwise)\.(\w+)(?:\.(\w+))?", text)
    wrong = [
        ".".join(parts)
        for parts in named
        if parts[1] not in pixelwise.__all__ and not is_public(f"pixelwise.{parts[1]}", parts[2])
    ]
    assert wrong == []


@pytest.mark.parametrize("face", FACES)
def test_a_face_lists_its_names_in_order_and_has_them_all(face):
    module = importlib.import_module(face)
    assert list(module.__all__) == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_a_name_in_no_list_is_no_attribute_of_the_package():
    with pytest.raises(AttributeError, match="no_such_verb"):
        _ = pixelwise.no_such_verb


def verb_names() -> list[str]:
    functions = inspect.getmembers(verbs, inspect.isfunction)
    return [name for name, each in functions if each.__module__ == verbs.__name__ and not name.startswith("_")]


@pytest.mark.parametrize("verb", verb_names())
def test_every_verb_has_its_python_name(verb):
    assert PYTHON_NAMES.get(verb, verb) in pixelwise.__all__


def test_every_verb_of_the_sagemaker_door_has_its_python_name(run):
    _code, out, _err = run("sagemaker", "--help")
    assert set(re.findall(r"^    (\w+) ", out, flags=re.MULTILINE)) == set(SAGEMAKER_NAMES)
    assert [
        name for names in SAGEMAKER_NAMES.values() for name in names if not is_public("pixelwise.sagemaker", name)
    ] == []
