"""Numbers out of JSON, of which any may be missing, as a report writes them."""

import math
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
"""An object of scores.json, images.json or metrics.jsonl."""


def number(value: Any) -> float:
    """A finite number as a float; NaN for null and whatever else was not measured."""
    is_measured = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_measured else math.nan


def interval_of(scores: Mapping[str, Any], score: str, class_id: int | None = None) -> tuple[float, float]:
    """Both ends of the 95 % interval of a score, or of a class's score; NaN where there is none."""
    found = (scores.get("intervals") or {}).get(score)
    if class_id is not None and found is not None:
        found = found[class_id]
    return (math.nan, math.nan) if found is None else (number(found[0]), number(found[1]))


def score_text(value: float) -> str:
    """A score with three decimals, "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def interval_text(interval: tuple[float, float]) -> str:
    """Both ends, "-" for NaN."""
    return "-" if math.isnan(interval[0]) else f"{interval[0]:.3f} to {interval[1]:.3f}"


def duration(seconds: float) -> str:
    """A time as people say it: "48 s", "12 min 5 s", "3 h 20 min"; "-" for NaN."""
    if math.isnan(seconds):
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"
