"""The plan that a run followed: what was decided for this data and this machine, and why."""

from pixelwise.phrases import counted
from pixelwise.report.html import Html, Section, folded, joined, prose, table
from pixelwise.report.numbers import Record


def plan_section(plan: Record) -> Section | None:
    """Every setting that the plan decided, with its reason, and what it foresaw."""
    decisions = plan.get("decisions") or []
    if not decisions:
        return None
    decided = [row for row in decisions if row.get("by") != "you"]
    rows = [[str(row["setting"]), _shown(row["value"]), str(row["reason"])] for row in decided]
    given = [str(row["setting"]) for row in decisions if row.get("by") == "you"]
    said = [Html(f"<p>{prose(sentence)}</p>") for sentence in [*plan.get("foreseen", ()), *plan.get("notes", ())]]
    shown = table(["setting", "value", "why"], rows, caption="Decided for this data and this machine", texts=3)
    if given:
        said.append(Html(f"<p>{prose('Given: ' + ', '.join(f'`{name}`' for name in given) + '.')}</p>"))
    parts = [*said, folded(f"{counted(len(rows), 'setting')}, each with its reason", shown, is_open=True)]
    return Section("plan", "Plan", joined(parts))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
