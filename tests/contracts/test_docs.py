"""The documents say what the code does."""

import re
import runpy
import tomllib
from pathlib import Path

from pixelwise.data.convert.menu import FORMATS
from pixelwise.data.findings import CODES
from pixelwise.settings import FIELDS

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_stands_in_the_documents_with_its_default():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", page, flags=re.MULTILINE))
    shown = {name: rows.get(name, "missing").strip() for name in FIELDS}
    assert shown == {name: _text(field.default) for name, field in FIELDS.items()}


def test_the_page_of_settings_is_what_the_settings_say():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    writer = runpy.run_path(str(ROOT / "docs" / "write_settings.py"))
    assert writer["written"](page) == page, "run docs/write_settings.py"


def _text(default: object) -> str:
    return "none" if default in (None, ()) else str(default).lower() if isinstance(default, bool) else str(default)


def test_every_extra_stands_in_the_documents_with_what_it_brings():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", page, flags=re.MULTILINE))
    extras = {
        name: ", ".join(each.partition(">=")[0] for each in requirements)
        for name, requirements in project["optional-dependencies"].items()
    }
    assert rows == {**extras, "dev": "all of these; test and style tools"}


def test_links_between_documents_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_shows_only_commands_and_flags_that_exist():
    from pixelwise.cli.parser import parse

    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^pixelwise ((?!sagemaker)\w+ .*)$", text, flags=re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        parse(command.split("#")[0].split())


def test_every_code_of_a_finding_stands_in_the_documents():
    page = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (.*) \|$", page, flags=re.MULTILINE)
    assert rows == [(code, severity, meaning) for code, (severity, meaning) in CODES.items()]


def test_every_format_stands_in_the_documents():
    page = (ROOT / "docs" / "convert.md").read_text(encoding="utf-8")
    table = "".join(line for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([\w-]+)`", table)) >= set(FORMATS)
