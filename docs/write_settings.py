"""Write the tables of settings.md from the settings themselves; `make docs` does, and a test compares."""

from collections.abc import Mapping
from pathlib import Path

from pixelwise.settings import FIELDS, GROUPS, allowed

PAGE = Path(__file__).with_name("settings.md")
BEGIN, END = "<!-- written by write_settings.py -->\n", "<!-- end -->\n"


def written(page: str) -> str:
    """The page with its tables as the settings are now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "\n".join(map(section, GROUPS)) + END + after


def section(group: str) -> str:
    """The table of a group, and what each of its menus offers."""
    names = [name for name, field in FIELDS.items() if field.metadata["group"] == group]
    lines = [f"## {group[0].upper()}{group[1:]}", "", "| setting | default | allowed | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | `{shown(FIELDS[name].default)}` | {range_of(name)} | {meaning_of(name)} |" for name in names
    ]
    for name in names:
        choices = FIELDS[name].metadata["choices"]
        if isinstance(choices, Mapping):
            lines += ["", f"`{name}` may be", "", *(f"- `{key}`: {each.meaning}" for key, each in choices.items())]
    return "\n".join([*lines, ""])


def shown(default: object) -> str:
    """A default as a file of settings has it."""
    return "none" if default in (None, ()) else str(default).lower() if isinstance(default, bool) else str(default)


def range_of(name: str) -> str:
    """What may be given; menus stand below the table."""
    return "see below" if isinstance(FIELDS[name].metadata["choices"], Mapping) else allowed(name)


def meaning_of(name: str) -> str:
    """The one line, safe in a table."""
    return str(FIELDS[name].metadata["meaning"]).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
