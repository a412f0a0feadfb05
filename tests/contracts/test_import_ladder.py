"""The rooms keep to the ladder that pyproject.toml draws."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package that lies in `root`/src."""
    program = (
        "import sys; sys.path.insert(0, 'src');"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    return subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    return tmp_path


def test_modules_import_only_from_lower_rungs() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("labels.py", "pixelwise.settings"),
        ("data/pairs.py", "pixelwise.models.heads"),
        ("models/heads/taps.py", "pixelwise.runtime"),
        ("scoring/metrics.py", "pixelwise.training.loop"),
    ],
)
def test_an_import_from_a_higher_rung_or_a_sibling_breaks_the_contract(
    copied_package: Path, room: str, forbidden: str
) -> None:
    with (copied_package / "src" / "pixelwise" / room).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {forbidden}\n")
    result = lint_imports(copied_package)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout


def test_a_module_without_a_place_on_the_ladder_breaks_the_contract(copied_package: Path) -> None:
    (copied_package / "src" / "pixelwise" / "utils.py").write_text('"""Odds and ends."""\n')
    result = lint_imports(copied_package)
    assert result.returncode == 1
    assert "utils" in result.stdout


def test_the_variables_of_sagemaker_are_read_behind_its_door_alone() -> None:
    # a container's names are for the container: elsewhere a flag says it
    package = ROOT / "src" / "pixelwise"
    readers = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"SAGEMAKER_|\bSM_[A-Z]|/opt/ml", path.read_text(encoding="utf-8"))
    }
    assert readers == {"sagemaker"}
