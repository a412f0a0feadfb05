"""How the numbers came about: settings, versions, time and cost."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pixelwise.report.html import Html, Section, folded, joined, table
from pixelwise.report.numbers import Record, duration, number


def settings_section(settings: Record) -> Section | None:
    """Every setting with its value."""
    if not settings:
        return None
    rows = [[name, _text(value)] for name, value in _flat(settings)]
    shown = table(["setting", "value"], rows, caption="As resolved for this run", texts=2)
    return Section("settings", "Settings", folded(f"All {len(rows)} settings", shown, is_open=True))


def provenance_section(provenance: Record, history: Sequence[Record]) -> Section | None:
    """Time and cost of the run, then versions, machine and whatever else is known."""
    times = _times(history)
    if not provenance and not times:
        return None
    parts = [table(["what", "value"], times, caption="Time and cost")] if times else []
    rows = [[name.replace("_", " "), _known(name, value)] for name, value in _flat(provenance)]
    if rows:
        parts.append(table(["what", "value"], rows, caption="Versions, machine and date", texts=2))
    return Section("provenance", "Versions, time and cost", joined(parts))


def _times(history: Sequence[Record]) -> list[list[str]]:
    seconds = np.array([number(row.get("seconds")) for row in history])
    speed = np.array([number(row.get("train_images_per_second")) for row in history])
    rows = []
    if np.isfinite(seconds).any():
        total = float(np.nansum(seconds))
        rows.append(["epochs", f"{len(history):,}"])
        rows.append(["time of all epochs", f"{duration(total)} ({total:,.0f} s)"])
        rows.append(["time of an epoch, mean", duration(float(np.nanmean(seconds)))])
    if np.isfinite(speed).any():
        rows.append(["training images per second, median", f"{float(np.nanmedian(speed)):,.1f}"])
    if rows and np.isfinite(seconds).any():
        rows.append(
            ["cost: hours of the machine, to multiply by its price", f"{float(np.nansum(seconds)) / 3600:.3f} h"]
        )
    return rows


def _known(name: str, value: Any) -> str:
    measured = number(value)
    if name.endswith("seconds") and not math.isnan(measured):
        return f"{duration(measured)} ({measured:,.1f} s)"
    return _text(value)


def _flat(content: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value; what is nested is named by its path."""
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> Html | str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(_text(entry)) for entry in value)
    return str(value)
