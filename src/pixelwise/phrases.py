"""Words for numbers and lists, as messages, tables and pages have them."""

import math
from collections.abc import Iterable


def percent(share: float) -> str:
    """A share from 0 to 1: "27.3 %", "0.024 %", "-" for NaN."""
    if math.isnan(share):
        return "-"
    if 0 < share < 0.000005:
        return "< 0.001 %"
    digits = 1 if share >= 0.01 else 2 if share >= 0.001 else 3
    return f"{100 * share:.{digits}f} %" if share else "0 %"


def length(size_px: float) -> str:
    """A length: "3.8 px", "115 px", "-" for NaN."""
    return "-" if math.isnan(size_px) else f"{size_px:.1f} px" if size_px < 10 else f"{size_px:.0f} px"


def factor(weight: float) -> str:
    """A class weight: "0.31", "4.7", "160"."""
    return f"{weight:.2g}" if weight < 10 else f"{weight:.0f}"


def thousands(count: int) -> str:
    """A number of pixels in four characters at most: "812", "9.5K", "812K", "1.2M", "3.4B"."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        # What would round up to 1000 of a unit is 1 of the next.
        if count >= size - size // 2000:
            value = count / size
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return str(count)


def memory_size(count: int) -> str:
    """A number of bytes: "812 MB", "2.3 GB"; a thousand of a unit are one of the next."""
    return f"{count / 1e9:.1f} GB" if count >= 999_500_000 else f"{count / 1e6:.0f} MB"


def counted(count: int, what: str) -> str:
    """A number of things: "1 mask", "2 masks", "1,200 masks"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def and_more(rest: int) -> str:
    """The end of a list that lacks `rest` entries: " and 3 more"; nothing if it lacks none."""
    return f" and {rest:,} more" if rest > 0 else ""


def listed(entries: Iterable[object], most: int = 5, *, separator: str = ", ") -> str:
    """The first `most` entries on one line: "a, b and 3 more", with "; " between them "a; b; and 3 more"."""
    texts = [str(entry) for entry in entries]
    rest = len(texts) - most
    return separator.join(texts[:most]) + (separator.strip(", ") + and_more(rest) if rest > 0 else "")


def listed_lines(entries: Iterable[object], most: int, ending: str = "") -> list[str]:
    """The first `most` entries on lines of their own and, if there are others, "... and 3 more" and `ending`."""
    texts = [str(entry) for entry in entries]
    return texts[:most] + ([f"...{and_more(len(texts) - most)}{ending}"] if len(texts) > most else [])


def shortened(text: str, most: int, *, end: str = "…") -> str:
    """At most `most` characters, the last of which are `end` where some are left out: "backgr…"."""
    return text if len(text) <= most else text[: most - len(end)] + end


def first_line(error: object) -> str:
    """What an error says first, in 200 characters at most: "no such file"; the name of its type if it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shortened(lines[0], 200)
