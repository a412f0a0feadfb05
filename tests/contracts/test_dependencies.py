"""What the package imports is what pyproject.toml declares, and `make test-lowest` runs the tests at its floors."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
TOOLS = ("dev", "docs")  # for work on Pixelwise itself: no module of it imports them

UNDECLARED = {"sagemaker": "launch builds objects of version 2 or 3 of the SDK: either would keep the other out"}
NOT_IMPORTED = {
    "tensorboard": "torch.utils.tensorboard writes with it",
}


def distribution(requirement: str) -> str:
    """The name of a requirement, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def modules(source: str) -> Iterator[str]:
    """The first word of each module that a source file imports."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name.partition(".")[0]
            case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(name))]):
                yield name.partition(".")[0]


def declared() -> set[str]:
    lists = [PROJECT["dependencies"], *(EXTRAS[name] for name in EXTRAS if name not in TOOLS)]
    return {distribution(requirement) for each in lists for requirement in each}


def imported() -> set[str]:
    """Every module of others that the package imports, whether always or late."""
    files = [path for path in (ROOT / "src").rglob("*.py*") if path.suffix in (".py", ".pyi")]
    found = {name for path in files for name in modules(path.read_text(encoding="utf-8"))}
    return found - sys.stdlib_module_names - {"pixelwise"}


def providers(module: str) -> set[str]:
    return {distribution(name) for name in packages_distributions().get(module, ())}


def test_imports_are_found_wherever_they_stand() -> None:
    late = "def read():\n    import a.b\n    from c.d import e\n    from . import f\n    return import_module('g.h')\n"
    assert list(modules(late)) == ["a", "c", "g"]


def test_what_is_imported_is_declared() -> None:
    assert {name for name in imported() if not providers(name) & declared()} == set(UNDECLARED)


def test_what_is_declared_is_imported() -> None:
    needed = {name for module in imported() for name in providers(module)}
    assert declared() - needed == set(NOT_IMPORTED)


@pytest.mark.parametrize("name", ["build", "runtime", *EXTRAS])
def test_every_requirement_has_a_floor(name: str) -> None:
    system = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    requirements = {"build": system["requires"], "runtime": PROJECT["dependencies"], **EXTRAS}[name]
    assert [each for each in requirements if ">=" not in each and distribution(each) != "pixelwise"] == []


def test_who_works_on_pixelwise_has_every_extra() -> None:
    brought = re.fullmatch(r"pixelwise\[(.*)\]", EXTRAS["dev"][0])
    assert brought
    assert brought[1].split(",") == sorted(set(EXTRAS) - {"dev"})


def test_constraints_fix_the_version_of_everything_declared() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    fixed = {distribution(line) for line in lines if "==" in line}
    wanted = {
        distribution(each) for each in [*PROJECT["dependencies"], *(one for name in EXTRAS for one in EXTRAS[name])]
    }
    assert wanted - fixed == {"pixelwise"}
