"""Where each item of a conversion is written, and which items cannot be written under their names."""

from collections.abc import Sequence

from pixelwise.data.convert.conversion import Item
from pixelwise.data.convert.source import Source
from pixelwise.data.findings import Finding


def placed(items: Sequence[Item], source: Source) -> tuple[dict[str, Item], list[Finding], list[str]]:
    """{place: item}, findings about items without a place of their own, and notes.

    A place is "SPLIT/NAME", or "undivided/NAME" while no item has a split.
    """
    notes: list[str] = []
    lone = sum(item.split is None for item in items)
    if 0 < lone < len(items):
        notes.append(f"{lone} images are in no split of the source and became train.")
        items = [item._replace(split=item.split or "train") for item in items]
    kept: dict[str, Item] = {}
    findings = []
    for item in items:
        if _leads_out(item.name):
            findings.append(_bad_name(item, source))
            continue
        place = f"{item.split or 'undivided'}/{_visible(item.name)}"
        if place in kept:
            findings.append(_twice(item, kept[place], source))
        else:
            kept[place] = item
    return kept, findings, notes


def _leads_out(name: str) -> bool:
    return "\0" in name or any(part in ("", ".", "..") for part in name.split("/"))


def _visible(name: str) -> str:
    """`name` so that no part of it is hidden or taken for a folder of masks when the dataset is read."""
    *folders, stem = (part.lstrip(".") or "_" for part in name.split("/"))
    return "/".join([*(f"{part}s" if part.endswith("_annotation") else part for part in folders), stem])


def _bad_name(item: Item, source: Source) -> Finding:
    return Finding(
        source.file(item.image), f"is called {item.name!r} by the source, which is no name of a file",
        "a name or a relative path inside the source", "Correct the name where the source lists it.", "unreadable-file",
    )  # fmt: skip


def _twice(item: Item, first: Item, source: Source) -> Finding:
    split = f" in {item.split}" if item.split else ""
    return Finding(
        source.file(item.image), f"has the same name{split} as {first.image}", "one image of each name",
        "Rename one of the two with its mask.", "duplicate-stem",
    )  # fmt: skip
