"""Flags of settings with their groups, choices and ranges; a parser that refuses like the rest of Pixelwise."""

import argparse
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from pixelwise.errors import SettingsError
from pixelwise.settings import FIELDS, GROUPS, KINDS, allowed
from pixelwise.values import unknown_choice, unknown_name

_INDENT = "  "


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses like the rest of Pixelwise, knows no abbreviations and has a short usage line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=_Formatter)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does it, but a mistyped flag is named before the required one that is then missing."""
        for word in self._own_words(args or ()):
            if word.startswith("--") and word.partition("=")[0] not in self._option_string_actions:
                raise SettingsError(unknown_flag(word, self._option_string_actions))
        return super().parse_known_args(args, namespace)

    def _own_words(self, words: Sequence[str]) -> Iterable[str]:
        """Those that this parser reads itself: before a verb, or before `--`, after which nothing is a flag."""
        if self._subparsers is not None:
            return takewhile(lambda word: word.startswith("-"), words)
        return takewhile(lambda word: word != "--", words)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is no verb of a parser or no choice of a flag."""
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            raise SettingsError(unknown_name(value, action.choices, "command"))
        raise SettingsError(unknown_choice("/".join(action.option_strings), value, action.choices))

    def error(self, message: str) -> NoReturn:
        """Refuse with exit code 2 and where to look."""
        raise SettingsError(f"{message}. See `{self.prog} --help`.")

    def format_help(self) -> str:
        """The help text, below the short usage line."""
        self.usage = self._short_usage()
        return super().format_help()

    def _short_usage(self) -> str:
        """What must be given; the flags that may be are listed below it."""
        parts, may = [self.prog], False
        for action in self._actions:
            name = str(action.metavar or action.dest)
            if action.required and action.option_strings:
                parts.append(f"{action.option_strings[0]} {name}")
            elif action.option_strings:
                may = True
            elif action.nargs == argparse.OPTIONAL:
                parts.append(f"[{name}]")
            else:
                parts.append(f"{name} ..." if action.nargs in (argparse.ONE_OR_MORE, argparse.PARSER) else name)
        return " ".join([*parts, "[flags]"] if may else parts).replace("%", "%%")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a menu apart."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        lines: list[str] = []
        for line in text.splitlines():
            first, below, content = "", "", line.strip()
            if line.startswith(_INDENT):
                # The second column of a menu begins where the meanings do.
                column = len(content) - len(content.partition("  ")[2].lstrip())
                first, below = _INDENT, _INDENT + " " * column
            lines += textwrap.wrap(content, width, initial_indent=first, subsequent_indent=below)
        return lines


def unknown_flag(word: str, flags: Iterable[str]) -> str:
    """A sentence that refuses `word`, which is none of these flags, and offers the nearest of them."""
    name = word.partition("=")[0]
    is_off = name.startswith("--no-")  # else the list is without them: each stands there with its `--no-` left out
    return unknown_name(name, [flag for flag in flags if is_off or not flag.startswith("--no-")], "argument")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting, in the groups that settings have; where the plan decides, its default is `auto`."""
    for title in GROUPS:
        names = [name for name in FIELDS if FIELDS[name].metadata["group"] == title]
        add_setting_flags(parser.add_argument_group(title), names, planned=True)


def add_setting_flags(group: Any, names: Iterable[str], *, planned: bool = False) -> None:
    """A flag for each of these settings; values are checked by Settings, not here, so that every door refuses alike.

    `planned`: the verb has a plan for the settings that can be planned.
    """
    for name in names:
        is_auto = planned and FIELDS[name].metadata["planned"]
        flag, text = f"--{name.replace('_', '-')}", _help(name, is_auto=is_auto).replace("%", "%%")
        if KINDS[name][0] is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
        else:
            group.add_argument(flag, default=argparse.SUPPRESS, metavar=_metavar(name), help=text)


def _metavar(name: str) -> str:
    rule = FIELDS[name].metadata
    if rule["choices"]:
        return "NAME" if isinstance(rule["choices"], Mapping) else "N"
    return "VALUE" if rule["form"] else {int: "N", float: "X"}.get(KINDS[name][0], "TEXT")


def _help(name: str, *, is_auto: bool) -> str:
    """Its meaning, what it may be and its default; a menu has a line for each of its names."""
    default, rule = FIELDS[name].default, FIELDS[name].metadata
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    shown = text.lower() if isinstance(default, bool) or default is None else text or "none"
    facts = [f"default: auto; fixed: {shown}" if is_auto else f"default: {shown}"]
    menu = rule["choices"] if isinstance(rule["choices"], Mapping) else {}
    if not menu and KINDS[name][0] is not bool and allowed(name):
        facts.insert(0, allowed(name))
    return "\n".join([f"{rule['meaning']} ({'; '.join(facts)})", *menu_lines(menu)])


def menu_lines(menu: Mapping[str, Any]) -> list[str]:
    """A line of help for each entry of a menu."""
    width = max(map(len, menu), default=0)
    return [f"{_INDENT}{name:<{width}}  {choice.meaning}" for name, choice in menu.items()]
