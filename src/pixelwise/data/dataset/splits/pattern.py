"""A pattern of names, such as "{}_*", and the group that it makes of each name: a patient, a field, a drive."""

import re
from collections.abc import Sequence

from pixelwise.errors import SettingsError
from pixelwise.phrases import counted, listed

_LONGEST = 200
_MOST_WILD = 8  # each more could multiply the time that a name takes
_EXAMPLES = "such as '{}_*' (all before the first _), '{}/*' (the folder) or '*_{}_*'"


def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern as a regular expression: `{}` marks what makes the group, `*` stands for anything.

    `{}` takes one character or more and no `/`, `*` none or more; both take as little as they can, from the left.
    All other characters stand for themselves.

    Raises:
        SettingsError: there is no `{}`, or the pattern is too long.
    """
    if not isinstance(text, str) or "{}" not in text or "*{}" in text or "{}*" in text or "{}{}" in text:
        raise SettingsError(
            f"split_by is {_shown(text)}, expected a pattern of names in which {{}}, apart from * and from other {{}}, "
            f"marks what makes a group, {_EXAMPLES}."
        )
    if len(text) > _LONGEST or text.count("*") + text.count("{}") > _MOST_WILD:
        raise SettingsError(
            f"split_by is {_shown(text)}, expected at most {_LONGEST} characters and {_MOST_WILD} of {{}} and *, "
            f"{_EXAMPLES}."
        )
    parts = re.split(r"(\{\}|\*)", text)
    wild = {"{}": "([^/]+?)", "*": ".*?"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts), re.DOTALL)


def grouped_by(text: str, names: Sequence[str]) -> list[str]:
    """The group of each name: what stands at the `{}` of the pattern, several joined by a line end.

    Raises:
        SettingsError: the pattern cannot be used, does not fit some names, or puts all names into one group.
    """
    pattern = pattern_of(text)
    found = [pattern.fullmatch(name) for name in names]
    strays = [name for name, match in zip(names, found, strict=True) if match is None]
    if strays:
        raise SettingsError(
            f"split_by is {text!r}, which does not fit {len(strays)} of {counted(len(names), 'name')}: "
            f"{listed(map(repr, strays), 3)}. Expected a pattern that fits every name (the path below the folder of "
            f"images, without suffix), {_EXAMPLES}."
        )
    groups = ["\n".join(match.groups()) for match in found if match is not None]
    if len(names) > 1 and len(set(groups)) == 1:
        raise SettingsError(
            f"split_by is {text!r}, which puts all {len(names)} pairs into one group, {groups[0]!r} (the first name is "
            f"{names[0]!r}). Expected two groups or more, {_EXAMPLES}."
        )
    return groups


def _shown(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
