"""Importing is cheap and silent: heavy packages load when they are first needed."""

import importlib.util
import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "numpy", "PIL", "timm", "rich", "yaml", "safetensors", "tensorboard")

REPORT = "import json, sys; print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def loaded_heavy_packages(program: str) -> list[str]:
    result = run(f"{program}; {REPORT}")
    assert result.returncode == 0, result.stderr
    return [name for name in json.loads(result.stdout.splitlines()[-1]) if name in HEAVY]


@pytest.mark.parametrize("module", ["pixelwise", "pixelwise.cli", "pixelwise.settings", "pixelwise.labels"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert importlib.util.find_spec(module), f"{module} does not exist"
    assert loaded_heavy_packages(f"import {module}") == []


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['pixelwise', *{arguments!r}]; from pixelwise.cli import main\n"
        "try: sys.exit(main())\n"
        f"except SystemExit as end: assert not end.code, end.code\n{REPORT}"
    )
    result = run(program)
    assert result.returncode == 0, result.stderr
    *text, modules = result.stdout.splitlines()
    assert text
    assert [name for name in json.loads(modules) if name in HEAVY] == []


def test_importing_says_nothing() -> None:
    result = run("import pixelwise.cli")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
