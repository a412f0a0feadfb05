"""The pages build without a warning, lead nowhere wrong, load nothing, and show only commands that exist."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import pixelwise
from pixelwise.cli.parser import parse
from pixelwise.scoring.definitions import DEFINITIONS
from pixelwise.settings import FIELDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))

# Where a browser fetches by itself; a link with `href` in <a> waits for a person.
LOADING = {"src", "srcset", "poster", "data", "action"}
FETCHING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


class _Page(HTMLParser):
    """What a page offers as anchors, links to and loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.loaded += [given[name] for name in LOADING if given.get(name)]
        self.loaded += re.findall(r"url\(([^)]+)\)", given.get("style", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and FETCHING_LINKS & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    missing = [name for name in ("sphinx", "myst_parser", "furo") if find_spec(name) is None]
    if missing:
        pytest.skip(f'{", ".join(missing)} missing: pip install ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    arguments = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *arguments, str(DOCS), str(folder / "html")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "html"


def test_the_site_builds_without_a_warning_and_has_every_page(site):
    assert {path.stem for path in PAGES} <= {path.stem for path in site.glob("*.html")}


def test_every_link_and_anchor_of_the_site_leads_somewhere(site):
    pages = {path: _Page(path) for path in site.rglob("*.html")}
    broken = [
        f"{path.name}: {link}"
        for path, page in pages.items()
        for link in page.links
        if not urlsplit(link).scheme and not _leads_somewhere(path, link, pages)
    ]
    assert not broken


def _leads_somewhere(path: Path, link: str, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors


def test_the_pages_load_nothing_from_the_network(site):
    loaded = [address for path in site.rglob("*.html") for address in _Page(path).loaded]
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        loaded += re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
    assert [address for address in loaded if urlsplit(address).scheme not in {"", "data"} or address[:2] == "//"] == []
    assert any(urlsplit(address).path.endswith(".css") for address in loaded)


def test_every_page_is_reached_from_the_first(site):
    first = {urlsplit(link).path for link in _Page(site / "index.html").links}
    assert {f"{path.stem}.html" for path in PAGES if path.stem != "index"} <= first


def _blocks(page: Path) -> Iterator[str]:
    yield from re.findall(r"^ *```\w*\n(.*?)^ *```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    lines = [line for page in PAGES for block in _blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    started = (
        re.fullmatch(r"\s*(?:pixelwise|torchrun .* -m pixelwise\.cli) (?!--version)(.+)", line) for line in lines
    )
    return sorted({shlex.join(shlex.split(match[1], comments=True)) for match in started if match})


@pytest.mark.parametrize("command", _commands())
def test_commands_in_the_pages_exist_with_their_flags(command):
    parse(shlex.split(command))


def test_the_pages_show_every_verb():
    shown = {command.split()[0] for command in _commands()}
    verbs = "check compare convert demo describe evaluate export plan predict report sagemaker score serve train"
    assert shown == set(verbs.split())


def test_the_page_on_metrics_has_every_definition_of_mean_iou():
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    section = page.split("### Other definitions of mean IoU")[1].split("\n### ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == list(DEFINITIONS)


def test_the_page_on_networks_shows_what_describe_prints():
    command, shown = list(_blocks(DOCS / "describe.md"))[:2]
    options = parse(shlex.split(command.splitlines()[0], comments=True)[1:])
    given = {name: getattr(options, name) for name in FIELDS if hasattr(options, name)}
    printed = pixelwise.describe(**given).text().splitlines()
    rows = [row for row in shown.splitlines() if row and "---" not in row]
    assert [row for row in rows if not any(line.startswith(row) for line in printed)] == []
